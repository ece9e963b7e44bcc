"""A command line read as a shell would read it, as far as that is sure; nothing is ever run.

Knows words, quotes, redirections and the operators between simple commands. What goes beyond (here-documents,
`case`, functions, `[[`) makes the whole line not understood, and then no rule judges it. Pure; called by the
rules about commands and by the fixes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_OPERATORS = ("&&", "||", "|&", ";", "|", "&", "(", ")")
_REDIRECTION = re.compile(r"\d*(?:&>>|&>|<<<|<<|>>|>\||<>|>&|<&|>|<)")
_PLAIN = re.compile(r"[^\s;&|<>()'\"\\`$]+")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=", re.ASCII)
_GLOB = frozenset("*?[{")
_OPENING = frozenset(("if", "then", "elif", "else", "while", "until", "do", "!", "{", "time"))
_CLOSING = frozenset(("fi", "done", "}"))
_BEYOND = frozenset(("case", "esac", "function", "select", "[[", "coproc"))
_BLANK = " \t"
#: Nested deeper than this, a line is not read.
_DEEPEST = 20


class NotUnderstood(ValueError):
    """The line holds what is not read here, or is no complete command."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word from `start` up to `end` (offsets in the line). `text` is its value, None where only a
    running shell would know.
    """

    start: int
    end: int
    raw: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Redirection:
    """`2>&1`, `>> log`: `sign` is `>`, `>>`, `>&` ...; `fd` the number before it, -1 for `&>`."""

    start: int
    end: int
    fd: int
    sign: str
    target: Word


@dataclass(slots=True)
class Simple:
    """A simple command. `after` is the operator before it ("" at the start), `start` where it begins."""

    after: str
    start: int
    end: int = 0
    assignments: list[Word] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    redirections: list[Redirection] = field(default_factory=list)
    inside: bool = False  #: of a group, a loop, an `if`

    @property
    def name(self) -> str | None:
        """The program's word, None if there is none or only a shell would know it."""
        return self.words[0].text if self.words else None


def read_commands(line: str) -> tuple[Simple, ...] | None:
    """Return the simple commands of `line` in order, or None if it is not surely understood."""
    try:
        return tuple(_Reader(line).commands())
    except NotUnderstood:
        return None


