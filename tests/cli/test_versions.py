"""versions, diff and restore: what is shown, compared and asked of the daemon."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import pytest

from crond.cli.versions import _difference
from crond.model.edits import NO_TEXT, Fetch, ListVersions, Piece, Restore
from tests.cli.conftest import Client
from tests.cli.fake_daemon import FakeDaemon, Step, no, yes

ONE, TWO, THREE = "0" * 16, "1" * 16, "2" * 16


def version(number: int, digest: str, action: str = "install", **more: Any) -> dict[str, Any]:
    mark = {
        "action": action,
        "by": "ann",
        "uid": 1000,
        "origin": "/home/ann/jobs",
        "at": 1795230000.0 + number,
    }
    return {"number": number, "user": "ann", "digest": digest, "size": 30, "mark": {**mark, **more}}


def keeps(daemon: FakeDaemon, current: str, *versions: dict[str, Any]) -> None:
    daemon.edits[ListVersions] = lambda _message: [
        yes({"user": "ann", "digest": current, "versions": list(versions)})
    ]


def holds(daemon: FakeDaemon, **texts: bytes) -> None:
    """`v1=b"..."` is version 1, `v0` the crontab as it is."""

    def fetched(message: Fetch) -> Iterable[Step]:
        text = texts.get(f"v{message.version}")
        if text is None:
            return [no("unknown", f"no version {message.version} of ann's crontab is kept")]
        told = {"user": "ann", "dialect": "debian", "size": len(text), "digest": ONE}
        return [yes(told, final=False), Piece(text)]

    daemon.edits[Fetch] = fetched


def test_versions(ask: Client, daemon: FakeDaemon) -> None:
    """Newest first; a star at the one that is installed, the newest of those with that text."""
    keeps(
        daemon,
        ONE,
        version(4, ONE, "restore", origin="version 1", by="root\x1b[2J"),
        version(3, THREE, "remove", origin=""),
        version(2, TWO, "by hand", origin=""),
        version(1, ONE),
    )
    result = ask("versions")
    assert result.exit_code == 0
    assert [re.split(r"\s{2,}", line) for line in result.stdout.splitlines()] == [
        ["VERSION", "WHEN", "BY", "WHAT", "SIZE", "FROM"],
        ["4 *", "2026-11-21 12:00:04 KST", "root^[[2J", "restore", "30", "version 1"],
        ["3", "2026-11-21 12:00:03 KST", "ann", "remove", "-", "-"],
        ["2", "2026-11-21 12:00:02 KST", "ann", "by hand", "30", "-"],
        ["1", "2026-11-21 12:00:01 KST", "ann", "install", "30", "/home/ann/jobs"],
    ]
    assert result.stderr == ""


def test_versions_in_json(ask: Client, daemon: FakeDaemon) -> None:
    """One object per version, with the time in UTC and whether it is the one installed."""
    keeps(daemon, ONE, version(2, THREE, "remove"), version(1, ONE))
    body = json.loads(ask("versions", "--json", "-u", "ann").stdout)
    assert daemon.edited == [ListVersions("ann")]
    assert body["user"] == "ann"
    assert [(v["version"], v["current"], v["digest"]) for v in body["versions"]] == [
        (2, False, None),
        (1, True, ONE),
    ]
    assert body["versions"][1] == {
        "version": 1,
        "at": "2026-11-21T03:00:01Z",
        "by": "ann",
        "uid": 1000,
        "action": "install",
        "origin": "/home/ann/jobs",
        "digest": ONE,
        "size": 30,
        "current": True,
    }


def test_what_was_put_there_by_hand_is_said(ask: Client, daemon: FakeDaemon) -> None:
    """A text that no version holds is installed: no star, and a line that says why."""
    keeps(daemon, TWO, version(1, ONE))
    result = ask("versions")
    assert "*" not in result.stdout
    assert "put there by hand" in result.stderr
    keeps(daemon, NO_TEXT, version(1, ONE))
    assert ask("versions").stderr == ""
    keeps(daemon, NO_TEXT)
    assert ask("versions").stderr == "No versions of ann's crontab are kept.\n"


@pytest.mark.parametrize(
    ("arguments", "asked", "names"),
    [
        (["1", "2"], [1, 2], ("version 1", "version 2")),
        (["2"], [2, 0], ("version 2", "the crontab as it is now")),
        ([], [2, 0], ("version 2", "the crontab as it is now")),
    ],
)
def test_diff(
    ask: Client, daemon: FakeDaemon, arguments: list[str], asked: list[int], names: tuple[str, str]
) -> None:
    """Between two versions; to the crontab as it is; by itself from the newest text that is another."""
    keeps(daemon, ONE, version(4, ONE), version(3, THREE, "remove"), version(2, TWO), version(1, ONE))
    holds(daemon, v0=b"a\nb\n\xff\n", v1=b"a\n", v2=b"a\nc\n")
    result = ask("diff", *arguments)
    assert result.exit_code == 0
    assert [message.version for message in daemon.edited if isinstance(message, Fetch)] == asked
    lines = result.stdout_bytes.splitlines()
    assert lines[:2] == [f"--- {names[0]}".encode(), f"+++ {names[1]}".encode()]
    if asked[1] == 0:
        assert lines[2:] == [b"@@ -1,2 +1,3 @@", b" a", b"-c", b"+b", b"+\xff"]


def test_diff_of_equals(ask: Client, daemon: FakeDaemon) -> None:
    """No difference is no output, and no failure."""
    holds(daemon, v0=b"a\n", v1=b"a\n")
    result = ask("diff", "1")
    assert (result.exit_code, result.stdout) == (0, "")
    assert json.loads(ask("diff", "1", "--json").stdout) == {"from": 1, "to": None, "diff": []}


def test_diff_where_nothing_is_kept(ask: Client, daemon: FakeDaemon) -> None:
    """No other version, or none of that number: status 4."""
    keeps(daemon, ONE, version(1, ONE))
    holds(daemon, v0=b"")
    assert ask("diff").exit_code == ask("diff", "9").exit_code == 4
    assert "no other version of ann's crontab" in ask("diff").stderr


def test_a_last_line_without_an_end() -> None:
    """It is told as diff tells it, since cron would refuse the line."""
    assert _difference(b"a\nb", b"a\nb\n", ("x", "y"))[2:] == [
        "@@ -1,2 +1,2 @@",
        " a",
        "-b",
        "\\ No newline at end of file",
        "+b",
    ]


def test_restore(ask: Client, daemon: FakeDaemon) -> None:
    """The daemon does it; what is wrong with the text is told."""
    problem = {"line": 1, "column": 1, "severity": "error", "message": "bad minute", "hint": ""}
    daemon.edits[Restore] = lambda _message: [
        yes({"user": "ann", "version": 5, "problems": [problem], "count": 1})
    ]
    holds(daemon, v0=b"x\n")
    result = ask("restore", "2", "-u", "ann")
    assert daemon.edited[0] == Restore("ann", 2)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "version 2:1:1: error: bad minute" in result.stderr
    assert result.stderr.endswith("crontabx: version 2 is the crontab again, as version 5\n")
    told = json.loads(ask("restore", "2", "--json").stdout)
    assert told == {"user": "ann", "restored": 2, "version": 5}


def test_the_account_may_stand_before_the_verb(ask: Client, daemon: FakeDaemon) -> None:
    """`crontabx -u ann versions` is what people write who know crontab."""
    keeps(daemon, NO_TEXT)
    ask("-u", "ann", "versions")
    ask("-u", "ann", "versions", "-u", "ben")
    assert daemon.edited == [ListVersions("ann"), ListVersions("ben")]


@pytest.mark.parametrize("arguments", [["restore"], ["restore", "0"], ["restore", "x"], ["diff", "-1"]])
def test_what_is_no_version(ask: Client, daemon: FakeDaemon, arguments: list[str]) -> None:
    """Numbers from 1: anything else is status 2, and nobody is asked."""
    assert ask(*arguments).exit_code == 2
    assert daemon.edited == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"versions": 3},
        {"versions": [{}]},
        {"versions": [version(1, ONE, at=1e300)]},
        {"versions": [None]},
    ],
)
def test_nonsense_for_versions(ask: Client, daemon: FakeDaemon, body: dict[str, Any]) -> None:
    """An answer that is none: status 3 and one line."""
    daemon.edits[ListVersions] = lambda _message: [yes({"user": "ann", "digest": ONE, **body})]
    result = ask("versions")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "cannot be read" in result.stderr
