"""The history of a pipeline: its instants, each with how all of its jobs stood. Part of the verb `history`.

The scheduler knows which jobs belong to it, the recorder their runs. Called by history.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

import click

from crond.cli.answers import RunSeen, list_of
from crond.cli.client import Place
from crond.cli.describe import is_waiting, outcome_colour
from crond.cli.format import Cell, Column, show_table
from crond.cli.options import show_json
from crond.cli.pipelines import jobs_in
from crond.cli.recorded import InstantSeen, ask_recorder, behind, listed, read_instant, show_lag
from crond.cli.times import shown_together

_COLOURS = {"failed": "red", "running": "cyan", "success": "green", "skipped": "yellow"}
_GOOD = "success"


def show_instants(
    place: Place, pipeline: str, count: int, edges: dict[str, str | None], *, as_json: bool
) -> None:
    """Show the newest `count` instants of the pipeline, within `edges`, the newest first."""
    jobs = jobs_in(place, pipeline)
    body = ask_recorder(place, "pipeline", **listed("jobs", jobs), count=str(count), **edges)
    instants = list_of(body, "instants", read_instant)
    if as_json:
        show_json({"pipeline": pipeline, "jobs": jobs, **body})
        return
    title, moments = shown_together("INSTANT", [one.instant for one in instants])
    show_table(
        [Column(title), Column("STATE"), Column("JOBS", True)],
        [
            [Cell(moment), Cell(one.state, _COLOURS.get(one.state)), _jobs(one, jobs)]
            for one, moment in zip(instants, moments, strict=True)
        ],
    )
    if not instants:
        click.echo("No such runs are recorded.", err=True)
    if body.get("more") is True:
        click.echo(f"There are more; to see them: --last {count * 10}", err=True)
    show_lag(behind(body))


def _jobs(one: InstantSeen, jobs: list[str]) -> Cell:
    """How its jobs stood: by name where that was not well, else how many."""
    newest = {run.job: run for run in sorted(one.runs, key=_age)}
    groups: dict[str, list[str]] = defaultdict(list)
    for job in sorted(newest, key=jobs.index):
        groups[_kind(newest[job])].append(job.rpartition("/")[2])
    good = groups.pop(_GOOD, [])
    words = [f"{kind}: {', '.join(names)}" for kind, names in groups.items()]
    words += [f"{len(good)} {_GOOD}"] if good else []
    worst = next((kind for kind in groups if kind not in ("running", "waiting")), None)
    return Cell("; ".join(words), outcome_colour(worst) if worst else None)


def _age(run: RunSeen) -> tuple[bool, datetime]:
    return not run.ended, run.ended_at or run.started_at or datetime.min.replace(tzinfo=UTC)


def _kind(run: RunSeen) -> str:
    if run.ended:
        return (run.outcome or "ended").replace("_", " ")
    return "waiting" if is_waiting(run) else "running"
