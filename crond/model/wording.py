"""A schedule in words: when it is due, and what of it is cron's and not what one expects.

Made from the sets that were parsed, never from the text, so that two ways to write one schedule read alike
and what is said is what will happen. Pure; called by the client's `explain` and `check`.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from enum import Enum, auto

from crond.model.progression import Progression, progression_of, spans_of
from crond.model.schedule import After, At, Cron, Every, Reboot, Schedule

_MONTHS = calendar.month_name
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_ORDINALS = ("", "first", "second", "third", "fourth", "fifth")
_ALL_DOM, _ALL_DOW = frozenset(range(1, 32)), frozenset(range(8))
_MOST_TIMES = 4  #: more times of day than these are not listed


class Days(Enum):
    """How the two day fields come together."""

    EVERY = auto()
    MONTH = auto()  #: the day of the month alone decides
    WEEK = auto()  #: the day of the week alone decides
    BOTH = auto()  #: both must fit
    EITHER = auto()  #: one is enough
    NONE = auto()


def words_of(schedule: Schedule) -> str:
    """Return one sentence that says when `schedule` is due, in the time zone of its entry."""
    match schedule:
        case Reboot():
            return "Once after each start of the machine, when the daemon comes up."
        case After():
            return "When the jobs that it depends on have ended."
        case Every(seconds=seconds):
            return f"Every {_period(seconds)}, at the multiples of it since 1970-01-01 00:00 UTC."
        case At(moment=moment):
            zone = "" if moment.tzinfo is None else f" (UTC{moment:%z})"
            return f"Once, at {moment:%Y-%m-%d %H:%M:%S}{zone}."
    return _cron(schedule)


def days_of(cron: Cron) -> Days:
    """Return which of the day fields decide, by cron's rule: both must fit where one begins with `*`."""
    all_dom, all_dow = cron.day_of_month >= _ALL_DOM, cron.day_of_week >= _ALL_DOW
    no_dom = not cron.day_of_month and not cron.dom_rules
    no_dow = not cron.day_of_week and not cron.dow_rules
    if cron.dom_star or cron.dow_star:
        if no_dom or no_dow:
            return Days.NONE
        if all_dom:
            return Days.EVERY if all_dow else Days.WEEK
        return Days.MONTH if all_dow else Days.BOTH
    if all_dom or all_dow:
        return Days.EVERY
    if no_dom:
        return Days.NONE if no_dow else Days.WEEK
    return Days.MONTH if no_dow else Days.EITHER


def never(cron: Cron) -> str | None:
    """Return why `cron` is never due, None if it is."""
    for values, name in ((cron.minute, "minute"), (cron.hour, "hour"), (cron.month, "month")):
        if not values:
            return f"its {name} allows no value"
    days = days_of(cron)
    if days is Days.NONE:
        return "its days allow no value"
    if days in (Days.MONTH, Days.BOTH) and not cron.dom_rules:
        longest = max(29 if month == 2 else calendar.monthrange(2001, month)[1] for month in cron.month)
        if min(cron.day_of_month) > longest:
            return "none of its months has such a day"
    return None


def _cron(cron: Cron) -> str:
    reason = never(cron)
    if reason is not None:
        return f"Never: {reason}."
    time, all_day = _times(cron)
    days = _days(cron)
    if not days and not all_day:
        days = "every day"
    parts = [time, *filter(None, (days, _months(cron)))]
    text = ", ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


# --- the time of day ---------------------------------------------------------------------------------


def _times(cron: Cron) -> tuple[str, bool]:
    """Return the times of day in words, and whether they go around the clock."""
    times = sorted(hour * 60 + minute for hour in cron.hour for minute in cron.minute)
    steps = progression_of(times)
    if steps is not None and len(times) >= 3:
        return _regular(steps, len(times))
    if len(times) <= _MOST_TIMES:
        return f"at {joined([_clock(time) for time in times])}", False
    text = f"{_minutes(sorted(cron.minute))} of {_hours(sorted(cron.hour))}"
    return text, len(cron.hour) == 24


def _regular(steps: Progression, count: int) -> tuple[str, bool]:
    length = _step(steps.step)
    if steps.step * count < 24 * 60 or steps.step > 60:
        return f"every {length} from {_clock(steps.first)} to {_clock(steps.last)}", False
    if steps.step == 60:
        return "every hour, on the hour" if steps.first == 0 else f"every hour, at minute {steps.first}", True
    return f"every {length}{'' if steps.first == 0 else f', beginning at {_clock(steps.first)}'}", True


def _minutes(minutes: list[int]) -> str:
    if len(minutes) == 60:
        return "every minute"
    steps = progression_of(minutes)
    if steps is not None and len(minutes) >= 3:
        return f"every {_step(steps.step)} from minute {steps.first} to minute {steps.last}"
    return f"at minute{'' if len(minutes) == 1 else 's'} {_listed(minutes)}"


