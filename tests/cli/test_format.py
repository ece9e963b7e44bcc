"""What a person sees: printable text, widths, tables, lengths of time, moments with their zone."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crond.cli.failure import Failure
from crond.cli.format import JOB, Cell, Column, cells, duration, fit, printable, table, wants_colour
from crond.cli.times import find_zone, parse_moment, shown, utc_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("backup --all", "backup --all"),
        ("a\x1b[2Jb", "a^[[2Jb"),
        ("\x00\x07\t\n\r\x7f", "^@^G^I^J^M^?"),
        ("\udcff\udc80", "\\377\\200"),
        ("\x9b31m\xad", "\\x9b31m\\xad"),
        ("\u202e\u2028\U000e0001", "\\u202e\\u2028\\U000e0001"),
        ("한글 é 日本\u3000", "한글 é 日本\u3000"),
    ],
)
def test_printable(text: str, expected: str) -> None:
    """What a terminal would obey becomes visible, letters of any script stay."""
    assert printable(text) == expected


@given(st.text())
def test_printable_leaves_nothing_to_obey(text: str) -> None:
    """No character of any category but letters, marks, blanks and signs is left."""
    assert all(c.isprintable() or c.isspace() for c in printable(text))
    assert not set(printable(text)) & set("\x1b\n\r\t\x07\x9b\x85\u2028")


@given(st.text(alphabet="ab한é日 ", max_size=40), st.integers(3, 60))
def test_fit(text: str, width: int) -> None:
    """A text is never wider than asked, and stays whole where it fits."""
    cut = fit(text, width)
    assert cells(cut) <= width
    assert (cut == text) == (cells(text) <= width)


def test_an_ellipsis_that_cannot_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal without Unicode gets dots."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert fit("abcdefghij", 8) == "abcde..."


def test_the_names_of_jobs_are_cut_last() -> None:
    """`list` beside a paused job cut `alice/backup` to `alice/ba…`, which nobody can type, and showed more
    of a command.
    """
    rows = [[Cell("alice/backup"), Cell("x" * 30), Cell("y" * 30)]]
    columns = [JOB, Column("SCHEDULE", True), Column("COMMAND", True)]
    cut = table(columns, rows, room=32, colour=False)[1]
    assert cut.startswith("alice/backup  ")
    assert table(columns, rows, room=28, colour=False)[1].startswith("alice/b")


def test_table_cuts_only_what_may_shrink() -> None:
    """The widest column that may shrink gives way first; others are never cut."""
    rows = [[Cell("a" * 30), Cell("2026-11-22 12:00:00 KST"), Cell("c" * 40)]]
    lines = table([Column("A", True), Column("WHEN"), Column("C", True)], rows, room=60, colour=False)
    assert max(map(len, lines)) == 60
    assert "2026-11-22 12:00:00 KST" in lines[1]


def test_table_of_a_screen_too_small() -> None:
    """Columns keep a width at which they can be read, whatever the screen."""
    lines = table([Column("A", True)], [[Cell("x" * 50)]], room=1, colour=False)
    assert cells(lines[1]) == 8


def test_a_narrow_screen_loses_the_last_columns() -> None:
    """Rather than break its lines: what stands first matters most."""
    columns = [Column("A", True), Column("WHEN"), Column("C", True)]
    rows = [[Cell("a" * 30), Cell("2026-11-22 12:00:00 KST"), Cell("c" * 40)]]
    lines = table(columns, rows, room=40, colour=False)
    assert lines[0].split() == ["A", "WHEN"]
    assert max(map(cells, lines)) == 40
    assert table(columns, rows, room=20, colour=False)[1] == "a" * 19 + "…"


def test_table_aligns_wide_letters() -> None:
    """Letters of two columns count twice, also where colours are used."""
    lines = table(
        [Column("A"), Column("B")],
        [[Cell("한글", "red"), Cell("x")], [Cell("abcd"), Cell("y")]],
        room=None,
        colour=True,
    )
    assert lines[1] == "\x1b[31m한글\x1b[0m  x"
    assert lines[2] == "abcd  y"


def test_no_rows_no_table() -> None:
    """A table without rows has no titles either."""
    assert table([Column("A")], [], room=None, colour=False) == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colour_is_wanted(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: bool
) -> None:
    """On a terminal, unless NO_COLOR is set to something or the terminal is dumb."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert wants_colour() is expected
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert wants_colour() is False


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1, "0.0 s"),
        (0, "0.0 s"),
        (0.0002, "1 ms"),
        (0.04, "40 ms"),
        (0.0999, "0.1 s"),
        (9.96, "10.0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (185, "3 min 5 s"),
        (3600, "1 h"),
        (90061, "1 d 1 h"),
    ],
)
def test_duration(seconds: float, expected: str) -> None:
    """Two units at most, the small one left out where it is nothing."""
    assert duration(seconds) == expected


def test_shown_names_the_zone() -> None:
    """A time is never shown without its zone."""
    moment = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert shown(moment, ZoneInfo("America/New_York")) == "2026-11-01 01:30:00 EDT"
    assert shown(moment.replace(hour=6), ZoneInfo("America/New_York")) == "2026-11-01 01:30:00 EST"
    assert shown(None) == "-"


def test_utc_text() -> None:
    """As the daemon writes it."""
    assert utc_text(datetime(2026, 11, 21, 12, tzinfo=ZoneInfo("Asia/Seoul"))) == "2026-11-21T03:00:00Z"


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", "", "a\0b", "x" * 5000])
def test_an_unknown_zone(name: str) -> None:
    """A zone that is none is named, whatever it looks like."""
    with pytest.raises(Failure, match="no time zone"):
        find_zone(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21", "2026-11-20T15:00:00Z"),
        ("2026-11-21T07:00", "2026-11-20T22:00:00Z"),
        ("2026-11-21 07:00:30", "2026-11-20T22:00:30Z"),
        ("2026-11-21T07:00Z", "2026-11-21T07:00:00Z"),
        ("2026-11-21T07:00-05:00", "2026-11-21T12:00:00Z"),
    ],
)
def test_parse_moment(text: str, expected: str) -> None:
    """A date, or a date and a time; without an offset it is in the zone that was asked for."""
    assert utc_text(parse_moment(text, ZoneInfo("Asia/Seoul"), "--at")) == expected


@pytest.mark.parametrize(
    "text", ["soon", "", "25:00", "2026-13-01", "0001-01-01", "9999-12-31", "1969-01-01"]
)
def test_a_moment_that_is_none(text: str) -> None:
    """The option is named, and a year in which nothing can be reckoned is refused."""
    for zone in (None, ZoneInfo("Asia/Seoul")):
        with pytest.raises(Failure, match=r"^--at: "):
            parse_moment(text, zone, "--at")
