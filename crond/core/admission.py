"""May a due become a process now? cron's own answer is always yes, unless the job has vanished.

An entry with `-s` is left out while a run of its job is alive. Pools and limits will be decided here, too,
from the runs that are there. Pure; called by the engine once per due, in the order in which they were
planned, and for each run that somebody asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from crond.model.job import Job
from crond.model.run import Run, State


@dataclass(frozen=True, slots=True)
class Go:
    """Start it."""

    job: Job


@dataclass(frozen=True, slots=True)
class Skip:
    """Leave it out; `reason` is recorded."""

    reason: str


def admit(job: Job | None, runs_of: Callable[[str], Iterable[Run]]) -> Go | Skip:
    """Decide about a due of `job`, which is None if no table holds it any longer.

    `runs_of` returns the remembered runs of a job, by its id.
    """
    if job is None:
        return Skip("gone")
    if job.entry.single_instance and any(run.state is not State.FINISHED for run in runs_of(job.id)):
        return Skip("the run before it was still alive")
    return Go(job)
