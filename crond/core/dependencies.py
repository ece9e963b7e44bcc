"""Which run of a parent answers for an instant of its child, and what the ends of parents mean for it.

The rule of the answer is "the parent's latest scheduled due at or before mine"; the trigger rules are those
of Airflow 3, with its names and outcomes. Pure: asks a Memory and a Roster and changes neither. Called by
`runs` when a run comes to be, and by `gates` as parents end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple

from crond.core.graph import Link
from crond.core.memory import Memory
from crond.core.roster import Roster
from crond.model.dependency import Dependency
from crond.model.job import Job
from crond.model.run import FAILURES, Outcome, Parent, Run, State, run_id

#: Yields the instants at which a job is due after a moment, in order (epoch seconds).
DueAfter = Callable[[Job, float], Iterator[float]]


class Verdict(StrEnum):
    """What a parent is to the trigger rule of a child."""

    SUCCESS = "success"
    FAILED = "failed"
    UPSTREAM_FAILED = "upstream_failed"
    SKIPPED = "skipped"
    PENDING = "pending"


class Ruling(NamedTuple):
    """What a trigger rule comes to. `goes` True: start; False: end with `outcome`; None: not decided yet."""

    goes: bool | None
    outcome: Outcome | None = None


_GO = Ruling(True)
_WAIT = Ruling(None)
_SKIP = Ruling(False, Outcome.SKIPPED)
_FAIL = Ruling(False, Outcome.UPSTREAM_FAILED)


# --- which run answers -------------------------------------------------------------------------------


class _Due(NamedTuple):
    instant: float
    ordinal: int
    run: str
    held: Run | None


def answer_of(
    parent: str, instant: float, ordinal: int, *, memory: Memory, roster: Roster, due_after: DueAfter
) -> Parent:
    """Return how `parent` stands for a run of a child at (`instant`, `ordinal`)."""
    latest = _latest(parent, instant, ordinal, memory)
    if latest is None or latest.instant < instant:
        reason = _reason_for_none(parent, latest, instant, memory, roster, due_after)
        if reason:
            return Parent(parent, outcome=Outcome.SKIPPED, reason=reason)
    if latest is None:
        return Parent(parent, outcome=Outcome.SKIPPED, reason="it has had no due yet")
    return Parent(parent, latest.run) if latest.held is None else as_parent(latest.held)


def as_parent(run: Run) -> Parent:
    """Return how `run` stands for those who depend on it."""
    if run.state is not State.FINISHED:
        return Parent(run.job, run.id)
    code = run.attempts[-1].exit_code if run.starts else None
    return Parent(run.job, run.id, run.outcome, code, run.reason)


def _latest(parent: str, instant: float, ordinal: int, memory: Memory) -> _Due | None:
    """The latest due of `parent` at or before a moment. Of several at that moment, the one whose ordinal is
    the child's own, else the nearest below.
    """
    best: _Due | None = None
    for run in memory.scheduled_of(parent):
        if run.instant <= instant:
            best = _better(best, _Due(run.instant, run.ordinal, run.id, run), instant, ordinal)
    for due in memory.queue.dues_of(parent):
        if due.instant <= instant:
            identity = run_id(due.job, due.instant, due.ordinal, due.trigger)
            best = _better(best, _Due(due.instant, due.ordinal, identity, None), instant, ordinal)
    return best


def _better(held: _Due | None, other: _Due, instant: float, ordinal: int) -> _Due:
    if held is None or other.instant > held.instant:
        return other
    if other.instant < held.instant:
        return held
    if other.instant == instant:
        # Together at the child's own moment: pair them.
        near, far = (other, held) if held.ordinal > ordinal else (held, other)
        return far if near.ordinal < far.ordinal <= ordinal else near
    return max(held, other, key=lambda due: due.ordinal)


def _reason_for_none(
    parent: str, latest: _Due | None, instant: float, memory: Memory, roster: Roster, due_after: DueAfter
) -> str:
    """Why the due that should answer never was one; "" where none is missing."""
    job = roster.jobs.get(parent)
    if job is None:
        return "it is gone"
    # An @after job has no due where the one that it follows has none.
    led_by = [roster.jobs[one] for one in roster.graph.led_by(parent) if one in roster.jobs]
    answered = float("-inf") if latest is None else latest.instant

    def missed(began: float, ended: float) -> bool:
        """True if a due of the parent lies in a time in which there was none."""
        low, high = max(began, answered), min(ended, instant)
        return low < high and next(due_after(job, low), high + 1) <= high

    for one in led_by:
        who = "it" if one is job else one.name
        pause = memory.pauses.get(one.id)
        if pause is not None:
            ended = float("inf") if pause.ended is None else pause.ended
            if missed(pause.began - 1, ended):
                return f"{who} was paused" if pause.ended is not None else f"{who} is paused"
        if not one.entry.policy.enabled and missed(instant - _YEAR, instant):
            return f"{who} is not enabled"
    for outage in memory.outages:
        if missed(outage.began, outage.ended):
            return f"it missed its time: {outage.reason}"
    return ""


_YEAR = 366 * 86400.0


# --- what the ends of parents mean -------------------------------------------------------------------


def verdict_of(parent: Parent, dependency: Dependency) -> Verdict:
    """Return what `parent` is to its child, which wants of it what `dependency` says."""
    if parent.outcome is None:
        return Verdict.PENDING
    if dependency.want != "success":
        return Verdict.SUCCESS if _holds(parent, dependency) else Verdict.SKIPPED
    if parent.outcome in FAILURES:
        return Verdict.FAILED
    return Verdict(parent.outcome.value)


def _holds(parent: Parent, dependency: Dependency) -> bool:
    if not parent.run:
        return False
    if dependency.want == "done":
        return True
    if dependency.want == "failed":
        return parent.outcome in FAILURES
    return parent.exit_code == dependency.exit_code and parent.outcome is not Outcome.STOPPED


def given_up(parents: Iterable[Parent]) -> tuple[Parent, ...]:
    """Return `parents` as they stand once nobody waits for them any longer: who has not ended has failed."""
    return tuple(
        parent
        if parent.outcome is not None
        else replace(parent, outcome=Outcome.TIMED_OUT, reason="it had not ended in time")
        for parent in parents
    )


def judged(parents: Sequence[Parent], links: Sequence[Link]) -> list[tuple[Parent, Link, Verdict]]:
    """Return `parents` with the verdicts on them, but for those that the newest definition names no more."""
    wanted = {link.parent: link for link in links}
    named = ((parent, wanted[parent.job]) for parent in parents if parent.job in wanted)
    return [(parent, link, verdict_of(parent, link.dependency)) for parent, link in named]


def verdicts_of(parents: Sequence[Parent], links: Sequence[Link]) -> list[Verdict]:
    """Return the verdicts on `parents`."""
    return [verdict for _, _, verdict in judged(parents, links)]


def rule_on(rule: str, verdicts: Sequence[Verdict]) -> Ruling:
    """Return what `rule` makes of `verdicts`, as early as it can be decided. Failure goes before skip."""
    if not verdicts:
        return _GO
    return _RULES[rule](_Count(verdicts))


class _Count:
    """How many of each."""

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        counted = Counter(verdicts)
        self.success = counted[Verdict.SUCCESS]
        self.skipped = counted[Verdict.SKIPPED]
        #: Airflow counts what failed by its parents among the failed.
        self.failed = counted[Verdict.FAILED] + counted[Verdict.UPSTREAM_FAILED]
        self.pending = counted[Verdict.PENDING]
        self.all = len(verdicts)


def _all_success(of: _Count) -> Ruling:
    if of.failed:
        return _FAIL
    if of.skipped:
        return _SKIP
    return _WAIT if of.pending else _GO


def _all_failed(of: _Count) -> Ruling:
    if of.success or of.skipped:
        return _SKIP
    return _WAIT if of.pending else _GO


def _all_done(of: _Count) -> Ruling:
    return _WAIT if of.pending else _GO


def _all_skipped(of: _Count) -> Ruling:
    if of.success or of.failed:
        return _SKIP
    return _WAIT if of.pending else _GO


def _one_success(of: _Count) -> Ruling:
    if of.success:
        return _GO
    if of.pending:
        return _WAIT
    return _SKIP if of.skipped == of.all else _FAIL


def _one_failed(of: _Count) -> Ruling:
    if of.failed:
        return _GO
    return _WAIT if of.pending else _SKIP


def _one_done(of: _Count) -> Ruling:
    if of.success or of.failed:
        return _GO
    return _WAIT if of.pending else _SKIP


def _none_failed(of: _Count) -> Ruling:
    if of.failed:
        return _FAIL
    return _WAIT if of.pending else _GO


def _none_failed_min_one_success(of: _Count) -> Ruling:
    if of.failed:
        return _FAIL
    if of.pending:
        return _WAIT
    return _GO if of.success else _SKIP


def _none_skipped(of: _Count) -> Ruling:
    if of.skipped:
        return _SKIP
    return _WAIT if of.pending else _GO


def _all_done_min_one_success(of: _Count) -> Ruling:
    if of.skipped:
        return _SKIP
    if of.pending:
        return _WAIT
    return _GO if of.success else _FAIL


def _always(_of: _Count) -> Ruling:
    return _GO


_RULES: dict[str, Callable[[_Count], Ruling]] = {
    "all_success": _all_success,
    "all_failed": _all_failed,
    "all_done": _all_done,
    "all_skipped": _all_skipped,
    "one_success": _one_success,
    "one_failed": _one_failed,
    "one_done": _one_done,
    "none_failed": _none_failed,
    "none_failed_min_one_success": _none_failed_min_one_success,
    "none_skipped": _none_skipped,
    "all_done_min_one_success": _all_done_min_one_success,
    "always": _always,
}
