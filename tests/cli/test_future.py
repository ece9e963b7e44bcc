"""Moments to come as people name them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crond.cli.failure import Failure, Status
from crond.cli.future import parse_future
from tests.cli.conftest import LiveIn

#: A Saturday, 2026-11-28 12:30:15 in Seoul.
NOW = datetime(2026, 11, 28, 3, 30, 15, 250_000, tzinfo=UTC)


def local(text: str, now: datetime = NOW) -> str:
    return f"{parse_future(text, now).moment.astimezone():%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-12-01 09:00", "2026-12-01 09:00:00"),
        ("2026-12-01T09:00:30", "2026-12-01 09:00:30"),
        ("2026-12-01T09:00Z", "2026-12-01 18:00:00"),
        ("2026-12-01 9am", "2026-12-01 09:00:00"),
        ("tomorrow 7am", "2026-11-29 07:00:00"),
        ("9:00 tomorrow", "2026-11-29 09:00:00"),
        ("tomorrow 7am UTC", "2026-11-29 16:00:00"),
        ("tomorrow", "2026-11-29 12:30:15"),
        ("now", "2026-11-28 12:30:15"),
        ("now + 2 hours", "2026-11-28 14:30:15"),
        ("now+2hours", "2026-11-28 14:30:15"),
        ("in 10 minutes", "2026-11-28 12:40:15"),
        ("in 1h30m", "2026-11-28 14:00:15"),
        ("  in   2  days ", "2026-11-30 12:30:15"),
        ("monday 18:30", "2026-11-30 18:30:00"),
        ("next monday 9am", "2026-11-30 09:00:00"),
        ("17:30", "2026-11-28 17:30:00"),
        ("1730", "2026-11-28 17:30:00"),
        ("at 5pm", "2026-11-28 17:00:00"),
        ("9am", "2026-11-29 09:00:00"),
        ("noon", "2026-11-29 12:00:00"),
        ("midnight", "2026-11-29 00:00:00"),
        ("10:30 Dec 24", "2026-12-24 10:30:00"),
        ("31.12.2026 9:00", "2026-12-31 09:00:00"),
        ("7.10pm", "2026-11-28 19:10:00"),
    ],
)
@pytest.mark.usefixtures("live_in")
def test_moments(text: str, meant: str) -> None:
    """A time of day is the next one that comes; a time ahead is counted from now."""
    assert local(text) == meant


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no time; write 2026-12-01 09:00"),
        ("foo", "is no time"),
        ("tomorrow 7am make", "is no time"),
        ("2026-13-45 09:00", "is no time"),
        ("x" * 10_000, "is no time"),
        ("in 999999999 years", "is no time"),
        ("2026-12-01", "says no time of the day"),
        ("friday", "says no time of the day"),
        ("tomorrow at 7", "which time of the day: write 07:00, 7am or 7pm"),
        ("at 5", "which time of the day"),
        ("10", "which time of the day"),
        ("12/1/2026 9:00", "may be read in two ways: write the date as 2026-12-01"),
        ("9999-01-01 00:00", "too far away"),
        ("2026-11-28 12:27:15", "is 2026-11-28 12:27:15 KST: that was 3 min ago"),
        ("2 hours ago", "that was 2 h ago"),
        ("yesterday 3pm", "that was 21 h 30 min ago"),
        ("today 9am", "that was 3 h 30 min ago"),
    ],
)
@pytest.mark.usefixtures("live_in")
def test_what_is_refused(text: str, why: str) -> None:
    """What is past, or may mean something else than was meant, is refused with the reason."""
    with pytest.raises(Failure) as caught:
        parse_future(text, NOW)
    assert why in caught.value.message
    assert len(caught.value.message) < 300
    assert caught.value.exit_code == Status.USAGE


def test_a_time_that_comes_twice(live_in: LiveIn) -> None:
    """The first of two is meant, and it is said how to write the second, which is understood."""
    live_in("Europe/Berlin")
    now = datetime(2026, 10, 24, 10, tzinfo=UTC)
    for text in ("2026-10-25 02:30", "tomorrow 2:30am"):
        meant = parse_future(text, now)
        assert meant.moment == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
        assert "twice" in meant.note
        second = parse_future(meant.note.rpartition(" ")[2], now)
        assert (second.moment, second.note) == (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "")


def test_a_time_that_does_not_exist(live_in: LiveIn) -> None:
    """What the clocks skip is refused, with the moment that was most likely meant."""
    live_in("Europe/Berlin")
    now = datetime(2026, 3, 28, 11, tzinfo=UTC)
    for text in ("2026-03-29 02:30", "tomorrow 2:30am"):
        with pytest.raises(Failure, match=r"does not exist.*did you mean 2026-03-29 03:30:00 CEST"):
            parse_future(text, now)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("in 20 hours", "2026-10-25 07:00:00"),
        ("in 24 hours", "2026-10-25 11:00:00"),
        ("in 1440 min", "2026-10-25 11:00:00"),
        ("in 1 day", "2026-10-25 12:00:00"),
        ("in 1 month", "2026-11-24 12:00:00"),
        ("tomorrow", "2026-10-25 12:00:00"),
    ],
)
def test_ahead_over_a_change_of_the_clocks(live_in: LiveIn, text: str, meant: str) -> None:
    """So many hours are so many hours; so many days later the clock shows the same time."""
    live_in("Europe/Berlin")
    assert local(text, datetime(2026, 10, 24, 10, tzinfo=UTC)) == meant


@pytest.mark.parametrize("text", ["in 20 minutes", "tomorrow 7am", "9am", "0:05"])
def test_just_after_midnight(live_in: LiveIn, text: str) -> None:
    """A day that has just begun changes nothing of what is counted from now and what is not."""
    now = datetime(2026, 11, 27, 15, 0, 30, tzinfo=UTC)  # 00:00:30 in Seoul
    wanted = {
        "in 20 minutes": "2026-11-28 00:20:30",
        "tomorrow 7am": "2026-11-29 07:00:00",
        "9am": "2026-11-28 09:00:00",
        "0:05": "2026-11-28 00:05:00",
    }
    assert local(text, now) == wanted[text]
