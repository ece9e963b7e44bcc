"""A writer on a descriptor of the outside (stdout, stderr) that never makes the launcher wait.

Owns a bounded buffer and the count of bytes that did not fit. Knows nothing of what is written.
Used by log and echo.
"""

from __future__ import annotations

import errno
import os
import stat

from crond.launcher.loop import WRITE, Loop

LIMIT = 1024 * 1024
#: A pipe that poll calls writable takes this much without blocking.
_SAFE = 4096


class Outlet:
    """Whole texts to `fd`, in order, as fast as it takes them."""

    def __init__(self, fd: int, loop: Loop) -> None:
        self._loop = loop
        self._fd = _unblocking(fd)
        self._buffer = bytearray()
        self._dropped = 0
        self._open = True
        self._watched = False

    @property
    def room(self) -> int:
        """How many bytes the buffer will still take. A closed outlet takes, and loses, everything."""
        return LIMIT - len(self._buffer) if self._open else LIMIT

    @property
    def busy(self) -> bool:
        return bool(self._buffer)

    def write(self, text: str) -> None:
        """Queue `text`, whole or not at all; what is not, is counted and told when there is room."""
        data = text.encode("utf-8", "backslashreplace")
        if not self._open:
            return
        if len(data) + len(self._buffer) > LIMIT:
            self._dropped += len(data)
            return
        if self._dropped:
            self._buffer += b"crond: %d bytes not shown: nobody read them\n" % self._dropped
            self._dropped = 0
        self._buffer += data
        if not self._watched:
            self._watched = True
            self._loop.watch(self._fd, WRITE, self._ready)

    def _ready(self, _events: int) -> None:
        try:
            sent = os.write(self._fd, self._buffer[:_SAFE])
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return
            # A reader that went away (EPIPE), a full disk: jobs matter more than showing them.
            self._open = False
            sent = len(self._buffer)
        del self._buffer[:sent]
        if not self._buffer:
            self._watched = False
            self._loop.forget(self._fd)


def _unblocking(fd: int) -> int:
    """Return a descriptor for the same pipe or terminal that never blocks; `fd` itself if that fails.

    Opened anew: O_NONBLOCK on the one we were given would change it for the shell, too.
    """
    mode = os.fstat(fd).st_mode
    if stat.S_ISFIFO(mode) or os.isatty(fd):
        try:
            return os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError:
            pass
    # Its own number, since two outlets on one descriptor would forget each other's watch.
    return os.dup(fd)
