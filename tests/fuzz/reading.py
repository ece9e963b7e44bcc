"""Parses a text in every way and holds what comes to what must be true of any text."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from crond.model.crontab import Table, parse_crontab
from crond.model.entry import Entry
from crond.model.job import jobs_of
from crond.model.schedule import Cron

#: Seconds after which a parse will not end.
HANGS = 20
#: system, dialect, extensions.
WAYS = tuple(itertools.product((False, True), ("cronie", "debian"), (False, True)))
RANGES = {
    "minute": (0, 59),
    "hour": (0, 23),
    "day_of_month": (1, 31),
    "month": (1, 12),
    "day_of_week": (0, 7),
}


class Wrong(Exception):
    """The parser failed on a text, which is shown."""


def read_all(texts: Iterable[bytes]) -> tuple[int, int, int, float]:
    """Parse each of `texts` in two ways, in turn all; return counts and the longest parse in seconds.

    Counts are of parses, entries and problems. Raises Wrong.
    """
    parses = entries = problems = 0
    longest = 0.0
    ways = itertools.cycle(WAYS)
    for text in texts:
        for way in (next(ways), next(ways)):
            began = time.perf_counter()
            table = read(text, way)
            longest = max(longest, time.perf_counter() - began)
            parses += 1
            entries += len(table.entries)
            problems += len(table.problems)
        next(ways)  # so that the same kind of text is not always read in the same two ways
    return parses, entries, problems, longest


def read(text: bytes, way: tuple[bool, str, bool]) -> Table:
    """Parse `text` and look at the whole result. Raises Wrong."""
    system, dialect, extensions = way
    try:
        with _limit():
            table = parse_crontab(text, system=system, dialect=dialect, extensions=extensions, seed=len(text))
        _hold(table, text)
    except Exception as error:
        how = f"system={system} dialect={dialect} extensions={extensions}"
        raise Wrong(f"{type(error).__name__}: {error}\n  {how}\n  {text!r}") from error
    return table


@contextmanager
def _limit() -> Iterator[None]:
    def hangs(*_: Any) -> None:
        raise TimeoutError(f"not parsed within {HANGS} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(HANGS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _hold(table: Table, text: bytes) -> None:
    assert bytes(table) == text, "the table is not its text"
    lines = text.count(b"\n") + 1
    for problem in table.problems:
        assert 1 <= problem.line <= lines + 1, problem
        assert problem.column >= 1, problem
        assert "\n" not in problem.message, problem
        assert problem.message, problem
    at = 0
    for entry in table.entries:
        assert at < entry.line <= lines, "entries stand on lines of their own, in order"
        at = entry.line
        _hold_entry(entry)
    jobs = jobs_of(table, owner="o", uid=1, origin="/t", version=1)
    assert len({job.id for job in jobs}) == len(table.entries), "two jobs of one name"


def _hold_entry(entry: Entry) -> None:
    if isinstance(entry.schedule, Cron):
        for name, (least, most) in RANGES.items():
            assert all(least <= value <= most for value in getattr(entry, name)), (name, entry)
    assert "\n" not in entry.command
    assert not entry.stdin or entry.stdin.endswith("\n")
    for name, value in entry.environment.items():
        assert not {"\0", "\n"} & {*name, *value}, entry
