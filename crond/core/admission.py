"""May a due become a process now? cron's own answer is always yes; only a job that vanished is left out.

Overlap, pools and limits will be decided here, from the runs that are there. Pure; called by the engine
once per due, in the order in which they were planned.
"""

from __future__ import annotations

from dataclasses import dataclass

from crond.model.job import Job


@dataclass(frozen=True, slots=True)
class Go:
    """Start it."""

    job: Job


@dataclass(frozen=True, slots=True)
class Skip:
    """Leave it out; `reason` is recorded."""

    reason: str


def admit(job: Job | None) -> Go | Skip:
    """Decide about a due of `job`, which is None if no table holds it any longer."""
    return Skip("gone") if job is None else Go(job)
