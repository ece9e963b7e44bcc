"""What need not be remembered any longer: old runs of a job, and whatever belongs to jobs that are gone.

Pure questions about a Memory; the engine forgets what they name.
"""

from __future__ import annotations

from collections.abc import Container

from crond.core.memory import Memory
from crond.model.run import Run, State

#: How many finished runs of a job are kept.
KEPT_RUNS = 10
#: What belongs to a job that no table holds any more is kept for this many seconds.
KEPT_AFTER_GONE = 86400.0
#: Most jobs that no table holds and that somebody paused; the latest are kept.
KEPT_PAUSES = 1000


def superseded(memory: Memory, job: str) -> list[Run]:
    """Return the finished runs of `job` beyond the newest KEPT_RUNS."""
    runs = memory.runs_of(job)
    if len(runs) <= KEPT_RUNS:
        return []
    return [run for run in runs if run.state is State.FINISHED][:-KEPT_RUNS]


def abandoned_runs(memory: Memory, jobs: Container[str], wall: float) -> list[Run]:
    """Return the finished runs of jobs not in `jobs` that ended long before `wall`."""
    before = wall - KEPT_AFTER_GONE
    return [
        run
        for run in memory.runs.values()
        if run.job not in jobs and run.ended_at is not None and run.ended_at < before
    ]


def abandoned_jobs(memory: Memory, jobs: Container[str], wall: float) -> list[str]:
    """Return the jobs not in `jobs` of which nothing but what is old is left."""
    before = wall - KEPT_AFTER_GONE
    touched = {job: pause.ended or pause.began for job, pause in memory.pauses.items()}
    # Whoever paused a job for good finds it paused when its line comes back, however late.
    paused = [job for job, pause in memory.pauses.items() if pause.ended is None and job not in jobs]
    touched |= dict.fromkeys(sorted(paused, key=touched.__getitem__)[-KEPT_PAUSES:], wall)
    known = (
        {job: answered.instant for job, answered in memory.answered.items()},
        touched,
        memory.seen,
        memory.successes,
    )
    gone = dict.fromkeys(job for times in known for job in times if job not in jobs)
    return [
        job
        for job in gone
        if not memory.runs_of(job) and max(times[job] for times in known if job in times) < before
    ]
