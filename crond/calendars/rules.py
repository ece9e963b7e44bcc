"""Days of a month by rule: `L`, `L-3`, `LW`, `15W`, `5#2`, `5L`.

croniter answers where it is right; what it lacks is worked out here. Knows no entry and no zone. The
model hands over rules in canonical form; the engine is given this function as its calendar.
"""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta
from functools import lru_cache


@lru_cache(maxsize=4096)
def days_of_rule(rule: str, year: int, month: int) -> frozenset[int]:
    """Return the days of that month which `rule` means; empty where it has none."""
    last = calendar.monthrange(year, month)[1]
    if rule.startswith("L-"):
        day = last - int(rule[2:])
        return frozenset((day,)) if day >= 1 else frozenset()
    if rule.endswith("W"):
        target = last if rule == "LW" else int(rule[:-1])
        return frozenset((_nearest_weekday(year, month, target),)) if target <= last else frozenset()
    if rule == "L":
        return _by_croniter("0 0 L * *", year, month)
    weekday, mark, nth = rule.partition("#")
    wanted = f"{weekday}#{nth}" if mark else f"L{rule[:-1]}"
    return _by_croniter(f"0 0 * * {wanted}", year, month)


def _by_croniter(expression: str, year: int, month: int) -> frozenset[int]:
    # Imported here: most crontabs have no such rule, and the import costs more than the whole scheduler.
    from croniter import croniter

    first = datetime(year, month, 1)  # noqa: DTZ001  (a calendar day has no zone)
    iterator = croniter(expression, first - timedelta(seconds=1), ret_type=datetime)
    days: set[int] = set()
    while True:
        found = iterator.get_next()
        if (found.year, found.month) != (year, month):
            return frozenset(days)
        days.add(found.day)


def _nearest_weekday(year: int, month: int, day: int) -> int:
    """The weekday nearest to `day` that lies in the same month."""
    last = calendar.monthrange(year, month)[1]
    weekday = date(year, month, day).weekday()
    if weekday == calendar.SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == calendar.SUNDAY:
        return day + 1 if day < last else day - 2
    return day
