"""explain: a schedule in words, of an argument, a line, a file or a job."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Client
from tests.cli.fake_daemon import FakeDaemon, no, yes

JOB = {
    "job": "root/backup", "origin": "/etc/crontab", "line": 3, "schedule": "0 3 13 * 5", "command": "run x",
}  # fmt: skip


@pytest.mark.parametrize(
    "arguments", [("*/15 9-17 * * 1-5",), ("*/15", "9-17", "*", "*", "1-5"), ("*/15 9-17 * * 1-5 cmd --all",)]
)
def test_a_schedule_or_a_line(client: Client, arguments: tuple[str, ...]) -> None:
    """With or without a command behind it, in one argument or in many."""
    result = client("explain", "-n", "2", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    first, *starts = result.stdout.splitlines()
    assert first == "Every 15 minutes from 09:00 to 17:45, on Monday to Friday."
    assert len(starts) == 2
    assert all(start.endswith(" KST") for start in starts)


def test_what_surprises(client: Client) -> None:
    """The rule of two day fields, a warning of the parser's, and the percent sign."""
    result = client("explain", "-n0", "--dialect", "cronie", "*/90 0 13 * 5 date +%F")
    assert result.stdout.splitlines()[1:] == [
        "- Step size 90 higher than possible maximum of 59.",
        (
            "- Both day fields are given and neither begins with *, so that one of them is enough: it runs on"
            " the days of the month and on the days of the week, not only on days that are both."
        ),
        "- The command ends at its first %: what follows is what it reads. Write \\% for a percent sign.",
    ]


def test_a_file(client: Client, tmp_path: Path) -> None:
    """Each entry, with its line; its settings count; an error is shown and makes the status 1."""
    path = tmp_path / "crontab"
    path.write_text(
        "CRON_TZ=America/New_York\n0 6 * * * fetch\nRANDOM_DELAY=5\n@reboot -s boot\n61 * * * * no\n"
    )
    result = client("explain", "-n", "1", "--dialect", "cronie", str(path))
    assert result.exit_code == 1
    assert "bad minute" in result.stderr
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        "line 2  0 6 * * *  fetch",
        "At 06:00, every day.",
        "- Its times are those of America/New_York (CRON_TZ).",
    ]
    assert lines[3].endswith((" 20:00:00 KST", " 19:00:00 KST"))
    assert lines[4:] == [
        "",
        "line 4  @reboot  boot",
        "Once after each start of the machine, when the daemon comes up.",
        "- Its times are those of America/New_York (CRON_TZ).",
        "- Each start is delayed by up to 5 minutes (RANDOM_DELAY).",
        "- A start is left out while the run before it is alive (-s).",
    ]


def test_a_job(ask: Client, daemon: FakeDaemon) -> None:
    """The daemon knows its schedule and its starts, in its zone; nothing of it reaches a terminal raw."""
    coming = {"job": "root/backup", "schedule": "0 3 13 * 5", "instant": "2026-11-27T03:00:00Z"}
    daemon.answers("next", yes({"next": [coming]}))
    daemon.answers("list", yes({"jobs": [{**JOB, "command": "\x1b[31m"}]}))
    result = ask("explain", "back", "--json")
    (told,) = json.loads(result.stdout)["schedules"]
    assert (told["job"], told["next"]) == ("root/backup", ["2026-11-27T03:00:00Z"])
    assert told["words"] == "At 03:00, on day 13 of the month, and also on Friday."
    assert ask("explain", "back").stdout.splitlines()[0] == "root/backup  0 3 13 * 5  ^[[31m"
    assert [arguments["job"] for _, verb, arguments in daemon.asked if verb == "list"] == ["back", "back"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("61 * * * *",), 2, "'61 * * * *': bad minute: from 0 to 59"),
        (("*/5", "passwd", "shadow", "fstab", "hosts", "group"), 2, "Without quotes the shell puts names"),
        (("@fortnightly",), 2, "the nicknames are"),
        (("A=b c",), 2, "no schedule and no line with one"),
        (("0 4 * * * a\n0 4 * * * b",), 2, "no schedule and no line with one"),
        (("  ",), 2, "what is to be explained?"),
        (("./nowhere",), 2, "./nowhere: No such file"),
        (("nojob",), 4, "there is no job"),
    ],
)
def test_what_cannot_be_explained(
    ask: Client, daemon: FakeDaemon, arguments: tuple[str, ...], status: int, words: str
) -> None:
    """What is no schedule is named, in cron's own words, and what to write instead."""
    daemon.answers("next", no("unknown", "there is no job 'nojob'"))
    result = ask("explain", *arguments)
    assert (result.exit_code, result.stdout) == (status, "")
    assert words in result.stderr
