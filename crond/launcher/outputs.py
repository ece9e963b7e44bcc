"""The output files of attempts: one each, written by the job itself, owned by us.

Owns STATE/outputs/UID/KEY: making, measuring, opening for readers, removing, and the reserve of free
space; and KEY.job beside it, a link that leads nowhere (its text: `crond.launcher.labels`). Only the trimmer
and a prune open one by its path, too. Must not know what an attempt is beyond its key.
"""

from __future__ import annotations

import contextlib
import os
import time

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
#: What the name of a label has beyond that of its output.
LABEL = ".job"
LARGEST = 2**53
#: New attempts get no file when less than this is free (bytes), or a twentieth of a small disk.
RESERVE = 64 * 1024 * 1024


class Outputs:
    """Output files under `folder`, which exists and which only we may enter."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._made: set[int] = set()
        self._checked_at = float("-inf")
        self._short = False

    def path(self, uid: int, key: str) -> str:
        return f"{self._folder}/{uid}/{key}"

    def folder(self, uid: int) -> str:
        return f"{self._folder}/{uid}"

    @property
    def short(self) -> bool:
        """True while so little space is free that new attempts must not write. Looks once a second."""
        now = time.monotonic()
        if now - self._checked_at >= 1.0:
            self._checked_at = now
            found = os.statvfs(self._folder)
            free, size = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
            self._short = free < min(RESERVE, size // 20)
        return self._short

    def create(self, uid: int, key: str, *, anew: bool = False) -> int:
        """Return a descriptor that appends to the new file of `key`; `anew`: one that exists is replaced.

        Raises FileExistsError where there is one already: that attempt was started before.
        """
        if anew:
            self.remove(uid, key)
        if uid not in self._made:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.folder(uid), 0o700)
            self._made.add(uid)
        return os.open(self.path(uid, key), _APPEND, 0o600)

    def size(self, uid: int, key: str) -> int:
        """Return the bytes in the file of `key`, 0 if it is gone."""
        try:
            size = os.stat(self.path(uid, key), follow_symlinks=False).st_size
            # A job can lengthen its file beyond what a message may hold, where the file system lets it.
            return min(size, LARGEST)
        except OSError:
            return 0

    def open(self, uid: int, key: str) -> int | None:
        """Return a descriptor that only reads, None if there is no file."""
        try:
            return os.open(self.path(uid, key), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None

    def label(self, uid: int, key: str, text: str) -> None:
        """Say `text` beside the output of `key`, for those who prune in a later life."""
        # A link takes its text whole or not at all, and an inode is all that it needs.
        with contextlib.suppress(OSError, ValueError):
            os.symlink(os.fsencode(text), os.fsencode(self.path(uid, key) + LABEL))

    def remove(self, uid: int, key: str) -> None:
        for path in (self.path(uid, key), self.path(uid, key) + LABEL):
            with contextlib.suppress(OSError):
                os.unlink(path)

    def owners_of(self, key: str) -> list[int]:
        """Return under which uids a file of `key` lies: for attempts of an earlier life."""
        with contextlib.suppress(OSError):
            uids = [int(name) for name in os.listdir(self._folder) if name.isdecimal()]
            return [uid for uid in uids if os.path.lexists(self.path(uid, key))]
        return []
