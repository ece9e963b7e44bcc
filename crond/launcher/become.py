"""The compiled way of becoming a user, or of staying who we are with limits: where its program lies, whether
it may be used, how it is told.

Owns the command line of `become`, which is compiled from become.c where there is a compiler; an installation
without it does the same by a fork. Must not know tables, attempts or messages. Called by spawn.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

#: Beside this file, put there when the package is built.
PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "become")


def trusted(path: str = PATH) -> str | None:
    """Return `path` if we may execute what is there: a file of root's or ours that nobody else can write."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    right = stat.S_ISREG(found.st_mode) and found.st_uid in (0, os.geteuid()) and not found.st_mode & 0o022
    return path if right and os.access(path, os.X_OK) else None


def command_line(
    *,
    trouble: int,
    limits: Sequence[tuple[int, int, int]],
    entrance: int | None,
    numbers: tuple[int, int, Sequence[int]] | None,
    folder: bytes,
    folder_required: bool,
) -> list[bytes]:
    """Return the words that come before the program: see become.c, which says what they mean.

    `numbers` are uid, gid and groups, None: it stays who we are; `limits` each a number, the soft and the
    hard limit.
    """
    if numbers is None:
        who: tuple[object, ...] = ("-", "-", "-")
    else:
        uid, gid, groups = numbers
        who = (uid, gid, ",".join(map(str, groups)))
    # Python's "unlimited" is -1.
    bounds = ",".join(f"{number}:{soft % 2**64}:{hard % 2**64}" for number, soft, hard in limits)
    words = (trouble, bounds, entrance or 0, *who, int(folder_required))
    return [b"become", *(str(word).encode() for word in words), folder]
