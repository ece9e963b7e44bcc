"""Who an account is: numbers and home, as the system's databases say now.

Owns the look-ups and a cache of them that is emptied every minute, since cron honours a changed uid
or home at the next run. Knows nothing of crontabs. Used by spool (owners) and programs (run-as).
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """An account's numbers and home. `groups` holds all group numbers, `gid` among them."""

    name: str
    uid: int
    gid: int
    home: str
    groups: tuple[int, ...]


class Accounts:
    """Look-ups by name, each made once until `forget`."""

    def __init__(self) -> None:
        self._cache: dict[str, Account | None] = {}

    def named(self, name: str) -> Account | None:
        """Return the account called `name`, None if there is none."""
        if name not in self._cache:
            self._cache[name] = _look_up(name)
        return self._cache[name]

    def numbered(self, uid: int) -> Account | None:
        """Return the account with `uid`, None if there is none."""
        try:
            return self.named(pwd.getpwuid(uid).pw_name)
        except KeyError:
            return None

    def forget(self) -> None:
        """Ask the system again from now on."""
        self._cache.clear()


def _look_up(name: str) -> Account | None:
    try:
        found = pwd.getpwnam(name)
    except (KeyError, ValueError):  # ValueError: a name with a NUL
        return None
    groups = tuple(os.getgrouplist(found.pw_name, found.pw_gid))
    return Account(found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir, groups)


def own_account() -> Account:
    """Return the account we run as; a container's user may have no line in passwd."""
    uid = os.geteuid()
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        name = os.environ.get("LOGNAME") or os.environ.get("USER") or str(uid)
        return Account(name, uid, os.getegid(), os.environ.get("HOME") or "/", tuple(os.getgroups()))
    return Account(found.pw_name, uid, os.getegid(), found.pw_dir, tuple(os.getgroups()))
