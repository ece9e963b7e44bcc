"""A real launcher with a small max_size: outputs are held to it while jobs write, and after them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from crond.launcher.holes import pieces
from crond.launcher.trimming import occupied
from crond.model.messages import Exited
from tests.launcher.daemon import Daemon, Runner, files_config, until

pytestmark = pytest.mark.system
LIMIT = 128 * 1024


class Stage:
    """A launcher on one crontab, its scheduler's end, and the folder of its outputs."""

    def __init__(self, daemon: Daemon, path: Path) -> None:
        self.daemon = daemon
        self.runner = Runner(daemon.wire())
        self.table = self.runner.table(path)
        self.outputs = Path(daemon.config.state) / "outputs" / str(os.geteuid())

    def trimmers(self) -> list[int]:
        tasks = Path(f"/proc/{self.daemon.process.pid}/task").glob("*/children")
        pids = [int(pid) for task in tasks for pid in task.read_text().split()]
        return [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text() == "crond-outputs\n"]


Begin = Callable[..., Stage]


@pytest.fixture
def begin(folder: Path, daemon: Callable[..., Daemon]) -> Begin:
    """Starts a launcher on a crontab with these lines."""

    def start(*lines: str, max_size: int = LIMIT, echo: bool = False) -> Stage:
        path = folder / "crontab"
        path.write_text("".join(f"{line}\n" for line in lines))
        return Stage(daemon(files_config(folder, path, max_size=max_size, echo=echo)), path)

    return start


def content(path: Path) -> list[bytes | int]:
    fd = os.open(path, os.O_RDONLY)
    try:
        return list(pieces(fd, 0, os.fstat(fd).st_size))
    finally:
        os.close(fd)


def test_an_output_is_bounded_while_its_job_writes(begin: Begin, folder: Path) -> None:
    """Head and tail stay while the job runs; the size at the end is what it wrote."""
    gate = folder / "gate"
    stage = begin(
        f"* * * * * echo first; head -c 5000000 /dev/zero; while [ ! -e {gate} ]; do sleep 0.05; done; "
        "head -c 5000000 /dev/zero; echo last"
    )
    key = stage.runner.start(stage.table)
    path = stage.outputs / key
    until(
        lambda: path.exists() and path.stat().st_size == 5_000_006 and occupied(path.stat()) <= LIMIT + 4096
    )
    assert os.readlink(f"{path}.job") == "job0"
    gate.touch()
    result = stage.runner.result(key)
    assert isinstance(result, Exited)
    assert result.output_size == 10_000_011
    until(lambda: occupied(path.stat()) <= LIMIT + 4096)
    head, gap, *tail = content(path)
    assert isinstance(head, bytes)
    assert isinstance(gap, int)
    assert isinstance(tail[-1], bytes)
    assert head.startswith(b"first\n")
    assert tail[-1].endswith(b"last\n")


def test_a_child_left_behind_is_bounded_too(begin: Begin, folder: Path) -> None:
    """Whoever writes after the job's end is held to the same size."""
    gate = folder / "gate"
    stage = begin(
        f"* * * * * (while [ ! -e {gate} ]; do echo; sleep 0.05; done; head -c 5000000 /dev/zero) & echo x"
    )
    key = stage.runner.start(stage.table)
    result = stage.runner.result(key)
    path = stage.outputs / key
    # Long enough for the look after the end, which must not be the last one.
    until(lambda: path.stat().st_size > 30)
    gate.touch()
    until(lambda: path.stat().st_size > 5_000_000 and occupied(path.stat()) <= LIMIT + 4096)
    assert isinstance(result, Exited)
    assert result.output_size < 30


def test_a_trimmer_that_was_killed_is_replaced(begin: Begin, folder: Path) -> None:
    """Its files are named to another one."""
    stage = begin(f"* * * * * while [ ! -e {folder}/gate ]; do head -c 300000 /dev/zero; sleep 0.1; done")
    key = stage.runner.start(stage.table)
    path = stage.outputs / key
    until(lambda: len(stage.trimmers()) == 1)
    (first,) = stage.trimmers()
    os.kill(first, signal.SIGKILL)
    until(lambda: stage.trimmers() not in ([], [first]))
    size = path.stat().st_size
    until(lambda: path.stat().st_size > size + 600_000)
    (folder / "gate").touch()
    stage.runner.result(key)
    until(lambda: occupied(path.stat()) <= LIMIT + 4096)


def test_no_limit(begin: Begin) -> None:
    """max_size 0: nothing is dropped, and there is no trimmer."""
    stage = begin("* * * * * head -c 3000000 /dev/zero; sleep 1.2", max_size=0)
    key = stage.runner.start(stage.table)
    stage.runner.result(key)
    assert occupied((stage.outputs / key).stat()) >= 3_000_000 - 4096
    assert stage.trimmers() == []


def test_an_output_is_labelled_and_an_empty_one_leaves_nothing(begin: Begin) -> None:
    """Beside each output stands the job that it is of; a silent job leaves neither."""
    stage = begin("* * * * * echo x", "* * * * * :", "* * * * * sleep 1.2")
    keys = [stage.runner.start(stage.table, entry) for entry in range(3)]
    for key in keys:
        stage.runner.result(key)
    until(lambda: sorted(os.listdir(stage.outputs)) == [keys[0], f"{keys[0]}.job"])
    assert os.readlink(stage.outputs / f"{keys[0]}.job") == "job0"


def test_the_echo_goes_around_what_was_dropped(begin: Begin) -> None:
    """A reader slower than the job is told how much is missing, is given no NUL, and gets the end."""
    stage = begin(
        "* * * * * yes $(printf \\%01000d 0) | head -c 20000000; sleep 1.5; echo; echo last", echo=True
    )
    stage.daemon.pause_reading.set()
    key = stage.runner.start(stage.table)
    path = stage.outputs / key
    until(
        lambda: path.exists() and path.stat().st_size >= 20_000_000 and occupied(path.stat()) <= LIMIT + 4096
    )
    stage.daemon.pause_reading.clear()
    stage.daemon.wait_for(stage.daemon.lines, "bytes left out ...]")
    stage.daemon.wait_for(stage.daemon.lines, "last")
    assert not any("\0" in line or "^@" in line for line in stage.daemon.lines)
    stage.runner.result(key)


def test_the_echo_shows_all_of_a_long_output(begin: Begin) -> None:
    """Every line once and in order over many reads: looking for holes must lose nothing."""
    stage = begin("* * * * * seq 50000", echo=True)
    key = stage.runner.start(stage.table)
    stage.runner.result(key)
    stage.daemon.wait_for(stage.daemon.lines, "job0: ended")
    shown = [line.rpartition(" ")[2] for line in stage.daemon.lines if " | " in line]
    whole = [str(number) for number in range(1, 50001)]
    assert len(shown) == len(whole)
    assert all(one == two for one, two in zip(shown, whole, strict=True))
