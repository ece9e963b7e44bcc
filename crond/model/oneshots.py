r"""One-shots: a command that runs once, as two lines of a crontab, and back.

Owns how a command of any text becomes one line: `%` as `\%`, and what a line cannot say as it is (newlines,
some backslashes) as the words of a `printf`. The lines are of the ordinary language, the same under both
dialects. Pure; called by the launcher, which alone writes such tables and gives their names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from crond.model.crontab import Table
from crond.model.entry import Entry
from crond.model.schedule import At

#: What names begin with.
PREFIX = "at-"
#: The longest command in bytes, as it stands on its line: a program is given no longer argument.
LINE_LIMIT = 128 * 1024 - 1

_HEAD, _TAIL = "eval \"$(printf %b '", "')\""
#: What `printf %b` reads as these; under both dialects a backslash before a 0 or n stays as it is.
_ESCAPES = {"\\": "\\0134", "'": "\\0047", "%": "\\0045", "\n": "\\n"}
_ESCAPED = re.compile(r"\\0134|\\0047|\\0045|\\n")
_BACK = {escaped: plain for plain, escaped in _ESCAPES.items()}
#: Two of them are one under Debian's rules; before a percent sign one cannot be said at all.
_UNSAYABLE = ("\n", "\\\\", "\\%")
#: What would be an option of cron, a sixth field, or be taken for words of ours.
_NO_BEGINNING = ("-", "*", _HEAD)


@dataclass(frozen=True, slots=True)
class OneShot:
    """`command` may have several lines, and is `tidied`. `at` is aware. `directory` is where it starts, an
    absolute path.
    """

    name: str
    at: datetime
    command: str
    directory: str
    umask: int


def tidied(command: str) -> str:
    """Return `command` without what would not come back: blanks before it, ends of lines behind it."""
    # A blank at the end may be one that a backslash holds.
    return command.lstrip(" \t\n").rstrip("\n")


def lines_of(shot: OneShot) -> str:
    """Return the two lines of `shot`. Raises ValueError where a line cannot say it; the text says why."""
    command = _one_line(shot.command)
    if not command:
        raise ValueError("there is no command")
    if len(command.encode("utf-8", "surrogateescape")) > LINE_LIMIT:
        raise ValueError("the command is too long for one line; put it into a file")
    for what, text in (("command", shot.command), ("name of the folder", shot.directory)):
        if "\0" in text:
            raise ValueError(f"a NUL byte cannot be part of a {what}")
    if "\n" in shot.directory:
        raise ValueError("a folder with a line feed in its name cannot be kept")
    if not shot.directory.startswith("/"):
        raise ValueError(f"{shot.directory} is no absolute path")
    annotation = f"#: name={shot.name} working_dir={_quoted(shot.directory)} umask={shot.umask:03o}"
    # As at(1): what came while the host was off runs when it is back.
    annotation += " catchup=latest catchup_window=3650d"
    return f"{annotation}\n@at {shot.at.isoformat()} {command}\n"


def shot_of(entry: Entry) -> OneShot | None:
    """Return what `entry` says if it is a one-shot, else None."""
    schedule, policy = entry.schedule, entry.policy
    if not isinstance(schedule, At) or schedule.moment.tzinfo is None or entry.name is None:
        return None
    return OneShot(entry.name, schedule.moment, _command(entry), policy.working_dir or "/", policy.umask or 0)


def without(table: Table, unwanted: Callable[[Entry], bool]) -> bytes:
    """Return the text of `table` without the lines of its `unwanted` entries, annotations among them."""
    gone: set[int] = set()
    for entry in table.entries:
        if unwanted(entry):
            gone.update((entry.line, *(annotation.line for annotation in entry.annotations)))
    lines = table.text.split(b"\n")
    return b"\n".join(line for number, line in enumerate(lines, 1) if number not in gone)


def same(entries: Iterable[Entry]) -> Callable[[Entry], bool]:
    """Return what is true of an entry that says the same as one of `entries`, wherever it stands."""
    known = {_identity(entry) for entry in entries}
    return lambda entry: _identity(entry) in known


def _identity(entry: Entry) -> tuple[str | None, str, str]:
    return entry.name, str(entry.schedule), entry.raw


# --- one line ----------------------------------------------------------------------------------------


def _one_line(command: str) -> str:
    if command.startswith(_NO_BEGINNING) or any(text in command for text in _UNSAYABLE):
        command = _HEAD + "".join(_ESCAPES.get(character, character) for character in command) + _TAIL
    return command.replace("%", "\\%")


def _command(entry: Entry) -> str:
    command = entry.command
    if command.startswith(_HEAD) and command.endswith(_TAIL):
        return _ESCAPED.sub(lambda found: _BACK[found[0]], command[len(_HEAD) : -len(_TAIL)])
    return command


def _quoted(text: str) -> str:
    """`text` as one word of an annotation, which is split as a shell does."""
    return "'" + text.replace("'", "'\\''") + "'"
