"""What a screen of `top` holds: lines of text for a width and a height.

Owns how the three lists share the height, and that the chosen row is seen. Pure: what is shown, and the
moment that counts as now, are arguments. Called by top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto

from crond.cli.answers import NextSeen, RunSeen
from crond.cli.describe import is_waiting, standing, until_start
from crond.cli.format import JOB, Cell, Column, duration, fit, size, table
from crond.cli.times import shown
from crond.cli.trees import Usage

KEYS = "j/k choose   l log   s stop   r run   q quit"
#: Rows that the lower lists get where the upper one wants all.
_LEAST = 3


class Style(Enum):
    """How a line looks."""

    PLAIN = auto()
    TITLE = auto()
    FAINT = auto()
    CHOSEN = auto()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the screen."""

    text: str
    style: Style = Style.PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was found at one moment. `usage` is by pid."""

    place: str
    now: datetime | None
    began: datetime | None
    running: list[RunSeen]
    coming: list[NextSeen]
    failed: list[RunSeen]
    usage: dict[int, Usage]
    kept: list[tuple[str, str]] = field(default_factory=list)  #: jobs that are held or paused, and why


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that can be chosen, and what the keys do to it."""

    job: str
    run: str | None = None
    attempt: str | None = None
    running: bool = False


def rows_of(look: Look) -> list[Row]:
    """Return what can be chosen, from above."""
    return [
        *(Row(run.job, run.id, run.attempt, running=True) for run in look.running),
        *(Row(coming.job) for coming in look.coming),
        *(Row(job) for job, _ in look.kept),
        *(Row(run.job, run.id, run.attempt) for run in look.failed),
    ]


def screen(look: Look, *, width: int, height: int | None, chosen: int) -> list[Line]:
    """Return the lines of a screen of `height` (None: as many as there are); row `chosen` is among them."""
    now = look.now or datetime.now(UTC)
    sections = [
        ("Running", "Nothing runs.", *_running(look, now)),
        ("Next", "Nothing is to come.", *_coming(look, now)),
        *([("Kept from running", "", *_kept(look))] if look.kept else []),
        ("Failed lately", "Nothing failed lately.", *_failed(look, now)),
    ]
    counts = [len(rows) for *_, rows in sections]
    rooms = counts if height is None else _share(counts, height - 1 - 3 * len(sections), chosen)
    lines = [Line(fit(_opening(look, now), width), Style.TITLE)]
    first = 0
    for (title, nothing, columns, rows), room in zip(sections, rooms, strict=True):
        lines.append(Line(""))
        lines += _section(title if rows else nothing, columns, rows, room, width, chosen - first)
        first += len(rows)
    return lines


def _section(
    title: str, columns: list[Column], rows: list[list[Cell]], room: int, width: int, chosen: int
) -> list[Line]:
    """Return the lines of one list: `room` of its rows, the chosen one among them."""
    if not rows:
        return [Line(fit(title, width), Style.FAINT)]
    begin = min(max(0, chosen - room + 1), len(rows) - room) if 0 <= chosen < len(rows) else 0
    # Measured over all rows, so that the columns stay where they are while one goes down the list.
    heading, *texts = table(columns, rows, room=max(width - 2, 1), colour=False)
    hidden = f" ({begin + 1} to {begin + room} of {len(rows)})" if 0 < room < len(rows) else ""
    lines = [Line(fit(title + hidden, width), Style.TITLE), Line("  " + heading, Style.FAINT)]
    for number in range(begin, begin + room):
        style = Style.CHOSEN if number == chosen else Style.PLAIN
        lines.append(Line("  " + texts[number], style))
    return lines


def _share(counts: Sequence[int], room: int, chosen: int) -> list[int]:
    """Divide `room` rows among lists of so many rows: what runs goes first, the others keep a few.

    A list that holds the chosen row has one row at least.
    """
    rooms = [0] * len(counts)
    first = 0
    for place, count in enumerate(counts):
        if first <= chosen < first + count:
            rooms[place] = 1
        first += count
    for limit in (_LEAST, max(counts, default=0)):
        for place, count in enumerate(counts):
            more = min(min(count, limit) - rooms[place], room - sum(rooms))
            rooms[place] += max(more, 0)
    return rooms


def _opening(look: Look, now: datetime) -> str:
    text = f"crond at {look.place}"
    if look.began is not None:
        text += f", up {duration((now - look.began).total_seconds())}"
    waiting = sum(map(is_waiting, look.running))
    waits = f", {waiting} waiting" if waiting else ""
    return f"{text}   {len(look.running) - waiting} running{waits}   {shown(now)}"


def _running(look: Look, now: datetime) -> tuple[list[Column], list[list[Cell]]]:
    columns = [
        JOB,
        Column("PID"),
        Column("CPU"),
        Column("MEMORY"),
        Column("PROCS"),
        Column("STATE", True),
    ]
    rows = []
    for run in look.running:
        used = None if run.pid is None else look.usage.get(run.pid)
        figures = ("-", "-", "-")
        if used is not None:
            figures = (f"{used.cpu * 100:.0f} %", size(used.memory), str(used.processes))
        # While it waits, the process of its last attempt is gone.
        pid = "-" if run.pid is None or is_waiting(run) else str(run.pid)
        rows.append([Cell(run.job), Cell(pid), *(Cell(text) for text in figures), standing(run, now)])
    return columns, rows


def _coming(look: Look, now: datetime) -> tuple[list[Column], list[list[Cell]]]:
    rows = []
    for coming in look.coming:
        until = "-" if coming.instant is None else duration((coming.instant - now).total_seconds())
        rows.append([Cell(coming.job), Cell(shown(coming.instant)), Cell(until), Cell(until_start(coming))])
    columns = [JOB, Column("WHEN"), Column("IN"), Column("REMARKS", True)]
    plain = all(not row[-1].text for row in rows)
    return columns[:3] if plain else columns, [row[:3] if plain else row for row in rows]


def _kept(look: Look) -> tuple[list[Column], list[list[Cell]]]:
    return [JOB, Column("WHY", True)], [[Cell(job), Cell(why)] for job, why in look.kept]


def _failed(look: Look, now: datetime) -> tuple[list[Column], list[list[Cell]]]:
    rows = [
        [Cell(run.job), Cell(shown(run.ended_at or run.instant)), Cell(run.id), standing(run, now)]
        for run in look.failed
    ]
    return [JOB, Column("WHEN"), Column("RUN"), Column("OUTCOME", True)], rows
