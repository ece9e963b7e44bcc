"""What people are told, as the judge hears it: each flip once, none missing, and promises latched.

Works out for itself what a change of a run brings, from the record and the newest definition, and compares it
with the flips in that very record. Called by the judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from crond.model.alert import Event, Flip, Promise, addressee, flip_of
from crond.model.job import Job
from crond.model.policy import Policy
from crond.model.run import Outcome, Run, State, Wait, Want
from tests.simulation.launcher import Broken

_ALIVE = frozenset((State.STARTING, State.RUNNING, State.STOPPING))
_BAD = frozenset((Outcome.FAILED, Outcome.TIMED_OUT, Outcome.COULD_NOT_START, Outcome.LOST))
_KEYS = ("on_failure", "on_retry", "on_success", "on_recovery", "on_skip", "on_late", "ping")


class Told:
    """All flips that are durable, by id, and what they come to."""

    def __init__(self) -> None:
        self.flips: dict[str, Flip] = {}
        self.figures: Counter[str] = Counter()
        self.muted: set[str] = set()
        self._in_a_row: dict[str, int] = {}
        self._announced: set[str] = set()
        self._broken: dict[tuple[str, str], bool] = {}  #: of promises that are: whether it was told
        self._late_upto: dict[str, float] = {}

    def tables(self, jobs: Mapping[str, Job]) -> None:
        """These are the jobs from now on: what is promised to nobody any more is no promise."""
        for name, job in jobs.items():
            policy = job.entry.policy
            if not any(getattr(policy, key) for key in _KEYS):
                self.forget(name)
            for promise in Promise:
                if not _promises(policy, promise):
                    self._broken.pop((name, promise.value), None)
            if not any(_promises(policy, promise) for promise in Promise):
                self._late_upto.pop(name, None)

    def forget(self, job: str) -> None:
        """Nothing is remembered of `job` any longer."""
        self._in_a_row.pop(job, None)
        self._announced.discard(job)
        self._late_upto.pop(job, None)
        for promise in Promise:
            self._broken.pop((job, promise.value), None)

    # --- runs --------------------------------------------------------------------------------------------

    def run(self, before: Run | None, run: Run, job: Job | None, told: Iterable[dict[str, Any]]) -> None:
        """`run`, which was `before`, is durable with these flips."""
        flips = [self._keep(values) for values in told]
        wanted = sorted(self._wanted(before, run, job)) if job is not None else []
        said = sorted((one.event.value, _names(one)) for one in flips if not one.promise)
        if said != wanted:
            raise Broken(f"{run.id} of {run.job} tells {said}, and ought to tell {wanted}")
        for flip in flips:
            # Whoever watches for silence would be told by a ping that is missing.
            if flip.muted is not (run.job in self.muted and not flip.event.is_ping):
                raise Broken(f"{flip.id} of {run.job} is muted: {flip.muted}")
            if flip.event is Event.ON_TIME:
                self._kept(flip)
            elif flip.event is Event.LATE:
                self._late(flip)

    def _wanted(self, before: Run | None, run: Run, job: Job) -> Iterator[tuple[str, tuple[str, ...]]]:
        policy = job.entry.policy
        for event, targets, but in self._events(before, run, policy):
            names = tuple(sorted({addressee(one).digest for one in targets} - {*but}))
            if names:
                yield event.value, names

    def _events(
        self, before: Run | None, run: Run, policy: Policy
    ) -> Iterator[tuple[Event, tuple[str, ...], tuple[str, ...]]]:
        if _first_start(run) and (before is None or not _first_start(before)):
            yield Event.PING_START, policy.ping, ()
        if run.state is not State.FINISHED or (before is not None and before.state is State.FINISHED):
            if run.waits is Wait.RETRY and before is not None and before.state in _ALIVE:
                yield Event.RETRY, policy.on_retry, ()
            return
        by_hand = run.want in (Want.SUCCEED, Want.FAIL)
        failed = run.outcome in _BAD or (run.outcome is Outcome.SKIPPED and run.reason.startswith("held: "))
        if not by_hand or run.starts > run.spent:
            if run.outcome is Outcome.SUCCESS:
                yield Event.PING_SUCCESS, policy.ping, ()
            elif failed or run.outcome is Outcome.STOPPED:
                yield Event.PING_FAIL, policy.ping, ()
        if by_hand:
            return
        if failed:
            if self._fails(run.job, policy):
                yield Event.FAILURE, policy.on_failure, ()
        elif run.outcome is Outcome.SUCCESS:
            yield from self._succeeds(run.job, policy)
        elif run.outcome is Outcome.SKIPPED:
            yield Event.SKIP, policy.on_skip, ()

    def _fails(self, job: str, policy: Policy) -> bool:
        if not policy.on_failure and not policy.on_recovery:
            return False
        self._in_a_row[job] = self._in_a_row.get(job, 0) + 1
        if self._in_a_row[job] < policy.alert_after:
            return False
        if job not in self.muted:
            self._announced.add(job)
        return True

    def _succeeds(self, job: str, policy: Policy) -> Iterator[tuple[Event, tuple[str, ...], tuple[str, ...]]]:
        self._in_a_row.pop(job, None)
        known: tuple[str, ...] = ()
        if job in self._announced:
            self._announced.discard(job)
            known = (*policy.on_failure, *policy.on_recovery)
            yield Event.RECOVERY, known, ()
        yield Event.SUCCESS, policy.on_success, tuple(addressee(one).digest for one in known)

    # --- promises ----------------------------------------------------------------------------------------

    def flip(self, values: dict[str, Any]) -> None:
        """This is told without a run that changed."""
        flip = self._keep(values)
        if flip.event is Event.LATE:
            self._late(flip)
        elif flip.event is not Event.TROUBLE:
            raise Broken(f"{flip} is told by itself")

    def _late(self, flip: Flip) -> None:
        # Of what nobody was told nobody hears that it holds again.
        if self._broken.get((flip.job, flip.promise), False):
            raise Broken(f"{flip.job} is late again, and nobody said that it is not: {flip}")
        self._broken[flip.job, flip.promise] = not flip.muted
        if flip.promise == Promise.LATE_AFTER:
            reached = flip.at if flip.missed else flip.instant or 0.0
            self._late_upto[flip.job] = max(reached, self._late_upto.get(flip.job, 0.0))

    def _kept(self, flip: Flip) -> None:
        if not self._broken.pop((flip.job, flip.promise), False):
            raise Broken(f"{flip.job} is on time again, and nobody knows that it was not: {flip}")
        if flip.promise == Promise.LATE_AFTER:
            self._late_upto[flip.job] = max(flip.instant or 0.0, self._late_upto.get(flip.job, 0.0))

    def check_promises(self, run: Run, job: Job, *, wall: float, ran: float) -> None:
        """`run`, which has not ended, is late, or runs too long, by now; somebody must know. It `ran` for so
        many seconds.
        """
        policy, name = job.entry.policy, run.job
        began = _first_start(run)
        if _promises(policy, Promise.LATE_AFTER) and not began and run.is_scheduled and run.by is None:
            late = wall - run.instant - float(policy.late_after or 0)
            is_known = (name, Promise.LATE_AFTER.value) in self._broken
            if late > 900 and not is_known and run.instant > self._late_upto.get(name, 0.0):
                raise Broken(f"{run.id} of {name} is late for {late:.0f} s, and nobody was told")
        if _promises(policy, Promise.WARN_RUNTIME) and began and run.is_active:
            beyond = ran - float(policy.warn_runtime or 0)
            if beyond > 900 and (name, Promise.WARN_RUNTIME.value) not in self._broken:
                raise Broken(f"{run.id} of {name} takes {beyond:.0f} s too long, and nobody was told")

    def _keep(self, values: dict[str, Any]) -> Flip:
        flip = flip_of(values)
        if flip.id in self.flips:
            raise Broken(f"told twice: {flip}, and before: {self.flips[flip.id]}")
        if not flip.addressees:
            raise Broken(f"told to nobody: {flip}")
        self.flips[flip.id] = flip
        self.figures[f"told of {flip.event}"] += 1
        return flip


def _promises(policy: Policy, promise: Promise) -> bool:
    return policy.enabled and bool(policy.on_late) and getattr(policy, promise.value) is not None


def _names(flip: Flip) -> tuple[str, ...]:
    return tuple(sorted(one.digest for one in flip.addressees))


def _first_start(run: Run) -> bool:
    """True if its command had a process since somebody asked for it, or it was due."""
    return any(one.number == run.spent + 1 and one.started_at is not None for one in run.attempts)
