"""The folders that the daemon lives in: made at start, with the owner and mode that keep others out.

Owns the list and the checks. A folder that belongs to somebody else is an error and never taken over:
what lies in it may be theirs. Called by main.
"""

from __future__ import annotations

import os
import stat

from crond.launcher.accounts import Account
from crond.launcher.config import Config


class WrongFolder(Exception):
    """A folder that cannot be used; the text says which, why and, where there is one, the cure."""


def make_folders(config: Config, account: Account | None) -> None:
    """Make the folders of state and run. Raises WrongFolder, OSError."""
    host = config.mode == "host"
    private = 0o700
    _make(config.state, 0o711 if host else private, None)
    _make(os.path.join(config.state, "outputs"), private, None)
    _make(os.path.join(config.state, "scheduler"), private, account)
    _make(config.run, 0o755 if host else private, None)


def _make(path: str, mode: int, account: Account | None) -> None:
    os.makedirs(os.path.dirname(path) or "/", exist_ok=True)
    made = False
    try:
        os.mkdir(path, mode)
        made = True
    except FileExistsError:
        pass
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise WrongFolder(f"{path}: {error.strerror}") from None
    try:
        _claim(fd, path, mode, account, made=made)
    finally:
        os.close(fd)


def _claim(fd: int, path: str, mode: int, account: Account | None, *, made: bool) -> None:
    uid = os.geteuid() if account is None else account.uid
    if made and account is not None:
        os.fchown(fd, account.uid, account.gid)
    found = os.fstat(fd)
    if found.st_uid != uid:
        name = f"uid {uid}" if account is None else f"{account.name} (uid {uid})"
        raise WrongFolder(f"{path} belongs to uid {found.st_uid}, not to {name}; chown -R it, or use another")
    if stat.S_IMODE(found.st_mode) != mode:
        os.fchmod(fd, mode)
