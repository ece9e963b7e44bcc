"""Whole crontabs: lines, limits, problems with their places, what `#:` blocks do, and what never changes."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crond.model.crontab import Table, parse_crontab
from crond.model.fields import Dialect
from crond.model.schedule import At, Cron, Every, Reboot

DIALECTS = st.sampled_from(Dialect)
LINE = st.one_of(
    st.binary(max_size=30),
    st.from_regex(rb"[0-9*/,~-]{1,6}( [0-9*,-]{1,4}){4} [ -~]{0,12}", fullmatch=True),
    st.from_regex(rb"@(daily|hourly|reboot|every|at) [ -~]{0,12}", fullmatch=True),
    st.from_regex(rb"#: ?[ -~]{0,12}", fullmatch=True),
    st.from_regex(rb"[A-Z_]{1,12} ?= ?[ -~]{0,12}", fullmatch=True),
)


def messages(table: Table, severity: str = "error") -> list[tuple[int, int, str]]:
    return [(one.line, one.column, one.message) for one in table.problems if one.severity == severity]


# --- any text -----------------------------------------------------------------------------------------


@given(st.lists(LINE, max_size=8).map(b"\n".join), DIALECTS, st.booleans(), st.booleans(), st.booleans())
def test_any_bytes_are_a_table(
    data: bytes, dialect: Dialect, system: bool, privileged: bool, extensions: bool
) -> None:
    """Parsing never raises, gives back the very bytes, and places each problem within the text."""
    table = parse_crontab(data, dialect=dialect, system=system, privileged=privileged, extensions=extensions)
    assert bytes(table) == data
    assert os.fsencode(str(table)) == data
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    for problem in table.problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
    for entry in table.entries:
        assert isinstance(entry.command + entry.stdin, str)
        assert str(entry.schedule)


@given(st.lists(LINE, max_size=8).map(b"\n".join), st.booleans())
def test_text_and_bytes_are_read_alike(data: bytes, extensions: bool) -> None:
    """A text that was decoded with surrogate escapes stands for its bytes."""
    text = data.decode("utf-8", "surrogateescape")
    assert parse_crontab(text, extensions=extensions) == parse_crontab(data, extensions=extensions)


@given(st.lists(LINE, max_size=8).map(b"\n".join))
def test_extensions_change_nothing_that_cronie_takes(data: bytes) -> None:
    """Every entry of plain cron stands in the extended table too, with the same schedule and command."""
    plain = parse_crontab(data)
    extended = {entry.line: entry for entry in parse_crontab(data, extensions=True).entries}
    for entry in plain.entries:
        other = extended[entry.line]
        assert (entry.schedule, entry.raw, entry.environment) == (
            other.schedule,
            other.raw,
            other.environment,
        )


@given(st.lists(LINE, max_size=8).map(b"\n".join), st.integers(0, 2**40))
def test_the_same_seed_gives_the_same_table(data: bytes, seed: int) -> None:
    """Launcher and scheduler draw alike from one seed, so that a number names the same entry to both."""
    assert parse_crontab(data, seed=seed) == parse_crontab(data, seed=seed)


def test_another_seed_draws_other_values() -> None:
    """`~` is drawn anew with another seed."""
    seen = {parse_crontab("~ ~ * * * c\n", seed=seed).entries[0].minute for seed in range(50)}
    assert len(seen) > 10


def test_an_unknown_dialect_is_an_error() -> None:
    """The one ValueError: the caller's mistake, never the text's."""
    with pytest.raises(ValueError, match="busybox"):
        parse_crontab("", dialect="busybox")


# --- lines --------------------------------------------------------------------------------------------

# text | problems as line:column message, in order
PROBLEMS = [
    ("* * * * * c\n", []),
    ("\n  \t\n# c\n  # c\n", []),
    ("* * * * *\n", [(1, 10, "bad command")]),
    ("* * *\n", [(1, 6, "bad month")]),
    ("*\n", [(1, 2, "bad hour")]),
    ("  x * * * * c\n", [(1, 3, "bad minute")]),
    ("* 1,25 * * * c\n", [(1, 5, "bad hour")]),
    ("* * * * * * c\n", [(1, 11, "bad command")]),
    ("@hourly * c\n", [(1, 9, "bad command")]),
    ("@Hourly c\n", [(1, 1, "bad time specifier")]),
    ("@every 5m c\n", [(1, 1, "bad time specifier")]),
    ("@hourly\r\n", [(1, 1, "bad time specifier")]),
    ("\r\n", [(1, 1, "bad minute")]),
    ("* * * * * c", [(1, 12, "missing newline before EOF")]),
    ("* * * * * c\n  # no newline", []),
    ("* * * * * c\n   ", []),
    ("* * * * * a\0b\n", [(1, 12, "bad command")]),
    ("-* * * * * c\n", [(1, 1, "bad option")]),
    ("- * * * * * c\n", [(1, 1, "bad option")]),
    ("* * * * * -q c\n", [(1, 11, "bad option")]),
    ("* * * * * -n -n c\n", [(1, 14, "bad option")]),
    ("* * * * * -n\n", [(1, 11, "bad option")]),
    ("* * * * * -n \n", [(1, 14, "bad command")]),
    ("x\n* * * * * c\ny\n", [(1, 1, "bad minute"), (3, 1, "bad minute")]),
]


@pytest.mark.parametrize(("text", "wanted"), PROBLEMS)
def test_problems_are_named_with_their_places(text: str, wanted: list[tuple[int, int, str]]) -> None:
    """All errors, each with cron's own word, its line and the column to put a caret under."""
    assert messages(parse_crontab(text)) == wanted


