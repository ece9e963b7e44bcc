"""What the other cron would do differently with the same file: both parse it, and the results are compared.

Errors, settings, schedules, commands, standard input, zones. Pure; called by `crond.sense.judge`.
"""

from __future__ import annotations

from collections.abc import Iterator

from crond.model.assignment import parse_assignment
from crond.model.crontab import Problem
from crond.model.entry import Entry
from crond.model.fields import Dialect
from crond.model.schedule import Cron
from crond.sense.rules import finding
from crond.sense.scene import CALLED, OTHER, Scene

_FIELDS = ("minute", "hour", "day_of_month", "month", "day_of_week", "dom_star", "dow_star")
_ONLY_CRONIE = ("CRON_TZ", "RANDOM_DELAY")


def dialect_findings(scene: Scene) -> Iterator[Problem]:
    """Yield where the other dialect would do something else with the crontab of `scene`."""
    their = CALLED[OTHER[scene.dialect]]
    failing = {problem.line: problem for problem in scene.table.syntax_errors}
    theirs = {problem.line: problem for problem in scene.other.syntax_errors}
    for line in sorted(theirs.keys() - failing.keys()):
        whole = ", and with it the whole file" if OTHER[scene.dialect] is Dialect.DEBIAN else ""
        text = f"{their} refuses this line ({theirs[line].message}){whole}"
        yield finding("dialect-differs", line, theirs[line].column, text, theirs[line].hint)
    for line in sorted(failing.keys() - theirs.keys()):
        yield finding("dialect-differs", line, failing[line].column, f"{their} would take this line")
    settled = {*failing, *theirs}
    yield from _settings(scene, their, settled)
    by_line = {entry.line: entry for entry in scene.other_entries}
    for command in scene.commands:
        other = by_line.get(command.entry.line)
        if other is not None and other.line not in settled:
            for text in _differences(command.entry, other, their):
                yield finding("dialect-differs", other.line, command.entry.column, text)
                break


def _settings(scene: Scene, their: str, settled: set[int]) -> Iterator[Problem]:
    for one in scene.assignments:
        if one.line in settled:
            continue
        found = parse_assignment(scene.lines[one.line - 1].lstrip(" \t"), dialect=OTHER[scene.dialect])
        if found is None:
            yield finding("dialect-differs", one.line, one.column, f"{their} does not take this as a setting")
        elif found != (one.name, one.value):
            text = f"{their} sets {found[0]} to {found[1]!r}, not to {one.value!r}"
            yield finding("dialect-differs", one.line, one.column, text)
        elif one.name in _ONLY_CRONIE and one.value:
            obeyed = "only cronie" if scene.dialect is Dialect.DEBIAN else "Debian's cron does not"
            text = f"{obeyed} obey{'s' if scene.dialect is Dialect.DEBIAN else ''} {one.name}"
            yield finding("dialect-differs", one.line, one.column, text)


def _differences(own: Entry, other: Entry, their: str) -> Iterator[str]:
    if isinstance(own.schedule, Cron) and isinstance(other.schedule, Cron):
        for name in _FIELDS:
            if getattr(own.schedule, name) != getattr(other.schedule, name):
                field = (
                    name.replace("_", "-")
                    .replace("dom-star", "day-of-month")
                    .replace("dow-star", "day-of-week")
                )
                yield f"{their} reads the {field} field differently{_values(getattr(other.schedule, name))}"
    if own.user != other.user:
        yield f"{their} would run this as {other.user!r}"
    if own.options and not other.options:
        yield f"{their} has no such option, and takes the - for a part of the command"
    elif other.options and not own.options:
        yield f"{their} takes {' '.join(other.options)} for an option, not for a part of the command"
    # Debian's cron keeps the blanks before a command, which mean nothing to a shell.
    if own.command.lstrip(" \t") != other.command.lstrip(" \t"):
        yield f"{their} would run another command: backslashes mean something else to it"
    if own.stdin != other.stdin:
        yield f"{their} would give the command another standard input"


def _values(values: object) -> str:
    if not isinstance(values, frozenset):
        return ""
    shown = ",".join(str(value) for value in sorted(values)[:8])
    return f": {shown}{' ...' if len(values) > 8 else ''}" if values else ": no value at all"
