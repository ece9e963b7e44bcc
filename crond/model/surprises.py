"""What a schedule does that its text does not say: cron's rules where people expect others.

Each surprise is one sentence, told of the sets that were parsed. Pure; called by the client's `explain`.
"""

from __future__ import annotations

from collections.abc import Iterator

from crond.model.progression import progression_of
from crond.model.schedule import Cron, Every, Schedule
from crond.model.wording import Days, days_of, never


def surprises_of(schedule: Schedule) -> tuple[str, ...]:
    """Return what may surprise about `schedule`; nothing where there is nothing."""
    if isinstance(schedule, Every) and 86400 % schedule.seconds:
        return (
            "The period does not divide a day, so that the times of day differ from one day to the next.",
        )
    if not isinstance(schedule, Cron) or never(schedule) is not None:
        return ()
    return (*_of_days(schedule), *_of_steps(schedule), *_of_short_months(schedule), *_of_draws(schedule))


def _of_days(cron: Cron) -> Iterator[str]:
    days = days_of(cron)
    all_dom, all_dow = len(cron.day_of_month) == 31, len(cron.day_of_week) == 8
    if days is Days.EITHER:
        yield (
            "Both day fields are given and neither begins with *, so that one of them is enough: it runs on"
            " the days of the month and on the days of the week, not only on days that are both."
        )
    elif days is Days.BOTH:
        star = "day-of-month" if cron.dom_star else "day-of-week"
        yield (
            f"The {star} field begins with *, so that both day fields must fit; without that * one of them"
            " would be enough."
        )
    elif days is Days.EVERY and all_dom is not all_dow:
        whole, other = ("day-of-month", "day-of-week") if all_dom else ("day-of-week", "day-of-month")
        yield (
            f"The {whole} field allows each day but is not *, and one of the two day fields is enough: the"
            f" {other} field has no effect."
        )


def _of_steps(cron: Cron) -> Iterator[str]:
    restarts = _restart(sorted(cron.minute), 0, 59, star=cron.minute_star)
    # In a single hour there is no next one to begin again in.
    if restarts is not None and len(cron.hour) > 1:
        last, step, gap = restarts
        yield (
            f"The minutes begin again with each hour: after minute {last} comes minute {min(cron.minute)},"
            f" {gap} and not {step} minutes later."
        )
    restarts = _restart(sorted(cron.hour), 0, 23, star=cron.hour_star)
    if restarts is not None:
        last, step, gap = restarts
        yield (
            f"The hours begin again with each day: after hour {last} comes hour {min(cron.hour)}, {gap} and"
            f" not {step} hours later."
        )
    days = sorted(cron.day_of_month)
    steps = progression_of(days)
    if (
        days_of(cron) is Days.MONTH
        and steps is not None
        and steps.step > 1
        and _is_whole(days, 1, 31, cron.dom_star)
    ):
        yield (
            f"The days begin again with each month: after day {steps.last} comes day {steps.first} of the"
            " next, whatever the step."
        )
    restarts = _restart(sorted(cron.month), 1, 12, star=False)
    if restarts is not None:
        first = min(cron.month)
        yield f"The months begin again with each year: after month {restarts[0]} comes month {first}."


def _restart(values: list[int], low: int, high: int, *, star: bool) -> tuple[int, int, int] | None:
    """Return (last value, step, gap after it) where steps over the whole range do not divide it."""
    steps = progression_of(values)
    if steps is None or steps.step == 1 or not _is_whole(values, low, high, star):
        return None
    gap = high - steps.last + 1 + steps.first - low
    return None if gap == steps.step else (steps.last, steps.step, gap)


def _is_whole(values: list[int], low: int, high: int, star: bool) -> bool:
    """True if `values` go through the range from its one end to its other, as `*/STEP` does."""
    steps = progression_of(values)
    if steps is None or (len(values) < 3 and not star):
        return False
    return steps.first < low + steps.step and steps.last + steps.step > high


def _of_short_months(cron: Cron) -> Iterator[str]:
    if days_of(cron) is not Days.MONTH or cron.dom_rules or min(cron.day_of_month) < 29:
        return
    least = min(cron.day_of_month)
    if cron.month == {2}:
        yield "29 February comes in leap years only."
    elif cron.month & {2} or (least == 31 and cron.month & {4, 6, 9, 11}):
        yield f"Months that have no day {least} are left out."


def _of_draws(cron: Cron) -> Iterator[str]:
    if "~" in cron.text:
        yield (
            "~ stands for one value that the daemon draws when it loads the crontab, and draws again after it"
            " was restarted: what is shown is one such draw."
        )