def test_a_line_in_error_is_left_out_and_the_others_stay() -> None:
    """Cronie skips the bad line only."""
    table = parse_crontab("1 * * * * a\nbad\n2 * * * * b\n")
    assert [entry.raw for entry in table.entries] == ["a", "b"]


def test_under_debian_an_error_empties_the_table() -> None:
    """Debian's cron ignores the whole file."""
    table = parse_crontab("A=b\n1 * * * * a\nbad\n", dialect="debian")
    assert table.entries == ()
    assert [error.message for error in table.errors] == ["bad minute"]


def test_settings_count_below_their_line() -> None:
    """An assignment holds for the entries below it, and the last one of a name wins."""
    table = parse_crontab("1 * * * * a\nA=1\n2 * * * * b\nA=2\nB=3\n3 * * * * c\n")
    assert [dict(entry.environment) for entry in table.entries] == [{}, {"A": "1"}, {"A": "2", "B": "3"}]
    assert dict(table.environment) == {"A": "2", "B": "3"}


def test_a_silent_entry_needs_privilege() -> None:
    """A leading `-` keeps the start out of the log: root's own crontab and system crontabs only."""
    assert not parse_crontab("-* * * * * c\n", privileged=True).entries[0].log_start
    assert not parse_crontab("-@hourly root c\n", system=True).entries[0].log_start
    assert parse_crontab("-* * * * * c\n").errors


def test_mail_only_if_it_fails() -> None:
    """Cronie's `-n` before the command, after the user in system crontabs; for Debian a word like others."""
    entry = parse_crontab("* * * * * -n c\n").entries[0]
    assert (entry.mail_when_failed, entry.raw) == (True, "c")
    entry = parse_crontab("* * * * * root -n c\n", system=True).entries[0]
    assert (entry.mail_when_failed, entry.raw, entry.user) == (True, "c", "root")
    entry = parse_crontab("* * * * * -n c\n", dialect="debian").entries[0]
    assert (entry.mail_when_failed, entry.raw) == (False, "-n c")


OPTIONS: list[tuple[str, tuple[str, ...]]] = [
    ("-q c", ("-q",)),
    ("-s c", ("-s",)),
    ("-s\t-q  -n c", ("-n", "-q", "-s")),
]


@pytest.mark.parametrize(("command", "options"), OPTIONS)
def test_options_of_openbsd(command: str, options: tuple[str, ...]) -> None:
    """As an extension, words before the command, in any order; after the user in system crontabs."""
    for line, system in ((command, False), (f"root {command}", True)):
        entry = parse_crontab(f"* * * * * {line}\n", system=system, extensions=True).entries[0]
        assert (entry.options, entry.raw) == (options, "c")
        assert (entry.mail_when_failed, entry.log_start, entry.single_instance) == tuple(
            (word in options) is held for word, held in (("-n", True), ("-q", False), ("-s", True))
        )


@pytest.mark.parametrize("extensions", [False, True])
def test_options_are_cronies_rules_and_no_others(extensions: bool) -> None:
    """A command cannot begin with `-`, and no option stands twice; to Debian's cron all are the command's."""
    for command in ("-s -s c", "-q -n -q c", "-sq c", "-x c", "- c", "-s", "--help"):
        table = parse_crontab(f"* * * * * {command}\n", extensions=extensions)
        assert [problem.message for problem in table.errors] == ["bad option"], command
    assert parse_crontab("* * * * * -s \n", extensions=True).errors[0].message == "bad command"
    entry = parse_crontab("* * * * * -s -q c\n", dialect="debian", extensions=extensions).entries[0]
    assert (entry.options, entry.raw) == ((), "-s -q c")


