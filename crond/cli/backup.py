"""The copy of a crontab that cronie's crontab leaves in its caller's cache before it replaces it.

Owns where it lies and how it is written: by the caller, with the caller's rights alone. Called by crontab.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import tempfile
from pathlib import Path


def back_up(text: bytes, user: str) -> str | None:
    """Write `text`, the crontab of `user` (empty: one's own), and return the path; None if that fails."""
    try:
        folder = os.path.join(_cache(), "crontab")
        path = os.path.join(folder, f"crontab.{user}.bak" if user else "crontab.bak")
        os.makedirs(folder, 0o700, exist_ok=True)
        # Renamed, so that a link of that name leads nowhere and half a copy takes no whole one's place.
        fd, aside = tempfile.mkstemp(dir=folder, prefix=".crontab.")
        try:
            with open(fd, "wb") as file:
                file.write(text)
            os.replace(aside, path)
        except OSError:
            os.unlink(aside)
            raise
    except OSError:
        return None
    return path


def _cache() -> str:
    for name, below in (("XDG_CACHE_HOME", ""), ("HOME", ".cache")):
        path = os.environ.get(name, "")
        # By the XDG base directory specification a relative path is none.
        if path.startswith("/") and _is_ours(path):
            return os.path.join(path, below)
    return os.path.join(pwd.getpwuid(os.getuid()).pw_dir, ".cache")


def _is_ours(path: str) -> bool:
    """False for what somebody else could move away, such as the home that su or sudo left to root: a link in
    its place would lead us to where a file with lines of theirs is obeyed.
    """
    for way in (Path(path), Path(os.path.realpath(path))):
        for place in (way, *way.parents):
            with contextlib.suppress(FileNotFoundError):
                if os.lstat(place).st_uid not in (0, os.geteuid()):
                    return False
    return True
