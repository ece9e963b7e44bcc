"""A settings line, `NAME = value`: cron's own reading of it, which is not the shell's.

No identifier check, no `export`, no expansion, no escapes. Whitespace is C's isspace() here, while between
the fields of an entry it is only space and tab. Pure; called by `crond.model.crontab` for each line, first.
"""

from __future__ import annotations

from crond.model.fields import Dialect

_SPACE = " \t\v\f\r"
_QUOTES = "'\""


def parse_assignment(line: str, *, dialect: Dialect = Dialect.CRONIE) -> tuple[str, str] | None:
    """Return (name, value), or None where cron would go on and try the line as an entry."""
    if "=" not in line:
        return None  # nearly all lines
    split = _name(line)
    if split is None:
        return None
    name, rest = split
    rest = rest.lstrip(_SPACE)
    if not rest.startswith("="):
        return None
    value = rest[1:].lstrip(_SPACE)
    quoted = value[:1] in _QUOTES and value != ""
    if quoted:
        end = value.find(value[0], 1)
        if end > 0 and not value[end + 1 :].strip(_SPACE):
            value = value[1:end]
        elif value == '"' or (value == "'" and rest[1:] != value):
            # Both crons read past the end of the line after a lone quote. This is what was recorded of them:
            # A=" and A= ' set an empty value, A=' is no assignment.
            value = ""
        else:
            return None
    else:
        value = value.rstrip(_SPACE)
    if dialect is Dialect.DEBIAN:
        if not value and not quoted:
            return None
        if len(value) >= 2 and value[0] in _QUOTES and value[-1] == value[0]:
            value = value[1:-1]
    return name, value


def _name(line: str) -> tuple[str, str] | None:
    """Split off the name: (name, what follows it)."""
    if line[:1] in _QUOTES and line:
        end = line.find(line[0], 1)
        if end < 0 or "=" in line[1:end]:
            return None
        return line[1:end], line[end + 1 :]
    for at, character in enumerate(line):
        if character == "=" or character in _SPACE:
            return line[:at], line[at:]
    return None