def test_debian_keeps_blanks_before_the_command_of_a_system_crontab() -> None:
    """One blank ends the user, the others are the command's: so they are in Debian's log and mail."""
    for blanks, kept in ((" ", ""), ("    ", "   "), ("\t\t", "\t")):
        line = f"* * * * * root{blanks}c\n"
        assert parse_crontab(line, system=True, dialect="debian").entries[0].raw == f"{kept}c"
        assert parse_crontab(line, system=True).entries[0].raw == "c"


def test_every_minute_of_freebsd() -> None:
    """`@every_minute` is `* * * * *`, as an extension."""
    every, plain = parse_crontab("@every_minute c\n* * * * * c\n", extensions=True).entries
    assert every.schedule == plain.schedule
    assert str(every.schedule) == "@every_minute"
    assert [one.message for one in parse_crontab("@every_minute c\n").errors] == ["bad time specifier"]


@pytest.mark.parametrize(
    ("text", "dialect", "wanted"),
    [
        ("* * * * * root\n", "cronie", ["bad command"]),
        ("* * * * *\n", "cronie", ["bad command"]),
        ("* * * * * * c\n", "cronie", ["bad command"]),
        ("* * * * * * c\n", "debian", ["bad username"]),
        ("* * * * *\n", "debian", ["bad username"]),
        ("* * * * * root c\n", "cronie", []),
    ],
)
def test_the_user_column(text: str, dialect: str, wanted: list[str]) -> None:
    """A system crontab has a user before the command; each cron has its word where there is none."""
    assert [one.message for one in parse_crontab(text, system=True, dialect=dialect).errors] == wanted


def test_nicknames_have_cronies_flags() -> None:
    """Only @hourly is wild; days combine as cronie's flags say, not as the fields of the text would."""
    table = parse_crontab(
        "".join(f"@{name} c\n" for name in ("yearly", "monthly", "weekly", "daily", "hourly"))
    )
    seen = [entry.schedule for entry in table.entries]
    assert all(isinstance(one, Cron) for one in seen)
    assert [(one.wild, one.dom_star, one.dow_star) for one in seen if isinstance(one, Cron)] == [
        (False, False, True),
        (False, False, True),
        (False, True, False),
        (False, False, False),
        (True, False, False),
    ]
    assert isinstance(parse_crontab("@reboot c\n").entries[0].schedule, Reboot)


# --- limits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "most", "message"),
    [
        ("* * * * * c\n", 10_000, "too many entries"),
        ("A=b\n", 1_000, "too many environment variables"),
        ("#" * 99 + "\n", 32768 // 100, "too many garbage characters"),
    ],
    ids=["entries", "settings", "comments"],
)
def test_cronies_limits(line: str, most: int, message: str) -> None:
    """A user's crontab beyond a limit is refused, once; a system crontab has none."""
    assert not parse_crontab(line * most).errors
    over = line * (most + 1)
    refused = parse_crontab(over + "1 2 3 4 5 c\n" + line)
    assert [one.message for one in refused.errors] == [message]
    assert refused.entries == ()
    assert message not in [one.message for one in parse_crontab(over, system=True).errors]
    assert message not in [one.message for one in parse_crontab(over, dialect="debian").errors]


def test_garbage_is_counted_between_active_lines() -> None:
    """Comments may be longer than the limit together, if entries or settings stand between them."""
    block = ("#" * 99 + "\n") * 300
    assert not parse_crontab(block + "A=b\n" + block).errors


def test_a_limit_is_met_by_one_long_comment() -> None:
    """A comment that goes from below the limit to far beyond it was overlooked: only the very next byte was
    noticed.
    """
    assert [one.message for one in parse_crontab("#" * 40_000 + "\n").errors] == [
        "too many garbage characters"
    ]


def test_debians_limits() -> None:
    """At most 998 bytes of command and 10000 lines."""
    assert not parse_crontab("* * * * * " + "c" * 998 + "\n", dialect="debian").errors
    long = parse_crontab("* * * * * " + "c" * 999 + "\n", dialect="debian")
    assert messages(long) == [(1, 11, "command too long")]
    assert not parse_crontab("\n" * 10_000, dialect="debian").errors
    lines = parse_crontab("\n" * 10_001, dialect="debian")
    assert messages(lines) == [(10_001, 1, "crontab must not be longer than 10000 lines")]


def test_debian_takes_an_empty_command() -> None:
    """Debian's cron runs `sh -c ''`."""
    assert parse_crontab("* * * * *\n", dialect="debian").entries[0].raw == ""


