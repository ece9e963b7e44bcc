"""The command line of crontab(1), as cronie reads it and as Debian's crontab does.

Owns the flags, the order in which they are judged, and what is said of a wrong one. Does nothing that was
asked. Called by crontab.
"""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crond.cli.failure import Failure
from crond.cli.format import printable

#: In the notation of getopt(3): a colon where a flag takes a value.
_FLAGS = {"cronie": "u:lerinbcVTx:s", "debian": "u:hnleri"}
#: Of these only one may be given.
_OPERATIONS = {"cronie": "lercnT", "debian": "lerh"}
_DEBUG = frozenset(("ext", "sch", "proc", "pars", "load", "misc", "test", "bit"))

_USAGE = {
    "cronie": """\
usage:	crontab [-u user] [-b] file | -
	crontab [-u user] [-b] [-i] { -l | -e | -r }
	crontab -T file | -
	crontab { -c | -n [host] | -V }

	file	(install this file; - is standard input)
	-u user	(whose crontab; for root)
	-l	(show the crontab)
	-e	(edit the crontab)
	-r	(remove the crontab)
	-i	(with -r: ask before)
	-b	(no backup of what is replaced or removed)
	-T file	(check this file, install nothing)
	-c	(show which host of a cluster runs the users' crontabs)
	-n host	(say which one is to; without a name, this one)
	-V	(show the version)
""",
    "debian": """\
usage:	crontab [-u user] [-n] file | -
	crontab [ -u user ] [ -i ] { -e | -l | -r }

	-h	(show this)

	file	(install this file; - is standard input)
	-n	(dry run: check the file, install nothing)
	-u user	(whose crontab)

	-e	(edit the crontab)
	-l	(show the crontab)
	-r	(remove the crontab)

	-i	(with -r: ask before)
""",
}


class UsageError(Exception):
    """A command line that makes no sense. `reason` is what getopt(3) would print by itself, if anything."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(slots=True)
class Asked:
    """What a command line asks for. `operation` is a flag's letter; empty: install `file`."""

    operation: str = ""
    user: str = ""  #: named by -u, empty: oneself
    file: str = ""
    host: str = ""  #: of -n, cronie
    ask: bool = False
    dry_run: bool = False
    backup: bool = True


def usage(dialect: str) -> str:
    """Return the text that says which flags there are."""
    return _USAGE[dialect]


def read_arguments(arguments: Sequence[str], dialect: str) -> Asked:
    """Return what `arguments` ask for. Raises UsageError, Failure."""
    asked = Asked()
    operands: list[str] = []
    for flag, value in _options(arguments, _FLAGS[dialect]):
        if not flag:
            operands.append(value)
        elif flag == "V":
            asked.operation = "V"
            return asked
        elif flag in _OPERATIONS[dialect]:
            if asked.operation:
                raise UsageError("only one operation permitted")
            asked.operation = flag
            _check_company(asked, dialect)
        else:
            _set(asked, flag, value, dialect)
    _take_operands(asked, operands, dialect, alone=not arguments)
    return asked


def _options(arguments: Sequence[str], known: str) -> Iterator[tuple[str, str]]:
    """Yield (flag, value) in order, then ("", operand) for each operand, as GNU's getopt does."""
    operands: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            operands += rest
            break
        if word == "-" or not word.startswith("-"):
            operands.append(word)
            continue
        letters = word[1:]
        while letters:
            flag, letters = letters[0], letters[1:]
            at = known.find(flag)
            if at < 0 or flag == ":":
                raise UsageError("unrecognized option", f"invalid option -- '{printable(flag)}'")
            if known[at + 1 : at + 2] != ":":
                yield flag, ""
                continue
            if not letters and not rest:
                raise UsageError("unrecognized option", f"option requires an argument -- '{flag}'")
            yield flag, letters or rest.pop(0)
            break
    yield from (("", operand) for operand in operands)


def _set(asked: Asked, flag: str, value: str, dialect: str) -> None:
    """Note a flag that is no operation."""
    if flag == "u":
        asked.user = _account(value, dialect)
        _check_company(asked, dialect)
    elif flag == "i":
        asked.ask = True
    elif flag == "b":
        asked.backup = False
    elif flag == "n":
        asked.dry_run = True
    elif flag == "x":
        if not value or not set(value.split(",")) <= _DEBUG:
            raise UsageError("bad debug option")
    else:
        raise Failure("-s: contexts of SELinux are not kept here")


def _account(name: str, dialect: str) -> str:
    """Return `name` if it is an account whose crontab we may ask for. Raises Failure."""
    refused = Failure("must be privileged to use -u", whole=True)
    if dialect == "cronie" and os.getuid() != 0:
        raise refused
    try:
        found = pwd.getpwnam(name)
    except (KeyError, ValueError):  # ValueError: what cannot be encoded
        raise Failure(f"crontab:  user `{printable(name)}' unknown", whole=True) from None
    if os.getuid() not in (0, found.pw_uid):
        raise refused
    return found.pw_name


def _check_company(asked: Asked, dialect: str) -> None:
    """Raise Failure for what only root may ask, or for -u beside what concerns no user (cronie)."""
    if dialect != "cronie" or not asked.operation or asked.operation not in "ncT":
        return
    if asked.operation == "n" and os.getuid() != 0:
        raise Failure("must be privileged to set host with -n", whole=True)
    if asked.user:
        raise Failure(f"cannot use -u with -{asked.operation}", whole=True)


def _take_operands(asked: Asked, operands: list[str], dialect: str, *, alone: bool) -> None:
    """Note the file, or the host of cronie's -n. Of more operands neither cron takes notice."""
    if asked.operation == "n":
        asked.host = operands.pop(0) if operands else os.uname().nodename
    if asked.operation not in ("", "T"):
        if operands:
            raise UsageError("no arguments permitted after this option")
        return
    if operands:
        asked.file = operands[0]
    elif dialect == "debian" and not alone:
        raise UsageError("file name must be specified for replace")
    elif dialect == "cronie" and sys.stdin.isatty():
        raise UsageError("file name or - (for stdin) must be specified")
    else:
        asked.file = "-"
