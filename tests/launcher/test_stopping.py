"""Ending trees whose processes are hard to see: each is looked at after the other, and some move then."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Iterator

import pytest

from crond.launcher import stopping, trees
from crond.launcher.attempts import Attempt
from crond.launcher.log import Log
from crond.launcher.loop import Loop
from crond.launcher.outlet import Outlet
from crond.launcher.stopping import Stopping
from crond.launcher.trees import Process, bearers, look_at, snapshot
from tests.launcher.daemon import until

#: Deaf to TERM, and says when it is.
_DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"


@pytest.fixture
def mark() -> tuple[int, int, int]:
    found = trees.new_mark()
    assert found is not None
    return found


@pytest.fixture
def orphan(mark: tuple[int, int, int]) -> Iterator[subprocess.Popen[bytes]]:
    """A child of ours in a session of its own, that bears the mark: as one that lost its parent."""
    child = subprocess.Popen(
        ["/usr/bin/python3", "-S", "-c", _DEAF],
        start_new_session=True,
        stdout=subprocess.PIPE,
    )
    resource.prlimit(child.pid, mark[0], mark[1:])
    assert child.stdout is not None
    assert child.stdout.readline() == b"\n"
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def attempt_of(mark: tuple[int, int, int]) -> Attempt:
    """An attempt whose main process, of a number that nobody has, has ended."""
    return Attempt(
        key="x.1",
        job="x",
        uid=0,
        user="root",
        pid=2**22 + 1,
        started_at=0.0,
        began=0.0,
        command="x",
        program=None,
        captured=False,
        logged=False,
        assigned={},
        mail_when_failed=False,
        of_pam=frozenset(),
        mark=mark,
        status=0,
    )


def test_one_that_is_made_while_others_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that forked and ended all the time was never among those that had been listed before, and
    outlived every timeout beside a thousand processes.
    """
    made: list[subprocess.Popen[bytes]] = []

    def forking(pid: int) -> Process | None:
        if not made:
            made.append(subprocess.Popen(["sleep", "1000"]))
        return look_at(pid)

    monkeypatch.setattr(trees, "look_at", forking)
    try:
        assert made == []
        found = snapshot()
        assert made[0].pid in found
    finally:
        made[0].kill()
        made[0].wait()


def test_one_that_lost_its_parent_while_others_were_looked_at(
    orphan: subprocess.Popen[bytes], mark: tuple[int, int, int]
) -> None:
    """It said who its parent was, which was gone when its turn came: of nobody's tree, it lived on."""
    seen = snapshot()[orphan.pid]
    moving = Process(seen.pid, seen.started, parent=2**22 + 2, session=seen.session)
    other = Process(os.getpid(), 1, parent=2**22 + 2, session=1)
    assert bearers({moving.pid: moving, other.pid: other}, mark) == {moving}


def test_one_that_is_overlooked_once(
    orphan: subprocess.Popen[bytes], mark: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a thousand processes a child that forked away outlived a timeout now and then: a single look
    that found nobody was the end of the stop.
    """
    loop = Loop()
    blind: list[int] = []

    def overlooking() -> dict[int, Process]:
        found = snapshot()
        for pid in blind:
            del found[pid]
        blind.clear()
        return found

    monkeypatch.setattr(stopping, "snapshot", overlooking)
    log = Log(errors=Outlet(2, loop), lines=None, syslog=None, as_json=False, dialect="cronie")
    stops = Stopping(loop=loop, log=log, kill_timeout=0.4)
    done: list[bool] = []
    stops.on_done = lambda: done.append(orphan.poll() is not None)
    stops.stop(attempt_of(mark))
    blind.append(orphan.pid)

    def over() -> bool:
        loop.turn()
        return not stops.busy

    until(over)
    assert done == [True]
    assert orphan.returncode == -signal.SIGKILL
