"""logs: which attempt is meant, following it to its end, and what reaches a terminal."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from crond.cli import logs as logs_module
from crond.launcher import holes
from tests.cli.conftest import Client
from tests.cli.fake_daemon import RUNNING, FakeDaemon, Step, WithFile, no, run_body, yes
from tests.cli.terminal import on_terminal


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = tmp_path / "output"
    path.write_bytes(b"one\ntwo\n")
    return path


def body(**changed: Any) -> dict[str, Any]:
    return {"attempt": "k3f.1", "running": False, "size": 8, "exit": 0, **changed}


def runs_of(*runs: dict[str, Any], **named: str) -> Any:
    """A scheduler that knows these runs by the arguments `named`, and nothing else."""

    def answer(arguments: dict[str, str]) -> Iterable[Step]:
        asked = {key: value for key, value in arguments.items() if key != "count"}
        return [yes({"runs": list(runs)}) if asked == named else no("unknown", "nothing of that name")]

    return answer


def test_logs_of_a_job(ask: Client, daemon: FakeDaemon, output: Path) -> None:
    """The latest run of the job that has started; anything but a terminal gets the very bytes."""
    output.write_bytes(b"\xff\x00\x1b[31m\r\n")
    waiting = run_body(id="k40", state="WAITING", outcome=None, attempt=None, started_at=None)
    daemon.scheduler["runs"] = runs_of(waiting, run_body(attempt="k3f.2", attempts=2), job="backup")
    daemon.launcher["logs"] = lambda _: [WithFile(yes(body()), output)]
    result = ask("logs", "backup")
    assert result.exit_code == 0
    assert result.stdout_bytes == b"\xff\x00\x1b[31m\r\n"
    assert daemon.asked[-1] == ("launcher", "logs", {"attempt": "k3f.2"})


def test_logs_without_a_name(ask: Client, daemon: FakeDaemon, output: Path) -> None:
    """No name means one's latest run of all."""
    daemon.scheduler["runs"] = runs_of(run_body())
    daemon.launcher["logs"] = lambda _: [WithFile(yes(body()), output)]
    assert ask("logs").stdout == "one\ntwo\n"


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["k3f"], "k3f.3"),
        (["k3f", "--attempt", "1"], "k3f.1"),
        (["k3f.2"], "k3f.2"),
        (["k3f.2", "--attempt", "2"], "k3f.2"),
    ],
)
def test_logs_of_a_run_or_attempt(
    ask: Client, daemon: FakeDaemon, output: Path, arguments: list[str], key: str
) -> None:
    """A run's id (or its beginning) means its last attempt; --attempt N and RUN.N mean that one."""

    def answer(asked: dict[str, str]) -> Iterable[Step]:
        run = run_body(attempt="k3f.3", attempts=3)
        known = asked.get("run", "").partition(".")[0] == "k3f"
        return [yes({"runs": [run]}) if known else no("unknown", "nothing of that name")]

    daemon.scheduler["runs"] = answer
    daemon.launcher["logs"] = lambda _: [WithFile(yes(body()), output)]
    assert ask("logs", *arguments).stdout == "one\ntwo\n"
    assert daemon.asked[-1] == ("launcher", "logs", {"attempt": key})


def test_a_job_whose_name_looks_like_an_attempt(ask: Client, daemon: FakeDaemon, output: Path) -> None:
    """A job may be called `db.2`: a name is tried before an attempt."""
    daemon.scheduler["runs"] = runs_of(run_body(), job="db.2")
    daemon.launcher["logs"] = lambda _: [WithFile(yes(body()), output)]
    assert ask("logs", "db.2").exit_code == 0
    assert daemon.asked[-1] == ("launcher", "logs", {"attempt": "k3f.1"})


def test_an_attempt_is_shown_without_a_scheduler(ask: Client, daemon: FakeDaemon, output: Path) -> None:
    """The launcher holds the output, so RUN.N works while the scheduler is gone."""
    (daemon.state / "run" / "scheduler.sock").unlink()
    daemon.launcher["logs"] = lambda _: [WithFile(yes(body()), output)]
    assert ask("logs", "k3f.2").stdout == "one\ntwo\n"
    assert ask("logs", "backup").exit_code == 3


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["nobody"], 4, "nothing of that name"),
        (["a/nobody"], 4, "nothing of that name"),
        (["waits"], 4, "has started yet; the latest, k3f: waiting (overlap)"),
        (["empty"], 4, "no run of 'empty' is remembered"),
        (["backup", "--attempt", "9"], 4, "has had 1 attempt, not 9"),
        (["k3f.1", "--attempt", "2"], 2, "is attempt 1, and --attempt says 2"),
        (["backup"], 4, "no output of attempt k3f.1 is kept"),
    ],
)
def test_what_cannot_be_shown(
    ask: Client, daemon: FakeDaemon, arguments: list[str], status: int, words: str
) -> None:
    """Each reason why there is nothing to show has its own words."""
    waits = run_body(state="WAITING", outcome=None, reason="overlap", attempt=None, started_at=None)
    known = {"backup": [run_body()], "waits": [waits], "empty": []}

    def answer(asked: dict[str, str]) -> Iterable[Step]:
        name = asked.get("job", "")
        return [yes({"runs": known[name]}) if name in known else no("unknown", "nothing of that name")]

    daemon.scheduler["runs"] = answer
    daemon.launcher["logs"] = lambda _: [no("unknown", "no such attempt")]
    result = ask("logs", *arguments)
    assert result.exit_code == status
    assert words in result.stderr