def test_cronie_cuts_a_command_at_its_limit() -> None:
    """131071 bytes are kept, without a word, and a letter in two is cut between its bytes."""
    entry = parse_crontab("* * * * * " + "c" * 131_070 + "ü\n").entries[0]
    assert os.fsencode(entry.raw) == b"c" * 131_070 + b"\xc3"


@pytest.mark.parametrize(("dialect", "limit"), [("cronie", 131_071), ("debian", 998)])
def test_a_setting_is_cut_at_its_limit(dialect: str, limit: int) -> None:
    """Each cron keeps so many bytes of the line, without a word; a quote behind them is not seen, and then it
    is no setting. A job with a longer one could not be executed.
    """
    for size in (limit - 2, limit - 1, 2 * limit):
        table = parse_crontab(f"  A={'b' * size}\n", dialect=dialect)
        assert not table.problems
        assert table.environment["A"] == "b" * (limit - 2)
    assert not parse_crontab(f"A='{'b' * (limit - 4)}'\n", dialect=dialect).errors
    quoted = parse_crontab(f"A='{'b' * (limit - 3)}'\n", dialect=dialect)
    assert [one.message for one in quoted.errors] == ["bad minute"]


# --- CRON_TZ and RANDOM_DELAY -----------------------------------------------------------------------------


def test_cron_tz_is_the_entrys_zone() -> None:
    """Cronie's CRON_TZ; empty is the daemon's zone; to Debian's cron it is a variable like others."""
    text = 'CRON_TZ=Asia/Seoul\n1 * * * * a\nCRON_TZ=""\n2 * * * * b\n'
    assert [entry.timezone for entry in parse_crontab(text).entries] == ["Asia/Seoul", None]
    assert [entry.timezone for entry in parse_crontab(text, dialect="debian").entries] == [None, None]


@pytest.mark.parametrize(
    ("value", "delay", "warned"),
    [
        ("30", 30, False),
        ("1440", 1440, False),
        ("1441", 0, True),
        ("-1", 0, True),
        ("-0", 0, False),
        (" 7minutes", 7, False),
        ("none", 0, False),
        ("", 0, False),
        ("9" * 900, 0, True),
    ],
)
def test_random_delay(value: str, delay: int, warned: bool) -> None:
    """0 to 1440 minutes; beyond is ignored with a warning; trailing text is not looked at."""
    table = parse_crontab(f"RANDOM_DELAY='{value}'\n* * * * * c\n")
    assert table.entries[0].random_delay == delay
    assert [one.message for one in table.problems] == ["bad value of RANDOM_DELAY"] * warned
    debian = parse_crontab(f"RANDOM_DELAY='{value}'\n* * * * * c\n", dialect="debian")
    assert [entry.random_delay for entry in debian.entries] == [0]


def test_random_delay_of_the_daemon() -> None:
    """Cronie takes it from the daemon's environment where a crontab says nothing, and only there."""
    text = "1 * * * * a\nRANDOM_DELAY=5\n2 * * * * b\n"
    for dialect, delays in (("cronie", [30, 5]), ("debian", [0, 0])):
        table = parse_crontab(text, dialect=dialect, random_delay="30")
        assert [entry.random_delay for entry in table.entries] == delays
        assert not table.problems


# --- extensions ---------------------------------------------------------------------------------------


def test_special_schedules() -> None:
    """`@every` and `@at` take one argument, then the command."""
    table = parse_crontab("@every 1h30m a b\n@at\t2026-11-29T07:00\tc\n", extensions=True)
    assert not table.problems
    every, at = table.entries
    assert isinstance(every.schedule, Every)
    assert (every.schedule.seconds, every.raw, str(every.schedule)) == (5400, "a b", "@every 1h30m")
    assert isinstance(at.schedule, At)
    assert (at.schedule.moment.isoformat(), at.raw) == ("2026-11-29T07:00:00", "c")
    assert str(at.schedule) == "@at 2026-11-29T07:00"
    assert [entry.minute for entry in table.entries] == [frozenset()] * 2
    sets = (every.hour, every.day_of_month, every.month, every.day_of_week)
    assert sets == (frozenset(),) * 4


@pytest.mark.parametrize("text", ["@every 0s c", "@every x c", "@every", "@at noon c", "@noon c", "@ c"])
def test_special_schedules_that_are_none(text: str) -> None:
    """What is wrong with them is a problem like others, with a hint."""
    table = parse_crontab(f"{text}\n", extensions=True)
    assert messages(table) == [(1, 1, "bad time specifier")]
    assert table.problems[0].hint


