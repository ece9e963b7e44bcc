"""The lock that keeps a second daemon away, and the pid that is written into it.

Owns the pid file of the host's cron (the same file, lock and words as other crons, so that two of them
never run together) and the lock of a state folder. Called by main.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os


class Busy(Exception):
    """Somebody else holds the lock. `pid` is what they wrote, "" if nothing."""

    def __init__(self, path: str, pid: str) -> None:
        super().__init__(path)
        self.path = path
        self.pid = pid


class Lock:
    """A locked file that holds our pid; held until this process ends or `remove`."""

    def __init__(self, path: str) -> None:
        """Take the lock. Raises Busy, OSError."""
        self.path = path
        while True:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                held = os.read(self._fd, 32).decode("ascii", "replace").strip()
                os.close(self._fd)
                if error.errno in (errno.EAGAIN, errno.EACCES):
                    raise Busy(path, held if held.isdecimal() else "") from None
                raise
            # A daemon that ended meanwhile has removed the file we opened: that lock guards nothing.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self._fd), os.stat(path)):
                    break
            os.close(self._fd)
        self._write_pid()

    def fileno(self) -> int:
        """Return the descriptor that holds the lock."""
        return self._fd

    def remove(self) -> None:
        """Remove the file, then let go of the lock."""
        with contextlib.suppress(OSError):
            os.unlink(self.path)
        os.close(self._fd)

    def _write_pid(self) -> None:
        os.fchmod(self._fd, 0o644)
        os.ftruncate(self._fd, 0)
        try:
            os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.path) from None
