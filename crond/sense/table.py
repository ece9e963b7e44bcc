"""Rules about a crontab as a whole: its line ends, its user column, entries that stand there twice, days off.

Pure; called by `crond.sense.judge`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from datetime import date

from crond.model.calendar import BadCalendar
from crond.model.crontab import Problem
from crond.model.fields import Dialect
from crond.sense.rules import finding
from crond.sense.scene import Scene


def table_findings(scene: Scene) -> Iterator[Problem]:
    """Yield what is odd about the crontab of `scene` as a whole."""
    for number, line in enumerate(scene.lines, 1):
        if line.endswith("\r"):
            text = "lines end in CR LF: the CR becomes part of commands, and @daily CR is no nickname"
            hint = "take them off: sed -i 's/\\r$//' FILE"
            yield finding("carriage-return", number, len(line), text, hint)
            break
    yield from _twice(scene)
    yield from _users(scene)
    yield from _days_off(scene)


#: What lets two equal lines do different things, or not at the same times.
_APART = (
    "timezone", "starts_at", "expires_at", "enabled", "skip_on", "depends_on", "condition", "wait_for",
    "env_file", "secret_env", "working_dir",
)  # fmt: skip


def _twice(scene: Scene) -> Iterator[Problem]:
    first: dict[Hashable, int] = {}
    for entry in scene.entries:
        same = (
            entry.schedule,
            entry.raw.strip(" \t"),
            entry.user,
            entry.options,
            entry.timezone,
            tuple(getattr(entry.policy, key) for key in _APART),
            entry.random_delay,
            tuple(sorted(entry.environment.items())),
        )
        if same in first:
            text = f"the same as line {first[same]}: the command is started twice"
            yield finding("entry-twice", entry.line, entry.column, text, "remove one of them")
        else:
            first[same] = entry.line


def _days_off(scene: Scene) -> Iterator[Problem]:
    asked: set[str] = set()
    for entry in scene.entries:
        for source in entry.policy.skip_on:
            if source not in asked:  # they may come from defaults, for all entries
                asked.add(source)
                try:
                    scene.host.days_off(source, date(scene.year, 1, 1))
                except BadCalendar as error:
                    yield finding("days-off-unknown", entry.line, entry.column, str(error))


def _users(scene: Scene) -> Iterator[Problem]:
    for command in scene.commands:
        entry = command.entry
        if entry.user is None or scene.host.has_account(entry.user):
            continue
        column = max(scene.lines[entry.line - 1].rfind(entry.user, 0, command.column - 1), 0) + 1
        if "/" in entry.user:
            text = f"{entry.user!r} stands where a system crontab has the user"
            yield finding(
                "user-missing", entry.line, column, text, "write the user before the command: root ..."
            )
        else:
            whole = scene.dialect is Dialect.DEBIAN
            does = "the whole file is ignored" if whole else "this would not be run"
            text = f"there is no account {entry.user!r} on this host: {does}"
            yield finding("user-unknown", entry.line, column, text)
