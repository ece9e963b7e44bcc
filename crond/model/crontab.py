"""A crontab: bytes become a Table of entries, settings and problems, and `str(table)` is the text again.

The one reader of crontabs: launcher, scheduler and client parse with it, from the same bytes and seed, and so
name the same entry by the same number. Knows cron's lines, dialects and limits; what annotations mean is
`crond.model.scope`'s. Knows no file, no user and no clock. Never raises on any text: what is wrong with it is
a Problem.
"""

from __future__ import annotations

import random
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from crond.model.annotations import PUPPET, Annotation, is_annotation, marker_name, stands_alone
from crond.model.assignment import parse_assignment
from crond.model.entry import Entry
from crond.model.fields import KINDS, LONGEST_KEPT, BadField, Dialect, Field, parse_field
from crond.model.host import NO_HOST, Host
from crond.model.policy import PLAIN, Policy
from crond.model.problem import Problem, Severity
from crond.model.schedule import NICKNAMES, After, Cron, Schedule, cron_of
from crond.model.scope import Scope
from crond.model.specials import ALONE, BadSpecial, parse_special
from crond.model.values import Rules

__all__ = ["BAD_DELAY", "ONLY_PRIVILEGED", "Problem", "Severity", "Table", "parse_crontab"]

#: An attribute of an enum takes longer to find than a name, and each line asks many times.
_CRONIE, _DEBIAN = Dialect.CRONIE, Dialect.DEBIAN
_BLANK = " \t"
_BLANKS = re.compile(r"[ \t]*")
_WORD = re.compile(r"[^ \t]*")
_FIVE = re.compile(r"[^ \t]+(?:[ \t]+[^ \t]+){4}")
_COMMAND_LIMIT = 131071  # cronie's MAX_COMMAND, without its NUL
_DEBIAN_COMMAND_LIMIT = 998
#: What is read of a settings line, in bytes; what is longer could not be given to a process either.
_ASSIGNMENT_LENGTH = {Dialect.CRONIE: 131071, Dialect.DEBIAN: 998}
_DEBIAN_LINE_LIMIT = 10000
_ENTRY_LIMIT = 10000
_ASSIGNMENT_LIMIT = 1000
_GARBAGE_LIMIT = 32768
#: Not cron's: a file of nothing but bad lines would keep the daemon from everybody else's for a minute.
_ERROR_LIMIT = 10000

#: Messages and hints that cron's log has lines of its own for.
BAD_DELAY = "bad value of RANDOM_DELAY"
ONLY_PRIVILEGED = "Only privileged user can disable logging"


@dataclass(frozen=True, slots=True)
class Table:
    """A parsed crontab. `environment` is what its settings come to at its end; `pools` are slots by name."""

    text: bytes
    entries: tuple[Entry, ...]
    environment: Mapping[str, str]
    problems: tuple[Problem, ...]
    pools: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text.decode("utf-8", "surrogateescape")

    def __bytes__(self) -> bytes:
        return self.text

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems for which crontab(1) would refuse the file, those of annotations among them."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def syntax_errors(self) -> tuple[Problem, ...]:
        """Cron's own errors: what stands there is left out."""
        return tuple(problem for problem in self.problems if problem.drops)


class _BadLine(Exception):
    def __init__(self, column: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.column = column
        self.hint = hint


def parse_crontab(
    text: bytes | str,
    *,
    system: bool = False,
    privileged: bool = False,
    dialect: Dialect | str = Dialect.CRONIE,
    extensions: bool = False,
    seed: int = 0,
    random_delay: str = "",
    host: Host = NO_HOST,
) -> Table:
    """Parse a crontab.

    `system`: the lines have a user column. `privileged`: it is root's own, so that a leading `-` is allowed.
    `dialect`: "cronie" or "debian". `extensions`: also `@every`, `@every_minute`, `@at` and `@after`, the day
    rules `L`, `15W`, `fri#2` ..., `-q` and `-s` before a command under cronie's rules, and annotations;
    without them it is cron and nothing else. `seed` feeds the draw of `~`: the same seed and text give the
    same table. `random_delay` is cronie's RANDOM_DELAY where the crontab does not set it. `host` is what the
    host says of every entry, the weakest of all that annotations say, and its pools, which these may name.

    A line in error is left out and the others stay, as in cronie; a broken limit, and under Debian's rules
    any error, empties the whole table. An error of an annotation leaves out what it says, and no entry.
    Raises ValueError only for an unknown dialect.
    """
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)
    return _Reader(
        data,
        system=system,
        privileged=privileged,
        dialect=Dialect(dialect),
        extensions=extensions,
        seed=seed,
        random_delay=random_delay,
        host=host,
    ).table()


