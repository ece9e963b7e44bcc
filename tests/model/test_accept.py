"""Every recorded line is read as cronie read it, and taken or refused as Debian's cron did."""

from __future__ import annotations

import os
from typing import Any

import pytest

import crond
from crond.model.schedule import Cron
from tests.recordings import recorded

CASES = recorded("accept.jsonl")
IDS = [f"{number}-{case['line'][:24]!r}" for number, case in enumerate(CASES, 1)]

#: Debian's cron refuses a system crontab that names an account which does not exist. A parser that looks
#: at no account database cannot; the launcher says so when the entry is due.
UNKNOWN_ACCOUNT = {"* * * * * nosuchuser cmd", "* * * * * -n root cmd"}


def parsed(case: dict[str, Any], dialect: str = "cronie", *, extensions: bool = False) -> crond.Table:
    newline = "" if case.get("eof_newline") is False else "\n"
    return crond.parse_crontab(
        case["line"] + newline,
        system=case["mode"] == "system",
        privileged=case["mode"] == "root",
        dialect=dialect,
        extensions=extensions,
    )


def as_printed(text: str) -> str:
    """`text` as the recording has it: one character per byte."""
    return os.fsencode(text).decode("latin-1")


def flags(entry: crond.Entry) -> set[str]:
    """The flags that cronie would have set."""
    held = {"MAIL_WHEN_ERR": entry.mail_when_failed, "DONT_LOG": not entry.log_start}
    if isinstance(entry.schedule, Cron):
        held["MIN_STAR"] = entry.schedule.minute_star
        held["HR_STAR"] = entry.schedule.hour_star
        held["DOM_STAR"] = entry.schedule.dom_star
        held["DOW_STAR"] = entry.schedule.dow_star
    else:
        held["REBOOT"] = True
    return {name for name, is_set in held.items() if is_set}


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_lines_are_read_as_cronie_reads_them(case: dict[str, Any]) -> None:
    """Taken or refused; the first error's word; sets, flags, command, stdin, user, setting."""
    table = parsed(case)
    assert str(table).rstrip("\n") == case["line"].rstrip("\n")
    if not case["accept"]:
        assert table.errors[0].message == case["error"]
        assert not table.entries
        return
    assert not table.errors
    entries = [entry_as_recorded(case, entry) for entry in table.entries]
    assert entries == ([recorded_entry(case)] if case["kind"] == "entry" else [])
    environment = {as_printed(name): as_printed(value) for name, value in table.environment.items()}
    name, _, value = case.get("env", "").partition("=")
    assert environment == ({name: value} if case["kind"] == "env" else {})


#: What is read beyond cronie where extensions are asked for, among the recorded lines. Everything else that
#: cronie refuses stays refused, and what it takes means the same.
EXTENSIONS = {
    "* * * * * -s cmd": "OpenBSD's -s: left out while a run before it is alive",
    "* * * * * -n -q cmd": "OpenBSD's -q: not in cron's log",
    "* * * * 5#3 cmd": "the third Friday",
    "* * * * 5L cmd": "the last Friday",
    "@every 5m cmd": "a period",
}


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_extensions_add_to_cronie_and_change_nothing(case: dict[str, Any]) -> None:
    """With extensions the table is the same one, but for those named here, which cronie refuses."""
    plain, extended = parsed(case), parsed(case, extensions=True)
    if case["line"] in EXTENSIONS:
        assert plain.errors
        assert not extended.errors
    else:
        assert extended.entries == plain.entries
        assert [error.message for error in extended.errors] == [error.message for error in plain.errors]


SETS = {
    "minute": "minute",
    "hour": "hour",
    "dom": "day_of_month",
    "month": "month",
    "dow": "day_of_week",
}


def recorded_entry(case: dict[str, Any]) -> dict[str, Any]:
    """What was recorded of an entry. Sets of `~` are random and not recorded, nor is a very long command."""
    kept: dict[str, Any] = {key: case[key] for key in ("cmd", "run", "stdin", "parsed") if key in case}
    return {**kept, "user": case.get("user"), "flags": set(case["flags"])}


def entry_as_recorded(case: dict[str, Any], entry: crond.Entry) -> dict[str, Any]:
    seen: dict[str, Any] = {
        "cmd": as_printed(entry.raw),
        "run": as_printed(entry.command),
        "stdin": as_printed(entry.stdin),
        "parsed": {name: sorted(getattr(entry, ours)) for name, ours in SETS.items()},
    }
    seen = {key: value for key, value in seen.items() if key in case}
    return {**seen, "user": entry.user, "flags": flags(entry)}


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_lines_are_taken_as_debian_takes_them(case: dict[str, Any]) -> None:
    """With dialect="debian" a line is in error exactly where Debian's cron refuses it."""
    taken = not parsed(case, "debian").errors
    if case["line"] in UNKNOWN_ACCOUNT:
        assert taken
        assert not case["debian_accept"]
    else:
        assert taken is case["debian_accept"]


def test_nothing_is_missing_from_the_recording() -> None:
    """The recording is whole: a test that read half of it would pass."""
    assert len(CASES) == 799
    assert sum("cmd" in case for case in CASES) == 244
    assert sum("parsed" in case for case in CASES) == 198