def test_day_rules_only_with_extensions() -> None:
    """`L` and its like are errors to cron."""
    assert parse_crontab("0 0 L * *  c\n").errors
    schedule = parse_crontab("0 0 L,15W * fri#2 c\n", extensions=True).entries[0].schedule
    assert isinstance(schedule, Cron)
    assert (schedule.dom_rules, schedule.dow_rules) == (("L", "15W"), ("5#2",))


def test_a_block_belongs_to_the_entry_below_it() -> None:
    """Annotation lines directly above an entry are its own; the last name counts."""
    table = parse_crontab("#: name=a\n  #: name=b\n* * * * * c\n* * * * * d\n", extensions=True)
    first, second = table.entries
    assert (first.name, [one.text for one in first.annotations]) == ("b", [" name=a", " name=b"])
    assert (second.name, second.annotations) == (None, ())
    assert messages(table, "warning") == [(2, 6, "name is said twice: the last one counts")]


@pytest.mark.parametrize("between", ["", "# c", "#* * * * * off", "A=b", "bad line"])
def test_a_block_never_slides_down(between: str) -> None:
    """A block above anything but an entry belongs to nothing, and that is said."""
    table = parse_crontab(f"#: name=a\n{between}\n* * * * * c\n", extensions=True)
    assert table.entries[0].name is None
    assert messages(table, "warning") == [(1, 1, "this annotation belongs to no entry")]


def test_annotations_mean_nothing_to_plain_cron() -> None:
    """Without extensions they are comments: kept with the entry, no name, no word."""
    table = parse_crontab("#: name=a bad'\n* * * * * c\n#: name=b\n")
    assert not table.problems
    assert table.entries[0].name is None
    assert len(table.entries[0].annotations) == 1


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ("#: name", "bad name ''"),
        ("#: name=", "bad name ''"),
        ("#: name=-x", "bad name '-x'"),
        ("#: name=a/b", "bad name 'a/b'"),
        ("#: name=" + "a" * 65, f"bad name '{'a' * 65}'"),
        ("#: name='a", "bad annotation: no closing quotation"),
    ],
)
def test_an_annotation_in_error_keeps_its_entry(annotation: str, message: str) -> None:
    """It is told as an error, and what cron would run is run all the same."""
    for dialect in ("cronie", "debian"):
        table = parse_crontab(f"{annotation}\n* * * * * c\n", extensions=True, dialect=dialect)
        assert [one.message for one in table.errors] == [message]
        assert not table.syntax_errors
        assert len(table.entries) == 1


@pytest.mark.parametrize(
    "marker", ["#Ansible: backup all", "# Puppet Name: backup all", "# SALT_CRON_IDENTIFIER:backup all"]
)
def test_a_configuration_managers_marker_names_the_job(marker: str) -> None:
    """Their comment above the line is its name; an annotation between them goes before it."""
    table = parse_crontab(f"{marker}\n* * * * * c\n* * * * * d\n", extensions=True)
    assert [entry.name for entry in table.entries] == ["backup all", None]
    named = parse_crontab(f"{marker}\n#: name=own\n* * * * * c\n", extensions=True)
    assert named.entries[0].name == "own"
    assert (
        parse_crontab(f"{re.sub('backup all', '', marker)}\n* * * * * c\n", extensions=True).entries[0].name
        is None
    )


def test_a_schedule_that_was_seen_before_is_read_as_at_first() -> None:
    """Lines with the same five fields share a schedule, but each has its own warnings, errors and draws."""
    text = "*/70 * * * * a\n" * 2 + "1 2 3 4 5,8 a\n" * 2 + "~ * * * * a\n" * 20 + "1-3/2 * * * * a\n" * 2
    for _ in range(2):
        table = parse_crontab(text, seed=3)
        assert [(one.line, one.severity) for one in table.problems] == [
            (1, "warning"),
            (2, "warning"),
            (3, "error"),
            (4, "error"),
        ]
        assert len({entry.minute for entry in table.entries[2:22]}) > 5
        assert table.entries[-1].schedule is table.entries[-2].schedule
    for dialect, days in (("cronie", {0, 6, 7}), ("debian", set())) * 2:
        assert parse_crontab("* * * * 6-0 a\n", dialect=dialect).entries[0].day_of_week == days


@pytest.mark.parametrize("blank", ["\v", "\f", "\r", "\u00a0", "\u2003", "\x1c"])
def test_only_space_and_tab_part_fields(blank: str) -> None:
    """What Python takes for white space is part of a field, as it is to cron."""
    assert parse_crontab(f"1{blank}2 3 4 5 * a\n").errors
    assert not parse_crontab("1\t2 \t3 4 5 a\n").errors