class _Reader:
    """Walks the lines of one crontab, once."""

    def __init__(
        self,
        data: bytes,
        *,
        system: bool,
        privileged: bool,
        dialect: Dialect,
        extensions: bool,
        seed: int,
        random_delay: str,
        host: Host,
    ) -> None:
        self._data = data
        self._system = system
        self._may_silence = system or privileged
        self._dialect = dialect
        self._extensions = extensions
        self._default_delay = random_delay
        self._draw = random.Random(seed).randint
        self._entries: list[Entry] = []
        self._assignments = 0
        self._garbage = 0
        self._errors = 0
        self._environment: dict[str, str] = {}
        self._shared: Mapping[str, str] = MappingProxyType({})
        self._problems: list[Problem] = []
        rules = Rules(dialect, self._draw, root=system or privileged)
        self._scope = Scope(rules, host if extensions else NO_HOST, self._problems.append)
        self._block: list[Annotation] = []
        self._marker: str | None = None
        self._settings_may_follow = False
        self._refused: set[str] = set()

    def table(self) -> Table:
        for number, line in enumerate(_lines(self._data.decode("utf-8", "surrogateescape")), 1):
            if line.endswith("\n"):
                self._read(number, line[:-1])
            elif line.lstrip(_BLANK) and not line.lstrip(_BLANK).startswith("#"):
                text = "missing newline before EOF"
                self._error(number, len(line) + 1, text, "end the last line", code="newline-missing")
            if self._refused:
                break  # reading on would cost all users the time that a huge file takes
        self._drop_block()
        if self._extensions:
            self._scope.settle(self._entries)
        problems = tuple(sorted(self._problems, key=lambda problem: (problem.line, problem.column)))
        ignored = self._refused or (self._dialect is _DEBIAN and any(one.drops for one in problems))
        return Table(
            self._data,
            () if ignored else tuple(self._entries),
            MappingProxyType(self._environment),
            problems,
            MappingProxyType(self._scope.pools),
        )

    def _read(self, number: int, line: str) -> None:
        if self._dialect is _DEBIAN and number > _DEBIAN_LINE_LIMIT:
            self._refuse(number, f"crontab must not be longer than {_DEBIAN_LINE_LIMIT} lines")
            return
        stripped = line.lstrip(_BLANK)
        column = len(line) - len(stripped) + 1
        if not stripped or stripped[0] == "#":
            self._comment(number, column, stripped)
            return
        self._garbage = 0
        marker: str | None = None
        try:
            if "\0" in line:
                raise _BadLine(line.index("\0") + 1, "bad command", "a NUL byte cannot be part of a line")
            setting = _cut(stripped, _ASSIGNMENT_LENGTH[self._dialect])
            assignment = parse_assignment(setting, dialect=self._dialect)
            if assignment is not None:
                self._assign(number, *assignment)
                # Puppet writes the environment of a job between its marker and the line.
                marker = self._marker if self._settings_may_follow else None
            else:
                self._entries.append(self._entry(number, column, line))
                self._limit(number, len(self._entries), _ENTRY_LIMIT, "too many entries")
        except _BadLine as error:
            self._error(number, error.column, str(error), error.hint)
            self._errors += 1
            self._limit(number, self._errors, _ERROR_LIMIT, "too many errors")
        self._drop_block()
        self._marker = marker

    def _comment(self, number: int, column: int, stripped: str) -> None:
        self._garbage += column + len(stripped)
        self._limit(number, self._garbage, _GARBAGE_LIMIT, "too many garbage characters")
        if not is_annotation(stripped):
            self._drop_block()
            self._marker = marker_name(stripped)
            self._settings_may_follow = stripped.startswith(PUPPET)
            return
        annotation = Annotation(number, column, stripped[2:])
        if not self._extensions or not stands_alone(annotation):
            self._block.append(annotation)
            return
        self._drop_block()
        self._scope.declare(annotation)

    def _assign(self, number: int, name: str, value: str) -> None:
        self._assignments += 1
        self._limit(number, self._assignments, _ASSIGNMENT_LIMIT, "too many environment variables")
        self._environment[name] = value
        self._shared = MappingProxyType(dict(self._environment))

    def _entry(self, number: int, column: int, line: str) -> Entry:
        at = column - 1
        silent = line[at] == "-" and self._dialect is _CRONIE
        if silent:
            if not self._may_silence:
                raise _BadLine(at + 1, "bad option", ONLY_PRIVILEGED)
            at += 1
        schedule, at = self._special(line, at) if line[at : at + 1] == "@" else self._fields(number, line, at)
        if line[at : at + 1] == "*" and not (self._system and self._dialect is _DEBIAN):
            raise _BadLine(at + 1, "bad command", "five fields and then the command: is there a sixth field?")
        user: str | None = None
        if self._system:
            user, at = self._user(line, at)
        options, at = self._options(line, at)
        raw = self._command(line, at)
        # Last: what comes before it may refuse the line, and with it the block.
        block, name, policy = self._annotated(schedule)
        return Entry(
            line=number,
            column=column,
            schedule=policy.schedule or schedule,
            raw=raw,
            environment=self._shared,
            dialect=self._dialect,
            user=user,
            name=name,
            annotations=block,
            policy=policy,
            timezone=self._timezone(),
            random_delay=self._random_delay(number),
            mail_when_failed="-n" in options,
            log_start=not silent and "-q" not in options,
            single_instance="-s" in options,
        )

    def _fields(self, number: int, line: str, at: int) -> tuple[Schedule, int]:
        five = _FIVE.match(line, at)
        if five is not None and five.end() - at <= LONGEST_KEPT:
            known = _known_schedule(five[0], self._dialect, self._extensions)
            if known is not None:
                return known, _skip(line, five.end())
        fields: list[Field] = []
        start = at
        end = at
        for kind in KINDS:
            word, at = _word(line, at)
            if not word:
                raise _BadLine(at + 1, kind.word, "five fields and a command belong on a line")
            end = at
            try:
                field = parse_field(
                    word, kind, dialect=self._dialect, extensions=self._extensions, draw=self._draw
                )
            except BadField as error:
                raise _BadLine(at - len(word) + error.offset + 1, str(error), error.hint) from None
            for offset, text, code in field.warnings:
                self._warn(number, at - len(word) + offset + 1, text, code=code)
            fields.append(field)
            at = _skip(line, at)
        return cron_of(tuple(fields), line[start:end]), at

    def _special(self, line: str, at: int) -> tuple[Schedule, int]:
        word, end = _word(line, at)
        nickname = (ALONE if self._extensions else NICKNAMES).get(word)
        if nickname is not None:
            return nickname, _skip(line, end)
        if not self._extensions:
            raise _BadLine(at + 1, "bad time specifier", _nickname_hint(word))
        argument, after = _word(line, _skip(line, end))
        try:
            return parse_special(word, argument), _skip(line, after)
        except BadSpecial as error:
            raise _BadLine(at + 1, "bad time specifier", str(error) or _nickname_hint(word)) from None

    def _user(self, line: str, at: int) -> tuple[str, int]:
        user, end = _word(line, at)
        debian = self._dialect is _DEBIAN
        if debian and (not user or user.startswith("*")):
            raise _BadLine(at + 1, "bad username")
        if not user or end == len(line):
            raise _BadLine(at + 1, "bad command", "a system crontab has a user before the command")
        # Debian's cron takes one blank off; what follows is the command's, and so in the log and in mail.
        return user, min(end + 1, len(line)) if debian else _skip(line, end)

    def _options(self, line: str, at: int) -> tuple[set[str], int]:
        """Read what stands before the command: cronie's `-n`, and as extensions OpenBSD's `-q` and `-s`."""
        found: set[str] = set()
        known = ("-n", "-q", "-s") if self._extensions else ("-n",)
        while line[at : at + 1] == "-" and self._dialect is not _DEBIAN:
            word, end = _word(line, at)
            if word not in known or word in found or end == len(line):
                hint = f"a command cannot begin with -; before it may stand, once each, {' '.join(known)}"
                raise _BadLine(at + 1, "bad option", hint)
            found.add(word)
            at = _skip(line, end)
        return found, at

    def _command(self, line: str, at: int) -> str:
        raw = line[at:]
        if self._dialect is _DEBIAN:
            if len(raw.encode("utf-8", "surrogateescape")) > _DEBIAN_COMMAND_LIMIT:
                raise _BadLine(at + 1, "command too long", f"at most {_DEBIAN_COMMAND_LIMIT} bytes")
            return raw
        if not raw:
            raise _BadLine(at + 1, "bad command", "there is no command")
        if len(raw) <= _COMMAND_LIMIT // 4:  # no character has more than four bytes
            return raw
        return _cut(raw, _COMMAND_LIMIT)

    def _timezone(self) -> str | None:
        # Debian's cron has no CRON_TZ; there it is a variable like any other.
        return (self._environment.get("CRON_TZ") or None) if self._dialect is _CRONIE else None

    def _random_delay(self, number: int) -> int:
        text = self._environment.get("RANDOM_DELAY", self._default_delay)
        if self._dialect is _DEBIAN:
            return 0
        delay = _leading_number(text)
        if not 0 <= delay <= 1440:
            self._warn(number, 1, BAD_DELAY, "minutes, from 0 to 1440", code="random-delay-bad")
            return 0
        return delay

    def _annotated(self, schedule: Schedule) -> tuple[tuple[Annotation, ...], str | None, Policy]:
        """Return the block above an entry, and the name and the policy that the entry has by it."""
        marker, held = self._marker, isinstance(schedule, After)
        if not self._block and marker is None and not held:
            return (), None, self._scope.policy  # nearly all entries
        block = tuple(self._take_block())
        if not self._extensions:
            return block, None, PLAIN
        if marker is not None and block:
            text = "what made this entry may write it anew without this annotation"
            hint = f"say it elsewhere: #: job {shlex.quote(marker)} ..."
            self._warn(block[0].line, block[0].column, text, hint, code="annotation-managed")
        name, policy = self._scope.entry(len(self._entries), block, marker)
        return block, name, policy

    def _take_block(self) -> list[Annotation]:
        block, self._block, self._marker = self._block, [], None
        return block

    def _drop_block(self) -> None:
        """A block above anything but an entry belongs to nothing; it must never slide to a later entry."""
        if not self._block:
            self._marker = None
            return
        for annotation in self._take_block():
            if self._extensions:
                text = "this annotation belongs to no entry"
                hint = "put it on the line above its entry"
                self._warn(annotation.line, annotation.column, text, hint, code="annotation-lost")

    def _limit(self, number: int, count: int, limit: int, message: str) -> None:
        # System crontabs have no limits, and Debian's cron has one of its own.
        over = count > limit and not self._system and self._dialect is _CRONIE
        if over and message not in self._refused:
            self._refuse(number, message)

    def _refuse(self, number: int, message: str) -> None:
        self._refused.add(message)
        self._error(number, 1, message, f"the whole file is refused: {message}")

    def _error(self, line: int, column: int, message: str, hint: str = "", *, code: str = "syntax") -> None:
        self._problems.append(Problem(line, column, "error", message, hint, code))

    def _warn(self, line: int, column: int, message: str, hint: str = "", *, code: str) -> None:
        self._problems.append(Problem(line, column, "warning", message, hint, code))


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of `text` with their ends: sixteen megabytes of newlines must not become a list."""
    at = 0
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        yield text[at:end]
        at = end


@lru_cache(maxsize=256)
def _leading_number(text: str) -> int:
    """Return what strtol() reads at the beginning of `text`."""
    digits = text.strip(_BLANK)
    sign, digits = (-1, digits[1:]) if digits[:1] == "-" else (1, digits)
    length = next((i for i, c in enumerate(digits) if c not in "0123456789"), len(digits))
    return sign * int(digits[: min(length, 9)] or "0")


@lru_cache(maxsize=16384)
def _known_schedule(text: str, dialect: Dialect, extensions: bool) -> Cron | None:
    """Return the schedule of five fields, None where there is more to say: an error, a warning, a draw.

    Most entries share their schedule with others, in the same table and in others.
    """
    if "~" in text:
        return None
    words = [word for word in _WORD.findall(text) if word]
    try:
        fields = tuple(
            parse_field(word, kind, dialect=dialect, extensions=extensions, draw=random.randint)
            for word, kind in zip(words, KINDS, strict=True)
        )
    except BadField:
        return None
    return None if any(field.warnings for field in fields) else cron_of(fields, text)


def _cut(text: str, limit: int) -> str:
    """Return what `limit` bytes hold of `text`, as cron's buffers do."""
    if 4 * len(text) <= limit:  # no character takes more
        return text
    data = text.encode("utf-8", "surrogateescape")
    return text if len(data) <= limit else data[:limit].decode("utf-8", "surrogateescape")


def _word(line: str, at: int) -> tuple[str, int]:
    """Return the word at `at` and where it ends: at a space, a tab or the end."""
    found = _WORD.match(line, at)
    return ("", at) if found is None else (found[0], found.end())


def _skip(line: str, at: int) -> int:
    found = _BLANKS.match(line, at)
    return at if found is None else found.end()


def _nickname_hint(word: str) -> str:
    if word.lower() in NICKNAMES:
        return f"nicknames are written in lower case: {word.lower()}"
    return "the nicknames are " + " ".join(NICKNAMES)
