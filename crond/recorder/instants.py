"""Runs by the instants that they answer: of several jobs side by side, and of one job for a backfill.

Owns how the runs of one instant are summed up. Reads through `crond.recorder.queries`; called by the
server's threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from crond.model.run import FAILURES, Outcome
from crond.recorder import views
from crond.recorder.queries import Filter, Queries
from crond.recorder.records import clean
from crond.recorder.schema import NAME

#: What no success beside it may hide.
_BAD = frozenset((*FAILURES, Outcome.UPSTREAM_FAILED))


def of_jobs(queries: Queries, names: Sequence[str], wanted: Filter) -> dict[str, Any]:
    """The newest instants in [since, until), each with the runs of the jobs of these `names` and their state.

    Names are whole ids; a job that never ran, or is another's, has no runs.
    """
    place = {clean(name, NAME): number for number, name in enumerate(names)}
    jobs = sorted(queries.known(place), key=lambda job: place[job.job])
    # A look into the index per job: taken together, all that they ever ran would be sorted.
    newest = {instant for job in jobs for instant in queries.newest_instants(job, wanted)}
    chosen = sorted(newest, reverse=True)
    shown = chosen[: wanted.count]
    found: dict[int, list[Any]] = {instant: [] for instant in shown}
    if shown:
        for job in jobs:
            for row in queries.between(job, shown[-1], shown[0]):
                found[row.instant].append(row)
    instants = [
        {"instant": views.iso(instant), "state": state_of(rows), "runs": [views.run(row) for row in rows]}
        for instant, rows in found.items()
    ]
    return {"instants": instants, "more": len(chosen) > wanted.count}


def of_job(queries: Queries, name: str, first: int, last: int, count: int) -> dict[str, Any]:
    """The runs of the job whose whole id is `name` that answer instants in [first, last], oldest first."""
    rows = [row for job in queries.known([name]) for row in queries.between(job, first, last, count + 1)]
    return {"runs": [views.run(row) for row in rows[:count]], "more": len(rows) > count}


def state_of(rows: Iterable[Any]) -> str:
    """Return how the runs of one instant stand together: `failed`, `running`, `success` or `skipped`."""
    outcomes = {row.outcome for row in rows}
    if not _BAD.isdisjoint(outcomes):
        return "failed"
    if None in outcomes:
        return "running"
    return "success" if Outcome.SUCCESS in outcomes else "skipped"
