"""Survivors: processes of attempts that an earlier life of the launcher started, and that live on.

Owns what is kept about each start so that a later life knows its process again, and the watch over those
that an earlier one left: they are not our children, so that no signal tells their ends. Who a process is,
its pid and start time in this boot say, by a file of ours alone. Knows no message. Called by main, and by the
launcher for each batch of starts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from crond.launcher.attempts import Attempt, Attempts
from crond.launcher.log import Log
from crond.launcher.loop import READ, Loop
from crond.launcher.register import Line, Register
from crond.launcher.trees import look_at, mark_of

#: Lines of attempts that have ended, which the file may hold beside as many as run.
_SPARE = 1000
#: Seconds until a file that could not be written is tried again.
_PATIENCE = 5.0
#: Survivors with a descriptor each; jobs need the others. The rest are looked at, each so many seconds.
_HANDLES = 1000
_LOOK = 1.0
#: Of these, so many in one turn of the loop.
_TOGETHER = 32
#: Named in the log.
_NAMED = 10


class Survivors:
    """The register of what runs, and those in it that an earlier life started.

    `on_gone` is told of each of these that has ended.
    """

    def __init__(self, register: Register, *, loop: Loop, log: Log, attempts: Attempts) -> None:
        self._register = register
        self._loop = loop
        self._log = log
        self._attempts = attempts
        #: What the file says, or is to say.
        self._lines: dict[str, Line] = {}
        self._most = _SPARE
        self._waiting = False
        self._failing = False
        self._handles = 0
        self._looked_at: dict[str, Attempt] = {}
        self.on_gone: Callable[[Attempt], None] = lambda _attempt: None

    # --- those of an earlier life ------------------------------------------------------------------

    def find(self) -> list[Attempt]:
        """Return what an earlier life started and still runs; each is watched from now on."""
        try:
            known = self._register.read()
        except OSError as error:
            self._log.error(f"what runs since before is not known: {self._in_words(error)}")
            known = []
        self._lines = {line.key: line for line in known if _lives(line.pid, line.ticks)}
        found = [_attempt_of(line) for line in self._lines.values()]
        for attempt in found:
            self._attempts.adopt(attempt)
            self._watch(attempt)
        self._write_anew()
        if found:
            names = ", ".join(f"{attempt.job} (pid {attempt.pid})" for attempt in found[:_NAMED])
            more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
            self._log.info(f"running since before: {names}{more}")
        return found

    def _watch(self, attempt: Attempt) -> None:
        handle = self._handle_of(attempt)
        if handle is None:
            self._looked_at[attempt.key] = attempt
            if len(self._looked_at) == 1:
                self._look_later()
        else:
            self._handles += 1
            self._loop.watch(handle, READ, lambda _events: self._ended(handle, attempt))

    def _handle_of(self, attempt: Attempt) -> int | None:
        """Return a descriptor that tells the end of a process, None where it must be looked for."""
        if self._handles >= _HANDLES:
            return None
        try:
            handle = os.pidfd_open(attempt.pid)
        except OSError:  # an old kernel, a container's filter, no descriptor, or it has just ended
            return None
        # Whom it was taken from is seen after, as it cannot pass to another.
        if not _is_there(attempt):
            os.close(handle)
            return None
        return handle

    def _ended(self, handle: int, attempt: Attempt) -> None:
        self._loop.forget(handle)
        os.close(handle)
        self._handles -= 1
        self._gone(attempt)

    def _look_later(self) -> None:
        self._loop.after(_LOOK, lambda: self._look(list(self._looked_at.values())))

    def _look(self, attempts: list[Attempt]) -> None:
        """See which of those without a descriptor are gone; some, then the loop turns before the others."""
        for attempt in attempts[:_TOGETHER]:
            if not _is_there(attempt):
                del self._looked_at[attempt.key]
                self._gone(attempt)
        if len(attempts) > _TOGETHER:
            self._loop.after(0.0, lambda: self._look(attempts[_TOGETHER:]))
        elif self._looked_at:
            self._look_later()

    def _gone(self, attempt: Attempt) -> None:
        self._log.info(f"{attempt.job}: pid {attempt.pid}, running since before, is gone")
        self._loop.guard(self.on_gone, attempt)

    # --- what a later life will find ---------------------------------------------------------------

    def keep(self, lines: Iterable[Line | None]) -> None:
        """Keep what is said of processes that were started together; None has ended, or never was."""
        made = [line for line in lines if line is not None]
        if not made:
            return
        self._lines.update((line.key, line) for line in made)
        try:
            self._register.add(made)
        except OSError as error:
            self._complain(error)
        if len(self._lines) > self._most:
            self._later(0.0)

    def close(self) -> None:
        """Leave in the file those that still run."""
        self._write_anew()

    def _later(self, seconds: float) -> None:
        if not self._waiting:
            self._waiting = True
            self._loop.after(seconds, self._write_when_due)

    def _write_when_due(self) -> None:
        self._waiting = False
        self._write_anew()

    def _write_anew(self) -> None:
        """Have the file say what runs now and nothing else."""
        self._lines = {key: line for key, line in self._lines.items() if self._attempts.runs(key)}
        self._most = 2 * len(self._lines) + _SPARE
        try:
            self._register.replace(self._lines.values())
        except OSError as error:
            self._complain(error)
        else:
            self._failing = False

    def _complain(self, error: OSError) -> None:
        """Say once that the file cannot be written, and try again until it can."""
        if not self._failing:
            self._failing = True
            words = self._in_words(error)
            self._log.error(f"what runs cannot be written down, a restart would not know it: {words}")
        self._later(_PATIENCE)

    def _in_words(self, error: OSError) -> str:
        return f"{self._register.path}: {error.strerror}"


def line_of(key: str, pid: int, job: str, uid: int, user: str, at: float, mark: int = 0) -> Line | None:
    """Return what is to be kept about `pid`, which was started for attempt `key`; None if it has ended."""
    found = look_at(pid)
    return None if found is None else Line(key, pid, found.started, job, uid, user, at, mark)


def _lives(pid: int, ticks: int | None) -> bool:
    found = look_at(pid)
    return found is not None and found.started == ticks


def _is_there(attempt: Attempt) -> bool:
    return _lives(attempt.pid, attempt.ticks)


def _attempt_of(line: Line) -> Attempt:
    """Return the record of a survivor: what its crontab says of it now, nobody asks."""
    return Attempt(
        key=line.key,
        job=line.job,
        uid=line.uid,
        user=line.user,
        pid=line.pid,
        started_at=line.at,
        began=time.monotonic() - max(0.0, time.time() - line.at),
        command="",
        program=None,
        captured=True,
        logged=False,
        assigned={},
        mail_when_failed=False,
        of_pam=frozenset(),
        ticks=line.ticks,
        mark=mark_of(line.mark),
    )
