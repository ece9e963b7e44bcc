"""The comparison itself: what belongs together is paired, and only known reasons excuse."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from tests.beside.compare import Comparison, Difference, compare
from tests.beside.course import ZONE
from tests.beside.crontabs import crontabs, entries
from tests.beside.records import Line, Mail, Record, Start
from tests.beside.report import report, unexplained

NOON = datetime(2026, 6, 10, 12, tzinfo=ZONE).timestamp()
HEADERS = (("From", "root"), ("Subject", "Cron <ann@host> job a"), ("X-Cron-Env", "<A=b>"))
RECORD = Record(
    [Start("a", NOON + 60 * minute + 1, {"uid": "1", "$HOME": "/home"}) for minute in range(5)],
    [Mail(NOON + 2, 0, ("-i", "ann"), HEADERS, b"text\n")],
    [Line(NOON + 1, 78, "CRON", "(ann) CMD (job a)")],
)


def compared(ours: Record) -> Comparison:
    return compare(RECORD, ours, begin=NOON, end=NOON + 3600)


def kinds(ours: Record) -> list[str]:
    return [one.kind for one in compared(ours).differences]


def test_the_same_differs_in_nothing() -> None:
    """And says how much it was that did not differ."""
    comparison = compared(RECORD)
    assert comparison.differences == []
    assert comparison.compared == {"starts": 5, "mails": 1, "log lines": 1}


def test_a_start_too_few_or_too_many() -> None:
    """The others keep their partners, so that one missing start is one difference."""
    fewer = replace(RECORD, starts=[RECORD.starts[0], *RECORD.starts[4:]])
    assert [one.ours for one in compared(fewer).differences] == [None] * 3
    more = replace(RECORD, starts=[*RECORD.starts, replace(RECORD.starts[4], at=NOON + 302)])
    (found,) = compared(more).differences
    assert (found.kind, found.theirs) == ("start", None)


def test_what_a_start_was_given() -> None:
    """Every fact of every start is compared, variables by their names."""
    first, *others = RECORD.starts
    changed = replace(first, at=first.at + 60, facts={"uid": "2", "$TZ": "UTC"})
    assert sorted(kinds(replace(RECORD, starts=[changed, *others]))) == ["$HOME", "$TZ", "minute", "uid"]


def test_mails_byte_for_byte() -> None:
    """Arguments, each header, their order, the environment they tell of, the body."""
    (mail,) = RECORD.mails
    other = Mail(mail.at, 1, ("-i",), (HEADERS[1], ("From", "ann"), ("X-Cron-Env", "<A=c>")), b"text")
    assert sorted(kinds(replace(RECORD, mails=[other]))) == [
        "body",
        "header From",
        "header X-Cron-Env",
        "header X-Cron-Env",
        "mailer's arguments",
        "mailer's uid",
        "order of headers",
    ]
    assert kinds(replace(RECORD, mails=[])) == ["mail"]


def test_log_lines() -> None:
    """Priority and program of a line that both have, and a line that one has not."""
    (line,) = RECORD.lines
    assert kinds(replace(RECORD, lines=[replace(line, priority=75, program="cron")])) == [
        "log priority",
        "log program",
    ]
    assert kinds(replace(RECORD, lines=[])) == ["log line"]


@pytest.mark.parametrize(
    ("difference", "known"),
    [
        (Difference("$LANG", "a", "C.UTF-8", None, NOON), False),
        (Difference("$LANG", "a", None, "C.UTF-8", NOON), False),
        (Difference("start", "a", f"{NOON}", None, NOON), False),
        (Difference("minute", "a", f"{NOON + 20}", f"{NOON - 10}", NOON), True),
        (Difference("minute", "a", f"{NOON + 60}", f"{NOON}", NOON), False),
        (Difference("minute", "s-reboot", f"{NOON + 60}", f"{NOON}", NOON), True),
    ],
)
def test_only_the_table_excuses(difference: Difference, known: bool) -> None:
    """A start a minute off, or one that is missing, is never excused at noon of an ordinary day."""
    comparison = Comparison({}, [difference])
    assert unexplained(comparison) == ([] if known else [difference])
    assert any("NOT EXPLAINED" in line for line in report("day", comparison)) is not known


def test_the_entries_tell_each_other_apart() -> None:
    """Sixty entries and more, each with a name of its own."""
    names = entries(crontabs({"ann": "a", "ben": "b", "cat": "c"}))
    assert len(names) == len(set(names)) >= 60
