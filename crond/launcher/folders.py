"""The folders that the daemon lives in: made at start, with the owner and mode that keep others out.

Owns the list and the checks. A folder that belongs to somebody else is an error and never taken over:
what lies in it may be theirs. Called by main.
"""

from __future__ import annotations

import os

from crond.launcher.accounts import Account
from crond.launcher.config import Config


class WrongFolder(Exception):
    """A folder that cannot be used; the text says which, why and, where there is one, the cure."""


def make_folders(config: Config, account: Account | None) -> None:
    """Make the folders of state and run. Raises WrongFolder, OSError."""
    host = config.mode == "host"
    _make(config.state, 0o711 if host else 0o700)
    _make(config.run, 0o755 if host else 0o700)
    _make(os.path.join(config.state, "outputs"), 0o700, ours=True)
    # A job enters it by the name of its own file; who else is there is not to be listed.
    _make(os.path.join(config.state, "data"), 0o711, ours=True)
    _make(os.path.join(config.state, "scheduler"), 0o700, ours=True, account=account)
    if config.recorder:
        _make(os.path.join(config.state, "history"), 0o700, ours=True, account=account)


def _make(path: str, mode: int, *, ours: bool = False, account: Account | None = None) -> None:
    """Make the folder `path`. `ours`: nobody else has any business with it, so its mode is always set."""
    os.makedirs(os.path.dirname(path) or "/", exist_ok=True)
    made = True
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        made = False
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise WrongFolder(f"{path}: {error.strerror}") from None
    try:
        if made and account is not None:
            os.fchown(fd, account.uid, account.gid)
        _check(fd, path, account)
        # A folder that somebody chose may be home to more than us: its mode is theirs to set.
        if made or ours:
            os.fchmod(fd, mode)
    finally:
        os.close(fd)


def _check(fd: int, path: str, account: Account | None) -> None:
    uid = os.geteuid() if account is None else account.uid
    found = os.fstat(fd)
    if found.st_uid != uid:
        name = f"uid {uid}" if account is None else f"{account.name} (uid {uid})"
        raise WrongFolder(f"{path} belongs to uid {found.st_uid}, not to {name}; chown -R it, or use another")
    if found.st_mode & 0o022:
        raise WrongFolder(f"{path} can be written by others; chmod go-w it, or use another")
