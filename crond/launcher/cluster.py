"""Which host of a cluster runs the users' crontabs: the first line of SPOOL/.cron.hostname.

Owns the reading for a client and the writing. Whether that matters here is spool's, which reads the file at
each scan (`crond -c`). Called by conversation, in a process of its own.
"""

from __future__ import annotations

import contextlib
import os
import stat

from crond.launcher.installing import Refused

_FILE = ".cron.hostname"
_LONGEST = 256


def chosen_host(spool: str) -> str:
    """Return the name in the file. Raises Refused, OSError."""
    path = os.path.join(spool, _FILE)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Refused("no_host", f"no host is chosen: there is no {path}") from None
    with open(fd, "rb") as file:
        found = os.fstat(fd)
        # Everybody may ask: whoever could place a link there must not be shown another's file.
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid != os.geteuid():
            raise Refused("odd", f"{path}: not a file of root's own")
        return os.fsdecode(file.read(_LONGEST).partition(b"\n")[0])


def choose_host(spool: str, name: str) -> None:
    """Write `name` to the file. Raises Refused, OSError."""
    if not name.isprintable() or len(os.fsencode(name)) >= _LONGEST:
        raise Refused("bad_request", "that is no name of a host")
    path = os.path.join(spool, _FILE)
    aside = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(aside)
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(os.fsencode(name) + b"\n")
        file.flush()
        os.fsync(fd)
    os.rename(aside, path)
