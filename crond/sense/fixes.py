"""The diff that `check --fix` shows: annotations in place of what is built by hand around commands.

Changes nothing; the schedule, the user and every other line stay, which is verified by parsing the result.
What a wrapper is stands in `crond.sense.handmade`. Pure; called by the client.
"""

from __future__ import annotations

import difflib

from crond.model.annotations import marker_name
from crond.model.crontab import Table, parse_crontab
from crond.model.entry import split_percent
from crond.sense.handmade import peel, written
from crond.sense.scene import Command, Scene


class NoDiff(ValueError):
    """The crontab with annotations would not be the same crontab; the text says why."""


def fixed_diff(scene: Scene, file: str) -> str:
    """Return a unified diff against `file`, empty where there is nothing to replace. Raises NoDiff."""
    lines = list(scene.lines)
    above: dict[int, str] = {}
    for command in scene.commands:
        _fix(scene, command, lines, above)
    if not above:
        return ""
    after: list[str] = []
    for number, line in enumerate(lines, 1):
        after += [above[number], line] if number in above else [line]
    _compare(scene, "\n".join(after))
    return _diff(scene.lines, after, file)


def cautions(diff: str) -> list[str]:
    """Return what to know before `diff`, made by fixed_diff, is applied."""
    added = [line[1:].lstrip() for line in diff.splitlines() if line.startswith("+")]
    said = [word.partition("=")[0] for line in added if line.startswith("#: ") for word in line.split()[1:]]
    if "concurrency" in said:
        return ["concurrency= knows its own job alone: keep a lock that others take, too"]
    return []


def _fix(scene: Scene, command: Command, lines: list[str], above: dict[int, str]) -> None:
    entry = command.entry
    line = scene.lines[entry.line - 1]
    managed = entry.line > 1 and marker_name(scene.lines[entry.line - 2].lstrip(" \t")) is not None
    if command.percent is not None or command.parts is None or managed or line.endswith("\r"):
        return
    said = " ".join(annotation.text for annotation in entry.annotations)
    rest, found = entry.command.lstrip(" \t"), dict[str, str]()
    while (peeled := peel(rest)) is not None:
        if any(key in found or f"{key}=" in said for key, _ in peeled.annotations):
            break
        rest = peeled.rest
        found.update(peeled.annotations)
    raw = rest.replace("%", "\\%")
    # A backslash before a percent sign cannot be written in each dialect.
    if found and split_percent(raw, scene.dialect) == (rest, "") and line.endswith(entry.raw):
        lines[entry.line - 1] = line[: len(line) - len(entry.raw.lstrip(" \t"))] + raw
        indent = line[: entry.column - 1]
        above[entry.line] = indent + written(tuple(found.items()))


def _compare(scene: Scene, text: str) -> None:
    """Raise NoDiff unless `text` has the same entries, but for their commands and annotations."""
    table = parse_crontab(
        text, system=scene.system, privileged=scene.root, dialect=scene.dialect, extensions=True
    )
    if len(table.errors) > len(scene.table.errors):
        raise NoDiff(f"with annotations cron would refuse it: {table.errors[-1].message}")
    if _frame(table) != _frame(scene.table):
        raise NoDiff("with annotations its entries would be others")


def _frame(table: Table) -> list[object]:
    return [(e.schedule, e.user, e.environment, e.timezone, e.name, e.random_delay) for e in table.entries]


def _diff(before: tuple[str, ...], after: list[str], file: str) -> str:
    """As diff -u writes it. The last piece of a split at line feeds is what follows the last one."""
    old = [line + "\n" for line in before[:-1]] + [before[-1]] * bool(before[-1])
    new = [line + "\n" for line in after[:-1]] + [after[-1]] * bool(after[-1])
    shown = file.encode("unicode_escape").decode() if not file.isprintable() else file
    lines = difflib.unified_diff(old, new, shown, shown)
    return "".join(x if x.endswith("\n") else f"{x}\n\\ No newline at end of file\n" for x in lines)
