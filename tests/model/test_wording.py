"""Schedules in words: what is said is what will happen, and what surprises is told."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from crond.model.crontab import parse_crontab
from crond.model.schedule import Cron, Schedule
from crond.model.surprises import surprises_of
from crond.model.wording import Days, days_of, never, words_of
from tests.expressions import cron_of, expressions


def schedule_of(text: str) -> Schedule:
    return parse_crontab(f"{text} c\n", extensions=True).entries[0].schedule


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("* * * * *", "Every minute."),
        ("*/15 9-17 * * 1-5", "Every 15 minutes from 09:00 to 17:45, on Monday to Friday."),
        ("5-59/15 * * * *", "Every 15 minutes, beginning at 00:05."),
        ("*/7 * * * *", "Every 7 minutes from minute 0 to minute 56 of every hour."),
        ("*/90 * * * *", "Every hour, on the hour."),
        ("*/40 * * * *", "At minutes 0 and 40 of every hour."),
        ("5 * * * *", "Every hour, at minute 5."),
        ("0 */5 * * *", "Every 5 hours from 00:00 to 20:00, every day."),
        ("30 4 * * *", "At 04:30, every day."),
        ("* 9 * * *", "Every minute from 09:00 to 09:59, every day."),
        ("* 0-20/10 * * *", "Every minute of every 10th hour from 0 to 20, every day."),
        ("*/20 1,5 * * 0", "Every 20 minutes from minute 0 to minute 40 of hours 1 and 5, on Sunday."),
        ("0-4,8-12 7 * * *", "At minutes 0 to 4 and 8 to 12 of hour 7, every day."),
        ("0 22-4 * * *", "Never: its hour allows no value."),
        ("0 0 * * 5-7", "At 00:00, on Friday to Sunday."),
        ("0 0 * * fri-sun", "At 00:00, on Friday to Sunday."),
        ("0 0 * * sat-0", "At 00:00, on Saturday and Sunday."),
        ("0 0 * * 1,3,5", "At 00:00, on Monday, Wednesday and Friday."),
        ("0 0 * * 7", "At 00:00, on Sunday."),
        ("0 0 13 * 5", "At 00:00, on day 13 of the month, and also on Friday."),
        ("0 0 1-31/2 * 1", "At 00:00, on every 2nd day of the month from 1 to 31, and also on Monday."),
        ("0 0 */2 * 1", "At 00:00, on every 2nd day of the month from 1 to 31, but only if that is Monday."),
        ("0 0 1-7 * */7", "At 00:00, on days 1 to 7 of the month, but only if that is Sunday."),
        ("0 0 1-31 * 1", "At 00:00, every day."),
        ("0 0 5-4 * 1", "At 00:00, on Monday."),
        ("0 0 5-4 * *", "Never: its days allow no value."),
        ("0 0 5-4 * 5-4", "Never: its days allow no value."),
        ("0 0 3 * 5-4", "At 00:00, on day 3 of the month."),
        ("0 0 1 2-4,jun *", "At 00:00, on day 1 of the month, in February to April and June."),
        ("0 0 30 2 *", "Never: none of its months has such a day."),
        ("0 0 30 2 1", "At 00:00, on day 30 of the month, and also on Monday, in February."),
        ("0 0 1 12-1 *", "Never: its month allows no value."),
        ("3-1 0 * * *", "Never: its minute allows no value."),
        ("0 0 L * *", "At 00:00, on the last day of the month."),
        ("0 0 LW * *", "At 00:00, on the last day of the month from Monday to Friday."),
        ("0 0 L-1 * *", "At 00:00, on the day 1 day before the last of the month."),
        ("0 0 L-3 * *", "At 00:00, on the day 3 days before the last of the month."),
        ("0 0 15W * *", "At 00:00, on the day from Monday to Friday nearest to day 15 of the month."),
        ("0 0 * * fri#2,1L", "At 00:00, on the last Monday of the month and the second Friday of the month."),
        ("@hourly", "Every hour, on the hour."),
        ("@daily", "At 00:00, every day."),
        ("@weekly", "At 00:00, on Sunday."),
        ("@monthly", "At 00:00, on day 1 of the month."),
        ("@yearly", "At 00:00, on day 1 of the month, in January."),
        ("@reboot", "Once after each start of the machine, when the daemon comes up."),
        ("@every 1h", "Every hour, at the multiples of it since 1970-01-01 00:00 UTC."),
        ("@every 1h30m", "Every 1 hour and 30 minutes, at the multiples of it since 1970-01-01 00:00 UTC."),
        ("@at 2026-11-29T07:00", "Once, at 2026-11-29 07:00:00."),
        ("@at 2026-11-29T07:00+09:00", "Once, at 2026-11-29 07:00:00 (UTC+0900)."),
    ],
)  # fmt: skip
def test_words(text: str, words: str) -> None:
    """Each kind of schedule in words."""
    assert words_of(schedule_of(text)) == words


def meaning(cron: Cron) -> tuple[object, ...]:
    """What decides when `cron` is due, and nothing else of it."""
    if never(cron):
        return (never(cron),)
    days = days_of(cron)
    month = cron.day_of_month if days in (Days.MONTH, Days.BOTH, Days.EITHER) else None
    week = cron.day_of_week if days in (Days.WEEK, Days.BOTH, Days.EITHER) else None
    return cron.minute, cron.hour, cron.month, days, month, week


@given(expressions(), expressions())
def test_same_words_are_same_dues(one: str, other: str) -> None:
    """Two schedules read alike if and only if they are due at the same minutes."""
    first, second = cron_of(one), cron_of(other)
    assert (words_of(first) == words_of(second)) is (meaning(first) == meaning(second))


@given(expressions())
def test_the_days_are_those_that_match(text: str) -> None:
    """What decides the day, in words, is what the schedule itself says of each day."""
    cron = cron_of(text)
    days = days_of(cron)
    for day in (1, 13, 31):
        for weekday in range(7):
            month, week = day in cron.day_of_month, weekday in cron.day_of_week
            told = {
                Days.EVERY: True, Days.NONE: False, Days.MONTH: month, Days.WEEK: week,
                Days.BOTH: month and week, Days.EITHER: month or week,
            }[days]  # fmt: skip
            assert cron.matches_day(2026, 1, day, weekday) is told


@given(expressions())
def test_no_time_is_named_that_does_not_come(text: str) -> None:
    """Each time of day in the words is one of the schedule's."""
    cron = cron_of(text)
    for hour, minute in re.findall(r"(\d\d):(\d\d)", words_of(cron)):
        assert (int(hour) in cron.hour, int(minute) in cron.minute) == (True, True)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("* * * * *", []),
        ("*/7 * * * *", ["after minute 56 comes minute 0, 4 and not 7 minutes later"]),
        ("*/7 3 * * *", []),
        ("*/40 * * * *", ["after minute 40 comes minute 0, 20 and not 40"]),
        ("0,40 * * * *", []),
        ("0 */5 * * *", ["after hour 20 comes hour 0, 4 and not 5 hours later"]),
        ("0 9,12,15 * * *", []),
        ("0 0 */2 * *", ["after day 31 comes day 1"]),
        ("0 0 1-28/7 * *", []),
        ("0 0 1 */5 *", ["after month 11 comes month 1"]),
        ("0 0 13 * 5", ["one of them is enough"]),
        ("0 0 1-7 * */7", ["The day-of-week field begins with *, so that both"]),
        ("0 0 */2 * 1", ["The day-of-month field begins with *, so that both"]),
        ("0 0 1-31 * 1", ["the day-of-week field has no effect"]),
        ("0 0 13 * 0-7", ["the day-of-month field has no effect"]),
        ("0 0 1-31 * *", []),
        ("0 0 31 * *", ["no day 31 are left out"]),
        ("0 0 31 1,3 *", []),
        ("0 0 29 2 *", ["leap years only"]),
        ("0 0 30 2 *", []),
        ("3~5 0 * * *", ["one value that the daemon draws"]),
        ("@weekly", []),
        ("@reboot", []),
        ("@every 5m", []),
        ("@every 7m", ["does not divide a day"]),
    ],
)  # fmt: skip
def test_surprises(text: str, parts: list[str]) -> None:
    """What is cron's own way is told, and nothing where there is nothing to tell."""
    told = surprises_of(schedule_of(text))
    assert len(told) == len(parts), told
    assert all(part in one for part, one in zip(parts, told, strict=True)), told
