"""Process trees: which processes belong to an attempt, and signals that hit no others.

Owns the walk through /proc, the identity of a process (pid and start time; a pid alone may be somebody
else's by now), and the mark that an attempt's processes bear where they have no cgroup. Decides nothing
about when to signal. Called by stopping; starting marks.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Process:
    """One living process: who it is (`pid`, and `started` in clock ticks since boot), and where it is now."""

    pid: int
    started: int
    parent: int = field(compare=False)
    session: int = field(compare=False)


#: How often the processes are listed for one look at them.
_PASSES = 4


def snapshot() -> dict[int, Process]:
    """Return the processes that live now, by pid; those that have ended but wait for a parent are not.

    They are looked at one after the other: one that is there may name a parent that is not, and one that
    forks and ends all the time may be missing.
    """
    found: dict[int, Process] = {}
    seen: set[str] = set()
    # What was made while the others were looked at is looked at as well: there is less of it each time.
    for _ in range(_PASSES):
        names = set(filter(str.isdecimal, os.listdir("/proc"))) - seen
        if not names:
            break
        seen |= names
        for process in map(look_at, map(int, names)):
            if process is not None:
                found[process.pid] = process
    return found


def look_at(pid: int) -> Process | None:
    """Return process `pid`, None if it does not live."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            text = file.read(4096)
    except OSError:
        return None
    # The command's name, in parentheses, may hold anything; the last one ends it.
    fields = text.rpartition(b")")[2].split()
    if len(fields) < 20 or fields[0] in (b"Z", b"X", b"x"):
        return None
    return Process(pid=pid, started=int(fields[19]), parent=int(fields[1]), session=int(fields[3]))


def new_mark() -> tuple[int, int, int] | None:
    """Return a limit for a process that limits nothing, and by which its descendants are known: they inherit
    it, and nobody but root gets rid of it. None where there is one already, as whoever started us wished.
    """
    if resource.getrlimit(resource.RLIMIT_RTTIME) != (resource.RLIM_INFINITY, resource.RLIM_INFINITY):
        return None
    # Microseconds of real-time scheduling without a pause: a hundred thousand years.
    return mark_of(2**62 + int.from_bytes(os.urandom(7), "big"))


def mark_of(number: int) -> tuple[int, int, int] | None:
    """Return the mark that an earlier life wrote down as `number`, None for 0."""
    return (resource.RLIMIT_RTTIME, number, number) if number else None


def bearers(processes: Mapping[int, Process], mark: tuple[int, int, int]) -> set[Process]:
    """Return those of `processes` that bear `mark` and have lost their parent: what it had made is below."""
    # An orphan is ours. One of an earlier life is that of whoever started us, or of the first process; so are
    # all where the kernel knows no such adoption.
    adopters = (os.getpid(), os.getppid(), 1)
    # Whose parent is not among them lost it while they were looked at, one after the other.
    orphans = (
        process
        for process in processes.values()
        if process.parent in adopters or process.parent not in processes
    )
    return {process for process in orphans if _borne_by(process.pid) == mark[2]}


def _borne_by(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/limits", "rb", buffering=0) as file:
            text = file.read(4096)
    except OSError:
        return None
    words = text.partition(b"Max realtime timeout")[2].split(None, 2)
    return int(words[1]) if len(words) == 3 and words[1].isdigit() else None


def members(
    processes: Mapping[int, Process], *, root: int | None, session: int, known: Iterable[Process]
) -> set[Process]:
    """Return who belongs to an attempt: its main process `root`, its `session`, what is `known` to
    belong and still lives, and all descendants of those.

    `root` is None when the main process has ended: its number may be somebody else's.
    """
    children: dict[int, list[Process]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process)
    found = {process for process in known if processes.get(process.pid) == process}
    # A process that bears the session's number after the main process ended has made that session anew.
    if root is not None or session not in processes:
        found |= {process for process in processes.values() if process.session == session}
    if root is not None and root in processes:
        found.add(processes[root])
    waiting = list(found)
    while waiting:
        for child in children.get(waiting.pop().pid, ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def send(process: Process, number: int) -> bool:
    """Send signal `number` to `process`; False if it is no longer there."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError as error:
        # An old kernel, or a container's filter: checked just before, which is the best that is left.
        if error.errno not in (errno.ENOSYS, errno.EPERM) or look_at(process.pid) != process:
            return False
        os.kill(process.pid, number)
        return True
    try:
        # The handle cannot pass to another process; whom it was taken from is seen after.
        if look_at(process.pid) != process:
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True
