"""The end of the daemon: in which order it lets go, and what it waits for.

Owns the phases from the first INT or TERM to the end of the loop. On a host jobs are left alone, as
cron does; a container's first process, or `crond FILE`, lets them finish, then ends them. Called by
main on signals.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from enum import IntEnum

from crond.launcher.launcher import Launcher
from crond.launcher.log import Log
from crond.launcher.loop import Loop
from crond.launcher.notify import Supervisor
from crond.launcher.stopping import Stopping
from crond.launcher.worker import Worker

#: Seconds for the scheduler to write down the last ends, and to end itself.
_ACKNOWLEDGE = 2.0
_FAREWELL = 3.0
_LOOK = 0.02


class Phase(IntEnum):
    """How far the end has come."""

    OPEN = 0
    DRAINING = 1  #: no new starts; running jobs may finish
    ENDING = 2  #: jobs were told to end
    LEAVING = 3  #: only our own programs are left
    LEFT = 4


class Closing:
    """Ends the daemon. `drains`: running jobs end before it; they have `grace` seconds.

    `workers` end one after the other, the scheduler first: its last words are for the recorder.
    """

    def __init__(
        self,
        *,
        loop: Loop,
        log: Log,
        launcher: Launcher,
        stopping: Stopping,
        workers: Sequence[Worker],
        supervisor: Supervisor,
        drains: bool,
        grace: float,
    ) -> None:
        self._loop = loop
        self._log = log
        self._launcher = launcher
        self._stopping = stopping
        self._scheduler = workers[0]
        self._workers = deque(workers)
        self._supervisor = supervisor
        self._drains = drains
        self._grace = grace
        self._phase = Phase.OPEN
        self._deadline = 0.0
        #: True while the last program is still to hear something from us.
        self.is_told: Callable[[], bool] = lambda: False

    def asked(self) -> None:
        """Take an INT or TERM: the first begins, each further one skips a wait."""
        if self._phase is Phase.OPEN:
            self._log.event("CRON", "INFO", "Shutting down")
            self._supervisor.stopping()
            self._launcher.closing = True
            if self._drains:
                self._drain()
            else:
                self._leave()
        elif self._phase is Phase.DRAINING:
            self._end_jobs()
        elif self._phase is Phase.ENDING:
            self._stopping.kill_now()

    def look(self) -> None:
        """See if what was waited for has come; called whenever an attempt or a stop has ended."""
        if self._phase not in (Phase.DRAINING, Phase.ENDING) or self._stopping.busy:
            return
        if not any(True for _ in self._launcher.attempts.running()):
            self._leave()

    def _drain(self) -> None:
        self._phase = Phase.DRAINING
        waiting = sorted(attempt.job for attempt in self._launcher.attempts.running())
        if waiting:
            self._log.info(f"waiting up to {self._grace:g} s for {_listed(waiting)}")
            self._loop.after(self._grace, self._end_jobs)
        self.look()

    def _end_jobs(self) -> None:
        if self._phase is not Phase.DRAINING:
            return
        self._phase = Phase.ENDING
        running = list(self._launcher.attempts.running())
        if running:
            self._log.info(f"ending {_listed(sorted(attempt.job for attempt in running))}")
        for attempt in running:
            self._stopping.stop(attempt)
        self.look()

    def _leave(self) -> None:
        self._phase = Phase.LEAVING
        self._deadline = time.monotonic() + _ACKNOWLEDGE
        self._await_acknowledgement()

    def _await_acknowledgement(self) -> None:
        """Give the scheduler time to write the last facts down, then close its wire."""
        if len(self._launcher.facts) and not self._scheduler.gone and time.monotonic() < self._deadline:
            self._loop.after(_LOOK, self._await_acknowledgement)
            return
        self._dismiss()

    def _dismiss(self) -> None:
        """Have the next program end, by itself or by force; after the last, leave the loop."""
        if not self._workers:
            self._phase = Phase.LEFT
            self._loop.stop()
            return
        self._workers[0].dismiss()
        self._deadline = time.monotonic() + _FAREWELL
        self._await_farewell()

    def _await_messages(self) -> None:
        """Give messages that are on their way time to arrive: else they are sent again by the next life."""
        hears = bool(self._workers) and not self._workers[0].gone
        if hears and self.is_told() and time.monotonic() < self._deadline:
            self._loop.after(_LOOK, self._await_messages)
            return
        self._dismiss()

    def _await_farewell(self) -> None:
        worker = self._workers[0]
        if worker.gone:
            self._workers.popleft()
            self._deadline = time.monotonic() + _FAREWELL
            self._await_messages()
            return
        if time.monotonic() >= self._deadline:
            self._deadline = float("inf")
            worker.kill("does not end by itself")
        self._loop.after(_LOOK, self._await_farewell)


def _listed(jobs: list[str]) -> str:
    """Return `jobs` for a log line: all of a few, the number of many."""
    return ", ".join(jobs) if len(jobs) <= 10 else f"{', '.join(jobs[:10])} and {len(jobs) - 10} more"
