"""`crond.simulate`: the simulation with times and zones as Python programs have them.

Puts zones and calendars, which the core must not know, together with the core's simulation. Called by
users of the package and by the client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo

from crond.calendars.rules import days_of_rule
from crond.core.simulation import Ending, Launch, Simulation
from crond.model.crontab import Table
from crond.model.entry import Entry
from crond.zones import NamedZone, tzinfo_named, zone_named

__all__ = ["Ending", "Start", "simulate"]


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a command. `started_at` is when, in the daemon's zone; `instant` is the UTC moment it
    answers. `attempt` counts the starts for that instant from 1: after a failure `retries` bring more.

    They differ where a start makes up for a minute that was missed or does not exist, and where it waits.
    """

    started_at: datetime
    instant: datetime
    entry: Entry
    attempt: int = 1


def simulate(
    table: Table,
    *,
    start: datetime | float,
    until: datetime | float,
    timezone: str | tzinfo,
    seed: int = 0,
    outcome: Callable[[Start], Ending] | None = None,
) -> Iterator[Start]:
    """Yield what a daemon would start that came up at `start`, up to and including `until`.

    `start` and `until` are aware datetimes or epoch seconds; the minute of `start` itself is never run,
    but @reboot is. `timezone` is the daemon's zone, by name or as a tzinfo. `seed` feeds RANDOM_DELAY.
    `outcome` says how each command ends (default: at once, with exit status 0). Annotations are obeyed: what
    `wait_for` waits for is there at once, and each `condition` is met.

    Raises ValueError for a naive datetime and for a zone that does not exist.
    """
    local = _zone(timezone)

    def shown(launch: Launch) -> Start:
        return Start(
            datetime.fromtimestamp(launch.wall, local), _utc(launch.instant), launch.entry, launch.attempt
        )

    def ending(launch: Launch) -> Ending:
        return Ending() if outcome is None else outcome(shown(launch))

    simulation = Simulation(
        table,
        start=_moment(start),
        zone=NamedZone(local),
        zone_named=zone_named,
        rules=days_of_rule,
        seed=seed,
        ending=ending,
        days_off=_day_off,
    )
    return map(shown, simulation.run(_moment(until)))


def _day_off(source: str, day: date) -> str | None:
    # Only where an entry needs it: holidays of countries are large.
    from crond.calendars.daysoff import day_off

    return day_off(source, day)


def _utc(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def _moment(given: datetime | float) -> float:
    if not isinstance(given, datetime):
        return float(given)
    if given.tzinfo is None:
        raise ValueError(f"{given.isoformat()} has no zone: give an aware datetime")
    return given.timestamp()


def _zone(given: str | tzinfo) -> tzinfo:
    if isinstance(given, tzinfo):
        return given
    zone = tzinfo_named(given) if given else None
    if zone is None:
        raise ValueError(f"there is no time zone {given!r}")
    return zone
