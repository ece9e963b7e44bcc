"""A crontab that a verb was given: its bytes, whether it has a user column, whose rules read it.

Owns the reading; the parsing is crond.model's. Prints nothing and asks no daemon. Used by check, next,
simulate and explain.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crond.cli.failure import Failure, Status
from crond.cli.format import printable

if TYPE_CHECKING:
    from crond.model.crontab import Table

#: Larger than any crontab; a device or an endless pipe must not fill the memory.
LIMIT = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """A crontab that was read: `file` as the user gave it, and what it says."""

    file: str
    system: bool
    dialect: str
    table: Table
    lines: tuple[str, ...]
    root: bool = False  #: it is root's

    @property
    def shown(self) -> str:
        """The file's name for a person."""
        return "stdin" if self.file == "-" else printable(self.file)


def read_source(file: str, *, system: bool | None, dialect: str, seed: int = 0) -> Source:
    """Read and parse `file` (`-` is stdin) as the daemon would. Raises Failure if it cannot be read.

    `system` None: decided by where the file is. `dialect` "auto": what this host's cron is. `seed` feeds `~`.
    """
    data = read_file(file)
    has_users = is_system(file) if system is None else system
    return source_of(data, file=file, system=has_users, dialect=dialect, seed=seed)


def source_of(
    data: bytes, *, file: str, system: bool, dialect: str, seed: int = 0, privileged: bool | None = None
) -> Source:
    """Parse `data` as `read_source` does what it read. `privileged` None: it is root's if we are root."""
    from crond.cli.host import dialect_of_host, rules_of_host
    from crond.model.crontab import parse_crontab

    rules = dialect_of_host() if dialect == "auto" else dialect
    root = os.geteuid() == 0 if privileged is None else privileged
    table = parse_crontab(
        data,
        system=system,
        privileged=root,
        dialect=rules,
        extensions=True,
        seed=seed,
        host=rules_of_host(),
    )
    return Source(file, system, rules, table, tuple(str(table).split("\n")), root)


def is_system(file: str) -> bool:
    """True if crontabs in this place have a user column: /etc/crontab and what lies in /etc/cron.d."""
    path = os.path.abspath(file)
    return path == "/etc/crontab" or path.startswith("/etc/cron.d/")


def read_file(file: str) -> bytes:
    """Return the bytes of `file` (`-` is stdin). Raises Failure if it cannot be read, or is no crontab."""
    try:
        if file == "-":
            data = sys.stdin.buffer.read(LIMIT + 1)
        else:
            with open(file, "rb") as opened:
                data = opened.read(LIMIT + 1)
    except OSError as error:
        raise Failure(f"{printable(file)}: {error.strerror}", Status.USAGE) from None
    if len(data) > LIMIT:
        raise Failure(f"{printable(file)}: larger than {LIMIT >> 20} MiB, so no crontab", Status.USAGE)
    return data
