"""Rules about settings lines: what cron takes literally though it looks like a shell's.

Knows each `NAME = value` as cron read it. Pure; called by `crond.sense.judge`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from crond.model.crontab import Problem
from crond.model.fields import Dialect
from crond.sense.rules import finding
from crond.sense.scene import Assignment, Scene

_EXPANSION = re.compile(r"\$\w|\$\{|\$\(|`", re.ASCII)
_TILDE = re.compile(r"(?:^|:)~(?:/|$|:)")
_COMMENT = re.compile(r"\s#(?:\s|$)")
_EXPORT = re.compile(r"[ \t]*(export|set|setenv|declare)[ \t]+\w+[ \t=]", re.ASCII)
_ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9@!:%\-.,_+]*", re.ASCII)
_ADDRESS_DEBIAN = re.compile(r"[A-Za-z0-9][A-Za-z0-9@!:%\-.,_+=/]*", re.ASCII)
#: Names whose values a shell never sees, so that nothing in them is expanded later.
_CRONS_OWN = ("PATH", "SHELL", "HOME", "MAILTO", "MAILFROM", "CRON_TZ", "RANDOM_DELAY", "LOGNAME")


def setting_findings(scene: Scene) -> Iterator[Problem]:
    """Yield what is odd about the settings lines of `scene`."""
    for one in scene.assignments:
        yield from _as_in_a_shell(one, scene.dialect)
        if one.name == "SHELL" and not scene.host.is_program(one.value):
            text = f"{one.value!r} is no program on this host by its full path: no command could be started"
            yield finding("shell-missing", one.line, one.column, text, "write the full path, as /bin/bash")
        elif one.name == "CRON_TZ" and scene.dialect is Dialect.CRONIE:
            if one.value and not scene.host.knows_zone(one.value):
                text = f"{one.value!r} is no time zone: the times below are read as UTC"
                yield finding("timezone-unknown", one.line, one.column, text, "a name such as Asia/Seoul")
        elif one.name == "TZ" and any(e.environment.get("TZ") == one.value for e in scene.entries):
            text = "TZ changes the environment of the jobs, not when they run"
            hint = "" if scene.dialect is Dialect.DEBIAN else f"for that: CRON_TZ={one.value}"
            yield finding("timezone-inert", one.line, one.column, text, hint)
        elif one.name == "MAILTO":
            yield from _mailto(one, scene.dialect)
    for number, line in enumerate(scene.lines[:-1], 1):
        found = _EXPORT.match(line)
        if found and all(a.line != number for a in scene.assignments):
            text = f"{found[1]!r} is the shell's; cron has no such word"
            yield finding("setting-export", number, found.start(1) + 1, text, "write NAME=value alone")


def _as_in_a_shell(one: Assignment, dialect: Dialect) -> Iterator[Problem]:
    mail = one.name in ("MAILTO", "MAILFROM") and dialect is Dialect.CRONIE
    expansion = None if mail else _EXPANSION.search(one.value)
    if expansion or (one.name in _CRONS_OWN and _TILDE.search(one.value)):
        what = "$ and ` are" if expansion else "~ is"
        text = f"{what} not expanded in a settings line: {one.name} is this text as it stands"
        hint = "write the value in full, or set it in the command"
        yield finding("setting-expansion", one.line, one.column, text, hint)
    comment = _COMMENT.search(one.value)
    if comment:
        text = f"{one.value[comment.start() + 1 :][:40]!r} is part of the value: no comment can follow one"
        yield finding("setting-comment", one.line, one.column, text, "put the comment on a line of its own")
    elif one.value.count('"') >= 2 and not one.value.startswith(("{", "[")):
        text = f"the quotes stay part of the value of {one.name}"
        yield finding("setting-quotes", one.line, one.column, text, "quotes go around the whole value")


def _mailto(one: Assignment, dialect: Dialect) -> Iterator[Problem]:
    address = _ADDRESS if dialect is Dialect.CRONIE else _ADDRESS_DEBIAN
    expanded = dialect is Dialect.CRONIE and "$" in one.value
    if one.value and not expanded and not address.fullmatch(one.value):
        text = "cron gives no such address to a mailer: no mail would be sent"
        hint = "addresses are separated by commas, without blanks"
        yield finding("mailto-unsafe", one.line, one.column, text, hint)