def test_follow_to_the_end(
    ask: Client, daemon: FakeDaemon, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """-f shows what is there, then what comes, until the attempt has ended; nothing twice, nothing lost."""
    shown = threading.Event()

    class Watched(logs_module.RawSink):
        def write(self, data: bytes) -> None:
            super().write(data)
            if b"three" in data:
                shown.set()

    def grow() -> None:
        with output.open("ab") as file:
            file.write(b"three\n")

    def end() -> None:
        with output.open("ab") as file:
            file.write(b"last words")

    monkeypatch.setattr(logs_module, "RawSink", Watched)
    daemon.scheduler["runs"] = runs_of(run_body(**RUNNING), job="backup")
    daemon.launcher["logs"] = lambda _: [
        WithFile(yes(body(running=True, exit=None), final=False), output),
        grow,
        shown,
        end,
        yes(body()),
    ]
    result = ask("logs", "-f", "backup")
    assert result.exit_code == 0
    assert result.stdout == "one\ntwo\nthree\nlast words"


def test_without_follow_a_running_attempt_is_not_awaited(
    ask: Client, daemon: FakeDaemon, output: Path
) -> None:
    """What is there now, and the end."""
    daemon.scheduler["runs"] = runs_of(run_body(**RUNNING), job="backup")
    daemon.launcher["logs"] = lambda _: [WithFile(yes(body(running=True, exit=None), final=False), output)]
    assert ask("logs", "backup").stdout == "one\ntwo\n"


def test_follow_when_the_daemon_goes(ask: Client, daemon: FakeDaemon, output: Path) -> None:
    """A launcher that goes away ends -f with status 3, after what was there."""
    daemon.scheduler["runs"] = runs_of(run_body(**RUNNING), job="backup")
    daemon.launcher["logs"] = lambda _: [WithFile(yes(body(running=True, exit=None), final=False), output)]
    result = ask("logs", "-f", "backup")
    assert result.exit_code == 3
    assert result.stdout == "one\ntwo\n"


def test_an_empty_output(ask: Client, daemon: FakeDaemon) -> None:
    """An attempt that wrote nothing has no file: nothing is shown, and that is no error."""
    daemon.scheduler["runs"] = runs_of(run_body(), job="backup")
    daemon.launcher["logs"] = lambda _: [yes(body(size=0))]
    result = ask("logs", "backup")
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize(
    ("status", "code", "signal"), [(0, 0, None), (2 << 8, 2, None), (9, None, 9), (None, None, None)]
)
def test_logs_json(
    ask: Client,
    daemon: FakeDaemon,
    output: Path,
    status: int | None,
    code: int | None,
    signal: int | None,
) -> None:
    """One object: whose output it is, the text (what is not UTF-8 replaced), how the attempt ended."""
    output.write_bytes(b'a"\xff\n' + "한".encode())
    daemon.scheduler["runs"] = runs_of(run_body(), job="backup")
    daemon.launcher["logs"] = lambda _: [WithFile(yes(body(exit=status, running=status is None)), output)]
    result = ask("logs", "--json", "backup")
    assert json.loads(result.stdout) == {
        "attempt": "k3f.1",
        "run": "k3f",
        "job": "root/backup",
        "output": 'a"\ufffd\n한',
        "left_out": 0,
        "running": status is None,
        "exit_code": code,
        "signal": signal,
    }


def test_json_of_an_output_in_pieces(
    ask: Client, daemon: FakeDaemon, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A letter that lies across two reads is still one letter."""
    monkeypatch.setattr(holes, "_CHUNK", 1)
    output.write_bytes("한글\n".encode())
    daemon.scheduler["runs"] = runs_of(run_body(), job="backup")
    daemon.launcher["logs"] = lambda _: [WithFile(yes(body()), output)]
    assert json.loads(ask("logs", "--json", "backup").stdout)["output"] == "한글\n"


@pytest.mark.parametrize(
    ("options", "expected"),
    [([], b"a\tb^[[31m^G\\377^M\n"), (["--raw"], b"a\tb\x1b[31m\x07\xff\r\n")],
    ids=["shown", "raw"],
)
def test_a_terminal_gets_no_control_characters(
    daemon: FakeDaemon, output: Path, options: list[str], expected: bytes
) -> None:
    """On a terminal escapes of a job are shown, not obeyed; --raw is the way to obey them."""
    output.write_bytes(b"a\tb\x1b[31m\x07\xff\r\n")
    daemon.scheduler["runs"] = runs_of(run_body(), job="backup")
    daemon.launcher["logs"] = lambda _: [WithFile(yes(body()), output)]
    shown, said = on_terminal("--state", str(daemon.state), "logs", "backup", *options)
    assert shown.replace(b"\r", b"") == expected.replace(b"\r", b"")
    assert said.startswith(b"==> root/backup, attempt k3f.1, 2026-11-21")


# --- what was left out, and runs of long ago ---------------------------------------------------------------


@pytest.fixture
def holed(output: Path) -> Path:
    """An output whose middle was dropped."""
    with output.open("wb") as file:
        file.write(b"begin" + b"x" * 4091)
        file.truncate(1_000_000 + 4096)
        file.seek(1_000_000 + 4096)
        file.write(b"end\n")
    data = 1_004_096 // 4096 * 4096
    assert holes.data_from(os.open(output, os.O_RDONLY), 4096, 1_004_100) == data
    return output


def test_what_was_left_out_is_said(ask: Client, daemon: FakeDaemon, holed: Path) -> None:
    """A line of its own stands for the bytes, whatever came before it; no NUL of the hole is shown."""
    daemon.scheduler["runs"] = runs_of(run_body(), job="backup")
    daemon.launcher["logs"] = lambda _: [WithFile(yes(body()), holed)]
    lines = ask("logs", "backup").stdout_bytes.splitlines()
    assert lines[0].startswith(b"beginx")
    left = 1_004_096 // 4096 * 4096 - 4096
    assert lines[1] == f"[... {left:,} bytes left out ...]".encode()
    assert lines[2].lstrip(b"\0") == b"end"
    told = json.loads(ask("logs", "--json", "backup").stdout)
    assert told["left_out"] == left
    assert f"x\n[... {left:,} bytes left out ...]\n" in told["output"]


def test_the_latest_that_failed(ask: Client, daemon: FakeDaemon, output: Path) -> None:
    """--failed passes over what succeeded, and over failures that never started."""
    failed = run_body(id="bad1", attempt="bad1.2", attempts=2, outcome="failed", exit_code=2)
    never = run_body(id="bad2", attempt=None, outcome="could_not_start")
    daemon.scheduler["runs"] = runs_of(run_body(), never, failed, job="backup")
    daemon.launcher["logs"] = lambda _: [WithFile(yes(body()), output)]
    assert ask("logs", "backup", "--failed").stdout == "one\ntwo\n"
    assert daemon.asked[-1] == ("launcher", "logs", {"attempt": "bad1.2"})


def test_a_failure_of_long_ago(ask: Client, daemon: FakeDaemon, output: Path) -> None:
    """What the scheduler has forgotten, the history still knows."""
    daemon.scheduler["runs"] = runs_of(run_body(), job="backup")
    old = run_body(id="old1", attempt="old1.1", outcome="failed", exit_code=1)
    daemon.recorder["history"] = lambda _: [yes({"runs": [old], "more": False, "behind": 0})]
    daemon.launcher["logs"] = lambda _: [WithFile(yes(body()), output)]
    assert ask("logs", "backup", "--failed").stdout == "one\ntwo\n"
    assert ("recorder", "history", {"job": "backup", "failed": "yes", "count": "50"}) in daemon.asked


def test_no_failure(ask: Client, daemon: FakeDaemon) -> None:
    """Neither scheduler nor history know one: said, with status 4."""
    daemon.scheduler["runs"] = runs_of(run_body(), job="backup")
    daemon.recorder["history"] = lambda _: [yes({"runs": [], "more": False, "behind": 0})]
    result = ask("logs", "backup", "--failed")
    assert (result.exit_code, result.stderr) == (
        4,
        "crontabx: no run of 'backup' that failed is remembered\n",
    )


@pytest.mark.parametrize("target", ["gone", "old1"])
def test_a_job_or_run_that_only_the_history_knows(
    ask: Client, daemon: FakeDaemon, output: Path, target: str
) -> None:
    """A job that left its table, and a run of long ago: their outputs are still to be had."""
    old = run_body(id="old1", job="root/gone", attempt="old1.1")
    daemon.scheduler["runs"] = runs_of()
    daemon.recorder["history"] = lambda asked: [
        yes({"runs": [old]}) if asked["job"] == "gone" else no("unknown", "no such job")
    ]
    daemon.recorder["show"] = lambda asked: [
        yes({"run": old}) if asked["run"] == "old1" else no("unknown", "no such run")
    ]
    daemon.launcher["logs"] = lambda _: [WithFile(yes(body()), output)]
    assert ask("logs", target).stdout == "one\ntwo\n"
    assert daemon.asked[-1] == ("launcher", "logs", {"attempt": "old1.1"})


def test_without_a_recorder_the_schedulers_word_stands(ask: Client, daemon: FakeDaemon) -> None:
    """A recorder that does not answer is no reason for another message."""
    daemon.scheduler["runs"] = runs_of()
    daemon.recorder["history"] = lambda _: [no("unavailable", "locked")]
    daemon.recorder["show"] = lambda _: [no("unavailable", "locked")]
    result = ask("logs", "nothing")
    assert (result.exit_code, result.stderr) == (4, "crontabx: nothing of that name\n")
