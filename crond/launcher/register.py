"""The register: who the processes of attempts are, kept in a file for a later life of the launcher.

Owns the file and what of it is believed. A line says all about one process, in this boot or another, so
lines can be lost, torn or doubled without harm to others. Knows nothing of what lives. Called by survivors.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterable
from typing import NamedTuple

from crond.launcher.boottime import UNKNOWN
from crond.model.messages import is_attempt_key

_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LARGEST = 2**63


class Line(NamedTuple):
    """Who the process of an attempt is. `ticks`: its start in clock ticks since boot; `at`: epoch seconds.

    `mark` is the limit that its processes are known by (see trees), 0: there is none. What a later version of
    crond has to add comes behind these: the two read each other's files.
    """

    key: str
    pid: int
    ticks: int
    job: str
    uid: int
    user: str
    at: float
    mark: int = 0


_TYPES = [str, int, int, str, int, str, float]


class Register:
    """The file at `path`, of which lines of this `boot` count.

    Never synced to the disk: what a loss of power takes is of another boot then.
    """

    def __init__(self, path: str, boot: str) -> None:
        self.path = path
        self._boot = boot
        self._fd: int | None = None

    def read(self) -> list[Line]:
        """Return what is known of processes of this boot, oldest first. Raises OSError."""
        with open(self._opened(), "rb", closefd=False) as file:
            file.seek(0)
            lines = [_line_of(text, self._boot) for text in file.read().split(b"\n")]
        return [line for line in lines if line is not None]

    def add(self, lines: Iterable[Line]) -> None:
        """Write `lines` behind the others, all at once. Raises OSError if any of them may be missing."""
        _write(self._opened(), self._text(lines))

    def replace(self, lines: Iterable[Line]) -> None:
        """Have `lines` and no others, or leave all as it was. Raises OSError."""
        beside = self.path + ".new"
        fd = os.open(beside, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC | _FLAGS, 0o600)
        try:
            _require_ours(fd, beside)
            _write(fd, self._text(lines))
            os.rename(beside, self.path)
        except BaseException:
            os.close(fd)
            os.unlink(beside)
            raise
        if self._fd is not None:
            os.close(self._fd)
        self._fd = fd

    def _opened(self) -> int:
        if self._fd is None:
            fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _FLAGS, 0o600)
            try:
                _require_ours(fd, self.path)
            except BaseException:
                os.close(fd)
                raise
            self._fd = fd
        return self._fd

    def _text(self, lines: Iterable[Line]) -> bytes:
        # A line begins with its line break: one that was torn spoils none that is written after it.
        return "".join(f"\n{json.dumps((self._boot, *line))}" for line in lines).encode("ascii")


def _require_ours(fd: int, path: str) -> None:
    """Raise OSError unless `fd` is a file that only we can have written."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise OSError(errno.EPERM, "not a file of crond's own", path)


def _write(fd: int, text: bytes) -> None:
    if os.write(fd, text) < len(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _line_of(text: bytes, boot: str) -> Line | None:
    """Return the line in `text`; None if it is of another boot, or no whole line."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if type(values) is not list or len(values) <= len(_TYPES) or boot == UNKNOWN or values[0] != boot:
        return None
    values, more = values[1 : 1 + len(_TYPES)], values[1 + len(_TYPES) :]
    if [type(value) for value in values] != _TYPES:
        return None
    # Earlier versions wrote none.
    mark = more[0] if more and type(more[0]) is int and 0 < more[0] < _LARGEST else 0
    line = Line._make((*values, mark))
    numbers = 0 < line.pid < 2**31 and 0 <= line.ticks < _LARGEST and 0 <= line.uid < 2**32 - 1
    return line if numbers and is_attempt_key(line.key) and 0 <= line.at < 1e12 else None
