"""at: what is asked of the daemon, and how its answers are shown."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from crond.model.edits import COMMAND_LIMIT, ListAt, PutAt, RemoveAt
from tests.cli.conftest import Client, LiveIn
from tests.cli.fake_daemon import FakeDaemon, Step, TakeText, no, yes

#: Monday, 2035-01-01 09:00 in Seoul.
MOMENT = datetime.fromisoformat("2035-01-01T09:00:00+09:00").timestamp()


def one(name: str = "at-abc234", at: float = MOMENT, **more: Any) -> dict[str, Any]:
    return {"name": name, "at": at, "command": "make", "working_dir": "/home/ann", "umask": "022", **more}


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that the command is asked for in, with a umask of its own."""
    folder = tmp_path / "it's here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    before = os.umask(0o027)
    yield folder
    os.umask(before)


@pytest.fixture(autouse=True)
def taking(daemon: FakeDaemon) -> None:
    """The daemon takes what is asked of it, as ann's."""

    def put(message: PutAt) -> Iterable[Step]:
        return [
            yes({"user": "ann"}, final=False),
            TakeText(),
            yes({"user": "ann", **one(at=message.at, working_dir=message.directory)}),
        ]

    daemon.edits[PutAt] = put


def test_two_hours_are_not_one_hour_and_59_minutes(ask: Client) -> None:
    """`at now + 2 hours` answered "in 1 h 59 min": the second had begun before it was asked."""
    assert ask("at", "now + 2 hours", "--", "true").stdout.endswith(", in 2 h\n")


def test_a_command_without_dashes(ask: Client, daemon: FakeDaemon) -> None:
    """`at tomorrow 7am make report` said only that this is no time, not where the command belongs."""
    result = ask("at", "tomorrow", "7am", "make", "report")
    assert result.exit_code == 2
    assert "'tomorrow 7am make report' is no time" in result.stderr
    assert "The command stands behind --" in result.stderr
    assert "behind --" not in ask("at", "tomorow", "--", "make").stderr
    assert not daemon.edited


def test_at(ask: Client, daemon: FakeDaemon, work: Path) -> None:
    """The moment, the folder and the umask of now go with the command; the answer is one line."""
    result = ask("at", "2035-01-01", "09:00", "--", "make -k 2>&1 | tail")
    assert re.fullmatch(r"at-abc234: 2035-01-01 09:00:00 KST, in \d+ d( \d+ h)?\n", result.stdout)
    assert (result.exit_code, result.stderr) == (0, "")
    assert daemon.edited == [PutAt("", MOMENT, str(work), 0o027, 19)]
    assert daemon.texts == [b"make -k 2>&1 | tail"]
    assert os.umask(0o027) == 0o027, "asking changes nothing"


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["a b; c"], b"a b; c"),
        (["printf", "%s\n", "a b", "-x", "--", "--json"], b"printf '%s\n' 'a b' -x -- --json"),
        (["-l"], b"-l"),
    ],
)
def test_what_the_command_is(ask: Client, daemon: FakeDaemon, words: list[str], command: bytes) -> None:
    """One word is for the shell; several are a program and its arguments, options of ours among them."""
    assert ask("at", "noon", "--", *words).exit_code == 0
    assert daemon.texts == [command]


def test_the_command_from_stdin(ask: Client, daemon: FakeDaemon) -> None:
    """Without a command the lines of stdin are taken as they are, whatever their bytes."""
    script = b"cd /tmp\nmake 50% \\\n  '\xff'\n"
    assert ask("at", "now + 1 hour", stdin=script).exit_code == 0
    assert daemon.texts == [script]


def test_at_in_json(ask: Client) -> None:
    """What the daemon keeps, with the moment in UTC."""
    body = json.loads(ask("at", "--json", "2035-01-01 09:00", "--", "make").stdout)
    assert body == {
        "job": "ann/at-abc234",
        "at": "2035-01-01T00:00:00Z",
        "command": "make",
        "working_dir": os.getcwd(),
        "umask": "022",
    }


@pytest.mark.parametrize(
    ("arguments", "stdin", "why"),
    [
        (["at"], b"", "when?"),
        (["at", "--", "make"], b"", "when?"),
        (["at", "tomorrow 7am make"], b"", "is no time"),
        (["at", "2020-01-01 00:00", "--", "make"], b"", "2020-01-01 00:00:00 KST: that was"),
        (["at", "noon"], b" \n", "there is no command"),
        (["at", "noon", "--"], b"", "there is no command"),
        (["at", "noon"], b"x" * (COMMAND_LIMIT + 1), "more than 128 KiB"),
        (["at", "-l", "noon"], b"", "-l stands alone"),
        (["at", "-l", "-r", "at-a"], b"", "-l stands alone"),
        (["at", "-r"], b"", "-r takes the names"),
        (["at", "-r", "at-a", "--", "make"], b"", "-r takes the names"),
    ],
)
def test_what_makes_no_sense(
    ask: Client, daemon: FakeDaemon, arguments: list[str], stdin: bytes, why: str
) -> None:
    """Nothing is asked of the daemon, and the status says that it was the command line."""
    result = ask(*arguments, stdin=stdin)
    assert why in result.stderr
    assert result.exit_code == 2
    assert daemon.edited == []


