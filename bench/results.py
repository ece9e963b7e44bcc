"""What was measured, and what is made of it: medians, ratios, the table, JSON.

Pure: numbers come in, text goes out. All times are milliseconds after the full minute unless a name says
otherwise.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.job import Note
from bench.report import aligned

#: What crond is to reach: its first start, ms, and its last one as a part of Debian's.
FIRST_AIM = 5.0
LAST_AIM = 1 / 6
#: The last of many starts with a history, as a part of the last without one.
HISTORY_AIM = 1.1
_COMPARED = ("first", "median", "last", "cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """One peer at one full minute. `starts` counts notes, `jobs` is how many there should be.

    `cpu` is CPU ms per job, of daemon and jobs; `others` how many cores the rest of the machine used.
    """

    peer: str
    jobs: int
    minute: int  #: epoch seconds
    starts: int
    twice: int
    first: float
    median: float
    last: float
    cpu: float
    others: float

    @property
    def spread(self) -> float:
        return self.last - self.first


def boundary(
    notes: Sequence[Note], *, peer: str, jobs: int, minute: int, cpu: float, others: float
) -> Boundary:
    """Make a Boundary of the notes of one minute; `cpu` is CPU ms in all."""
    after = sorted((note.at - minute * 10**9) / 1e6 for note in notes) or [float("nan")]
    return Boundary(
        peer=peer,
        jobs=jobs,
        minute=minute,
        starts=len(notes),
        twice=len(notes) - len({note.number for note in notes}),
        first=after[0],
        median=statistics.median(after),
        last=after[-1],
        cpu=cpu / jobs,
        others=others,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One peer with one number of jobs: medians over its boundaries, and ratios to Debian's cron."""

    peer: str
    jobs: int
    boundaries: int
    lost: int
    twice: int
    first: float
    median: float
    last: float
    spread: float
    cpu: float
    others: float
    last_ratio: float | None
    spread_ratio: float | None


def rows(measured: Iterable[Boundary]) -> list[Row]:
    """Return the medians of `measured`, in the order in which numbers and peers first occur."""
    groups: dict[tuple[int, str], list[Boundary]] = {}
    for one in measured:
        groups.setdefault((one.jobs, one.peer), []).append(one)
    made = []
    for (jobs, peer), group in sorted(groups.items(), key=lambda item: item[0][0]):
        debian = groups.get((jobs, "debian"))
        last, spread = _median(group, "last"), _median(group, "spread")
        made.append(
            Row(
                peer=peer,
                jobs=jobs,
                boundaries=len(group),
                lost=sum(one.jobs - (one.starts - one.twice) for one in group),
                twice=sum(one.twice for one in group),
                **{name: _median(group, name) for name in ("first", "median", "cpu", "others")},
                last=last,
                spread=spread,
                last_ratio=_part(last, debian, "last"),
                spread_ratio=_part(spread, debian, "spread") if jobs > 1 else None,
            )
        )
    return made


def _part(value: float, of: list[Boundary] | None, name: str) -> float | None:
    """Return `value` as a part of the median of `of`; None where there is none, or nothing began."""
    whole = _median(of, name) if of else 0.0
    return value / whole if whole > 0 and not math.isnan(value) else None


def _median(group: list[Boundary], name: str) -> float:
    values: list[float] = [getattr(one, name) for one in group]
    return statistics.median(values)


_HEAD = ("jobs", "peer", "first", "median", "last", "spread", "last:D", "spread:D", "CPU/job", "others")


def table(found: Iterable[Row], titles: dict[str, str]) -> str:
    """Return the rows as text to read."""
    return aligned([_HEAD, *(_cells(row, titles) for row in found)])


def _cells(row: Row, titles: dict[str, str]) -> tuple[str, ...]:
    return (
        str(row.jobs),
        titles.get(row.peer, row.peer),
        *(f"{value:.1f}" for value in (row.first, row.median, row.last)),
        f"{row.spread:.1f}" if row.jobs > 1 else "",
        _ratio(row.last_ratio),
        _ratio(row.spread_ratio),
        f"{row.cpu:.2f}",
        f"{row.others:.2f}",
    )


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def aims(found: Sequence[Row]) -> list[str]:
    """Return a line for each aim of crond's that can be judged."""
    lines = []
    for row in found:
        if row.peer != "crond":
            continue
        met = _met(row.first <= FIRST_AIM)
        lines.append(f"{row.jobs} due: first {row.first:.1f} ms, aim {FIRST_AIM:g} ms: {met}")
        if row.jobs >= 1000 and row.last_ratio is not None:
            met = _met(row.last_ratio <= LAST_AIM)
            lines.append(f"{row.jobs} due: last {row.last_ratio:.2f} of Debian's, aim {LAST_AIM:.2f}: {met}")
    return lines


def _met(reached: bool) -> str:
    return "reached" if reached else "MISSED"


def cost(found: Sequence[Row]) -> str:
    """Return what the history costs: crond's figures as a part of those of crond without one."""
    named = {row.peer: row for row in found}
    of = [(name, getattr(named["crond"], name), getattr(named["crond-alone"], name)) for name in _COMPARED]
    parts = ", ".join(f"{name} {value / alone:.2f}" for name, value, alone in of if alone)
    return f"with a history, as a part of without: {parts}; aim for the last start: up to {HISTORY_AIM:.2f}"


def as_json(measured: Sequence[Boundary]) -> dict[str, Any]:
    """Return everything as plain values."""
    return {
        "rows": [_plain(asdict(row)) for row in rows(measured)],
        "boundaries": [_plain(asdict(one)) for one in measured],
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return `values` with null for what is not a number, which JSON cannot say."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in values.items()
    }
