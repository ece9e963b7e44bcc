"""Letters as the two crons write them: golden headers, addresses, command lines."""

from __future__ import annotations

import dataclasses
import tracemalloc

import pytest

from crond.launcher.cmdout import lines_of
from crond.launcher.letter import Addressed, Rules, Written, addressed, headers, sendmail_arguments

CRONIE = Rules(dialect="cronie", host="box", charset="UTF-8", daemon={"WHO": "ops", "LONG": "x" * 255})
DEBIAN = dataclasses.replace(CRONIE, dialect="debian", charset="ANSI_X3.4-1968")


def written(status: int = 0, assigned: dict[str, str] | None = None, **environment: str) -> Written:
    made = {**(assigned or {}), **environment, "HOME": "/home/ann", "LOGNAME": "ann"}
    return Written(
        user="ann",
        command="backup --all",
        status=status,
        assigned=assigned or {},
        environment={name.encode(): value.encode() for name, value in made.items()},
    )


def head(one: Written, rules: Rules) -> str:
    return headers(one, addressed(one, rules), rules).decode()


def test_headers_of_cronie() -> None:
    """Every header of cronie, in its order, and a blank line."""
    assert head(written(), CRONIE) == (
        'From: "(Cron Daemon)" <ann>\nTo: ann\nSubject: Cron <ann@box> backup --all\nMIME-Version: 1.0\n'
        "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n"
        "Auto-Submitted: auto-generated\nPrecedence: bulk\n"
        "X-Cron-Env: <HOME=/home/ann>\nX-Cron-Env: <LOGNAME=ann>\n\n"
    )


def test_headers_of_debian() -> None:
    """Every header of Debian's cron, in its order, and a blank line."""
    assert head(written(status=256), DEBIAN) == (
        "From: root (Cron Daemon)\nTo: ann\nSubject: Cron <ann@box> backup --all\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=ANSI_X3.4-1968\nContent-Transfer-Encoding: 8bit\n"
        "X-Cron-Env: <HOME=/home/ann>\nX-Cron-Env: <LOGNAME=ann>\n\n"
    )


def test_variables_of_pam_are_unknown_to_debians_letters() -> None:
    """Debian's cron writes the letter from the crontab's variables; cronie from all that the job had."""
    one = dataclasses.replace(
        written(LANG="C.UTF-8", MAILTO="pam@box"), of_pam=frozenset((b"LANG", b"MAILTO"))
    )
    shown = head(one, DEBIAN)
    assert "To: ann\n" in shown
    assert "LANG" not in shown
    shown = head(one, CRONIE)
    assert "To: pam@box\n" in shown
    assert "X-Cron-Env: <LANG=C.UTF-8>\n" in shown


def test_only_debian_marks_a_failure_and_only_if_asked() -> None:
    """` (failed)` needs -L 4 and an exit status."""
    marking = dataclasses.replace(DEBIAN, marks_failed=True)
    assert "backup --all (failed)\n" in head(written(status=256), marking)
    assert "backup --all\n" in head(written(), marking)
    assert "backup --all\n" in head(written(status=256), dataclasses.replace(CRONIE, marks_failed=True))


def test_content_headers_are_the_crontabs() -> None:
    """CONTENT_TYPE and CONTENT_TRANSFER_ENCODING replace the values, an empty one too."""
    shown = head(written(CONTENT_TYPE="text/html", CONTENT_TRANSFER_ENCODING=""), DEBIAN)
    assert "Content-Type: text/html\nContent-Transfer-Encoding: \nX-Cron-Env" in shown


def test_nothing_makes_a_header_of_its_own() -> None:
    """Line ends in a value or a command become blanks."""
    one = written(CONTENT_TYPE="text/html\nBcc: eve", X="a\r\nBcc: eve")
    shown = head(dataclasses.replace(one, command="x\rBcc: eve"), CRONIE)
    assert not [line for line in shown.splitlines() if line.startswith("Bcc")]


def test_what_a_job_inherits_is_nobodys_to_read() -> None:
    """`crond FILE`: the daemon's variables are in no letter, nor is its MAILTO the crontab's."""
    rules = dataclasses.replace(CRONIE, inherits=True, only_asked=True)
    one = written(assigned={"MAILTO": "ops", "A": "1"}, TOKEN="secret", MAILFROM="other")
    shown = head(one, rules)
    assert "secret" not in shown
    assert "<ann>" in shown
    assert "X-Cron-Env: <A=1>" in shown
    assert addressed(written(MAILTO="ops"), rules).to is None


