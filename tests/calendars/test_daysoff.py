"""Days off: files of dates in all their forms and errors, and the holidays of countries."""

from __future__ import annotations

import os
import socket
import sys
from datetime import date
from pathlib import Path

import pytest

from crond.calendars.daysoff import day_off
from crond.model.calendar import BadCalendar


@pytest.fixture
def days(tmp_path: Path) -> Path:
    return tmp_path / "days"


def said(path: Path, *days_: str) -> list[str | None]:
    return [day_off(str(path), date.fromisoformat(day)) for day in days_]


def refused(source: Path | str) -> str:
    with pytest.raises(BadCalendar) as caught:
        day_off(str(source), date(2026, 12, 25))
    return str(caught.value).removeprefix(f"{source}: ")


# --- files -------------------------------------------------------------------------------------------


def test_a_file_of_dates(days: Path) -> None:
    """Days with and without a year or a name, several at once, comments; the first line that holds counts."""
    days.write_text(
        "# our days\n\n2026-12-25 Christmas   # and its comment\n  12-25\tevery Christmas\r\n"
        "2026-07-01..2026-07-15 summer #1\n12-31..01-02 turn of the year\n02-29\n"
    )
    assert said(days, "2026-12-25", "2025-12-25", "2026-12-24") == ["Christmas", "every Christmas", None]
    assert said(days, "2026-07-01", "2026-07-15", "2026-06-30", "2026-07-16") == [
        "summer",
        "summer",
        None,
        None,
    ]
    assert said(days, "2025-07-01") == [None]
    assert said(days, "2026-12-31", "2027-01-02", "2026-01-01", "2026-12-30") == [
        *["turn of the year"] * 3,
        None,
    ]
    assert said(days, "2028-02-29", "2027-03-01") == [f"a day of {days}", None]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("christmas", "a day is 2026-12-25 or 12-25, several are 12-24..12-26, and then its name"),
        ("25.12.2026", "a day is 2026-12-25"),
        ("2026-12-25Christmas", "a day is 2026-12-25"),
        ("2026-12-25 .. 2026-12-26 x", None),
        ("2026-02-29", "there is no such day"),
        ("13-01", "there is no such day"),
        ("0000-01-01", "there is no such day"),
        ("2026-12-26..2026-12-25", "the last of several days is before the first"),
        ("2026-12-24..12-26", "both ends of several days have a year, or none has"),
        ("12-24..2026-12-26", "both ends of several days have a year, or none has"),
    ],
)
def test_a_bad_line(days: Path, line: str, words: str | None) -> None:
    """Told with its number, and never repeated: who named the file may not be allowed to read it."""
    days.write_text(f"2026-01-01\n{line}\n")
    if words is None:
        # What follows a blank is the name.
        assert said(days, "2026-12-25", "2026-12-26") == [".. 2026-12-26 x", None]
    else:
        assert refused(days).startswith(f"line 2: {words}")


def test_secrets_are_not_told(days: Path) -> None:
    """A user may name any file that the scheduler reads: its journal, the history."""
    days.write_text('["run",{"by":"hunter2"}]\n')
    assert "hunter2" not in refused(days)
    days.write_bytes(b"2026-01-01\n\xffhunter2\n")
    assert refused(days) == "line 2: not UTF-8"


def test_a_name_is_fit_to_be_shown(days: Path) -> None:
    """It stands in logs and on terminals: no control characters, and not without end."""
    days.write_text(f"12-25 \x1b[31m{'x' * 200}\n")
    (name,) = said(days, "2026-12-25")
    assert name == "[31m" + "x" * 76


def test_a_change_of_the_file_is_seen(days: Path) -> None:
    """It is read again when it is another one, and only then."""
    days.write_text("12-25 one\n")
    assert said(days, "2026-12-25") == ["one"]
    held = days.stat()
    days.write_text("12-25 two\n")
    os.utime(days, ns=(held.st_atime_ns, held.st_mtime_ns))
    assert said(days, "2026-12-25") == ["one"]
    os.utime(days, ns=(held.st_atime_ns, held.st_mtime_ns + 1))
    assert said(days, "2026-12-25") == ["two"]


def test_what_is_no_file_of_dates(tmp_path: Path, days: Path) -> None:
    """Nothing is waited for, and nothing is read without end."""
    assert refused(days) == "No such file or directory"
    assert refused(tmp_path) == "not a regular file"
    os.mkfifo(days)
    assert refused(days) == "not a regular file"
    assert refused("/dev/zero") == "not a regular file"
    days.unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(days))
        assert refused(days) == "not a regular file"
    days.unlink()
    days.write_bytes(b"#" * (64 * 1024 + 1))
    assert refused(days) == "larger than 64 KiB"
    days.unlink()
    days.symlink_to(days)
    assert "symbolic links" in refused(days)


# --- countries ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "day", "name"),
    [
        ("KR", "2026-03-01", "Independence Movement Day"),
        ("KR", "2026-03-03", None),
        ("DE-BY", "2026-01-06", "Epiphany"),
        ("DE-BE", "2026-01-06", None),
        ("DE", "2027-01-01", "New Year's Day"),
    ],
)
def test_holidays_of_a_country(source: str, day: str, name: str | None) -> None:
    """By the library, for the year of the day, of a part of the country where one is named."""
    assert day_off(source, date.fromisoformat(day)) == name


@pytest.mark.parametrize(
    ("source", "words"),
    [("QQ", "no holidays are known of QQ"), ("DE-ZZ", "no holidays are known of DE with a part ZZ")],
)
def test_a_country_that_nobody_knows(source: str, words: str) -> None:
    assert refused(source) == words


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what installs it; a file of dates needs none."""
    monkeypatch.setitem(sys.modules, "holidays", None)
    assert refused("FR") == "skip_on=FR needs the library holidays: pip install 'crontabx[holidays]'"
