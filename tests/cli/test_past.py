"""Moments of the past as people name them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crond.cli.failure import Failure
from crond.cli.past import parse_past, parse_span

#: 2026-11-21 12:30:15 in Seoul.
NOW = datetime(2026, 11, 21, 3, 30, 15, tzinfo=UTC)
DAY, MINUTE, SECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The local zone is Asia/Seoul, unless a test sets another."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Seoul")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "since", "length"),
    [
        ("now", "2026-11-21T03:30:15Z", MINUTE),
        ("today", "2026-11-20T15:00:00Z", DAY),
        ("yesterday", "2026-11-19T15:00:00Z", DAY),
        ("yesterday 03:00", "2026-11-19T18:00:00Z", MINUTE),
        ("today 3:00", "2026-11-20T18:00:00Z", MINUTE),
        ("2h", "2026-11-21T01:30:15Z", MINUTE),
        ("2h ago", "2026-11-21T01:30:15Z", MINUTE),
        ("1d 30min ago", "2026-11-20T03:00:15Z", MINUTE),
        ("90s", "2026-11-21T03:28:45Z", MINUTE),
        ("1w", "2026-11-14T03:30:15Z", MINUTE),
        ("12:30", "2026-11-21T03:30:00Z", MINUTE),
        ("03:00", "2026-11-20T18:00:00Z", MINUTE),
        ("23:00", "2026-11-20T14:00:00Z", MINUTE),
        ("23:00:07", "2026-11-20T14:00:07Z", SECOND),
        ("2026-11-20", "2026-11-19T15:00:00Z", DAY),
        ("2026-11-20T03:00", "2026-11-19T18:00:00Z", MINUTE),
        ("2026-11-20 03:00", "2026-11-19T18:00:00Z", MINUTE),
        ("2026-11-20T03:00:02Z", "2026-11-20T03:00:02Z", SECOND),
    ],
)
@pytest.mark.usefixtures("zone")
def test_spans(text: str, since: str, length: timedelta) -> None:
    """A day, a minute or a second, in the local zone; a time of day is the last one that was."""
    span = parse_span(text, NOW, "--since")
    assert span.since == datetime.fromisoformat(since)
    assert span.upto - span.since == length
    assert parse_past(text, NOW, "--since") == span.since


@pytest.mark.usefixtures("zone")
def test_a_day_of_23_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The day on which clocks go forward ends at its midnight, not 24 hours after it began."""
    # Undone before the fixture's own zone is: the other way round would leave Seoul to all later tests.
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        span = parse_span("yesterday", datetime(2026, 3, 9, 16, 0, tzinfo=UTC), "--since")
    assert span.upto - span.since == timedelta(hours=23)


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "2h later", "yesterday noon", "0001-01-01", "9" * 30, "-2h"]
)
@pytest.mark.usefixtures("zone")
def test_what_is_no_time(text: str) -> None:
    """It names the option and says what would be a time; exit status 2."""
    with pytest.raises(Failure) as raised:
        parse_span(text, NOW, "--since")
    assert raised.value.exit_code == 2
    assert raised.value.message.startswith(f"--since: '{text}' is no time; write ")


@given(st.text(max_size=30))
def test_no_text_breaks_it(text: str) -> None:
    """Whatever is written is a time or is refused."""
    try:
        span = parse_span(text, NOW, "X")
    except Failure:
        return
    assert span.since < span.upto