def test_a_time_that_comes_twice_is_said(ask: Client, daemon: FakeDaemon, live_in: LiveIn) -> None:
    """Beside the answer, on stderr."""
    live_in("Europe/Berlin")
    result = ask("at", "2034-10-29 02:30", "--", "make")
    assert "CEST" in result.stdout
    assert "twice" in result.stderr


def test_what_the_daemon_refuses(ask: Client, daemon: FakeDaemon) -> None:
    """Its words are shown, and the status says that nothing was done."""
    daemon.edits[PutAt] = lambda _message: [no("not_allowed", "you (ann) may not use this program")]
    result = ask("at", "noon", "--", "make")
    assert (result.exit_code, result.stderr) == (1, "crontabx: you (ann) may not use this program\n")


@pytest.mark.parametrize("before", [True, False])
def test_for_somebody_else(ask: Client, daemon: FakeDaemon, before: bool) -> None:
    """-u names the account, before the verb or behind it."""
    daemon.edits[ListAt] = lambda _message: [yes({"user": "ben", "jobs": []})]
    assert ask(*(["-u", "ben", "at", "-l"] if before else ["at", "-l", "-u", "ben"])).exit_code == 0
    assert daemon.edited == [ListAt("ben")]


def test_list(ask: Client, daemon: FakeDaemon) -> None:
    """What has yet to run, in the order of the daemon; texts are shown, never obeyed by the terminal."""
    daemon.edits[ListAt] = lambda _message: [
        yes({"user": "ann", "jobs": [one("at-d", time.time() - 5), one(command="a \x1b[2J\udcff\nb")]})
    ]
    result = ask("at", "-l")
    lines = [re.split(r"\s{2,}", line) for line in result.stdout.splitlines()]
    assert lines[0] == ["NAME", "WHEN", "IN", "COMMAND"]
    assert (lines[1][0], lines[1][2:]) == ("at-d", ["due", "make"])
    assert (lines[2][:2], lines[2][3]) == (["at-abc234", "2035-01-01 09:00:00 KST"], "a ^[[2J\\377 ...")
    body = json.loads(ask("at", "-l", "--json").stdout)
    assert [job["job"] for job in body["jobs"]] == ["ann/at-d", "ann/at-abc234"]
    assert body["jobs"][1]["command"] == "a \x1b[2J\ufffd\nb"


def test_an_empty_list(ask: Client, daemon: FakeDaemon) -> None:
    """Says so, where it disturbs no script."""
    daemon.edits[ListAt] = lambda _message: [yes({"user": "ann", "jobs": []})]
    result = ask("at", "-l")
    assert (result.stdout, result.stderr) == ("", "Nothing has yet to run.\n")


@pytest.mark.parametrize("body", [{}, {"jobs": 7}, {"jobs": [7]}, {"jobs": [{**one(), "at": "x"}]}])
def test_an_answer_that_is_none(ask: Client, daemon: FakeDaemon, body: dict[str, Any]) -> None:
    """Is told as such."""
    daemon.edits[ListAt] = lambda _message: [yes(body)]
    result = ask("at", "-l")
    assert result.exit_code == 3
    assert "cannot be read" in result.stderr


def test_remove(ask: Client, daemon: FakeDaemon) -> None:
    """Each that there is goes, also by what comes behind at-; what there is not is told at the end."""

    def removed(message: RemoveAt) -> Iterable[Step]:
        if message.name == "at-gone":
            return [no("unknown", "ann has no one-shot at-gone that has yet to run")]
        return [yes({"user": "ann", "name": message.name})]

    daemon.edits[RemoveAt] = removed
    result = ask("at", "-r", "at-a", "at-gone", "b")
    assert daemon.edited == [RemoveAt("", "at-a"), RemoveAt("", "at-gone"), RemoveAt("", "at-b")]
    assert result.stdout == "at-a: removed\nat-b: removed\n"
    assert result.stderr == "crontabx: ann has no one-shot at-gone that has yet to run\n"
    assert result.exit_code == 4
    assert json.loads(ask("at", "-r", "--json", "a").stdout) == {"removed": ["at-a"]}
    assert ask("at", "-r", "../a").exit_code == 4
