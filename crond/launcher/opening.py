"""Opening a crontab safely: which file is obeyed, and cron's own word for one that is not.

Owns the checks; a file is opened first and then looked at through its descriptor, so that what was
checked is what is read. Knows nothing of what the text means. Called by spool.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from enum import Enum, auto

from crond.model.edits import TEXT_LIMIT

#: A user's own file may be as long as what can be installed (bytes).
USER_LIMIT = TEXT_LIMIT
SYSTEM_LIMIT = 64 * 1024 * 1024


class Kind(Enum):
    """Whose file it is, which decides how it is checked."""

    SYSTEM = auto()  #: has a user column; root's
    USER = auto()  #: in the spool, named by its owner
    GIVEN = auto()  #: named by whoever started us: their own business


@dataclass(frozen=True, slots=True)
class Place:
    """Where a crontab is expected. `label` is its name in cron's log, `path` its path there."""

    origin: str
    kind: Kind
    owner: str
    uid: int
    label: str
    path: str


class RefusedFile(Exception):
    """The file is not obeyed. `word` is cron's; `error` the system's reason, if there is one."""

    def __init__(self, word: str, error: str = "") -> None:
        super().__init__(word)
        self.word = word
        self.error = error


def open_table(place: Place, *, dialect: str, permit_any: bool) -> tuple[int, os.stat_result]:
    """Return a descriptor of the file at `place` and its stat.

    Raises RefusedFile, or FileNotFoundError if there is none.
    """
    fd = _open(place, dialect)
    try:
        found = os.fstat(fd)
        word = _complaint(place, found, dialect=dialect, permit_any=permit_any)
        if word:
            raise RefusedFile(word)
        # Only now: a FIFO was opened without waiting for its writer, a file is read as it is.
        os.set_blocking(fd, True)
    except BaseException:
        os.close(fd)
        raise
    return fd, found


def read_table(fd: int, place: Place) -> bytes:
    """Return the whole text behind `fd`. Raises RefusedFile if it is too long or cannot be read."""
    limit = SYSTEM_LIMIT if place.kind is Kind.SYSTEM else USER_LIMIT
    parts = []
    size = 0
    try:
        while part := os.read(fd, 1024 * 1024):
            size += len(part)
            if size > limit:
                raise RefusedFile(f"TOO LONG (over {limit // (1024 * 1024)} MiB)")
            parts.append(part)
    except OSError as error:
        raise RefusedFile("CAN'T READ", os.strerror(error.errno or 0)) from None
    return b"".join(parts)


def _open(place: Place, dialect: str) -> int:
    # O_NONBLOCK: opening a FIFO must not hang the daemon. O_NOCTTY: nor give it a terminal.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    link = _link(place)
    if place.kind is Kind.USER:
        flags |= os.O_NOFOLLOW
    elif dialect == "debian" and place.kind is Kind.SYSTEM and link is not None and link.st_uid != 0:
        raise RefusedFile("WRONG SYMLINK OWNER")
    try:
        return os.open(place.origin, flags)
    except OSError as error:
        if error.errno == errno.ENOENT and link is None:
            raise
        if error.errno == errno.ELOOP and dialect == "cronie":
            raise RefusedFile("NOT REGULAR") from None
        word = "CAN'T OPEN"
        if dialect == "debian" and place.kind is Kind.SYSTEM and link is not None:
            word = "CAN'T OPEN SYMLINK"
        # ENXIO and the like: a socket, a device without a driver.
        raise RefusedFile(word, os.strerror(error.errno or 0)) from None


def _link(place: Place) -> os.stat_result | None:
    """Return the stat of the link at `place`, None if it is no link."""
    try:
        found = os.lstat(place.origin)
    except OSError:
        return None
    return found if stat.S_ISLNK(found.st_mode) else None


def _complaint(place: Place, found: os.stat_result, *, dialect: str, permit_any: bool) -> str:
    """Return cron's word against a file with the stat `found`, or nothing."""
    if place.kind is Kind.GIVEN:
        return "" if stat.S_ISREG(found.st_mode) else "NOT REGULAR"
    if dialect == "debian":
        return _debian_complaint(place, found, permit_any=permit_any)
    if not stat.S_ISREG(found.st_mode):
        return "NOT REGULAR"
    if permit_any:
        return ""
    # Readable by its owner; nobody may execute it, group and others may not write it, no s or t bit.
    if found.st_mode & 0o7533 != 0o400:
        return "BAD FILE MODE"
    if found.st_uid not in _allowed_owners(place):
        return "WRONG FILE OWNER"
    if place.kind is Kind.USER and found.st_nlink != 1:
        return "BAD LINK COUNT"
    return ""


def _debian_complaint(place: Place, found: os.stat_result, *, permit_any: bool) -> str:
    user = place.kind is Kind.USER
    if found.st_uid not in _allowed_owners(place) and not permit_any:
        return "WRONG FILE OWNER"
    if not stat.S_ISREG(found.st_mode):
        return "NOT A REGULAR FILE" if user else "NOT REGULAR"
    if permit_any:
        return ""
    if user and stat.S_IMODE(found.st_mode) != 0o600:
        return "INSECURE MODE (mode 0600 expected)"
    if not user and found.st_mode & 0o022:
        return "INSECURE MODE (group/other writable)"
    return "NUMBER OF HARD LINKS > 1" if found.st_nlink != 1 else ""


def _allowed_owners(place: Place) -> tuple[int, ...]:
    return (0, place.uid) if place.kind is Kind.USER else (0,)
