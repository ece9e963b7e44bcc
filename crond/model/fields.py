"""One field of a schedule: its text becomes the set of values that it allows, or cron's own error word.

The reference is cronie's code, not its manual; where Debian's cron differs the dialect says so. Knows
nothing of lines, clocks or days. Called by `crond.model.crontab`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

#: Draws one whole number between two bounds, both included: what `~` is replaced by.
Draw = Callable[[int, int], int]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: Longer texts are read anew each time: who fills a cache with them would fill the daemon's memory.
LONGEST_KEPT = 200


class Dialect(StrEnum):
    """Whose cron is followed where the two differ."""

    CRONIE = "cronie"
    DEBIAN = "debian"


@dataclass(frozen=True, slots=True)
class Kind:
    """What is particular to one of the five fields. `low` and `high` are its bounds, both included."""

    low: int
    high: int
    word: str  #: how cron's error names it
    names: tuple[str, ...] = ()
    first_name: int = 0  #: the value of names[0]


MINUTE = Kind(0, 59, "bad minute")
HOUR = Kind(0, 23, "bad hour")
DAY_OF_MONTH = Kind(1, 31, "bad day-of-month")
MONTH = Kind(1, 12, "bad month", _MONTHS, 1)
DAY_OF_WEEK = Kind(0, 7, "bad day-of-week", _DAYS)
KINDS = (MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK)


class BadField(ValueError):
    """The text is no field of that kind. `offset` is where in it, from 0; `hint` what to write instead."""

    def __init__(self, kind: Kind, offset: int, hint: str = "") -> None:
        super().__init__(kind.word)
        self.offset = offset
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Field:
    """The values a field allows. `star`: its text begins with `*`, which decides how days combine and
    whether the entry counts as a wildcard when the clock jumps. `rules` are day rules beyond cron's
    (`L`, `15W`, `5#2` ...), in canonical form. `warnings` are (offset, text, code of the rule).
    """

    values: frozenset[int]
    star: bool
    rules: tuple[str, ...] = ()
    warnings: tuple[tuple[int, str, str], ...] = ()


def parse_field(
    text: str, kind: Kind, *, dialect: Dialect = Dialect.CRONIE, extensions: bool = False, draw: Draw
) -> Field:
    """Return the Field that `text` (no blanks in it) says. Raises BadField.

    `draw` is used only where the text holds a `~`.
    """
    if ("~" in text and dialect is Dialect.CRONIE) or len(text) > LONGEST_KEPT:
        return _parse(text, kind, dialect, extensions, draw)
    return _parse_fixed(text, kind, dialect, extensions)


@lru_cache(maxsize=8192)
def _parse_fixed(text: str, kind: Kind, dialect: Dialect, extensions: bool) -> Field:
    return _parse(text, kind, dialect, extensions, _unused_draw)


def _unused_draw(low: int, high: int) -> int:
    raise AssertionError(f"a field without ~ drew from {low} to {high}")


def _parse(text: str, kind: Kind, dialect: Dialect, extensions: bool, draw: Draw) -> Field:
    values: set[int] = set()
    rules: list[str] = []
    warnings: list[tuple[int, str, str]] = []
    offset = 0
    for item in text.split(","):
        reader = _Item(item, offset, kind, warnings)
        try:
            if dialect is Dialect.DEBIAN:
                values |= reader.debian()
                if reader.ignored_rest:
                    # Debian's cron never looks at what follows a valid item, commas included.
                    break
            else:
                values |= reader.cronie(draw)
        except BadField:
            rule = _day_rule(item, kind) if extensions else None
            if rule is None:
                raise
            rules.append(rule)
        offset += len(item) + 1
    if kind is DAY_OF_WEEK and values & {0, 7}:
        values |= {0, 7}
    return Field(frozenset(values), text.startswith("*"), tuple(rules), tuple(warnings))


class _Item:
    """Reads one item between commas, left to right."""

    def __init__(self, text: str, offset: int, kind: Kind, warnings: list[tuple[int, str, str]]) -> None:
        self._text = text
        self._at = 0
        self._offset = offset
        self._kind = kind
        self._warnings = warnings

    @property
    def ignored_rest(self) -> bool:
        return self._at < len(self._text)

    def cronie(self, draw: Draw) -> set[int]:
        kind = self._kind
        if self._take("*"):
            values = self._stepped(kind.low, kind.high)
        elif self._take("~"):
            values = self._drawn(kind.low, draw)
        else:
            first = self._number()
            if self._take("~"):
                values = self._drawn(first, draw)
            elif self._take("-"):
                last = self._number()
                if last == 0 < first and self._peek() != "/":
                    # Meant for sat-sun, but cronie does it in every field.
                    last = 7
                values = self._stepped(first, last)
            else:
                values = self._between(first, first, 1)
        if self._at < len(self._text):
            raise self._bad(self._step_hint() if self._peek() == "/" else "")
        return values

    def debian(self) -> set[int]:
        kind = self._kind
        if self._take("*"):
            first, last = kind.low, kind.high
        else:
            first = self._number()
            if self._peek() == "/":
                raise self._bad(self._step_hint())
            if not self._take("-"):
                return self._between(first, first, 1)
            last = self._number()
        if not (kind.low <= first <= kind.high and kind.low <= last <= kind.high):
            raise self._bad(f"from {kind.low} to {kind.high}")
        return self._stepped(first, last)

    def _stepped(self, first: int, last: int) -> set[int]:
        step = 1
        if self._take("/"):
            step = self._number(names=False)
            if step <= 0:
                raise self._bad("a step is 1 or more")
            span = self._kind.high - self._kind.low
            if step > span:
                self._warn(f"Step size {step} higher than possible maximum of {span}", "step-too-large")
        return self._between(first, last, step)

    def _between(self, first: int, last: int, step: int) -> set[int]:
        """Only the values that are visited are checked: cronie accepts 1-234/5678 as 1."""
        visited = range(first, last + 1, step)
        if not visited:
            self._warn(f"{self._text} runs backwards and matches nothing", "range-backwards")
            return set()
        if visited[0] < self._kind.low or visited[-1] > self._kind.high:
            raise BadField(self._kind, self._offset, f"from {self._kind.low} to {self._kind.high}")
        return set(visited)

    def _drawn(self, low: int, draw: Draw) -> set[int]:
        kind = self._kind
        high = self._number() if self._at < len(self._text) else kind.high
        # cronie draws first and then checks the value drawn, so that 50~70 is refused at random.
        if low < kind.low or high > kind.high or low > high:
            raise BadField(kind, self._offset, f"from {kind.low} to {kind.high}, smaller value first")
        return {draw(low, high)}

    def _number(self, *, names: bool = True) -> int:
        start = self._at
        while (
            self._at < len(self._text) and self._text[self._at].isascii() and self._text[self._at].isalnum()
        ):
            self._at += 1
        word = self._text[start : self._at]
        if word.isdigit():
            return _as_c_int(word)
        lowered = word.lower()
        if names and lowered in self._kind.names:
            return self._kind.names.index(lowered) + self._kind.first_name
        self._at = start
        raise self._bad()

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, character: str) -> bool:
        if self._peek() != character:
            return False
        self._at += 1
        return True

    def _step_hint(self) -> str:
        return f"a step needs a range or * before it, as in {self._text[: self._at]}-{self._kind.high}/..."

    def _warn(self, text: str, code: str) -> None:
        self._warnings.append((self._offset, text, code))

    def _bad(self, hint: str = "") -> BadField:
        return BadField(self._kind, self._offset + self._at, hint)


def _as_c_int(digits: str) -> int:
    """strtol() and a cast to 32 bits, as cron reads numbers: 4294967301 is 5, beyond 63 bits is -1."""
    # A field longer than this is beyond 63 bits anyway; Python refuses to convert thousands of digits.
    value = int(digits.lstrip("0")[:20] or "0")
    if value > 2**63 - 1:
        return -1
    value &= 0xFFFFFFFF
    return value - 2**32 if value >= 2**31 else value


def _day_rule(item: str, kind: Kind) -> str | None:
    """The canonical form of a day rule that cron does not have, or None if `item` is none."""
    text = item.upper()
    if kind is DAY_OF_MONTH:
        if text in ("L", "LW"):
            return text
        if text.startswith("L-") and _is_small(text[2:], 1, 30):
            return f"L-{int(text[2:])}"
        if text.endswith("W") and _is_small(text[:-1], 1, 31):
            return f"{int(text[:-1])}W"
    if kind is DAY_OF_WEEK:
        if text.endswith("L"):
            day = _weekday(text[:-1])
            return None if day is None else f"{day}L"
        name, mark, nth = text.partition("#")
        day = _weekday(name)
        if mark and day is not None and _is_small(nth, 1, 5):
            return f"{day}#{int(nth)}"
    return None


def _is_small(text: str, low: int, high: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 2 and low <= int(text) <= high


def _weekday(text: str) -> int | None:
    if text.lower() in _DAYS:
        return _DAYS.index(text.lower())
    return int(text) % 7 if _is_small(text, 0, 7) else None
