"""What differs between two records of the same crontabs: pure, minute by minute and byte by byte.

Pairs what belongs together (the same entry at the same virtual time) and tells each difference as a value.
Explains nothing; `known` does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tests.beside.records import Line, Mail, Record, Start

#: Virtual seconds by which a busy machine may start the same thing later for one daemon than for the other.
SLACK = 150.0


class _Timed(Protocol):
    @property
    def at(self) -> float: ...


T = TypeVar("T", bound=_Timed)


@dataclass(frozen=True, slots=True)
class Difference:
    """One: its `kind` ("minute", "$HOME", "header From", ...), the entry or text it is about, both sides.

    A side is None where there is nothing. `at` is virtual time.
    """

    kind: str
    subject: str
    theirs: str | None
    ours: str | None
    at: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """`compared` counts, per kind of thing, how often both had it; `differences` are all there are."""

    compared: dict[str, int]
    differences: list[Difference]


def compare(theirs: Record, ours: Record, *, begin: float, end: float) -> Comparison:
    """Compare two daemons' records from `begin` to `end`; entries that wait for no minute, throughout."""
    compared: dict[str, int] = defaultdict(int)
    found: list[Difference] = []

    def within(timed: Iterable[T], *, also: Callable[[T], bool]) -> list[T]:
        return [one for one in timed if begin <= one.at < end or also(one)]

    def at_boot(text: str) -> bool:
        return "reboot" in text

    starts = [within(record.starts, also=lambda start: at_boot(start.name)) for record in (theirs, ours)]
    for a, b in _pairs(*starts, key=lambda start: start.name):
        compared["starts"] += bool(a and b)
        found += _starts_differ(a, b)
    mails = [within(record.mails, also=lambda mail: at_boot(mail.command)) for record in (theirs, ours)]
    for m, n in _pairs(*mails, key=lambda mail: mail.command):
        compared["mails"] += bool(m and n)
        found += _mails_differ(m, n)
    lines = [
        within(record.lines, also=lambda line: "CMD" not in line.text or at_boot(line.text))
        for record in (theirs, ours)
    ]
    for one, other in _pairs(*lines, key=lambda line: line.text):
        compared["log lines"] += bool(one and other)
        found += _lines_differ(one, other)
    return Comparison(dict(compared), sorted(found, key=lambda one: (one.kind, one.subject, one.at)))


def _pairs(
    theirs: Sequence[T], ours: Sequence[T], *, key: Callable[[T], Hashable]
) -> Iterator[tuple[T | None, T | None]]:
    """Yield pairs of the same key, each once: of the same minute, then of about the same time. None stands
    for what is missing.
    """
    groups: dict[Hashable, tuple[list[T], list[T]]] = defaultdict(lambda: ([], []))
    for side, timed in enumerate((theirs, ours)):
        for one in sorted(timed, key=lambda one: one.at):
            groups[key(one)][side].append(one)
    for left, right in groups.values():
        for one in tuple(left):
            same = next((other for other in right if other.at // 60 == one.at // 60), None)
            if same is not None:
                left.remove(one)
                right.remove(same)
                yield one, same
        while left or right:
            if not right or (left and left[0].at < right[0].at - SLACK):
                yield left.pop(0), None
            elif not left or right[0].at < left[0].at - SLACK:
                yield None, right.pop(0)
            else:
                yield left.pop(0), right.pop(0)


def _starts_differ(theirs: Start | None, ours: Start | None) -> Iterator[Difference]:
    one = theirs or ours
    assert one is not None
    if theirs is None or ours is None:
        yield Difference("start", one.name, _when(theirs), _when(ours), one.at)
        return
    if theirs.at // 60 != ours.at // 60:
        yield Difference("minute", one.name, _when(theirs), _when(ours), one.at)
    for fact in sorted(theirs.facts.keys() | ours.facts.keys()):
        yield from _differ(fact, one.name, theirs.facts.get(fact), ours.facts.get(fact), one.at)


def _mails_differ(theirs: Mail | None, ours: Mail | None) -> Iterator[Difference]:
    one = theirs or ours
    assert one is not None
    subject = one.command
    if theirs is None or ours is None:
        yield Difference("mail", subject, _when(theirs), _when(ours), one.at)
        return
    yield from _differ("mailer's uid", subject, str(theirs.uid), str(ours.uid), one.at)
    yield from _differ(
        "mailer's arguments", subject, " ".join(theirs.arguments), " ".join(ours.arguments), one.at
    )
    yield from _differ("body", subject, repr(theirs.body), repr(ours.body), one.at)
    left, right = dict(theirs.headers), dict(ours.headers)
    for name in left.keys() | right.keys():
        if name != "X-Cron-Env":
            yield from _differ(f"header {name}", subject, left.get(name), right.get(name), one.at)
    first, second = _order(theirs), _order(ours)
    yield from _differ("order of headers", subject, first, second, one.at)
    told = [{value for name, value in mail.headers if name == "X-Cron-Env"} for mail in (theirs, ours)]
    for variable in sorted(told[0] ^ told[1]):
        in_first, in_second = (variable if variable in side else None for side in told)
        yield Difference("header X-Cron-Env", subject, in_first, in_second, one.at)


def _lines_differ(theirs: Line | None, ours: Line | None) -> Iterator[Difference]:
    one = theirs or ours
    assert one is not None
    if theirs is None or ours is None:
        left, right = (None if line is None else f"{line.program}: {line.text}" for line in (theirs, ours))
        yield Difference("log line", one.text, left, right, one.at)
        return
    yield from _differ("log priority", one.text, str(theirs.priority), str(ours.priority), one.at)
    yield from _differ("log program", one.text, theirs.program, ours.program, one.at)


def _differ(kind: str, subject: str, theirs: str | None, ours: str | None, at: float) -> Iterator[Difference]:
    if theirs != ours:
        yield Difference(kind, subject, theirs, ours, at)


def _when(timed: _Timed | None) -> str | None:
    return None if timed is None else f"{timed.at:.0f}"


def _order(mail: Mail) -> str:
    """Return the names of the headers as they stand, those of the environment as one."""
    return " ".join(dict.fromkeys(name for name, _value in mail.headers))
