"""One-shots as lines: whatever the command, what comes back is what was asked for, and runs as it would."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crond.model.crontab import Table, parse_crontab
from crond.model.fields import Dialect
from crond.model.oneshots import LINE_LIMIT, OneShot, lines_of, same, shot_of, tidied, without

MOMENT = datetime(2026, 12, 1, 9, 0, tzinfo=timezone(timedelta(hours=9)))
DIALECT = st.sampled_from(list(Dialect))
#: All that a command may hold, bytes that are no UTF-8 among it.
TEXT = st.text(
    st.one_of(
        st.sampled_from("\\%'\"\n\t -*$\udcff\r"), st.characters(exclude_characters="\0", codec="utf-8")
    ),
    max_size=40,
)


def shot(command: str = "make", **more: Any) -> OneShot:
    said = {"name": "at-abc234", "at": MOMENT, "directory": "/home/ann", "umask": 0o022, **more}
    return OneShot(command=tidied(command), **said)


def parsed(text: str, dialect: Dialect = Dialect.CRONIE) -> Table:
    return parse_crontab(text, dialect=dialect, extensions=True)


def there_and_back(one: OneShot, dialect: Dialect) -> OneShot | None:
    table = parsed(lines_of(one), dialect)
    assert not table.errors
    (entry,) = table.entries
    assert entry.stdin == ""
    return shot_of(entry)


@given(TEXT.filter(lambda text: bool(tidied(text))), DIALECT)
@example(r"date +\%H", Dialect.CRONIE)
@example("a\\\n  b\n", Dialect.CRONIE)
@example("echo 50% \\\\ it's", Dialect.DEBIAN)
@example("eval \"$(printf %b 'x')\"", Dialect.CRONIE)
@example("-n x", Dialect.CRONIE)
@example("* x", Dialect.DEBIAN)
@example("touch a\\ ", Dialect.CRONIE)
def test_a_command_comes_back(command: str, dialect: Dialect) -> None:
    """Percent signs, newlines and backslashes survive under both dialects."""
    assert there_and_back(shot(command), dialect) == shot(command)


@given(TEXT.filter(lambda text: "\n" not in text), DIALECT)
def test_a_folder_comes_back(name: str, dialect: Dialect) -> None:
    """So do the quotes and blanks in the name of a folder."""
    assert there_and_back(shot(directory=f"/{name}"), dialect) == shot(directory=f"/{name}")


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    "command",
    [
        "echo 50%",
        r"printf '\045\n%s\n' a",
        r"date -u -d @0 +'\%H'",
        "echo one\necho 'two  three'\n",
        "echo a \\\n  b",
        "cat <<'END'\n$x \\\\ 'q' \"p\" 5%\nEND\n",
        r"echo '\\\\n' '\0045'",
        "for a in 1 2; do\n\techo $a\ndone\nexit 3",
        "cat\necho the next line is still there",
    ],
)
def test_the_shell_does_the_same(command: str, dialect: Dialect) -> None:
    """What cron gives the shell has the output and the status of the command as it was typed."""
    (entry,) = parsed(lines_of(shot(command)), dialect).entries

    def run(text: str) -> tuple[int, bytes]:
        done = subprocess.run(
            ["/bin/sh", "-c", text], stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        return done.returncode, done.stdout

    assert run(entry.command) == run(command)


def test_what_the_lines_are() -> None:
    """One annotation and one line, which people can read where there is nothing to hide."""
    assert lines_of(shot("date +%H > now")) == (
        "#: name=at-abc234 working_dir='/home/ann' umask=022 catchup=latest catchup_window=3650d\n"
        "@at 2026-12-01T09:00:00+09:00 date +\\%H > now\n"
    )
    assert lines_of(shot("a 5%\nb")).endswith(" eval \"$(printf \\%b 'a 5\\0045\\nb')\"\n")


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (shot(" \n"), "no command"),
        (shot("a\0b"), "NUL"),
        (shot(directory="/a\nb"), "line feed"),
        (shot(directory="a"), "absolute"),
        (shot("a" * (LINE_LIMIT + 1)), "too long"),
        (shot("\n".join("a" * (LINE_LIMIT // 2))), "too long"),
    ],
)
def test_what_cannot_be_said(one: OneShot, why: str) -> None:
    """It is refused with the reason, never cut."""
    with pytest.raises(ValueError, match=why):
        lines_of(one)


@given(st.sets(st.integers(0, 5)), st.sets(st.integers(0, 5)))
def test_taking_some_away(there: set[int], gone: set[int]) -> None:
    """Those that are meant go with their annotations, wherever they stand now; the other bytes stay."""
    texts = {number: lines_of(shot(f"job {number}", name=f"at-{number}")) for number in range(6)}
    former = parsed("".join(texts.values()))
    now = parsed("# by hand\n" + "".join(texts[number] for number in sorted(there)) + "1 2 3 4 5 cron\n")
    left = without(now, same(former.entries[number] for number in gone)).decode()
    assert left == "# by hand\n" + "".join(texts[n] for n in sorted(there - gone)) + "1 2 3 4 5 cron\n"


def test_another_of_that_name_stays() -> None:
    """A line that says something else is another one, though its name is the same."""
    now = parsed(lines_of(shot("new")))
    assert without(now, same(parsed(lines_of(shot("old"))).entries)) == now.text
    later = shot("new", at=MOMENT.astimezone(UTC) + timedelta(hours=1))
    assert without(now, same(parsed(lines_of(later)).entries)) == now.text


def test_what_is_no_one_shot() -> None:
    """A line of another schedule, without an offset or without a name is none."""
    text = "#: name=a\n1 * * * * x\n#: name=b\n@at 2026-12-01T09:00 x\n@at 2026-12-01T09:00Z x\n"
    assert [shot_of(entry) for entry in parsed(text).entries] == [None, None, None]
