"""The console script: `-l` without click gives the same bytes, and leaves all else to the whole program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from crond.cli.entry import REQUEST
from crond.model.codec import encode
from crond.model.edits import Fetch, Piece
from tests.cli.fake_daemon import DEADLINE, FakeDaemon, Step, no, yes

PROGRAM = "import sys; from crond.cli.entry import main; main(); sys.stderr.write(' '.join(sys.modules))"
Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def run(daemon: FakeDaemon) -> Run:
    def run(*arguments: str, program: str = PROGRAM) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, "CRONTABX_STATE": str(daemon.state)},
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )

    return run


def answer(*steps: Step) -> Callable[[Fetch], Iterable[Step]]:
    return lambda _message: steps


def test_the_request_is_the_message() -> None:
    """What is written out here by hand is what the messages say."""
    assert encode(Fetch("", 0, "list")) == REQUEST


@pytest.mark.parametrize("text", [b"", b"1 * * * * one\n", b"#\xff\0\r\n" * 40_000])
def test_the_same_bytes_without_click(daemon: FakeDaemon, run: Run, text: bytes) -> None:
    """Byte for byte, with one question, and without the half of Python's start that click is."""
    pieces = [Piece(text[at : at + 30_000]) for at in range(0, len(text), 30_000)]
    told = yes({"user": "ann", "size": len(text), "digest": "0" * 16}, final=False)
    daemon.edits[Fetch] = answer(told, *pieces)
    done = run("-l")
    assert (done.returncode, done.stdout) == (0, text)
    assert not {"click", "dataclasses", "crond.model.messages"} & set(done.stderr.decode().split())
    assert daemon.edited == [Fetch("", 0, "list")]


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ([no("none", "no crontab for ann", user="ann")], 1),
        ([no("permission", "you (ann) may not use this program")], 1),
        ([yes({"size": 9}, final=False)], 3),
        ([yes({"size": "9"}, final=False)], 3),
        ([yes({"size": 1, "digest": "0" * 16}, final=False), Piece(b"123")], 3),
        ([yes([], final=False)], 3),  # type: ignore[arg-type]
        ([b"\0\0\0\x05hello"], 3),
        ([b"\xff\xff\xff\xff"], 3),
        ([], 3),
    ],
)
def test_what_is_in_the_way_is_said(daemon: FakeDaemon, run: Run, steps: list[Step], status: int) -> None:
    """Anything but the whole text: the program with all its words takes over; nothing is on stdout."""
    daemon.edits[Fetch] = answer(*steps)
    done = run("-l")
    assert (done.returncode, done.stdout) == (status, b"")
    assert done.stderr.startswith(b"crontabx: ")
    assert len(daemon.edited) == (2 if status == 3 else 1), "a refusal is not asked for twice"
    assert b"Traceback" not in done.stderr


def test_no_daemon(daemon: FakeDaemon, run: Run) -> None:
    """Said with the cure, status 3."""
    (daemon.state / "run" / "launcher.sock").unlink()
    done = run("-l")
    assert done.returncode == 3
    assert b"Start one with: " in done.stderr
    (daemon.state / "run" / "launcher.sock").touch()


def test_everything_else_is_the_whole_program(run: Run, tmp_path: Path) -> None:
    """A verb, an option, a mistake: as ever."""
    (tmp_path / "jobs").write_text("1 * * * * true\n")
    assert b"no problems" in run("check", str(tmp_path / "jobs")).stdout
    assert run("-l", "-r").returncode == 2


def test_a_full_disk_under_stdout(daemon: FakeDaemon, run: Run) -> None:
    """Not all could be written: status 1 and a word, not a crontab cut short in silence."""
    daemon.edits[Fetch] = answer(yes({"size": 4, "digest": "0" * 16}, final=False), Piece(b"text"))
    program = f"import os; os.dup2(os.open('/dev/full', os.O_WRONLY), 1)\n{PROGRAM}"
    done = run("-l", program=program)
    assert done.returncode == 1
    assert b"No space left" in done.stderr
