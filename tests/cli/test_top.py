"""top: one look where there is no terminal, keys where there is one, and the terminal given back."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.cli.conftest import Client
from tests.cli.fake_daemon import RUNNING, FakeDaemon, Step, WithFile, no, run_body, yes

CLIENT = "from crond.cli.main import main; main()"


def status(**changed: Any) -> dict[str, Any]:
    running = run_body(**{**RUNNING, "pid": os.getpid(), "started_at": "2026-11-21T03:00:00Z"})
    failed = run_body(id="bad1", job="root/broken", attempt="bad1.1", outcome="failed", exit_code=2)
    return {
        "now": "2026-11-21T03:00:10Z",
        "zone": "Asia/Seoul",
        "started_at": "2026-11-21T01:00:00Z",
        "planned_upto": "2026-11-21T03:00:00Z",
        "running": [running],
        "next": [{"job": "root/later", "instant": "2026-11-21T04:00:00Z", "schedule": "0 * * * *"}],
        "failed": [failed],
        "problems": [],
        **changed,
    }


def test_one_look_without_a_terminal(ask: Client, daemon: FakeDaemon) -> None:
    """In a pipe: every list once, with what the processes use, and an end."""
    daemon.answers("status", yes(status()))
    result = ask("top")
    assert result.exit_code == 0
    assert "root/backup" in result.stdout
    assert "root/later" in result.stdout
    assert "root/broken" in result.stdout
    assert "\x1b" not in result.stdout
    assert " MB " in result.stdout


def test_json(ask: Client, daemon: FakeDaemon) -> None:
    """The status's lists; each running run has its usage."""
    daemon.answers("status", yes(status()))
    told = json.loads(ask("top", "--json").stdout)
    assert set(told) == {"now", "running", "next", "paused", "held", "failed"}
    usage = told["running"][0]["usage"]
    assert set(usage) == {"cpu", "memory", "processes"}
    assert usage["memory"] > 1_000_000


def test_no_daemon(client: Client, tmp_path: Path) -> None:
    """One plain line and status 3, before any screen is taken."""
    result = client("--state", str(tmp_path), "top")
    assert (result.exit_code, result.stdout) == (3, "")


class Screen:
    """top on a terminal of 80x24."""

    def __init__(self, daemon: FakeDaemon) -> None:
        arguments = ["-c", CLIENT, "--state", str(daemon.state), "top", "-d", "0.2"]
        environment = {**os.environ, "TERM": "xterm", "TZ": "UTC"}
        self.process = pexpect.spawn(
            sys.executable, arguments, dimensions=(24, 80), env=environment, timeout=20, encoding="utf-8"
        )
        self.process.expect("q quit")

    def given_back(self) -> bool:
        """True if the terminal is again as it was, and no longer the full screen."""
        self.process.expect(pexpect.EOF)
        left = "\x1b[?1049l" in (self.process.before or "")
        self.process.close()
        return left


@pytest.fixture
def screen(daemon: FakeDaemon) -> Iterator[Screen]:
    daemon.answers("status", yes(status()))
    shown = Screen(daemon)
    yield shown
    shown.process.close(force=True)


def test_q_quits(screen: Screen) -> None:
    """The key q ends it with status 0, and the screen that was is back."""
    screen.process.send("q")
    assert screen.given_back()
    assert screen.process.exitstatus == 0


def test_ctrl_c_gives_the_terminal_back(screen: Screen) -> None:
    """Ctrl-C at any moment: the screen that was is back, and the shell sees what it was."""
    screen.process.sendintr()
    assert screen.given_back()
    assert (screen.process.exitstatus, screen.process.signalstatus) == (128 + signal.SIGINT, None)


def test_stop_asks_first(screen: Screen, daemon: FakeDaemon) -> None:
    """The key s names what it would stop; n stops nothing, y does."""
    stopped = run_body(**{**RUNNING, "state": "STOPPING"})
    daemon.answers("stop", yes({"stopping": [stopped]}))
    screen.process.send("s")
    screen.process.expect(r"stop root/backup, run k3f\? \(y/n\)")
    screen.process.send("n")
    screen.process.send("s")
    screen.process.expect(r"\(y/n\)")
    screen.process.send("y")
    screen.process.expect("stopping run k3f")
    screen.process.send("q")
    screen.process.expect(pexpect.EOF)
    assert [asked for asked in daemon.asked if asked[1] == "stop"] == [
        ("scheduler", "stop", {"target": "k3f"})
    ]


def test_run_and_what_cannot_be_done(screen: Screen, daemon: FakeDaemon) -> None:
    """The key j goes down, r runs the chosen job; a refusal is a line, and the watching goes on."""

    def answer(arguments: dict[str, str]) -> Iterable[Step]:
        if arguments["job"] == "root/later":
            return [yes({"run": run_body(id="new1", job="root/later")})]
        return [no("unknown", "there is no such job")]

    daemon.scheduler["run"] = answer
    screen.process.send("js")
    screen.process.expect("root/later does not run")
    screen.process.send("r")
    screen.process.expect("run new1 started")
    screen.process.send("jr")
    screen.process.expect("there is no such job")
    screen.process.send("\x1b[A")
    screen.process.send("q")
    assert screen.given_back()


def test_follow_a_log(screen: Screen, daemon: FakeDaemon, tmp_path: Path) -> None:
    """The key l shows the log below; Ctrl-C and Enter lead back to the screen."""
    output = tmp_path / "output"
    output.write_text("a line of the log\n")
    daemon.scheduler["runs"] = lambda _: [no("unknown", "nothing")]
    told = {"attempt": "bad1.1", "running": False, "size": 18, "exit": 512}
    daemon.launcher["logs"] = lambda _: [WithFile(yes(told), output)]
    screen.process.send("jjl")
    screen.process.expect("a line of the log")
    screen.process.expect("back to top")
    screen.process.sendintr()
    screen.process.send("\r")
    screen.process.expect("q quit")
    screen.process.send("q")
    assert screen.given_back()


def test_a_daemon_that_goes_and_comes_back(screen: Screen, daemon: FakeDaemon) -> None:
    """While it does not answer, that is said at the foot; then the screen lives on."""
    daemon.answers("status", no("closing", "the daemon is stopping"))
    screen.process.expect("the daemon is stopping")
    daemon.answers("status", yes(status(running=[])))
    screen.process.expect("Nothing runs")
    screen.process.send("q")
    assert screen.given_back()
