"""Figures of jobs: how often they ran and how it ended, how long it took, what it needed.

Counts are of all runs; lengths are of the newest ten thousand, which is exact for most jobs and bounded for
all. Reads through `crond.recorder.queries`; called by the server's threads.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, func, select

from crond.recorder import views
from crond.recorder.queries import FAILURES, Filter, Queries
from crond.recorder.schema import attempts, jobs, runs

_MEASURED = 10_000


def of_job(queries: Queries, text: str, wanted: Filter) -> dict[str, Any]:
    """The figures of the job that `text` names; `wanted.count` of its last runs. Raises Refusal."""
    job = queries.named(text)
    counted = _counted(queries, wanted, job).get(job.job, {})
    rows = _newest(queries, wanted, job)
    measured = sorted(row.duration for row in rows if row.duration is not None)
    spent = [row.cpu_user + row.cpu_system for row in rows if row.cpu_user is not None]
    return {
        "stats": {
            **_counts(job.job, counted),
            "durations": _durations(measured),
            "cpu_seconds": None
            if not spent
            else {"mean": views.seconds(sum(spent) // len(spent)), "max": views.seconds(max(spent))},
            "max_rss": max((row.max_rss for row in rows if row.max_rss), default=None),
            "last": [
                {
                    "id": row.id,
                    "started_at": views.iso(row.started_at),
                    "duration": views.seconds(row.duration),
                    "outcome": row.outcome,
                }
                for row in reversed(rows[: wanted.count])
            ],
        }
    }


def of_all(queries: Queries, wanted: Filter) -> dict[str, Any]:
    """The counts of every job that may be seen."""
    counted = _counted(queries, wanted, None)
    return {"jobs": [_counts(job, outcomes) for job, outcomes in sorted(counted.items())]}


def _counted(queries: Queries, wanted: Filter, job: Any | None) -> dict[str, dict[str, int]]:
    """Return how many finished runs had each outcome, by job."""
    chosen = select(runs.c.job, runs.c.outcome, func.count()).where(*_conditions(queries, wanted, job))
    found = queries.connection.execute(chosen.group_by(runs.c.job, runs.c.outcome)).all()
    # Not a join, which MariaDB may answer by counting anew for each job.
    known = select(jobs.c.id, jobs.c.job).where(jobs.c.feed == queries.feed)
    names = {row.id: row.job for row in queries.connection.execute(known)}
    counted: dict[str, dict[str, int]] = {}
    for number, outcome, count in found:
        if outcome is not None:
            counted.setdefault(names[number], {})[outcome] = count
    return counted


def _newest(queries: Queries, wanted: Filter, job: Any) -> list[Any]:
    """Return what is measured of the newest runs: no texts, which a database would sort on its disk."""
    names = ("feed", "id", "attempt", "began", "started_at", "duration", "outcome")
    ended = (*_conditions(queries, wanted, job), runs.c.outcome.is_not(None))
    chosen = select(*(runs.c[name] for name in names)).where(*ended)
    few = chosen.order_by(runs.c.began.desc()).limit(_MEASURED).subquery("few")
    # The latest attempt may have been its condition's, which says nothing of what the job needs.
    number = (attempts.c.number == few.c.attempt, attempts.c.number > 0)
    same = and_(attempts.c.feed == few.c.feed, attempts.c.run == few.c.id, *number)
    needed = (attempts.c.cpu_user, attempts.c.cpu_system, attempts.c.max_rss)
    measured = select(few, *needed).join_from(few, attempts, same, isouter=True)
    return list(queries.connection.execute(measured.order_by(few.c.began.desc())))


def _conditions(queries: Queries, wanted: Filter, job: Any | None) -> list[Any]:
    """Which runs are counted."""
    conditions = [runs.c.feed == queries.feed]
    if job is not None:
        conditions.append(runs.c.job == job.id)
    if not queries.everything:
        conditions.append(runs.c.uid == queries.uid)
    if wanted.since is not None:
        conditions.append(runs.c.began >= wanted.since)
    if wanted.until is not None:
        conditions.append(runs.c.began < wanted.until)
    return conditions


def _counts(job: str, outcomes: dict[str, int]) -> dict[str, Any]:
    good = outcomes.get("success", 0)
    judged = good + sum(outcomes.get(each, 0) for each in FAILURES)
    return {
        "job": job,
        "runs": sum(outcomes.values()),
        "outcomes": outcomes,
        "success_rate": good / judged if judged else None,
    }


def _durations(measured: list[int]) -> dict[str, Any] | None:
    if not measured:
        return None

    def quantile(share: float) -> float | None:
        return views.seconds(measured[min(len(measured) - 1, int(share * len(measured)))])

    return {
        "count": len(measured),
        "min": views.seconds(measured[0]),
        "p50": quantile(0.5),
        "p90": quantile(0.9),
        "p99": quantile(0.99),
        "max": views.seconds(measured[-1]),
        "mean": views.seconds(sum(measured) // len(measured)),
    }
