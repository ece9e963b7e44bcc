"""What the rules look at: a parsed crontab, how another cron would parse it, and facts about a host.

The crontab comes from crond.model; the facts come in through `Host`, so that nothing here touches a file,
a clock or an account. Made by the client, one for each crontab that is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from posixpath import basename
from typing import Protocol

from crond.core.zone import Zone, ZoneNamed
from crond.model.assignment import parse_assignment
from crond.model.calendar import DaysOff
from crond.model.crontab import Table, parse_crontab
from crond.model.entry import DEFAULT_PATH, Entry
from crond.model.fields import Dialect
from crond.model.schedule import DayRules
from crond.sense.shell import Simple, read_commands

OTHER = {Dialect.CRONIE: Dialect.DEBIAN, Dialect.DEBIAN: Dialect.CRONIE}
CALLED = {Dialect.CRONIE: "cronie", Dialect.DEBIAN: "Debian's cron"}
_SHELLS = frozenset(("sh", "dash", "bash", "ash", "ksh", "ksh93", "mksh", "zsh", "busybox", "rbash"))
_BLANK = " \t"


class Host(Protocol):
    """Facts about the host that the crontab is checked on. `zone` is its daemon's."""

    @property
    def zone(self) -> Zone: ...

    @property
    def zone_name(self) -> str: ...

    @property
    def zone_named(self) -> ZoneNamed: ...

    @property
    def rules(self) -> DayRules: ...

    @property
    def is_program(self) -> Callable[[str], bool]:
        """True if the path, absolute, is a file that can be executed."""

    @property
    def has_account(self) -> Callable[[str], bool]:
        """True if the host has an account of that name."""

    @property
    def knows_zone(self) -> Callable[[str], bool]:
        """True if the text is a zone that CRON_TZ may name."""

    @property
    def days_off(self) -> DaysOff:
        """Says which days `skip_on` leaves out."""


@dataclass(frozen=True, slots=True)
class Command:
    """The command of an entry: `raw` is as written, up to its first unescaped `%`.

    `column` (from 1) is where it begins in its line; `parts` is None where it is not surely understood, or
    where SHELL is no shell that we know.
    """

    entry: Entry
    raw: str
    column: int
    percent: int | None  #: offset of the first unescaped `%` in the text as written
    parts: tuple[Simple, ...] | None


@dataclass(frozen=True, slots=True)
class Assignment:
    """A settings line."""

    line: int
    column: int
    name: str
    value: str


@dataclass(frozen=True)
class Scene:
    """One crontab. `root`: it is root's. `year`: whose nights of daylight saving are looked at."""

    table: Table
    dialect: Dialect
    system: bool
    root: bool
    year: int
    host: Host

    @cached_property
    def lines(self) -> tuple[str, ...]:
        return tuple(str(self.table).split("\n"))

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The entries, also those of a file that Debian's cron would ignore for another line's error."""
        return self._entries_of(self.table, self.dialect)

    @cached_property
    def other(self) -> Table:
        """The same text, parsed by the other dialect's rules."""
        return self._parsed(self.table.text, OTHER[self.dialect])

    @cached_property
    def other_entries(self) -> tuple[Entry, ...]:
        """As `entries`, by the other dialect's rules."""
        return self._entries_of(self.other, OTHER[self.dialect])

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        return tuple(self._command(entry) for entry in self.entries)

    @cached_property
    def assignments(self) -> tuple[Assignment, ...]:
        return tuple(_assignments(self.lines, self.dialect))

    def as_root(self, entry: Entry) -> bool:
        """True if the entry's processes run as root."""
        return entry.user == "root" if self.system else self.root

    def path_of(self, entry: Entry) -> str:
        return entry.environment.get("PATH", DEFAULT_PATH[self.dialect])

    def find_program(self, name: str, path: str) -> str | None:
        """Return where `name` is found on `path` (folders between colons), or None."""
        folders = (folder for folder in path.split(":") if folder.startswith("/"))
        return next((f"{f}/{name}" for f in folders if self.host.is_program(f"{f}/{name}")), None)

    def _entries_of(self, table: Table, dialect: Dialect) -> tuple[Entry, ...]:
        if dialect is Dialect.CRONIE or not table.syntax_errors:
            return table.entries
        lines = list(self.lines)
        for problem in table.syntax_errors:
            if problem.line <= len(lines):
                lines[problem.line - 1] = ""
        text = "\n".join(lines).encode("utf-8", "surrogateescape")
        return self._parsed(text, dialect).entries

    def _parsed(self, text: bytes, dialect: Dialect) -> Table:
        return parse_crontab(text, system=self.system, privileged=self.root, dialect=dialect, extensions=True)

    def _command(self, entry: Entry) -> Command:
        percent = percent_of(entry.raw)
        raw = entry.raw if percent is None else entry.raw[:percent]
        shell = basename(entry.environment.get("SHELL", "/bin/sh"))
        parts = read_commands(raw) if shell in _SHELLS else None
        line = self.lines[entry.line - 1]
        # A command that is longer than cron's limit is not the end of its line.
        at = len(line) - len(entry.raw) if line.endswith(entry.raw) else max(line.find(entry.raw), 0)
        return Command(entry, raw, at + 1, percent, parts)


def percent_of(raw: str) -> int | None:
    """Return the offset of the first `%` in a command as written that no backslash escapes, or None."""
    at = 0
    while at < len(raw):
        if raw[at] == "%":
            return at
        at += 2 if raw[at] == "\\" else 1
    return None


def _assignments(lines: tuple[str, ...], dialect: Dialect) -> Iterator[Assignment]:
    for number, line in enumerate(lines[:-1], 1):  # what follows the last line feed is no line to cron
        stripped = line.lstrip(_BLANK)
        if stripped and stripped[0] != "#" and "\0" not in stripped:
            found = parse_assignment(stripped, dialect=dialect)
            if found is not None:
                yield Assignment(number, len(line) - len(stripped) + 1, *found)
