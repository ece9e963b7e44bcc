"""The verb `status`: what runs, what is next, what failed and what is wrong, on one screen.

On a terminal it fits the lines that there are, the sections sharing them; into a pipe nothing is left
out. The scheduler answers; the recorder adds the figures of the last day if it is there. Loaded by
crond.cli.main.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from crond.cli.answers import (
    NextSeen,
    ProblemSeen,
    RunSeen,
    list_of,
    moment_of,
    read_held,
    read_next,
    read_pause,
    read_problem,
    read_run,
    text_of,
)
from crond.cli.client import Place, ask_once, find_place
from crond.cli.describe import OUTCOME, brief, is_waiting, mute_words, pause_words, standing, until_start
from crond.cli.failure import Failure
from crond.cli.format import (
    JOB,
    Cell,
    Column,
    counted,
    duration,
    fit,
    printable,
    screen_height,
    screen_width,
    size,
    table,
    wants_colour,
)
from crond.cli.options import json_option, show_json
from crond.cli.recorded import ask_briefly, behind, read_stats
from crond.cli.stats import endings
from crond.cli.times import epoch, shown

#: A scheduler that has planned nothing for this long (seconds) is not keeping up.
_BEHIND = 120
_DAY = timedelta(days=1)
#: How long (seconds) the figures of the last day are waited for.
_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the dashboard: a title, the titles of its table (empty for none), and its rows."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    @property
    def overhead(self) -> int:
        """Lines that are no rows: a blank one, the title, and that of the table."""
        return 3 if self.columns and self.rows else 2


@click.command(short_help="Show what runs now, what is next and what is wrong.")
@json_option
@click.pass_obj
def status(state: str | None, *, as_json: bool) -> None:
    """Show what runs now, what is next, what failed lately and what is wrong, fitted to the screen.

    The exit status is 0 whenever the daemon answers, whatever it has to say.
    """
    place = find_place(state)
    body = ask_once(place, "status")
    now = moment_of(body, "now") or datetime.now(UTC)
    sections = _sections(body, now)
    opening = _opening(place, body, now)
    lately = ask_briefly(place, "stats", _PATIENCE, since=epoch(now - _DAY))
    told = _lately(lately)
    if as_json:
        show_json({**body, "last_day": lately})
        return
    for line in layout([*opening, *told], sections):
        click.echo(line, color=wants_colour())


def _opening(place: Place, body: dict[str, Any], now: datetime) -> list[str]:
    began, planned = moment_of(body, "started_at"), moment_of(body, "planned_upto")
    where, rest = f"crond at {printable(place.run)}", ""
    if began is not None:
        rest += f", up since {shown(began)} ({duration((now - began).total_seconds())})"
    zone = text_of(body, "zone")
    if zone:
        rest += f", zone {zone}"
    width = screen_width()
    narrow = width is not None and len(where + rest) > width
    lines = [where, f"  {rest[2:]}"] if narrow and rest else [where + rest]
    if planned is not None and (now - planned).total_seconds() > _BEHIND:
        lines.append(f"It is behind: planned up to {shown(planned)} only.")
    return lines


def _lately(body: dict[str, Any] | None) -> list[str]:
    """What the history says of the last day."""
    if body is None:
        return ["The history does not answer (starting, none kept, or its database is away)."]
    try:
        everyone = list_of(body, "jobs", read_stats)
        lag = behind(body)
    except Failure as failure:
        return [f"The history does not answer: {failure.message}"]
    outcomes: Counter[str] = Counter()
    for one in everyone:
        outcomes.update(one.outcomes)
    text = f"Last 24 hours: {counted(sum(outcomes.values()), 'run')}"
    text += f", {endings(outcomes)}" if outcomes else ""
    return [text, *([f"The history is {size(lag)} of journal behind."] if lag else [])]


def _sections(body: dict[str, Any], now: datetime) -> list[Section]:
    running, coming = list_of(body, "running", read_run), list_of(body, "next", read_next)
    failed, problems = list_of(body, "failed", read_run), list_of(body, "problems", read_problem)
    waiting = [run for run in running if is_waiting(run)]
    sections = [_running([run for run in running if not is_waiting(run)], now)]
    sections += [_waiting(waiting, now)] if waiting else []
    sections.append(_coming(coming, now))
    kept = kept_rows(body)
    sections += [Section("Kept from running", [JOB, Column("WHY", True)], kept)] if kept else []
    sections += [_failed(failed, now)] if failed else []
    sections += [_problems(problems)] if problems else []
    return sections


def _running(runs: list[RunSeen], now: datetime) -> Section:
    return Section(
        "Running" if runs else "Nothing runs.",
        [JOB, Column("RUN"), Column("PID"), Column("STATE", True)],
        [
            [Cell(run.job), Cell(run.id), Cell("-" if run.pid is None else str(run.pid)), standing(run, now)]
            for run in runs
        ],
    )


def _waiting(runs: list[RunSeen], now: datetime) -> Section:
    return Section(
        "Waiting",
        [JOB, Column("RUN"), Column("FOR", True)],
        [[Cell(run.job), Cell(run.id), standing(run, now)] for run in runs],
    )


def kept_rows(body: dict[str, Any]) -> list[list[Cell]]:
    """Return a row for each job that is held, paused or muted, with who or what keeps it."""
    held = list_of({"held": [], **body}, "held", read_held)
    paused = list_of({"paused": [], **body}, "paused", read_pause)
    rows = [[Cell(one.job), Cell(f"held: {one.reason}", "red")] for one in held]
    rows += [[Cell(one.job), Cell(f"paused {pause_words(one)}", "yellow")] for one in paused]
    muted = list_of({"muted": [], **body}, "muted", read_pause)
    return rows + [[Cell(one.job), Cell(f"muted {mute_words(one)}", "yellow")] for one in muted]


def _coming(coming: list[NextSeen], now: datetime) -> Section:
    columns = [Column("WHEN"), Column("IN"), JOB, Column("REMARKS", True)]
    rows = [
        [Cell(shown(n.instant)), Cell(_until(n.instant, now)), Cell(n.job), Cell(until_start(n))]
        for n in coming
    ]
    plain = all(not row[-1].text for row in rows)
    return Section(
        "Next" if coming else "Nothing is to come.",
        columns[:3] if plain else columns,
        [row[:3] if plain else row for row in rows],
    )


def _until(instant: datetime | None, now: datetime) -> str:
    return "-" if instant is None else duration((instant - now).total_seconds())


def _failed(runs: list[RunSeen], now: datetime) -> Section:
    return Section(
        "Failed lately",
        [Column("WHEN"), JOB, Column("RUN"), Column("OUTCOME", True, OUTCOME)],
        [
            [Cell(shown(r.ended_at or r.started_at or r.instant)), Cell(r.job), Cell(r.id), brief(r, now)]
            for r in runs
        ],
    )


def _problems(problems: list[ProblemSeen]) -> Section:
    rows = []
    for problem in problems:
        place = ":".join(str(part) for part in (problem.origin, problem.line, problem.column) if part)
        hint = f" ({problem.hint})" if problem.hint else ""
        colour = "red" if problem.severity == "error" else "yellow"
        rows.append([Cell(f"{place}: {problem.severity}: {problem.message}{hint}", colour)])
    return Section("Problems", [], rows)


def layout(opening: Sequence[str], sections: Sequence[Section]) -> list[str]:
    """Return the lines of the dashboard. On a screen they fit it, one line left for the prompt."""
    width, height = screen_width(), screen_height()
    lines = [line if width is None else fit(line, width) for line in opening]
    kept = [len(section.rows) for section in sections]
    if height is not None:
        spare = height - 1 - len(lines) - sum(section.overhead for section in sections)
        kept = share(spare, kept)
    room = None if width is None else max(width - 2, 8)
    for section, count in zip(sections, kept, strict=True):
        rows = section.rows[:count]
        whole = len(section.rows)
        lines += ["", section.title + (f" ({count} of {whole})" if count < whole else "")]
        if section.columns:
            shown_rows = table(section.columns, rows, room=room, colour=wants_colour())
        else:
            shown_rows = [_plain(row[0], room) for row in rows]
        lines += [f"  {line}" for line in shown_rows]
    return lines


def _plain(cell: Cell, room: int | None) -> str:
    text = cell.text if room is None else fit(cell.text, room)
    return click.style(text, fg=cell.colour) if wants_colour() else text


def share(room: int, wanted: Sequence[int]) -> list[int]:
    """Return how many of `room` lines each gets of those `wanted`: evenly, and one at least."""
    given = [min(one, 1) for one in wanted]
    left = room - sum(given)
    while left > 0:
        hungry = [i for i, one in enumerate(wanted) if given[i] < one]
        if not hungry:
            break
        # The one that has least goes first, so that nobody's rows take another's.
        given[min(hungry, key=lambda i: given[i])] += 1
        left -= 1
    return given
