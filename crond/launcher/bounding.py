"""Watching how outputs grow while their attempts run, and calling the trimmer for those that grow too large.

Owns which files are looked at, once a second, and only while there are any. Never touches a file itself:
that may wait for the job (see `crond.launcher.trimming`). Also labels each file once. Called by main for each
start and end.
"""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass

from crond.launcher.assistants import Assistants
from crond.launcher.attempts import Attempt
from crond.launcher.labels import label_of, written
from crond.launcher.log import Ending, Log
from crond.launcher.loop import READ, Loop
from crond.launcher.outputs import Outputs
from crond.launcher.spawn import SpawnFailed
from crond.launcher.trimming import occupied

_PERIOD = 1.0
#: Files that are looked at in one turn of the loop.
_TOGETHER = 32
#: A file whose attempt has ended is looked at until it did not grow in so many looks.
_PATIENCE = 10


@dataclass(slots=True)
class _Growing:
    """One file. After its attempt has `ended`, `quiet` counts the looks in which it did not grow."""

    uid: int
    key: str
    label: str  #: what its label says
    limit: int
    size: int = 0
    ended: bool = False
    quiet: int = 0
    labelled: bool = False
    handed_over: bool = False


class Bounding:
    """Holds the outputs of attempts to `limit` bytes on the disk, or what their entry says; 0: to none."""

    def __init__(self, limit: int, *, loop: Loop, log: Log, outputs: Outputs, assistants: Assistants) -> None:
        self._limit = limit
        self._loop = loop
        self._log = log
        self._outputs = outputs
        self._assistants = assistants
        self._growing: dict[str, _Growing] = {}
        self._waiting = False
        self._trimmer: socket.socket | None = None

    def started(self, attempt: Attempt) -> None:
        """Look at the output of `attempt` from now on."""
        if attempt.captured:
            label = label_of(attempt.job, attempt.policy)
            limit = self._limit if label.max_size is None else label.max_size
            self._growing[attempt.key] = _Growing(attempt.uid, attempt.key, written(label), limit)
            self._look_later(_PERIOD)

    def ended(self, attempt: Attempt, ending: Ending) -> None:
        """Take note of the end; a child that it left behind may write on."""
        growing = self._growing.get(attempt.key)
        if growing is None:
            return
        if ending.output_size == 0:  # and the file goes
            del self._growing[attempt.key]
            return
        growing.ended, growing.size = True, ending.output_size
        # One more look is enough, unless that finds that somebody goes on.
        growing.quiet = _PATIENCE - 1

    def _look_later(self, seconds: float) -> None:
        if not self._waiting:
            self._waiting = True
            self._loop.after(seconds, lambda: self._look(list(self._growing)))

    def _look(self, keys: list[str]) -> None:
        """Look at some of `keys`, then let the loop turn before the others: a start must not wait."""
        for key in keys[:_TOGETHER]:
            growing = self._growing.get(key)
            if growing is not None and not self._goes_on(growing):
                del self._growing[key]
        self._waiting = False
        if len(keys) > _TOGETHER:
            self._waiting = True
            self._loop.after(0.0, lambda: self._look(keys[_TOGETHER:]))
        elif self._growing:
            self._look_later(_PERIOD)

    def _goes_on(self, growing: _Growing) -> bool:
        """Look at one file; False if it need not be looked at again."""
        try:
            found = os.stat(self._outputs.path(growing.uid, growing.key), follow_symlinks=False)
        except OSError:
            return not growing.ended
        if found.st_size > growing.size:
            growing.quiet = 0
        elif growing.ended:
            growing.quiet += 1
        growing.size = found.st_size
        # Not at the end itself, which may come among a thousand starts: it costs as much as making a file.
        if found.st_size and not growing.labelled:
            growing.labelled = True
            self._outputs.label(growing.uid, growing.key, growing.label)
        if growing.limit and occupied(found) > growing.limit and not growing.handed_over:
            growing.handed_over = self._hand_over(growing)
        return growing.quiet < _PATIENCE

    # --- the trimmer -----------------------------------------------------------------------------------

    def _hand_over(self, growing: _Growing) -> bool:
        """Name a file to the trimmer, which then watches it for good; False if there is none."""
        if self._trimmer is None and not self._start():
            return False
        path = self._outputs.path(growing.uid, growing.key)
        told = os.fsencode(f"{growing.limit} {path}\0")
        try:
            return self._trimmer is not None and self._trimmer.send(told) == len(told)
        except OSError:
            return False  # it reads nothing now; the next look tries again

    def _start(self) -> bool:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            self._assistants.start("trimming", stdin=theirs)
        except SpawnFailed as failed:
            ours.close()
            self._log.error(f"outputs cannot be held to their size: {failed}")
            return False
        self._trimmer = ours
        self._loop.watch(ours.fileno(), READ, self._lost)
        return True

    def _lost(self, _events: int) -> None:
        """The trimmer, which never says anything, has ended: its files are named to another."""
        if self._trimmer is None:
            return
        self._loop.forget(self._trimmer.fileno())
        with contextlib.suppress(OSError):
            self._trimmer.close()
        self._trimmer = None
        for growing in self._growing.values():
            growing.handed_over = False
