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
    """A pipe; `fd` is the end to give to program `name` as its stderr."""

    def __init__(self, name: str, *, loop: Loop, log: Log) -> None:
        self._name = name
        self._log = log
        self._reading, self.fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._unfinished = b""
        loop.watch(self._reading, READ, self._ready)

    def _ready(self, _events: int) -> None:
        *lines, rest = (self._unfinished + os.read(self._reading, 65536)).split(b"\n")
        self._unfinished = rest[:_LONGEST]
        for line in lines:
            if line:
                self._log.info(f"{self._name}: {os.fsdecode(line[:_LONGEST])}")
