"""Repeating what jobs write on stdout, line by line, with the job's name before it.

Owns how far each output file has been shown. The file is the buffer: a slow reader of our stdout makes us
read later, never hold more. Must not delay a job or a fact. Called by main for each start and end.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable

from crond.launcher import kernel
from crond.launcher.attempts import Attempt
from crond.launcher.holes import data_from, left_out, read
from crond.launcher.log import Log
from crond.launcher.loop import READ, Loop, Timer
from crond.launcher.outlet import Outlet
from crond.launcher.outputs import Outputs

#: Longest piece that is shown as one line, and most that is read of one file at once (bytes).
_PIECE = 64 * 1024
#: Shown text is longer than what was read: names, escapes.
_ROOM = 8 * _PIECE
#: Ended attempts whose output still waits for a slow reader.
_WAITING = 64
_POLL = 0.1
_RETRY = 0.02


class _Tail:
    """How far the output of one attempt has been shown: `lines` were read, `partial` has no end yet.

    `dirty`: there may be more in the file. `ended` is called after all of it.
    """

    __slots__ = ("attempt", "dirty", "ended", "fd", "lines", "partial")

    def __init__(self, attempt: Attempt, fd: int) -> None:
        self.attempt = attempt
        self.fd = fd
        self.lines: deque[bytes] = deque()
        self.partial = b""
        self.dirty = False
        self.ended: Callable[[], None] | None = None


class Echo:
    """Shows the outputs of attempts through `log` as far as `outlet` has room."""

    def __init__(self, *, loop: Loop, log: Log, outlet: Outlet, outputs: Outputs) -> None:
        self._loop = loop
        self._log = log
        self._outlet = outlet
        self._outputs = outputs
        self._tails: dict[str, _Tail] = {}
        self._folders: dict[int, int] = {}
        self._timer: Timer | None = None
        self._inotify = kernel.Inotify.open()
        if self._inotify is not None:
            loop.watch(self._inotify.fd, READ, self._written)

    def started(self, attempt: Attempt) -> None:
        """Follow the output of `attempt`, unless it only asks whether its job may start."""
        shown = attempt.captured and attempt.part == "command"
        fd = self._outputs.open(attempt.uid, attempt.key) if shown else None
        if fd is None:
            return
        tail = self._tails[attempt.key] = _Tail(attempt, fd)
        if not self._watch(attempt.uid):
            self._later(_POLL)
        # It may have written before we watched.
        tail.dirty = True
        self._later(0.0)

    def ended(self, attempt: Attempt, then: Callable[[], None]) -> None:
        """Call `then` when all output of `attempt`, which has ended, was shown."""
        tail = self._tails.get(attempt.key)
        if tail is None:
            then()
            return
        tail.ended = then
        tail.dirty = True
        self._show(tail)
        over = [(tail, tail.ended) for tail in self._tails.values() if tail.ended is not None]
        for oldest, told in over[:-_WAITING]:
            self._cut(oldest, told)

    @property
    def busy(self) -> bool:
        """True while output of an ended attempt is still to be shown."""
        return any(tail.ended is not None for tail in self._tails.values())

    def _watch(self, uid: int) -> bool:
        if self._inotify is None:
            return False
        if uid not in self._folders:
            watch = self._inotify.add(self._outputs.folder(uid), kernel.IN_MODIFY | kernel.IN_ONLYDIR)
            if watch is None:
                return False
            self._folders[uid] = watch
        return True

    def _written(self, _events: int) -> None:
        if self._inotify is None:
            return
        for _watch, mask, name in self._inotify.read():
            for tail in self._tails.values() if mask & kernel.IN_Q_OVERFLOW else ():
                tail.dirty = True
            if name in self._tails:
                self._tails[name].dirty = True
        self._later(0.0)

    def _later(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = self._loop.after(seconds, self._show_all)

    def _show_all(self) -> None:
        """Show a piece of each that has more; come back while any has."""
        self._timer = None
        if self._inotify is None:
            for tail in self._tails.values():
                tail.dirty = True
        for tail in list(self._tails.values()):
            if tail.dirty:
                self._show(tail)
        if any(tail.dirty for tail in self._tails.values()):
            # Without room there is nothing to do until the reader has read.
            self._later(0.0 if self._outlet.room >= _ROOM else _RETRY)
        elif self._tails and self._inotify is None:
            self._later(_POLL)

    def _show(self, tail: _Tail) -> None:
        """Show the next piece of `tail` as far as there is room; with the last one, its end."""
        if not tail.lines and not self._read(tail):
            tail.dirty = False
            if tail.ended is not None:
                self._finish(tail, tail.ended)
            return
        while tail.lines and self._outlet.room >= _ROOM:
            self._line(tail, tail.lines.popleft())
        self._later(_RETRY if tail.lines else 0.0)

    def _read(self, tail: _Tail) -> bool:
        """Cut the next piece of the file into lines; False at its end."""
        offset = os.lseek(tail.fd, 0, os.SEEK_CUR)
        begin = data_from(tail.fd, offset, os.fstat(tail.fd).st_size)
        if begin > offset:
            os.lseek(tail.fd, begin, os.SEEK_SET)
            tail.lines.extend([tail.partial] if tail.partial else [])
            tail.lines.append(left_out(begin - offset).rstrip(b"\n"))
            tail.partial = b""
            return True
        data = read(tail.fd, offset, _PIECE)
        # Looking for holes has moved the position.
        os.lseek(tail.fd, offset + len(data or b""), os.SEEK_SET)
        if data is None:
            return True  # dropped while we read: the next call goes around it
        if not data:
            return False
        *lines, tail.partial = (tail.partial + data).split(b"\n")
        tail.lines.extend(lines)
        if len(tail.partial) >= _PIECE:
            tail.lines.append(tail.partial[:_PIECE])
            tail.partial = tail.partial[_PIECE:]
        return True

    def _line(self, tail: _Tail, line: bytes) -> None:
        text = line.removesuffix(b"\r").decode("utf-8", "surrogateescape")
        self._log.output(tail.attempt.job, tail.attempt.key, text)

    def _finish(self, tail: _Tail, ended: Callable[[], None]) -> None:
        if tail.partial:
            self._line(tail, tail.partial)
        del self._tails[tail.attempt.key]
        os.close(tail.fd)
        ended()

    def _cut(self, tail: _Tail, ended: Callable[[], None]) -> None:
        """Give up on showing the rest of `tail`: nobody reads as fast as jobs write."""
        left = os.fstat(tail.fd).st_size - os.lseek(tail.fd, 0, os.SEEK_CUR)
        left += sum(len(line) + 1 for line in tail.lines) + len(tail.partial)
        tail.partial = b""
        self._log.output(tail.attempt.job, tail.attempt.key, f"[{left} bytes not shown]")
        self._finish(tail, ended)
