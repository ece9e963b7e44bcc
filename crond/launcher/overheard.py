"""What a program of ours says on its stderr: each line becomes one of our log.

Owns one pipe for all lives of that program, so that its words, a traceback for instance, go where ours
go, with a time before them, also in the background. Neither side ever waits for the other. Called by the
loop.
"""

from __future__ import annotations

import os

from crond.launcher.log import Log
from crond.launcher.loop import READ, Loop

#: A longer line is cut here (bytes).
_LONGEST = 2000


class Overheard:
    """A pipe; `fd` is the end to give to program `name` as its stderr. After `most` lines nobody listens."""

    def __init__(self, name: str, *, loop: Loop, log: Log, most: int | None = None) -> None:
        self._name = name
        self._loop = loop
        self._log = log
        self._left = most
        self._reading, self.fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._unfinished = b""
        loop.watch(self._reading, READ, self._ready)

    def handed_over(self) -> None:
        """The one process that is to have `fd` has it."""
        os.close(self.fd)
        self.fd = -1

    def close(self) -> None:
        """That process has ended, or never was: hear its last words, and listen no longer, as it may have
        passed `fd` on to somebody who keeps it for good.
        """
        if self.fd >= 0:
            self.handed_over()
        if self._left != 0:
            self._ready(0)
        self._loop.forget(self._reading)
        os.close(self._reading)

    def _ready(self, _events: int) -> None:
        try:
            data = os.read(self._reading, 65536)
        except BlockingIOError:
            return
        *lines, rest = (self._unfinished + data).split(b"\n")
        self._unfinished = rest[:_LONGEST]
        lines = [line for line in lines if line][: self._left]
        for line in lines:
            self._log.info(f"{self._name}: {os.fsdecode(line[:_LONGEST])}")
        if self._left is not None:
            self._left -= len(lines)
        if not data or self._left == 0:
            # Not closed: that would end a program in the middle of what it does.
            self._loop.forget(self._reading)
