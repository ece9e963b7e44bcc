"""Schedules: which minutes they hold, by brute force and beside croniter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from croniter import croniter
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crond.calendars.rules import days_of_rule
from crond.model.crontab import parse_crontab
from crond.model.schedule import Cron, Every, local_minute, minute_number
from tests.expressions import cron_of, expressions, plain_expressions

FIRST = minute_number(datetime(2019, 1, 1, tzinfo=UTC))
MINUTES = st.integers(FIRST, FIRST + 4 * 366 * 1440)


def test_local_minutes_count_from_1970() -> None:
    """Taking a number apart and putting it together are inverse; Sunday is 0."""
    at = local_minute(minute_number(datetime(2026, 11, 22, 23, 59, tzinfo=UTC)))
    assert (at.year, at.month, at.day, at.hour, at.minute, at.weekday) == (2026, 11, 22, 23, 59, 0)
    assert local_minute(0).weekday == 4


@given(expressions(), MINUTES, st.integers(0, 3000))
@settings(max_examples=150)
def test_next_after_is_the_first_minute_that_matches(expression: str, after: int, span: int) -> None:
    """next_after walks days and sorted hours; testing every minute must find the same one."""
    schedule = cron_of(expression)
    upto = after + span
    found = (m for m in range(after + 1, upto + 1) if schedule.matches(local_minute(m), days_of_rule))
    assert schedule.next_after(after, upto, days_of_rule) == next(found, None)


@given(plain_expressions(), MINUTES)
@settings(max_examples=150)
def test_next_after_agrees_with_croniter(expression: str, after: int) -> None:
    """On expressions that both read alike (no reversed, equal or random ranges) the next minute is the
    same.
    """
    schedule = cron_of(expression)
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=after)
    upto = after + 366 * 1440
    ours = schedule.next_after(after, upto)
    assume(ours is not None)
    theirs = croniter(expression, start, ret_type=datetime, implement_cron_bug=True).get_next()
    assert ours == minute_number(theirs)


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 13 * 5", [6, 13, 20, 27]),
        ("0 0 13 * *", [13]),
        ("0 0 * * 5", [6, 13, 20, 27]),
        ("0 0 */2 * 1", [9, 23]),
        ("0 0 1-31 * 1", list(range(1, 32))),
        ("0 0 1-7 * */7", [1]),
        ("0 0 13 * 5,*", list(range(1, 32))),
        ("0 0 13 * *,5", [13]),
        ("0 0 31 * 7", [1, 8, 15, 22, 29, 31]),
    ],
)
def test_how_two_day_fields_combine(expression: str, days: list[int]) -> None:
    """Both must hold if either text begins with `*`, else one is enough. March 2026 begins on a
    Sunday.
    """
    schedule = cron_of(expression)
    march = [datetime(2026, 3, day, tzinfo=UTC) for day in range(1, 32)]
    held = [one.day for one in march if schedule.matches(local_minute(minute_number(one)))]
    assert held == days


@pytest.mark.parametrize("expression", ["5-1 * * * *", "0 22-2 * * *", "0 0 * dec-jan *", "0 0 31 2 *"])
def test_some_schedules_are_never_due(expression: str) -> None:
    """Cron takes reversed ranges and impossible dates, and never starts them."""
    assert cron_of(expression).next_after(FIRST, FIRST + 9 * 366 * 1440) is None


def test_the_end_is_included_and_the_beginning_is_not() -> None:
    """The walk goes from beyond `after` up to and including `upto`."""
    schedule = cron_of("30 4 * * *")
    at = minute_number(datetime(2026, 1, 1, 4, 30, tzinfo=UTC))
    assert schedule.next_after(at - 1, at) == at
    assert schedule.next_after(at - 1, at - 1) is None
    assert schedule.next_after(at - 2, at - 1) is None
    assert schedule.next_after(at, at + 1440) == at + 1440


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 L * *", ["2028-02-29", "2028-03-31", "2028-04-30"]),
        ("0 0 L-2 * *", ["2028-02-27", "2028-03-29", "2028-04-28"]),
        ("0 0 LW * *", ["2028-02-29", "2028-03-31", "2028-04-28"]),
        ("0 0 15W * *", ["2028-02-15", "2028-03-15", "2028-04-14"]),
        ("0 0 1W * *", ["2028-02-01", "2028-03-01", "2028-04-03"]),
        ("0 0 30W * *", ["2028-03-30", "2028-04-28"]),
        ("0 0 * * fri#2", ["2028-02-11", "2028-03-10", "2028-04-14"]),
        ("0 0 * * tue#5", ["2028-02-29"]),
        ("0 0 * * sunL", ["2028-02-27", "2028-03-26", "2028-04-30"]),
        ("0 0 1,L 3 *", ["2028-03-01", "2028-03-31"]),
    ],
)
def test_day_rules_of_months(expression: str, days: list[str]) -> None:
    """Worked out by hand for February, March and April 2028. A rule without a day in a month has none."""
    schedule = cron_of(expression)
    after = minute_number(datetime(2028, 1, 31, 23, 59, tzinfo=UTC))
    upto = minute_number(datetime(2028, 4, 30, 23, 59, tzinfo=UTC))
    seen: list[str] = []
    found = schedule.next_after(after, upto, days_of_rule)
    while found is not None:
        at = local_minute(found)
        seen.append(f"{at.year}-{at.month:02}-{at.day:02}")
        found = schedule.next_after(found, upto, days_of_rule)
    assert seen == days


def test_l_minus_more_than_a_month_has() -> None:
    """`L-30` exists in months of 31 days only."""
    assert days_of_rule("L-30", 2028, 2) == frozenset()
    assert days_of_rule("L-30", 2028, 3) == {1}


@given(st.integers(1, 10**6), st.integers(0, 2**33))
def test_periods_are_multiples_since_the_epoch(seconds: int, moment: int) -> None:
    """Equal periods share their instants, whenever they were loaded."""
    tick = Every(seconds).tick(moment)
    assert tick * seconds <= moment < (tick + 1) * seconds


def test_schedules_that_differ_in_text_alone_are_one() -> None:
    """Entries are grouped by what their schedule means: `*/30` and `0,30` differ, since one is wild."""
    assert cron_of("0,30 1 * * *") == cron_of("30,0 01 * * *")
    assert cron_of("0,30 1 * * *") != cron_of("*/30 1 * * *")


def test_a_schedule_is_shown_as_written() -> None:
    """What people see is their own text, but Debian's /etc/crontab was listed as `17 *^I* * *`."""
    entries = parse_crontab("@daily a\n@reboot b\n@hourly c\n  1\t2 3 * * d\n").entries
    assert [str(entry.schedule) for entry in entries] == ["@daily", "@reboot", "@hourly", "1 2 3 * *"]


def test_cron_sets_come_from_the_schedule() -> None:
    """An entry shows the sets of its schedule."""
    entry = parse_crontab("1 2 3 4 5 c\n").entries[0]
    assert isinstance(entry.schedule, Cron)
    sets = (entry.minute, entry.hour, entry.day_of_month, entry.month, entry.day_of_week)
    assert [*map(set, sets)] == [{1}, {2}, {3}, {4}, {5}]
