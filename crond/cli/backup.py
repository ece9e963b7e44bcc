"""The copy of a crontab that cronie's crontab leaves in its caller's cache before it replaces it.

Owns where it lies and how it is written: by the caller, with the caller's rights alone. Called by crontab.
"""

from __future__ import annotations

import os
import pwd
import tempfile


def back_up(text: bytes, user: str) -> str | None:
    """Write `text`, the crontab of `user` (empty: one's own), and return the path; None if that fails."""
    folder = os.path.join(_cache(), "crontab")
    path = os.path.join(folder, f"crontab.{user}.bak" if user else "crontab.bak")
    try:
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
        # By the XDG base directory specification a relative path is none.
        if os.environ.get(name, "").startswith("/"):
            return os.path.join(os.environ[name], below)
    return os.path.join(pwd.getpwuid(os.getuid()).pw_dir, ".cache")
