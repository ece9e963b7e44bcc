"""Who may edit crontabs: root, and whom cron.allow and cron.deny let.

Owns the reading of both files, which lie beside the system crontab. Says nothing about jobs: what is
installed runs on, whoever may edit it. Called by the process that serves a client's edit.
"""

from __future__ import annotations

import os

from crond.launcher.config import Config

#: No file of names is longer (bytes); what lies beyond is not read.
_LIMIT = 4 * 1024 * 1024


def may_edit(name: str, uid: int, config: Config) -> bool:
    """True if the account `name` with `uid` may use crontabs at all.

    Where cron.allow exists it must name the account; else cron.deny, where it exists, must not. Where
    neither does, cronie lets root alone, Debian's cron everybody. A file that cannot be read lets nobody.
    """
    if uid == 0:
        return True
    folder = os.path.dirname(config.system_crontab)
    for file, listed_may in (("cron.allow", True), ("cron.deny", False)):
        try:
            names = _names(os.path.join(folder, file))
        except FileNotFoundError:
            continue
        except OSError:
            return False
        return (os.fsencode(name) in names) is listed_may
    return config.dialect == "debian"


def _names(path: str) -> set[bytes]:
    """Return the lines of `path`: one name each, taken whole, as cron does. Raises OSError."""
    # O_NONBLOCK: a FIFO in its place must not keep us.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        return set(file.read(_LIMIT).split(b"\n"))
