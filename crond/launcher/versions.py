"""The versions of one user's crontab: each text that was installed, by whom, when and from where.

Owns STATE/versions/UID: one file per version, a line of JSON and then the text, and the lock that makes
one change follow another. Knows nothing of the spool. Called by installing, in a process of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os

# Not from hashlib, which brings OpenSSL along: 4 MB, and 5 ms of each edit.
from _blake2 import blake2s
from collections.abc import Iterator
from dataclasses import asdict, dataclass

_LINE_LIMIT = 16 * 1024
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
#: No more bytes are kept of each user. The newest version always stays.
BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is remembered of a change. `at` is epoch seconds; `by` and `uid` are who made it.

    `action` is "install", "restore" or "remove", or "by hand" for a text that was found there.
    """

    action: str
    by: str
    uid: int
    origin: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version: its number, the digest and size (bytes) of its text, and its mark."""

    number: int
    user: str
    digest: str
    size: int
    mark: Mark


def digest_of(text: bytes) -> str:
    """Return the digest by which a text is known, that of `crond.model.job` too."""
    return blake2s(text, digest_size=8).hexdigest()


class Versions:
    """The versions in `folder` that are `user`'s: a uid may have been somebody else's before."""

    def __init__(self, folder: str, *, user: str, count: int, size: int = BYTES) -> None:
        self._folder = folder
        self._user = user
        self._count = count
        self._bytes = size

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all others from changing this user's crontab. Makes the folder. Raises OSError."""
        for folder in (os.path.dirname(self._folder), self._folder):
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, 0o700)
        fd = os.open(self._folder, os.O_DIRECTORY | _READ)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def all(self) -> list[Version]:
        """Return the versions, newest first. A file that is none, or damaged, is left out."""
        found = [version for number in self._numbers() if (version := self._read(number)[0]) is not None]
        return [version for version in found[::-1] if version.user == self._user]

    def text(self, number: int) -> tuple[Version, bytes] | None:
        """Return version `number` and its text, None if it is not kept."""
        version, text = self._read(number, whole=True)
        if version is None or version.user != self._user or len(text) != version.size:
            return None
        return version, text

    def keep(self, text: bytes, mark: Mark) -> Version:
        """Keep `text` as the newest version, on the disk for sure. Raises OSError."""
        number = max(self._numbers(), default=0) + 1
        version = Version(number=number, user=self._user, digest=digest_of(text), size=len(text), mark=mark)
        path = self._path(number)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with open(fd, "wb") as file:
                file.write(json.dumps(asdict(version)).encode() + b"\n" + text)
                file.flush()
                os.fsync(fd)
        except BaseException:
            self.drop(number)
            raise
        self._sync()
        return version

    def drop(self, number: int) -> None:
        """Forget version `number`."""
        with contextlib.suppress(OSError):
            os.unlink(self._path(number))

    def trim(self) -> None:
        """Forget the oldest where there are too many."""
        total = 0
        for place, number in enumerate(reversed(self._numbers())):
            with contextlib.suppress(OSError):
                total += os.stat(self._path(number)).st_size
            if place and (place >= self._count or total > self._bytes):
                self.drop(number)

    def _sync(self) -> None:
        fd = os.open(self._folder, os.O_DIRECTORY | _READ)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _path(self, number: int) -> str:
        return f"{self._folder}/{number:09d}"

    def _numbers(self) -> list[int]:
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        return sorted(int(name) for name in names if len(name) == 9 and name.isascii() and name.isdigit())

    def _read(self, number: int, *, whole: bool = False) -> tuple[Version | None, bytes]:
        try:
            with open(os.open(self._path(number), _READ), "rb") as file:
                line = file.readline(_LINE_LIMIT)
                values = json.loads(line)
                version = Version(**{**values, "mark": Mark(**values["mark"])})
                return version, file.read() if whole else b""
        except (OSError, ValueError, TypeError, KeyError):
            return None, b""
