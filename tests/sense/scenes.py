"""What tests of the rules share: a host of which everything is known, and crontabs in front of it."""

from __future__ import annotations

from datetime import date
from typing import Any

from crond.calendars.daysoff import day_off
from crond.calendars.rules import days_of_rule
from crond.core.zone import Zone
from crond.model.crontab import Problem, parse_crontab
from crond.model.fields import Dialect
from crond.sense.judge import judge
from crond.sense.scene import Scene
from crond.zones import tzinfo_named, zone_named

_PROGRAMS = frozenset(
    f"/bin/{name}" for name in ("sh", "bash", "ls", "true", "date", "cat")
) | {
    "/usr/bin/ls", "/usr/bin/mail", "/usr/bin/mysqldump", "/usr/bin/python3", "/usr/sbin/logrotate",
    "/usr/local/bin/backup",
}  # fmt: skip


class FakeHost:
    """A host in New York with a few programs, and the accounts root and alice."""

    zone = zone_named("America/New_York")
    zone_name = "America/New_York"

    def zone_named(self, name: str) -> Zone:
        return zone_named(name)

    def rules(self, rule: str, year: int, month: int) -> frozenset[int]:
        return days_of_rule(rule, year, month)

    def days_off(self, source: str, day: date) -> str | None:
        return day_off(source, day)

    def is_program(self, path: str) -> bool:
        return path in _PROGRAMS

    def has_account(self, name: str) -> bool:
        return name in ("root", "alice")

    def knows_zone(self, name: str) -> bool:
        return tzinfo_named(name) is not None


def scene_of(
    text: str | bytes, *, system: bool = False, dialect: str = "cronie", root: bool = False, year: int = 2026
) -> Scene:
    """Return `text` in front of the fake host."""
    table = parse_crontab(text, system=system, privileged=root, dialect=dialect, extensions=True)
    return Scene(table, Dialect(dialect), system, root, year, FakeHost())


def findings(text: str | bytes, *, portable: bool = False, **how: object) -> tuple[Problem, ...]:
    """Return all that is said about `text`."""
    return judge(scene_of(text, **how), portable=portable)  # type: ignore[arg-type] # as scene_of's


def codes(text: str | bytes, **how: Any) -> list[str]:
    """Return the codes of all that is said about `text`, in order."""
    return [found.code for found in findings(text, **how)]
