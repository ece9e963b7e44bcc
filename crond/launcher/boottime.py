"""Which boot this is, and whether `@reboot` may still run in it.

Owns the token of a boot and the marker file that crons share. Called once, by main.
"""

from __future__ import annotations

import os

#: The token where none can be had: of two such nobody can say that they are the same boot.
UNKNOWN = "unknown"


def boot_token() -> str:
    """Return a token of this boot of the machine and of this container.

    The kernel's boot_id alone would be the same in each container of a machine, and after each restart of
    one; the start time of our namespace's process 1 tells them apart.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        with open("/proc/1/stat", "rb") as file:
            # The name in parentheses may hold blanks and parentheses; field 22 counts from behind it.
            started = file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return UNKNOWN
    return f"{boot}.{started}"


def first_of_boot(marker: str | None) -> bool:
    """Return True if no cron has run its `@reboot` jobs in this boot; leaves `marker` for the next.

    Without a marker every start is the first. Raises OSError if the marker cannot be made: without it
    `@reboot` would run again at each restart.
    """
    if marker is None:
        return True
    try:
        os.close(os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))
    except FileExistsError:
        return False
    return True
