"""Which processes belong to an attempt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from crond.launcher.trees import Process, look_at, members, send, snapshot


def process(pid: int, parent: int, session: int, started: int = 1) -> Process:
    return Process(pid=pid, started=started, parent=parent, session=session)


def pids(*processes: Process, root: int | None, known: tuple[Process, ...] = ()) -> set[int]:
    table = {each.pid: each for each in processes}
    return {each.pid for each in members(table, root=root, session=10, known=known)}


def test_descendants_and_session() -> None:
    """The main process, all its descendants in whatever session, and all of its session."""
    tree = [process(10, 1, 10), process(11, 10, 10), process(12, 11, 12), process(13, 12, 12)]
    orphan = process(14, 1, 10)
    stranger = process(15, 1, 15)
    assert pids(*tree, orphan, stranger, root=10) == {10, 11, 12, 13, 14}


def test_an_adopted_descendant_stays_known() -> None:
    """A descendant that made its own session and lost its parent is found if it was seen before."""
    lost = process(12, 1, 12)
    assert pids(lost, process(16, 12, 16), root=None, known=(process(12, 11, 12),)) == {12, 16}
    assert pids(lost, root=None) == set()


def test_a_number_used_again_is_somebody_else() -> None:
    """The same pid with another start time is another process; so is a new leader of the session's number."""
    assert pids(process(12, 1, 12, started=2), root=None, known=(process(12, 11, 12),)) == set()
    assert pids(process(10, 1, 10, started=9), process(17, 10, 10), root=None) == set()


def test_real_processes() -> None:
    """A living process is seen with its parent and session; signals reach it and no namesake."""
    child = subprocess.Popen(
        [sys.executable, "-S", "-c", "import signal; signal.pause()"], start_new_session=True
    )
    try:
        seen = snapshot()[child.pid]
        assert (seen.parent, seen.session) == (os.getpid(), child.pid)
        assert not send(Process(pid=child.pid, started=seen.started + 1, parent=0, session=0), signal.SIGKILL)
        assert send(seen, signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert look_at(child.pid) is None  # a zombie
    finally:
        child.kill()
        assert child.wait() == -signal.SIGKILL
    assert not send(seen, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_without_pidfd(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel has no pidfd the signal is sent all the same, to who is still the same."""

    def refused(_pid: int) -> int:
        raise OSError(38, "not implemented")

    monkeypatch.setattr(os, "pidfd_open", refused)
    child = subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.pause()"])
    try:
        seen = snapshot()[child.pid]
        assert send(seen, number)
        assert child.wait() == -number
    finally:
        child.kill()
        child.wait()