def _hours(hours: list[int]) -> str:
    if len(hours) == 24:
        return "every hour"
    steps = progression_of(hours)
    if steps is not None and len(hours) >= 3:
        which = "each hour" if steps.step == 1 else f"every {_ordinal(steps.step)} hour"
        return f"{which} from {steps.first} to {steps.last}"
    return f"hour{'' if len(hours) == 1 else 's'} {_listed(hours)}"


def _clock(time: int) -> str:
    return f"{time // 60:02}:{time % 60:02}"


def _step(minutes: int) -> str:
    if minutes % 60:
        return "minute" if minutes == 1 else f"{minutes} minutes"
    return "hour" if minutes == 60 else f"{minutes // 60} hours"


def span(seconds: int) -> str:
    """Return a length of time in words: `1 hour and 30 minutes`."""
    parts = []
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}{'' if count == 1 else 's'}")
    return joined(parts) if parts else "0 seconds"


def _period(seconds: int) -> str:
    words = span(seconds)
    return words if " and " in words else words.removeprefix("1 ")


# --- days and months ---------------------------------------------------------------------------------


def _days(cron: Cron) -> str:
    match days_of(cron):
        case Days.MONTH:
            return f"on {joined(_of_month(cron))}"
        case Days.WEEK:
            return f"on {joined(_of_week(cron))}"
        case Days.BOTH:
            return f"on {joined(_of_month(cron))}, but only if that is {joined(_of_week(cron), 'or')}"
        case Days.EITHER:
            return f"on {joined(_of_month(cron))}, and also on {joined(_of_week(cron))}"
        case _:
            return ""


def _of_month(cron: Cron) -> list[str]:
    days = sorted(cron.day_of_month)
    found = []
    if days:
        steps = progression_of(days)
        if steps is not None and steps.step > 1 and len(days) >= 3:
            which = f"every {_ordinal(steps.step)} day of the month from {steps.first} to {steps.last}"
        else:
            which = f"day{'' if len(days) == 1 else 's'} {_listed(days)} of the month"
        found.append(which)
    return found + [_month_rule(rule) for rule in sorted(set(cron.dom_rules))]


def _month_rule(rule: str) -> str:
    if rule == "L":
        return "the last day of the month"
    if rule == "LW":
        return "the last day of the month from Monday to Friday"
    if rule.startswith("L-"):
        number = int(rule[2:])
        return f"the day {number} day{'' if number == 1 else 's'} before the last of the month"
    return f"the day from Monday to Friday nearest to day {int(rule[:-1])} of the month"


def _of_week(cron: Cron) -> list[str]:
    days = {day % 7 for day in cron.day_of_week}
    # Weeks go around: Friday to Sunday is one span, though Sunday is 0.
    begin = next((day for day in range(1, 8) if day % 7 in days and (day - 1) % 7 not in days), 1)
    around = [day for day in range(begin, begin + 7) if day % 7 in days]
    found: list[str] = []
    for first, last in spans_of(around):
        if last - first >= 2:
            found.append(f"{_DAYS[first % 7]} to {_DAYS[last % 7]}")
        else:
            found += [_DAYS[day % 7] for day in range(first, last + 1)]
    return found + [_week_rule(rule) for rule in sorted(set(cron.dow_rules))]


def _week_rule(rule: str) -> str:
    nth = "last" if rule.endswith("L") else _ORDINALS[int(rule[2:])]
    return f"the {nth} {_DAYS[int(rule[0])]} of the month"


def _months(cron: Cron) -> str:
    if len(cron.month) == 12:
        return ""
    found: list[str] = []
    for first, last in spans_of(sorted(cron.month)):
        if last - first >= 2:
            found.append(f"{_MONTHS[first]} to {_MONTHS[last]}")
        else:
            found += [_MONTHS[month] for month in range(first, last + 1)]
    return f"in {joined(found)}"


def _ordinal(number: int) -> str:
    tens, ones = divmod(number, 10)
    return f"{number}{'th' if tens == 1 else {1: 'st', 2: 'nd', 3: 'rd'}.get(ones, 'th')}"


def _listed(values: list[int]) -> str:
    """`1, 4 to 8 and 30`."""
    found: list[str] = []
    for first, last in spans_of(values):
        found += (
            [f"{first} to {last}"] if last - first >= 2 else [str(value) for value in range(first, last + 1)]
        )
    return joined(found)


def joined(words: Sequence[str], last: str = "and") -> str:
    """Return `words` as one does in a sentence: `a, b and c`."""
    *head, tail = words
    return f"{', '.join(head)} {last} {tail}" if head else tail
