"""When an entry is due, the slow way: day by day, with the calendar of the standard library.

Only for zones that never change their offset, where every crontab line has one simple meaning. The planner
is judged by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from crond.model.entry import Entry
from crond.model.schedule import Cron, Every

#: Zones without any change in the years that are simulated: seconds east of UTC.
FIXED = {"UTC": 0, "Asia/Seoul": 9 * 3600}


def offset_of(entry: Entry, zone: str) -> int | None:
    """Return the offset that `entry` follows under a daemon in `zone`; None where it may change."""
    if zone not in FIXED:
        return None  # the daemon's walk itself jumps
    return FIXED.get(entry.policy.timezone or entry.timezone or zone)


def is_simple(entry: Entry, zone: str) -> bool:
    """True if `instants` can tell when it is due."""
    schedule = entry.schedule
    if isinstance(schedule, Every):
        return True
    if not isinstance(schedule, Cron) or schedule.dom_rules or schedule.dow_rules or entry.random_delay:
        return False
    return offset_of(entry, zone) is not None


def instants(entry: Entry, zone: str, after: float, upto: float) -> Iterator[float]:
    """Yield the instants of `entry` in (after, upto]."""
    schedule = entry.schedule
    if isinstance(schedule, Every):
        tick = int(after // schedule.seconds) + 1
        while tick * schedule.seconds <= upto:
            yield float(tick * schedule.seconds)
            tick += 1
        return
    offset = offset_of(entry, zone)
    if not isinstance(schedule, Cron) or offset is None:
        raise ValueError(f"{entry.raw}: nobody knows when")
    times = [(hour, minute) for hour in sorted(schedule.hour) for minute in sorted(schedule.minute)]
    day = datetime.fromtimestamp(after + offset, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    while day.timestamp() - offset <= upto:
        if _is_day(schedule, day):
            for hour, minute in times:
                instant = day.timestamp() + hour * 3600 + minute * 60 - offset
                if after < instant <= upto:
                    yield instant
        day += timedelta(days=1)


def _is_day(schedule: Cron, day: datetime) -> bool:
    by_month, by_week = day.day in schedule.day_of_month, day.isoweekday() % 7 in schedule.day_of_week
    both = schedule.dom_star or schedule.dow_star
    return day.month in schedule.month and ((by_month and by_week) if both else (by_month or by_week))
