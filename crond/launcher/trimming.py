"""Dropping the middle of outputs that grew too large, while their jobs write: a program of its own.

Dropping blocks waits for a write(2) that is under way, which may take seconds, so the launcher has it done
here. It is told files on its standard input, holds each to its limit for as long as anybody writes to it,
and ends once nobody does and the launcher is gone. Started by bounding; `trim` also serves pruning.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import signal
import time

from crond.launcher.holes import left_out
from crond.launcher.kernel import name_process, punch_hole

_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
#: Between two looks at one file, in seconds; shorter while it grows fast.
_SHORTEST, _LONGEST = 0.05, 1.0
#: Where no hole can be made, so much of the end goes through memory (bytes).
_CARRIED = 4 * 1024 * 1024


def occupied(found: os.stat_result) -> int:
    """Return the bytes that a file takes. Blocks reserved beyond its end, as XFS does, count for nothing."""
    return min(found.st_blocks * 512, found.st_size)


def is_oversized(found: os.stat_result, limit: int) -> bool:
    """True if a file takes more than `limit` bytes, and not only since blocks are not divided."""
    return occupied(found) > limit + _block(found)


def _block(found: os.stat_result) -> int:
    return max(4096, found.st_blksize)


def trim(path: str, limit: int) -> int:
    """Leave `limit` bytes of the file at `path`: its first and its last half. Return the bytes set free.

    Its size stays what was written, for readers and for the writer, whose next byte comes after its last.
    """
    try:
        fd = os.open(path, os.O_RDWR | _FLAGS)
    except OSError:
        return 0
    try:
        before = os.fstat(fd)
        if not is_oversized(before, limit):
            return 0
        # In whole blocks: the rest of one would stay, and read as NULs.
        block = _block(before)
        begin = limit // 2 // block * block
        end = -(-(before.st_size - limit // 2) // block) * block
        try:
            punch_hole(fd, begin, end - begin)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.ENOSYS):
                return 0
            _cut(fd, begin, end, before)
        return max(0, occupied(before) - occupied(os.fstat(fd)))
    finally:
        os.close(fd)


def _cut(fd: int, begin: int, end: int, before: os.stat_result) -> None:
    """Do the same where a hole cannot be punched: cut the file, lengthen it again, put its end back.

    What is written meanwhile may be lost. Where lengthening makes no hole either, the file is cut for good.
    """
    size = before.st_size
    end = max(end, size - _CARRIED)
    tail = os.pread(fd, size - end, end)
    os.ftruncate(fd, begin)
    os.ftruncate(fd, size)
    if occupied(os.fstat(fd)) > occupied(before) // 2:
        os.ftruncate(fd, begin)
        os.pwrite(fd, b"\n" + left_out(size - begin), begin)
    else:
        os.pwrite(fd, tail, end)


def is_written(path: str) -> bool:
    """True while somebody has the file at `path` open for writing.

    The kernel gives a read lease only where nobody has. The caller must ignore SIGIO.
    """
    try:
        fd = os.open(path, os.O_RDONLY | _FLAGS)
    except OSError:
        return False
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        # A file system without leases: whoever wrote within the hour may write again.
        return error.errno == errno.EAGAIN or time.time() - os.fstat(fd).st_mtime < 3600
    else:
        return False
    finally:
        os.close(fd)


class Trimmer:
    """Files that are held to a limit each, in bytes, and when each is to be looked at next (monotonic)."""

    def __init__(self) -> None:
        self._limits: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._sizes: dict[str, tuple[float, int]] = {}

    def add(self, path: str, limit: int) -> None:
        self._limits[path] = limit
        self._due.setdefault(path, 0.0)

    def __len__(self) -> int:
        return len(self._due)

    def patience(self, now: float) -> float | None:
        """Return the seconds until the next look; None: there is nothing to look at."""
        return max(0.0, min(self._due.values()) - now) if self._due else None

    def look(self, now: float) -> None:
        """Look at every file whose time has come; drop those that nobody writes to any more."""
        for path in [path for path, due in self._due.items() if due <= now]:
            # Before the trimming: a writer that ends after it has written no more than we see.
            written = is_written(path)
            trim(path, self._limits[path])
            if written:
                self._due[path] = now + self._until_next(path, now)
            else:
                del self._due[path], self._limits[path]
                self._sizes.pop(path, None)

    def _until_next(self, path: str, now: float) -> float:
        """As long as it takes to write another `limit` at the pace since the last look."""
        try:
            size = os.stat(path, follow_symlinks=False).st_size
        except OSError:
            return _LONGEST
        known = self._sizes.get(path)
        self._sizes[path] = (now, size)
        if known is None:
            return _SHORTEST
        at, before = known
        pace = max(1.0, (size - before) / max(now - at, 0.001))
        return min(_LONGEST, max(_SHORTEST, self._limits[path] / pace))


def main() -> int:
    """Trim the files that standard input names, until its end; then until nobody writes.

    Each is told as its limit, a blank, its path and a NUL.
    """
    name_process("crond-outputs")
    for number in (signal.SIGIO, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    trimmer = Trimmer()
    unfinished = b""
    heard = True
    while heard or len(trimmer):
        ready, _, _ = select.select([0] if heard else [], [], [], trimmer.patience(time.monotonic()))
        if ready:
            data = os.read(0, 65536)
            heard = bool(data)
            *lines, unfinished = (unfinished + data).split(b"\0")
            for line in lines:
                limit, _, path = line.partition(b" ")
                trimmer.add(os.fsdecode(path), int(limit))
        with contextlib.suppress(OSError):
            trimmer.look(time.monotonic())
    return 0
