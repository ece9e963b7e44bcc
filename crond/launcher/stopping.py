"""Ending the process tree of an attempt: TERM or its own signal, patience, KILL for whatever remains.

Owns the stops that are under way and what each has seen of its tree. A process that left its session and lost
its parent is found by its attempt's cgroup or mark; that of an entry without a policy, only if it was seen
before. Knows no message. Called by the launcher (Stop) and by closing.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from crond.launcher.attempts import Attempt
from crond.launcher.log import Log
from crond.launcher.loop import Loop
from crond.launcher.policies import stop_signal
from crond.launcher.trees import Process, bearers, members, send, snapshot

#: While stops are under way, seconds between two looks.
_LOOK = 0.25
#: After a look that found nobody: one that forks meanwhile is easily overlooked, but not twice.
_LOOK_AGAIN = 0.05
#: A process that KILL does not end hangs in the kernel; no use to wait for it any longer (seconds).
_HOPELESS = 60.0


@dataclass(slots=True)
class _Stop:
    attempt: Attempt
    kill_at: float
    known: set[Process] = field(default_factory=set)
    gone: bool = False  #: the latest look found nobody


class Stopping:
    """Stops under way. `kill_timeout` is for attempts whose policy names none. `on_done` is called when the
    last one has ended.
    """

    def __init__(self, *, loop: Loop, log: Log, kill_timeout: float) -> None:
        self._loop = loop
        self._log = log
        self._kill_timeout = kill_timeout
        self._stops: dict[str, _Stop] = {}
        self._looking = False
        self.on_done: Callable[[], None] = lambda: None

    @property
    def busy(self) -> bool:
        """True while a stop is under way."""
        return bool(self._stops)

    def stop(self, attempt: Attempt) -> None:
        """Begin to end the tree of `attempt`, which runs. A second time changes nothing."""
        if attempt.key in self._stops:
            return
        said = attempt.policy.kill_timeout
        patience = self._kill_timeout if said is None else said
        stop = _Stop(attempt, time.monotonic() + patience)
        self._stops[attempt.key] = stop
        self._signal(stop, snapshot(), stop_signal(attempt.policy))
        if not self._looking:
            self._looking = True
            self._loop.after(min(_LOOK, patience), self._look)

    def kill_now(self) -> None:
        """End the patience of all stops."""
        now = time.monotonic()
        for stop in self._stops.values():
            stop.kill_at = min(stop.kill_at, now)

    def _look(self) -> None:
        """See who is left of each tree; KILL them when their time is over."""
        processes = snapshot()
        now = time.monotonic()
        for key, stop in list(self._stops.items()):
            if now >= stop.kill_at:
                _kill_group(stop)
                self._signal(stop, processes, signal.SIGKILL)
            else:
                stop.known = _tree(stop, processes)
            hopeless = now >= stop.kill_at + _HOPELESS
            if hopeless:
                self._log.error(f"{stop.attempt.job}: {len(stop.known)} processes outlive KILL; given up")
                stop.known.clear()
            was_gone, stop.gone = stop.gone, not stop.known and not stop.attempt.running
            if hopeless or (was_gone and stop.gone):
                del self._stops[key]
                if stop.attempt.group is not None:
                    stop.attempt.group.remove()
        self._looking = bool(self._stops)
        if self._looking:
            again = any(stop.gone for stop in self._stops.values())
            self._loop.after(_LOOK_AGAIN if again else _LOOK, self._look)
        else:
            self.on_done()

    def _signal(self, stop: _Stop, processes: dict[int, Process], number: int) -> None:
        """Send `number` to the whole tree, and to what it made meanwhile."""
        signalled: set[Process] = set()
        for _ in range(10):  # a tree that forks faster than that is met again at the next look
            stop.known = _tree(stop, processes)
            new = stop.known - signalled
            if not new:
                return
            for process in new:
                _signal_one(process, number)
            signalled |= new
            processes = snapshot()


def _kill_group(stop: _Stop) -> None:
    if stop.attempt.group is not None:
        stop.attempt.group.kill()


def _signal_one(process: Process, number: int) -> None:
    if send(process, number) and number not in (signal.SIGKILL, signal.SIGSTOP):
        # A stopped process takes a signal only when it goes on.
        send(process, signal.SIGCONT)


def _tree(stop: _Stop, processes: dict[int, Process]) -> set[Process]:
    attempt = stop.attempt
    known = set(stop.known)
    if attempt.group is not None:
        known |= {processes[pid] for pid in attempt.group.pids() if pid in processes}
    if attempt.mark is not None:
        known |= bearers(processes, attempt.mark)
    return members(processes, root=_root(attempt, processes), session=attempt.pid, known=known)


def _root(attempt: Attempt, processes: dict[int, Process]) -> int | None:
    """Return the pid of the main process of `attempt`, None if it may be somebody else's.

    A child's stays its own until we have waited for it; a survivor's does not.
    """
    found = processes.get(attempt.pid)
    survived = attempt.ticks is None or (found is not None and found.started == attempt.ticks)
    return attempt.pid if attempt.running and survived else None
