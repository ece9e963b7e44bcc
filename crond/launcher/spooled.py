"""One user's file in a folder of such files: read as it is, and replaced all at once.

Owns the checks of folder and file, and the order of write, fsync and rename. Knows nothing of what the text
means. Called by installing and oneshots, in a process of its own.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from crond.launcher.opening import USER_LIMIT

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class WrongFile(Exception):
    """A folder or a file that is not used as it is; the text says which and why."""


class Spooled:
    """The file `name` in `folder`, which belongs, or is to belong, to `uid` and `gid`."""

    def __init__(self, folder: str, name: str, *, uid: int, gid: int) -> None:
        self._folder = folder
        self._name = name
        self._uid = uid
        self._gid = gid
        self.path = os.path.join(folder, name)

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """The folder, made if there is none; one that others may write to raises WrongFile."""
        with contextlib.suppress(FileExistsError):
            os.makedirs(self._folder, 0o700)
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found = os.fstat(fd)
            # Debian's is 1730: its own group makes files there, but takes nobody else's away.
            shared = found.st_mode & 0o002 or (found.st_mode & 0o020 and not found.st_mode & stat.S_ISVTX)
            if found.st_uid != os.geteuid() or shared:
                raise WrongFile(f"{self._folder}: others can write there, so nothing is installed")
            yield fd
        finally:
            os.close(fd)

    def read(self) -> tuple[bytes, os.stat_result] | None:
        """Return the text and its stat, None if there is no file. Raises WrongFile, OSError."""
        try:
            fd = os.open(self.path, _READ)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._wrong(os.strerror(error.errno or 0)) from None
        with open(fd, "rb") as file:
            found = os.fstat(fd)
            # Whoever could place a link there must not be shown another's file.
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                raise self._wrong("not a file of its own")
            if found.st_uid not in (0, self._uid):
                raise self._wrong("it belongs to somebody else")
            text = file.read(USER_LIMIT + 1)
        if len(text) > USER_LIMIT:
            raise self._wrong("too long")
        return text, found

    def _wrong(self, why: str) -> WrongFile:
        return WrongFile(f"{self.path}: {why}")

    def put(self, folder: int, text: bytes) -> None:
        """Write `text` aside, under a name that every cron ignores, and let it take the file's place.

        `folder` is what `opened` gave. Raises OSError.
        """
        aside = f".crontabx.{self._uid}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside, dir_fd=folder)
        fd = os.open(aside, _WRITE, 0o600, dir_fd=folder)
        try:
            with open(fd, "wb") as file:
                file.write(text)
                file.flush()
                if os.geteuid() == 0:
                    os.fchown(fd, self._uid, self._gid)
                os.fchmod(fd, 0o600)
                os.fsync(fd)
            os.rename(aside, self._name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(aside, dir_fd=folder)
            raise
        os.fsync(folder)

    def remove(self, folder: int) -> None:
        """Remove the file. Raises FileNotFoundError, OSError."""
        os.unlink(self._name, dir_fd=folder)
        os.fsync(folder)