@pytest.mark.parametrize(
    ("rules", "mailto", "to", "unsafe"),
    [
        (CRONIE, "", None, ()),
        (CRONIE, "ops@example.org,ann", "ops@example.org,ann", ()),
        (CRONIE, "$WHO@${WHO}.org", "ops@ops.org", ()),
        (CRONIE, "$NONE", None, ()),
        (CRONIE, "$LONG", None, ("$LONG",)),
        (CRONIE, "a=b", None, ("a=b",)),
        (CRONIE, "-oQ/tmp", None, ("-oQ/tmp",)),
        (CRONIE, "two words", None, ("two words",)),
        (CRONIE, "a\n", None, ("a\n",)),
        (CRONIE, "ü", None, ("ü",)),
        (DEBIAN, "a=b/c", "a=b/c", ()),
        (DEBIAN, "$WHO", None, ("$WHO",)),
        (DEBIAN, "@x", None, ("@x",)),
    ],
)
def test_who_gets_it(rules: Rules, mailto: str, to: str | None, unsafe: tuple[str, ...]) -> None:
    """MAILTO by the rules of each cron; what is unsafe is named and gets nothing."""
    found = addressed(written(MAILTO=mailto), rules)
    assert (found.to, found.unsafe) == (to, unsafe)


@pytest.mark.parametrize(
    ("rules", "mailfrom", "sender", "unsafe"),
    [
        (CRONIE, "", "ann", ()),
        (CRONIE, "cron@$WHO", "cron@ops", ()),
        (CRONIE, "a b", "ann", ("a b",)),
        (DEBIAN, "cron@x", "cron@x", ()),
        (DEBIAN, "a b", "root (Cron Daemon)", ("a b",)),
    ],
)
def test_who_sends_it(rules: Rules, mailfrom: str, sender: str, unsafe: tuple[str, ...]) -> None:
    """MAILFROM if it is set and safe."""
    found = addressed(written(MAILFROM=mailfrom), rules)
    assert (found.sender, found.unsafe) == (sender, unsafe)


def test_a_value_that_grows_too_long_is_said() -> None:
    """It is warned of, as cronie does, which goes on with the text as it stands."""
    assert addressed(written(MAILTO="$LONG"), CRONIE).unexpanded == ("MAILTO",)


def test_a_value_that_grows_is_not_made_first() -> None:
    """40,000 times a variable of 4 kB held up the daemon for a third of a second, for each letter."""
    rules = dataclasses.replace(CRONIE, daemon={"LONG": "x" * 4000})
    tracemalloc.start()
    try:
        assert addressed(written(MAILTO="$LONG" * 2000), rules).unexpanded == ("MAILTO",)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_command_lines() -> None:
    """The arguments of each cron's sendmail."""
    to = Addressed("a,b", "ann")
    assert " ".join(sendmail_arguments("/s", to, "cronie")) == "/s -FCronDaemon -i -odi -oem -oi -t -f ann"
    assert " ".join(sendmail_arguments("/s", to, "debian")) == "/s -FCronDaemon -i -B8BITMIME -oem a,b"


@pytest.mark.parametrize(
    ("output", "lines"),
    [
        ([b"a\nb\n"], [b"a", b"b"]),
        ([b"\na\n\nb"], [b"a", b"", b"b"]),
        ([b"a", b"b\nc"], [b"ab", b"c"]),
        ([b"x" * 1023 + b"\ny\n"], [b"x" * 1023, b"", b"y"]),
        ([b"x" * 1022 + b"\n"], [b"x" * 1022]),
        ([b"x" * 1500, b"x" * 1500], [b"x" * 1023, b"x" * 1023, b"x" * 954]),
        ([b"a\n", 5, b"b\n"], [b"a", b"[... 5 bytes left out ...]", b"b"]),
        ([], []),
    ],
)
def test_lines_for_syslog(output: list[bytes | int], lines: list[bytes]) -> None:
    """Pieces of 1023 bytes; an LF right after one is an empty line, as in cronie."""
    assert list(lines_of(output)) == lines
