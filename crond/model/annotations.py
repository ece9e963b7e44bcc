"""Comments that begin with `#:`: the lines, the words in them, and what one block of them says.

Owns the syntax: quoting, `key=value`, which keys may stand where. What the keys are is
`crond.model.keys`'s business, what a block is for is `crond.model.scope`'s. Also knows the markers by which
configuration managers name the line below them. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from crond.model.keys import KEYS, Key, Place, keys_for
from crond.model.policy import Said
from crond.model.problem import Problem, Report, did_you_mean
from crond.model.values import NUMBER, YES_NO, BadValue, Rules, is_name

#: Settings may stand between this marker and its line.
PUPPET = "# Puppet Name: "
_MARKERS = ("#Ansible: ", PUPPET, "# SALT_CRON_IDENTIFIER:")
_ALONE = ("defaults", "pool", "job")
_BLANKS = re.compile(r"[ \t\r]*")
#: As a POSIX shell: a word is plain characters, quoted parts and escaped characters, next to each other.
_PART = re.compile(r"""([^ \t\r'"\\]+)|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)""", re.DOTALL)
_QUOTES = re.compile(r"['\"\\]")
_PLAIN = re.compile(r"[^ \t\r]+")
_ESCAPED = re.compile(r'\\(["\\$`])')
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Annotation:
    """One `#:` line: its number (from 1), the column of its `#` (from 1) and the text after `#:`."""

    line: int
    column: int
    text: str


class Word(NamedTuple):
    """A word of an annotation, without its quotes. `line` and `column` (from 1) are where it begins."""

    line: int
    column: int
    text: str
    value_column: int  #: where what follows its first `=` begins


class BadAnnotation(ValueError):
    """A line that cannot be split into words; `column` (from 1) is where that shows."""

    def __init__(self, column: int) -> None:
        super().__init__("bad annotation: no closing quotation")
        self.column = column


def is_annotation(stripped: str) -> bool:
    """True if a line (without its leading blanks) is one of ours."""
    return stripped.startswith("#:")


def stands_alone(annotation: Annotation) -> bool:
    """True for the three forms that belong to no entry: `#: defaults`, `#: pool` and `#: job NAME`."""
    return annotation.text.split(maxsplit=1)[:1] in ([word] for word in _ALONE)


def marker_name(stripped: str) -> str | None:
    """The name in a configuration manager's own comment above an entry, or None."""
    for marker in _MARKERS:
        if stripped.startswith(marker):
            return stripped[len(marker) :].strip() or None
    return None


def words_of(annotation: Annotation) -> Iterator[Word]:
    """Yield the words of a line, split as a POSIX shell does. Raises BadAnnotation."""
    text = annotation.text
    first = annotation.column + 2
    if not _QUOTES.search(text):
        for plain in _PLAIN.finditer(text):  # nearly all lines, and the rest is three times as slow
            start, end = plain.span()
            mark = text.find("=", start, end)
            yield Word(annotation.line, first + start, plain[0], first + (mark + 1 if mark >= 0 else start))
        return
    at = _blanks(text, 0)
    while at < len(text):
        start = at
        parts: list[str] = []
        while (found := _PART.match(text, at)) is not None:
            bare, single, double, escaped = found.groups()
            parts.append(
                _ESCAPED.sub(r"\1", double) if double is not None else bare or single or escaped or ""
            )
            at = found.end()
        if at < len(text) and text[at] not in " \t\r":
            raise BadAnnotation(first + at)
        mark = text.find("=", start, at)
        yield Word(annotation.line, first + start, "".join(parts), first + (mark + 1 if mark >= 0 else start))
        at = _blanks(text, at)


def _blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return at if found is None else found.end()


def read_words(words: Iterable[Word], place: Place, rules: Rules, report: Report) -> dict[str, Said]:
    """Return what `words` say by key, and report what is wrong with them, or not obeyed by this version."""
    layer: dict[str, Said] = {}
    for word in words:
        name, mark, text = word.text.partition("=")
        key = KEYS.get(name)
        if key is None:
            hint = _near(name[:64], place)
            report(
                _error(word.line, word.column, f"unknown key {_shown(name)}", hint, "annotation-unknown-key")
            )
        elif place not in key.places:
            text = f"{name} cannot stand in #: {place}" + (" NAME" if place == "job" else "")
            report(_error(word.line, word.column, text, "put it above its entry"))
        else:
            _read_key(key, word, text if mark else None, layer, rules, report)
    return layer


def read_pools(words: Iterable[Word], rules: Rules, report: Report) -> dict[str, int]:
    """Return the pools that `words` declare, sizes by name, and report what is none."""
    pools: dict[str, int] = {}
    for word in words:
        name, _, slots = word.text.partition("=")
        try:
            size = NUMBER.read(slots, rules)
        except BadValue:
            size = None
        if is_name(name) and isinstance(size, int):
            pools[name] = size
        else:
            text = f"bad pool {word.text[:64]!r}"
            report(_error(word.line, word.column, text, f"NAME=SLOTS: {NUMBER.words}"))
    return pools


def _read_key(
    key: Key, word: Word, text: str | None, layer: dict[str, Said], rules: Rules, report: Report
) -> None:
    try:
        value = _value(key, text, rules)
    except BadValue as error:
        shown = "" if key.form.secret and text else f" {_shown(text or '')}"
        reason = f"{error}; " if str(error) else ""
        report(
            _error(
                word.line, word.value_column, f"bad {key.name}{shown}", f"{reason}it takes {key.form.words}"
            )
        )
        return
    before = layer.get(key.name)
    if before is not None and key.form.many and isinstance(before.value, tuple) and isinstance(value, tuple):
        value = before.value + value
    elif before is not None:
        message = f"{key.name} is said twice: the last one counts"
        report(Problem(word.line, word.column, "warning", message, code="annotation-idle"))
    layer[key.name] = Said(value, word.line, word.column)


def _value(key: Key, text: str | None, rules: Rules) -> Hashable | None:
    """Return the value, None for one that clears. Raises BadValue."""
    if text is None:
        if key.form is YES_NO:
            return True
        raise BadValue(f"{key.name} needs a value")
    return None if text == "none" else key.form.read(text, rules)


def _error(line: int, column: int, message: str, hint: str, code: str = "annotation-bad") -> Problem:
    return Problem(line, column, "error", message, hint, code)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


@lru_cache(maxsize=256)
def _near(name: str, place: Place) -> str:
    hint = did_you_mean(name.lower(), [key.name for key in keys_for(place)])
    return hint or "the keys are in the reference of annotations"
