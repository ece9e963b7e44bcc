r"""What jobs leave for those that depend on them: a file per attempt, named by $CRONTABX_OUTPUT.

Owns STATE/data/KEY, the job's user's own file in a folder that others can enter and cannot list; and what its
lines mean. What is in it is a user's: it is read through the descriptor that it was made with, up to a limit.
Called by the launcher.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Container
from dataclasses import dataclass

from crond.model.messages import DATA_LIMIT, DATA_MOST, Pairs

VARIABLE = "CRONTABX_OUTPUT"
_MAKE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
#: A child is given it as OUT_PARENT_KEY, of at most 128 letters, and a name has 64.
_LINE = re.compile(rb"([A-Za-z_]\w{0,58})=(.*)", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Left:
    """What an attempt left. `cut`: it was more than may be left, and the rest is not here."""

    pairs: Pairs
    cut: bool


class Data:
    """The files in `folder`, which exists, belongs to us and can be entered by everybody."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        #: Open from before the start to the end: a path may lead elsewhere by then.
        self._open: dict[str, int] = {}

    def path(self, key: str) -> str:
        return f"{self._folder}/{key}"

    def make(self, key: str, owner: tuple[int, int] | None) -> None:
        """Make the empty file of attempt `key`, for `owner` (uid, gid), None: ourselves. Raises OSError."""
        path = self.path(key)
        try:
            fd = os.open(path, _MAKE, 0o600)
        except FileExistsError:  # an earlier life's
            os.unlink(path)
            fd = os.open(path, _MAKE, 0o600)
        try:
            if owner is not None:
                os.fchown(fd, *owner)
        except OSError:
            os.close(fd)
            self._remove(key)
            raise
        self._open[key] = fd

    def take(self, key: str) -> Left:
        """Return what attempt `key` left, nothing if it has no file; the file goes."""
        fd = self._open.pop(key, None)
        if fd is None:
            return Left((), cut=False)
        try:
            data = os.pread(fd, DATA_LIMIT + 1, 0)
        except OSError:
            data = b""
        finally:
            os.close(fd)
            self._remove(key)
        return read_pairs(data)

    def clear(self, keep: Container[str] = ()) -> None:
        """Remove what an earlier life left, but for attempts in `keep`, which may still write to it."""
        for name in os.listdir(self._folder):
            if name not in self._open and name not in keep:
                self._remove(name)

    def drop(self, key: str) -> None:
        """Remove the file of attempt `key`, which an earlier life made: it is not read."""
        self._remove(key)

    def _remove(self, key: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self.path(key))


def read_pairs(data: bytes) -> Left:
    """Return the variables in `data`: lines of KEY=VALUE; the last of a key wins, others are none."""
    cut = len(data) > DATA_LIMIT
    if cut:
        # Whole lines only: half a value is a wrong one.
        data = data[:DATA_LIMIT].rpartition(b"\n")[0]
    held: dict[str, str] = {}
    for line in data.split(b"\n"):
        found = _LINE.fullmatch(line)
        if found is None or b"\0" in line:
            continue
        name = found[1].decode("ascii")
        if name not in held and len(held) >= DATA_MOST:
            cut = True
            continue
        # Bytes that are no UTF-8 become surrogates, which JSON can say and `os.fsencode` turns back.
        held[name] = found[2].decode("utf-8", "surrogateescape")
    return Left(tuple(held.items()), cut)
