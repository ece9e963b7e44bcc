"""When an entry is due: five sets of cron, a period, one moment, the start of the machine, or after others.

Times here are *local minutes*: minutes since 1970-01-01 00:00 as a wall clock counts them. Which UTC
moment a local minute is, and what a jump of the clock does to it, is `crond.core`'s business. Pure;
used by the planner and by everything that shows a schedule.
"""

from __future__ import annotations

import calendar
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from crond.model.fields import Field

_EPOCH = date(1970, 1, 1).toordinal()
MINUTES_PER_DAY = 1440

#: Resolves one day rule (`L`, `15W`, `5#2` ...) in a month: (rule, year, month) -> days of that month.
DayRules = Callable[[str, int, int], frozenset[int]]


@dataclass(frozen=True, slots=True)
class LocalMinute:
    """A local minute, taken apart once so that every schedule can be tested against it."""

    number: int
    minute: int
    hour: int
    day: int
    month: int
    year: int
    weekday: int  #: 0 is Sunday


def local_minute(number: int) -> LocalMinute:
    """Take local minute `number` apart."""
    days, rest = divmod(number, MINUTES_PER_DAY)
    day = date.fromordinal(_EPOCH + days)
    return LocalMinute(number, rest % 60, rest // 60, day.day, day.month, day.year, day.isoweekday() % 7)


def minute_number(moment: datetime) -> int:
    """Return the local minute that a wall clock shows at `moment` (its zone is not looked at)."""
    return (moment.toordinal() - _EPOCH) * MINUTES_PER_DAY + moment.hour * 60 + moment.minute


@dataclass(frozen=True, slots=True)
class Cron:
    """cron's five sets. Both 0 and 7 stand for Sunday; a set may be empty (then it is never due).

    `wild` is cron's word for an entry that follows elapsed time when the clock jumps: its minute or
    hour begins with `*`. The others are *fixed*: each of their minutes is served once.
    """

    minute: frozenset[int]
    hour: frozenset[int]
    day_of_month: frozenset[int]
    month: frozenset[int]
    day_of_week: frozenset[int]
    minute_star: bool
    hour_star: bool
    dom_star: bool
    dow_star: bool
    dom_rules: tuple[str, ...] = ()
    dow_rules: tuple[str, ...] = ()
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        # Files align fields with tabs and more; a line of a table shall not.
        return " ".join(self.text.split())

    @property
    def wild(self) -> bool:
        return self.minute_star or self.hour_star

    def matches(self, at: LocalMinute, rules: DayRules | None = None) -> bool:
        """True if `at` is one of its minutes. `rules` is needed where day rules are used."""
        return (
            at.minute in self.minute
            and at.hour in self.hour
            and at.month in self.month
            and self.matches_day(at.year, at.month, at.day, at.weekday, rules)
        )

    def matches_day(
        self, year: int, month: int, day: int, weekday: int, rules: DayRules | None = None
    ) -> bool:
        """Cron's rule of two day fields: both must hold if either begins with `*`, else one is enough."""
        by_month = day in self.day_of_month
        by_week = weekday in self.day_of_week
        if rules is not None:
            by_month = by_month or any(day in rules(rule, year, month) for rule in self.dom_rules)
            by_week = by_week or any(day in rules(rule, year, month) for rule in self.dow_rules)
        if self.dom_star or self.dow_star:
            return by_month and by_week
        return by_month or by_week

    def next_after(self, after: int, upto: int, rules: DayRules | None = None) -> int | None:
        """Return the first local minute m with after < m <= upto that matches, or None."""
        hours, minutes = sorted(self.hour), sorted(self.minute)
        if not hours or not minutes or not self.month:
            return None
        at = local_minute(after + 1)
        day = date.fromordinal(_EPOCH + (after + 1) // MINUTES_PER_DAY)
        first = (at.hour, at.minute)
        last = date.fromordinal(_EPOCH + upto // MINUTES_PER_DAY)
        while day <= last:
            if day.month not in self.month:
                day = _next_month(day)
            elif self.matches_day(day.year, day.month, day.day, day.isoweekday() % 7, rules):
                found = _first_of_day(hours, minutes, first)
                if found is not None:
                    number = (day.toordinal() - _EPOCH) * MINUTES_PER_DAY + found[0] * 60 + found[1]
                    return number if number <= upto else None
                day += timedelta(days=1)
            else:
                day += timedelta(days=1)
            first = (0, 0)
        return None


def _next_month(day: date) -> date:
    return day.replace(day=1) + timedelta(days=calendar.monthrange(day.year, day.month)[1])


def _first_of_day(hours: list[int], minutes: list[int], first: tuple[int, int]) -> tuple[int, int] | None:
    at = bisect_left(hours, first[0])
    if at < len(hours) and hours[at] == first[0]:
        inside = bisect_left(minutes, first[1])
        if inside < len(minutes):
            return hours[at], minutes[inside]
        at += 1
    return (hours[at], minutes[0]) if at < len(hours) else None


@dataclass(frozen=True, slots=True)
class Every:
    """Due at the multiples of `seconds` since the Unix epoch, so that equal periods share instants."""

    seconds: int
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.text

    def tick(self, moment: float) -> int:
        """Return which multiple is the latest at or before `moment` (epoch seconds)."""
        return int(moment // self.seconds)


@dataclass(frozen=True, slots=True)
class At:
    """Due once. `moment` is naive where the text gave no offset: it is read in the entry's zone."""

    moment: datetime
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Reboot:
    """Due once per boot of the machine."""

    text: str = field(default="@reboot", compare=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class After:
    """Has no instants of its own: due when the jobs that it depends on have ended."""

    text: str = field(default="@after", compare=False)

    def __str__(self) -> str:
        return self.text


Schedule = Cron | Every | At | Reboot | After


def cron_of(fields: tuple[Field, ...], text: str) -> Cron:
    """Put five parsed fields together."""
    minute, hour, dom, month, dow = fields
    return Cron(
        minute.values,
        hour.values,
        dom.values,
        month.values,
        dow.values,
        minute.star,
        hour.star,
        dom.star,
        dow.star,
        dom.rules,
        dow.rules,
        text,
    )


def _nickname(name: str, minute: str, hour: str, dom: str, month: str, dow: str, stars: str) -> Cron:
    """A nickname's sets; `stars` are the flags that cronie gives it, which are not those of its fields."""

    def span(text: str, low: int, high: int) -> frozenset[int]:
        return frozenset(range(low, high + 1)) if text == "*" else frozenset((int(text),))

    week = span(dow, 0, 7)
    return Cron(
        span(minute, 0, 59),
        span(hour, 0, 23),
        span(dom, 1, 31),
        span(month, 1, 12),
        week | {0, 7} if week & {0, 7} else week,
        "minute" in stars,
        "hour" in stars,
        "dom" in stars,
        "dow" in stars,
        text=name,
    )


NICKNAMES: dict[str, Cron | Reboot] = {
    "@reboot": Reboot(),
    "@yearly": _nickname("@yearly", "0", "0", "1", "1", "*", "dow"),
    "@annually": _nickname("@annually", "0", "0", "1", "1", "*", "dow"),
    "@monthly": _nickname("@monthly", "0", "0", "1", "*", "*", "dow"),
    "@weekly": _nickname("@weekly", "0", "0", "*", "*", "0", "dom"),
    "@daily": _nickname("@daily", "0", "0", "*", "*", "*", ""),
    "@midnight": _nickname("@midnight", "0", "0", "*", "*", "*", ""),
    "@hourly": _nickname("@hourly", "0", "*", "*", "*", "*", "hour"),
}
#: FreeBSD's; only where extensions are asked for.
EVERY_MINUTE = _nickname("@every_minute", "*", "*", "*", "*", "*", "minute hour dom dow")
