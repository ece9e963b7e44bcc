"""pause and resume: what they ask, and the line that each job gets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Client
from tests.cli.fake_daemon import FakeDaemon, no, yes
from tests.cli.test_jobs import job_body, status_body

PAUSE = {
    "since": "2026-11-21T02:00:00Z",
    "until": "2026-11-21T04:00:00Z",
    "by": 0,
    "note": "the source is down",
}


def knows(daemon: FakeDaemon, verb: str, **answer: Any) -> None:
    """Let the scheduler know jobs by their names, and answer `verb`."""

    def job(arguments: dict[str, str]) -> list[Any]:
        name = arguments["job"]
        if name == "nobody":
            return [no("unknown", "there is no job 'nobody'")]
        return [yes({"job": f"root/{name}", "table": 1, "entry": 0})]

    daemon.scheduler["job"] = job
    daemon.scheduler[verb] = lambda arguments: [yes({"job": arguments["job"], **answer})]


def test_pause(ask: Client, daemon: FakeDaemon) -> None:
    """A line for each job; how long is asked for in seconds."""
    knows(daemon, "pause", paused=PAUSE, before=None)
    result = ask("pause", "weather", "sales", "--for", "2h", "--note", "the source is down")
    until = "until 2026-11-21 13:00:00 KST, by root: the source is down"
    assert result.stdout.splitlines() == [
        f"root/weather: paused {until}",
        f"root/sales: paused {until}",
    ]
    asked = {"job": "root/weather", "seconds": "7200", "note": "the source is down"}
    assert ("scheduler", "pause", asked) in daemon.asked


def test_resume(ask: Client, daemon: FakeDaemon) -> None:
    """It says how long it was paused, or that it was not."""
    knows(daemon, "resume", paused=None, before=PAUSE | {"until": None, "note": ""})
    assert ask("resume", "weather").stdout == (
        "root/weather: resumed; it was paused until it is resumed, by root\n"
    )
    knows(daemon, "resume", paused=None, before=None)
    result = ask("resume", "weather")
    assert (result.exit_code, result.stdout) == (0, "root/weather: was not paused\n")


def test_json(ask: Client, daemon: FakeDaemon) -> None:
    """The answer for each job."""
    knows(daemon, "pause", paused=PAUSE, before=None)
    told = json.loads(ask("pause", "a", "b", "--json").stdout)
    assert told == {"jobs": [{"job": f"root/{name}", "paused": PAUSE, "before": None} for name in ("a", "b")]}


def test_nothing_is_paused_if_a_name_is_wrong(ask: Client, daemon: FakeDaemon) -> None:
    """Names are looked up first, so that half of a command is not done."""
    knows(daemon, "pause", paused=PAUSE, before=None)
    assert ask("pause", "weather", "nobody").exit_code == 4
    assert [verb for _, verb, _ in daemon.asked] == ["job", "job"]


@pytest.mark.parametrize("text", ["", "soon", "0", "-1", "2 h", "99999999999d"])
def test_what_is_no_duration(ask: Client, text: str) -> None:
    """The form of annotations, and a second at least."""
    result = ask("pause", "weather", "--for", text)
    assert result.exit_code == 2
    assert "write 30m, 2h or 1d" in result.stderr


def test_shown_in_list_and_status(ask: Client, daemon: FakeDaemon) -> None:
    """In place of the next instant; held and disabled jobs alike. The dashboard says who keeps what."""
    jobs = [
        job_body(paused=PAUSE),
        job_body(job="root/b", paused=PAUSE | {"until": None}),
        job_body(job="root/c", held="there is no job 'x'"),
        job_body(job="root/d", enabled=False, next=None),
    ]
    daemon.answers("list", yes({"jobs": jobs}))
    result = ask("list")
    cells = [line[13:].partition("success")[0].strip() for line in result.stdout.splitlines()[1:]]
    assert cells == ["paused until 2026-11-21 13:00:00 KST", "paused", "held", "not enabled"]
    assert "root/c is held: there is no job 'x'" in result.stderr
    held = [{"job": "root/c", "reason": "there is no job 'x'"}]
    daemon.answers("status", yes(status_body(paused=[{"job": "root/backup", **PAUSE}], held=held)))
    for verb in ("status", "top"):
        text = ask(verb).stdout
        assert "Kept from running" in text
        assert "paused until 2026-11-21 13:00:00 KST, by root: the source is down" in text
        assert "held: there is no job 'x'" in text
