"""What a job's limits say to one more run of it: overlap, pools and the load of the host.

The lock is a run whose process lives, or that waits to be tried again: never a mark that could stay behind.
Pure; called by `crond.core.gates`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from crond.core.siblings import Siblings
from crond.core.waits import Rank, Waits
from crond.model.job import Job
from crond.model.run import Run, State, Trigger, Want


class Overlap(NamedTuple):
    """What the other runs of its job mean for a run.

    `waits`: it has to wait for one of them to end. `reason`: it is left out, for this. `ends` are runs that
    have to give way to it.
    """

    waits: bool = False
    reason: str = ""
    ends: tuple[Run, ...] = ()


_NONE = Overlap()


def overlap(run: Run, job: Job, siblings: Siblings) -> Overlap:
    """Return what the other runs of `job` mean for `run`."""
    policy = job.entry.policy
    if run.trigger is Trigger.CATCHUP:
        first = siblings.first_made_up_of(job.id)
        if first is not None and _came_before(first, run):
            return Overlap(waits=True)
    if policy.concurrency == "allow" and not job.entry.single_instance:
        return _NONE  # thousands of runs of one job may wait for a pool
    active = [other for other in siblings.active_of(job.id) if other.id != run.id]
    if job.entry.single_instance and active:
        return Overlap(reason="the run before it was still alive")
    if policy.concurrency == "allow" or len(active) < policy.max_instances:
        return _NONE
    if run.trigger in (Trigger.CATCHUP, Trigger.BACKFILL):
        return Overlap(waits=True)
    if policy.concurrency == "forbid":
        return Overlap(reason=_busy(active, policy.max_instances))
    older = tuple(other for other in siblings.standing_back_of(job.id) if _came_before(other, run))
    if policy.concurrency == "queue":
        return Overlap(waits=True, ends=older)
    surplus = active[: len(active) - policy.max_instances + 1]
    return Overlap(waits=True, ends=(*older, *(one for one in surplus if not _is_ending(one))))


def _came_before(other: Run, run: Run) -> bool:
    return other.id != run.id and (other.instant, other.ordinal) < (run.instant, run.ordinal)


def _is_ending(run: Run) -> bool:
    """True if nothing comes after what it does now; whose time is over may be tried again."""
    return run.state is State.STOPPING and run.want is not Want.TIME_OUT


def _busy(active: Sequence[Run], most: int) -> str:
    if most > 1:
        return f"{len(active)} runs before it had not ended"
    waiting = active[0].state is State.WAITING
    return "the run before it waits to be tried again" if waiting else "the run before it was still alive"


def rank_of(run: Run, job: Job) -> Rank:
    """Return the place of `run` among those that wait for the same pool."""
    return (-job.entry.policy.priority, run.instant, run.ordinal, run.id)


def slots_for(run: Run, job: Job, pool: str, size: int, waits: Waits) -> tuple[int, ...] | None:
    """Return the numbers of the slots of `pool` that `run` gets now, None if it has to wait.

    Who goes first and needs more than there is makes the others wait: else many small ones could keep a
    large one out for ever.
    """
    first = waits.first_in(pool)
    if first is not None and first < rank_of(run, job):
        return None
    free = waits.free_in(pool, size)
    wanted = job.entry.policy.pool_slots
    return tuple(free[:wanted]) if len(free) >= wanted else None
