"""Where the outputs of jobs go, from flags and settings: the part of the launcher's Config about mail.

Checks what can be checked before the daemon is up, so that a slip is seen by whoever made it. Called by the
`crond` command.
"""

from __future__ import annotations

import os
import shutil
import stat
from typing import Any

from crond.cli.host import StartError
from crond.settings import Settings


def mail_of(command: str | None, settings: Settings, *, to_syslog: bool) -> dict[str, Any]:
    """Return those values of the Config. `command` is what -m says. Raises StartError."""
    told: dict[str, Any] = {"mail_time_limit": settings.time_limit}
    if to_syslog:
        return told | {"mail": "syslog"}
    if command is not None:
        words = command.split()
        if words == ["off"]:
            return told | {"mail": "off"}
        if not words:
            raise StartError("-m: a command is needed, or off")
        # cron finds it by its own PATH; jobs may have another.
        return told | {"mail": "command", "mail_command": (shutil.which(words[0]) or words[0], *words[1:])}
    if settings.smtp is None:
        return told
    return told | _smtp(settings)


def _smtp(settings: Settings) -> dict[str, Any]:
    path = settings.smtp_password_file
    if (settings.smtp_user is None) != (path is None):
        raise StartError("[mail] smtp_user and smtp_password_file: one needs the other")
    if path is not None:
        if settings.smtp_security == "none":
            raise StartError(
                '[mail] smtp_user: a password is not sent openly; smtp_security must not be "none"'
            )
        _require_secret(path)
    return {
        "mail": "smtp",
        "smtp": settings.smtp,
        "smtp_security": settings.smtp_security,
        "smtp_user": settings.smtp_user or "",
        "smtp_password_file": path,
    }


def _require_secret(path: str) -> None:
    try:
        found = os.stat(path)
    except OSError as error:
        raise StartError(f"[mail] smtp_password_file: {path}: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o077:
        raise StartError(
            f"[mail] smtp_password_file: {path} must be a file of your own that nobody else may read\n"
            f"  chmod 600 {path}"
        )
