"""mute and unmute: what they ask, and the line that each job gets."""

from __future__ import annotations

import json

from tests.cli.conftest import Client
from tests.cli.fake_daemon import FakeDaemon, yes
from tests.cli.test_jobs import job_body, status_body
from tests.cli.test_pauses import PAUSE, knows


def test_mute(ask: Client, daemon: FakeDaemon) -> None:
    """A line for each job; how long is asked for in seconds."""
    knows(daemon, "mute", muted=PAUSE, before=None)
    result = ask("mute", "weather", "--for", "2h", "--note", "the source is down")
    assert result.stdout == (
        "root/weather: muted until 2026-11-21 13:00:00 KST, by root: the source is down\n"
    )
    asked = {"job": "root/weather", "seconds": "7200", "note": "the source is down"}
    assert ("scheduler", "mute", asked) in daemon.asked


def test_mute_until_somebody_unmutes(ask: Client, daemon: FakeDaemon) -> None:
    """Without --for it lasts."""
    knows(daemon, "mute", muted=PAUSE | {"until": None, "note": ""}, before=None)
    assert ask("mute", "weather").stdout == "root/weather: muted until it is unmuted, by root\n"


def test_unmute(ask: Client, daemon: FakeDaemon) -> None:
    """It says since when it was muted, or that it was not."""
    knows(daemon, "unmute", muted=None, before=PAUSE)
    assert ask("unmute", "weather").stdout == (
        "root/weather: unmuted; root had muted it at 2026-11-21 11:00:00 KST: the source is down\n"
    )
    knows(daemon, "unmute", muted=None, before=None)
    result = ask("unmute", "weather")
    assert (result.exit_code, result.stdout) == (0, "root/weather: was not muted\n")


def test_json(ask: Client, daemon: FakeDaemon) -> None:
    """The answer for each job."""
    knows(daemon, "mute", muted=PAUSE, before=None)
    told = json.loads(ask("mute", "a", "b", "--json").stdout)
    assert told == {"jobs": [{"job": f"root/{name}", "muted": PAUSE, "before": None} for name in ("a", "b")]}


def test_where_a_muted_job_is_seen(ask: Client, daemon: FakeDaemon) -> None:
    """A muted job looked like any other in `list` and `status`."""
    held = {"job": "root/weather", **PAUSE}
    daemon.scheduler["list"] = lambda _: [yes({"jobs": [job_body(job="root/weather", muted=PAUSE)]})]
    daemon.scheduler["status"] = lambda _: [yes(status_body(muted=[held]))]
    assert ", muted" in ask("list").stdout
    assert "muted until 2026-11-21 13:00:00 KST, by root: the source is down" in ask("status").stdout
