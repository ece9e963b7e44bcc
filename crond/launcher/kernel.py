"""The few system calls that Python has no name for: prctl, inotify, fallocate and ioprio_set, through ctypes.

Owns the numbers of the kernel's interface. Knows nothing of crontabs or jobs. Everything here is a
hastener or a nicety: where ctypes or a call is missing, `None`, False or ENOSYS says so and crond works
without. Called by main (names itself, adopts orphans), watching (crontabs), echo and trimming (outputs), pam,
spawn (disk access).
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import struct
import sys
from typing import Any

try:
    import ctypes

    _libc: Any = ctypes.CDLL(None, use_errno=True)
except (ImportError, OSError):  # a Python built without ctypes, a libc that cannot be opened
    _libc = None

IN_MODIFY = 0x2
IN_ATTRIB = 0x4
IN_CLOSE_WRITE = 0x8
IN_MOVED_FROM = 0x40
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_Q_OVERFLOW = 0x4000
IN_ONLYDIR = 0x01000000

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_FALLOC_FL_KEEP_SIZE = 1
_FALLOC_FL_PUNCH_HOLE = 2
#: The number of ioprio_set by machine, for 64 bits: glibc has no name for it.
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30, "s390x": 282, "ppc64le": 273}
_IOPRIO_CLASSES = {"realtime": 1, "best-effort": 2, "idle": 3}
_HEADER = struct.Struct("iIII")


def name_process(name: str) -> None:
    """Show this process as `name` (15 bytes at most) in lists of processes."""
    with contextlib.suppress(OSError), open("/proc/self/comm", "wb", buffering=0) as comm:
        comm.write(name.encode()[:15])


def adopt_orphans() -> bool:
    """Become the parent of descendants whose own parent has ended. True if the kernel agreed."""
    return _libc is not None and _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def disk_access(word: str) -> int:
    """Return the kernel's number for a class, which may be followed by `:` and a level from 0 to 7."""
    name, _, level = word.partition(":")
    # The kernel's own default level is 4; the idle class has none.
    return _IOPRIO_CLASSES[name] << 13 | (int(level or 4) if name != "idle" else 0)


def set_disk_access(number: int) -> None:
    """Give this process disk access `number`. Raises OSError; ENOSYS where the call has no name here."""
    call = _IOPRIO_SET.get(os.uname().machine)
    if _libc is None or call is None or sys.maxsize < 2**32:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if _libc.syscall(call, 1, 0, number) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def die_with_parent() -> None:
    """Be killed when the process that made this one ends."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def punch_hole(fd: int, offset: int, length: int) -> None:
    """Give back the blocks of these bytes of a file; they read as NULs, its size stays. Raises OSError."""
    # glibc's plain fallocate may take 32 bits; musl's takes 64, and it has no other.
    call = getattr(_libc, "fallocate64", None) or getattr(_libc, "fallocate", None)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    mode = _FALLOC_FL_PUNCH_HOLE | _FALLOC_FL_KEEP_SIZE
    if call(fd, mode, ctypes.c_int64(offset), ctypes.c_int64(length)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


class Inotify:
    """One inotify descriptor, non-blocking."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def open(cls) -> Inotify | None:
        """Return a new descriptor, or None where there is no inotify to be had."""
        if _libc is None or not hasattr(_libc, "inotify_init1"):
            return None
        fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        return cls(fd) if fd >= 0 else None

    def add(self, path: str, mask: int) -> int | None:
        """Watch `path`; return the watch's number (the same for the same inode), None if that fails."""
        watch = _libc.inotify_add_watch(self.fd, os.fsencode(path), mask)
        return watch if watch >= 0 else None

    def remove(self, watch: int) -> None:
        _libc.inotify_rm_watch(self.fd, watch)

    def read(self) -> list[tuple[int, int, str]]:
        """Return (watch, mask, name in the folder) of what happened. Empty if nothing did."""
        try:
            data = os.read(self.fd, 65536)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return []
            raise
        events = []
        at = 0
        while at < len(data):
            watch, mask, _cookie, length = _HEADER.unpack_from(data, at)
            at += _HEADER.size
            events.append((watch, mask, os.fsdecode(data[at : at + length].rstrip(b"\0"))))
            at += length
        return events

    def close(self) -> None:
        os.close(self.fd)
