"""alerts and notify: what they ask, and how messages are shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Client
from tests.cli.fake_daemon import FakeDaemon, no, yes


def alert(**changed: Any) -> dict[str, Any]:
    """A message as the recorder tells it: one that was delivered, but for what is changed."""
    return {
        "id": 7,
        "at": "2026-11-21T03:00:00Z",
        "event": "failure",
        "job": "root/backup",
        "run": "k3f",
        "target": "slack://...",
        "state": "sent",
        "tries": 1,
        "next_try": None,
        "sent_at": "2026-11-21T03:00:04Z",
        "error": "",
        "title": "[vm] backup failed",
        "flips": 1,
        **changed,
    }


def recorder(daemon: FakeDaemon, *told: dict[str, Any], **more: Any) -> None:
    """Let the recorder tell of these."""
    daemon.recorder["alerts"] = lambda _: [yes({"alerts": list(told), "counts": {}, "more": False, **more})]


def test_alerts(ask: Client, daemon: FakeDaemon) -> None:
    """Each message has its state; of what failed and what waits, why."""
    recorder(
        daemon,
        alert(),
        alert(id=8, target="ops@example.com", state="failed", error="550 no such user", tries=1),
        alert(id=9, event="on_time", state="muted", tries=0, flips=3),
        alert(id=10, state="pending", tries=2, next_try="2020-01-01T00:00:00Z", error="503 down\x1b[31m"),
        counts={"pending": 1, "failed": 1},
    )
    result = ask("alerts")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["ID", "WHEN", "(KST)", "WHAT", "JOB", "TO", "STATE", "MORE"]
    assert " ".join(lines[1]) == "7 2026-11-21 12:00:00 failure root/backup slack://... delivered after 4.0 s"
    assert lines[2][-4:] == ["550", "no", "such", "user"]
    assert " ".join(lines[3][3:9]) == "on time again and 2 more"
    assert result.stdout.splitlines()[4].endswith("waits      try 3 now, 503 down^[[31m")
    assert "1 message waits" in result.stderr
    assert "1 message failed; try again: crontabx alerts retry" in result.stderr


def test_what_is_asked(ask: Client, daemon: FakeDaemon) -> None:
    """States, a job and a number."""
    recorder(daemon)
    result = ask("alerts", "--state", "failed", "--state", "pending", "--job", "backup", "-n", "5")
    assert result.stderr == "There are no such alerts.\n"
    asked = {"state": "failed,pending", "job": "backup", "count": "5"}
    assert ("recorder", "alerts", asked) in daemon.asked


def test_alerts_json(ask: Client, daemon: FakeDaemon) -> None:
    """The recorder's answer as it is."""
    recorder(daemon, alert())
    assert json.loads(ask("alerts", "--json").stdout)["alerts"] == [alert()]


def test_retry(ask: Client, daemon: FakeDaemon) -> None:
    """All that failed, or those that are named."""
    daemon.recorder["alerts-retry"] = lambda _: [yes({"retried": 2})]
    assert ask("alerts", "retry").stdout == "2 messages tried again; see: crontabx alerts\n"
    assert ask("alerts", "retry", "7", "8").exit_code == 0
    assert ("recorder", "alerts-retry", {"ids": "7,8"}) in daemon.asked
    result = ask("alerts", "retry", "7", "8", "9")
    assert result.exit_code == 1
    assert "2 messages tried again; 1 other: delivered, muted or not there" in result.stderr


def test_notify(ask: Client, daemon: FakeDaemon) -> None:
    """What each receiver said, as it comes; one that was not told is a failure."""
    told = {"target": "slack://...", "result": "sent", "detail": ""}
    failed = {"target": "ops", "result": "never", "detail": "no such tag"}
    daemon.launcher["notify-test"] = lambda _: [yes(told, final=False), yes(failed)]
    result = ask("notify", "--test")
    assert result.stdout == "slack://...: delivered\nops: refused: no such tag\n"
    assert result.exit_code == 1
    daemon.launcher["notify-test"] = lambda _: [yes(told)]
    assert ask("notify", "--test", "-", stdin=b"json://h/secret\n").exit_code == 0
    assert ("launcher", "notify-test", {"target": "json://h/secret"}) in daemon.asked


def test_notify_json(ask: Client, daemon: FakeDaemon) -> None:
    """All answers in one document."""
    told = {"target": "slack://...", "result": "sent", "detail": ""}
    daemon.launcher["notify-test"] = lambda _: [yes(told)]
    assert json.loads(ask("notify", "--test", "--json").stdout) == {"targets": [told]}


@pytest.mark.parametrize(
    ("words", "text"),
    [((), "say --test"), (("--test", "--host", "ops"), "--host goes without")],
)
def test_notify_usage(ask: Client, words: tuple[str, ...], text: str) -> None:
    """What makes no sense is a usage error."""
    result = ask("notify", *words)
    assert result.exit_code == 2
    assert text in result.stderr


def test_notify_refused(ask: Client, daemon: FakeDaemon) -> None:
    """Only root may test for others, and nobody to tell is told."""
    daemon.launcher["notify-test"] = lambda _: [no("forbidden", "only root may name a user")]
    result = ask("notify", "--test", "-u", "ben")
    assert (result.exit_code, "only root may name a user" in result.stderr) == (1, True)
    daemon.launcher["notify-test"] = lambda _: [yes({})]
    assert "there is nobody to tell" in ask("notify", "--test").stderr