class _Reader:
    """Walks a line once, from left to right."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._at = 0

    def commands(self) -> Iterator[Simple]:
        depth = 0
        current = Simple("", 0)
        while True:
            self._blanks()
            if self._at >= len(self._line) or self._line[self._at] == "#":
                break
            redirection = self._redirection()
            if redirection is not None:
                current.redirections.append(redirection)
                current.end = redirection.end
                continue
            operator = self._operator()
            if operator:
                depth += (operator == "(") - (operator == ")")
                if depth < 0 or (operator == "(" and current.words):
                    raise NotUnderstood
                yield from _complete(current)
                current = Simple(operator, self._at, inside=depth > 0)
                continue
            word = self._word()
            depth += self._put(current, word)
            current.inside = current.inside or depth > 0
            current.end = word.end
        if depth != 0:
            raise NotUnderstood
        yield from _complete(current)

    def _put(self, current: Simple, word: Word) -> int:
        """Add `word` to `current`; return by how much it opens or closes a group."""
        if not current.words:
            if word.raw in _BEYOND:
                raise NotUnderstood
            if not current.assignments and word.raw in _OPENING | _CLOSING:
                current.inside = True
                current.start = word.end
                return (word.raw in ("if", "while", "until", "{")) - (word.raw in _CLOSING)
            if _ASSIGNMENT.match(word.raw):
                current.assignments.append(word)
                return 0
        if not current.words and not current.assignments:
            current.start = word.start
        current.words.append(word)
        return 1 if word.raw == "for" and len(current.words) == 1 else 0

    def _blanks(self) -> None:
        while self._at < len(self._line) and self._line[self._at] in _BLANK:
            self._at += 1

    def _operator(self) -> str:
        for operator in _OPERATORS:
            if self._line.startswith(operator, self._at):
                self._at += len(operator)
                return operator
        return ""

    def _redirection(self) -> Redirection | None:
        found = _REDIRECTION.match(self._line, self._at)
        if found is None:
            return None
        sign = found[0].lstrip("0123456789")
        number = found[0][: len(found[0]) - len(sign)]
        self._at = found.end()
        if sign == "<<" or self._line[self._at : self._at + 1] == "(":
            raise NotUnderstood
        self._blanks()
        target = self._word()
        default = -1 if sign.startswith("&") else int(sign.startswith(">"))
        return Redirection(found.start(), target.end, int(number[:6] or default), sign, target)

    def _word(self) -> Word:
        start = self._at
        value: list[str] | None = []
        while self._at < len(self._line):
            character = self._line[self._at]
            if character in " \t;&|<>()":
                break
            piece = self._piece(character, first=self._at == start)
            if piece is None:
                value = None
            elif value is not None:
                value.append(piece)
        if self._at == start or self._line[self._at : self._at + 1] == "(":
            raise NotUnderstood
        text = None if value is None else "".join(value)
        return Word(start, self._at, self._line[start : self._at], text)

    def _piece(self, character: str, *, first: bool) -> str | None:
        """Pass over one part of a word; return what it stands for, None if only a shell knows."""
        if character == "'":
            return self._quoted()
        if character == '"':
            return self._double_quoted()
        if character in "$`":
            self._expansion(0)
            return None
        if character == "\\":
            self._at += 2
            if self._at > len(self._line):
                raise NotUnderstood
            return self._line[self._at - 1]
        plain = _PLAIN.match(self._line, self._at)
        if plain is None:
            raise NotUnderstood
        self._at = plain.end()
        unknown = (first and character == "~") or not _GLOB.isdisjoint(plain[0])
        # A lone brace is a keyword, and `{}` is find's word.
        return plain[0] if not unknown or plain[0] in ("{", "{}", "[") else None

    def _quoted(self) -> str:
        end = self._line.find("'", self._at + 1)
        if end < 0:
            raise NotUnderstood
        text = self._line[self._at + 1 : end]
        self._at = end + 1
        return text

    def _double_quoted(self, depth: int = 0) -> str | None:
        self._at += 1
        value: list[str] = []
        literal = True
        while self._at < len(self._line):
            character = self._line[self._at]
            if character == '"':
                self._at += 1
                return "".join(value) if literal else None
            if character in "$`":
                self._expansion(depth)
                literal = False
                continue
            if character == "\\" and self._line[self._at + 1 : self._at + 2] in ("$", "`", '"', "\\"):
                self._at += 1
            value.append(self._line[self._at : self._at + 1])
            self._at += 1
        raise NotUnderstood

    def _expansion(self, depth: int) -> None:
        if depth > _DEEPEST:
            raise NotUnderstood
        opening = self._line[self._at : self._at + 2]
        if opening[0] == "`":
            self._at += 1
            self._until("`", depth)
        elif opening in ("$(", "${"):
            self._at += 2
            self._until(")" if opening == "$(" else "}", depth)
        else:
            self._at += 1

    def _until(self, closing: str, depth: int) -> None:
        """Pass over everything up to and with `closing`; quotes and nested expansions hold theirs."""
        while self._at < len(self._line):
            character = self._line[self._at]
            if character == closing:
                self._at += 1
                return
            if character == "\\":
                self._at += 2
            elif character == "'" and closing != "}":
                self._quoted()
            elif character == '"':
                self._double_quoted(depth + 1)
            elif character in "$`":
                self._expansion(depth + 1)
            elif character == "(":
                if depth > _DEEPEST:
                    raise NotUnderstood
                self._at += 1
                self._until(")", depth + 1)
            else:
                self._at += 1
        raise NotUnderstood


def _complete(command: Simple) -> Iterator[Simple]:
    if command.words or command.assignments or command.redirections:
        yield command
