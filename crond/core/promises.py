"""Promises about time (`late_after`, `warn_runtime`, `max_time_since_success`): when they break, and hold.

Keeps a timer for each promise that time alone may break, as `waits` does for waits: nothing of them is
remembered, they follow from the runs, from the health of jobs and from the newest definitions. Jobs without
these keys have none. Tells nobody: `alerting` does. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import islice
from typing import NamedTuple

from crond.core.dependencies import DueAfter
from crond.core.health import WELL, Broken, Health
from crond.core.memory import Memory
from crond.core.roster import Roster
from crond.model.alert import Promise
from crond.model.job import Job
from crond.model.run import Outcome, Run, State

#: So many timers may be left that mean nothing any longer, before they are swept out.
_STALE = 256
#: Most instants of one job, and of all together, that are counted as missed; of each further job, the first.
_COUNTED, _COUNTED_IN_ALL = 1000, 20_000
_DAY = 86400.0

_Key = tuple[Promise, str]


class Breach(NamedTuple):
    """`promise` of `job` is broken since `at`: by `run`, or by `instant`, the first of `missed` that no run
    answered.
    """

    job: Job
    promise: Promise
    at: float
    run: Run | None = None
    instant: float | None = None
    missed: int = 0


@dataclass(slots=True)
class Promises:
    """The promises of the jobs of `roster`.

    `window_of` is from when to when a job is alive, of what is near a moment; `day_off` says why it is left
    out on the day of a moment, "" if it is not; `day_end` is when that day ends.
    """

    memory: Memory
    roster: Roster
    due_after: DueAfter
    window_of: Callable[[Job, float], tuple[float, float]]
    day_off: Callable[[Job, float], str]
    day_end: Callable[[Job, float], float]
    _at: dict[_Key, float] = field(default_factory=dict)
    _timers: list[tuple[float, Promise, str]] = field(default_factory=list)

    # --- timers --------------------------------------------------------------------------------------

    def settle(self, wall: float) -> Iterator[tuple[str, Health]]:
        """Begin anew with the tables as they are; yield how jobs stand that stood otherwise."""
        self._at.clear()
        self._timers.clear()
        for name, held in list(self.memory.health.items()):
            job = self.roster.jobs.get(name)
            if job is not None and (found := self._promised(job, held)) != held:
                yield name, found
        for name in self.roster.promising:
            job, health = self.roster.jobs[name], self.memory.health.get(name, WELL)
            if not health.since and job.entry.policy.enabled:
                # What was before owes nothing.
                yield name, health._replace(since=wall)
            if job.entry.policy.max_time_since_success is not None:
                self._set(Promise.MAX_TIME_SINCE_SUCCESS, name)
            for run in self.memory.runs_of(name):
                self._watch(run)

    def _promised(self, job: Job, health: Health) -> Health:
        """Return `health` without what is promised no longer."""
        policy = job.entry.policy
        if job.id not in self.roster.alerting:
            return WELL
        if job.id not in self.roster.promising or not policy.enabled:
            return Health(health.failures, health.announced)
        broken = tuple(one for one in health.broken if getattr(policy, one.promise, None) is not None)
        return health._replace(broken=broken)

    def _watch(self, run: Run) -> None:
        if run.state is not State.FINISHED:
            self._set(Promise.LATE_AFTER, run.id)
            self._set(Promise.WARN_RUNTIME, run.id)

    def _set(self, promise: Promise, identity: str) -> None:
        """Set the timer of a promise about a run, or a job; none if nothing can break it as it stands."""
        moment = self._moment(promise, identity)
        if moment is not None:
            self._put(promise, identity, moment)

    def _put(self, promise: Promise, identity: str, moment: float) -> None:
        if len(self._timers) > _STALE + 2 * len(self._at):
            self._timers = [(at, *key) for key, at in self._at.items()]
            heapify(self._timers)
        self._at[promise, identity] = moment
        heappush(self._timers, (moment, promise, identity))

    def next_moment(self) -> float | None:
        """Return when a promise is broken next, if nothing happens."""
        while self._timers and self._at.get(self._timers[0][1:]) != self._timers[0][0]:
            heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def over(self, wall: float) -> Iterator[Breach]:
        """Yield what is broken by now, each once, for as long as the one before was remembered."""
        while (moment := self.next_moment()) is not None and moment <= wall:
            _, promise, identity = heappop(self._timers)
            del self._at[promise, identity]
            broken_at = self._moment(promise, identity)
            if broken_at is None:
                continue
            if broken_at > wall:
                self._put(promise, identity, broken_at)
                continue
            run = self.memory.runs.get(identity)
            job = self.roster.jobs[identity if run is None else run.job]
            if run is None and self.memory.is_paused(job.id):
                # It counts again from the end of the pause, which is not before now.
                self._put(promise, identity, wall + self._length(job, promise))
                continue
            yield Breach(job, promise, broken_at, run)

    # --- when each is broken -------------------------------------------------------------------------

    def _moment(self, promise: Promise, identity: str) -> float | None:
        """Return when `promise` is broken as things stand, None for never."""
        run = self.memory.runs.get(identity)
        name = identity if run is None else run.job
        job = self.roster.jobs.get(name)
        if job is None or name not in self.roster.promising:
            return None
        health = self.memory.health.get(name, WELL)
        if getattr(job.entry.policy, promise.value) is None or health.is_broken(promise):
            return None
        if run is None:
            return self._overdue(job, health) if promise is Promise.MAX_TIME_SINCE_SUCCESS else None
        if promise is Promise.LATE_AFTER:
            is_owed = _owes_start(run) and run.instant > health.late_upto and _began(run) is None
            return run.instant + self._length(job, promise) if is_owed else None
        return self._too_long_at(run, job, health)

    def _too_long_at(self, run: Run, job: Job, health: Health) -> float | None:
        began = _began(run)
        if began is None or run.state is State.FINISHED:
            return None
        return began + self._length(job, Promise.WARN_RUNTIME) + dict(health.shifts).get(run.id, 0.0)

    def _overdue(self, job: Job, health: Health) -> float | None:
        if not health.since or not job.entry.policy.enabled:
            return None
        since = self.counts_from(job, health)
        begin, end = self.window_of(job, since)
        moment = max(since, begin) + self._length(job, Promise.MAX_TIME_SINCE_SUCCESS)
        return None if moment >= end else moment

    def counts_from(self, job: Job, health: Health) -> float:
        """Return from when `max_time_since_success` counts: its last success, else since when it is known; or
        the end of a pause.
        """
        pause = self.memory.pauses.get(job.id)
        paused = 0.0 if pause is None or pause.ended is None else pause.ended
        return max(health.since, self.memory.successes.get(job.id, 0.0), paused)

    def excused_until(self, breach: Breach) -> float | None:
        """Return the end of the last day off in the time that `breach` is about: it counts from there."""
        if breach.promise is not Promise.MAX_TIME_SINCE_SUCCESS or not breach.job.entry.policy.skip_on:
            return None
        since = self.counts_from(breach.job, self.memory.health.get(breach.job.id, WELL))
        day = breach.at
        while day > since:
            why = self.day_off(breach.job, day)
            if why and not why.startswith("held: "):
                return self.day_end(breach.job, day)
            day -= _DAY
        return None

    def excuse(self, breach: Breach) -> None:
        """Set the timer of `breach` again, after what excuses it was remembered."""
        self._set(breach.promise, breach.job.id)

    @staticmethod
    def _length(job: Job, promise: Promise) -> float:
        return float(getattr(job.entry.policy, promise.value))

    # --- what runs make of them ----------------------------------------------------------------------

    def changed(
        self, before: Run | None, run: Run, job: Job, health: Health
    ) -> tuple[Health, list[Broken], Breach | None]:
        """Take in that `run` changed; return how its job stands then, which promises hold again, and which
        one it has just broken.
        """
        was = health
        ends = run.state is State.FINISHED and (before is None or before.state is not State.FINISHED)
        policy = job.entry.policy
        breach: Breach | None = None
        if policy.late_after is not None:
            health, breach = self._start_of(before, run, job, health)
        if policy.warn_runtime is not None:
            health = self._length_of(before, run, job, health, ends=ends)
        if policy.max_time_since_success is not None and ends and run.outcome is Outcome.SUCCESS:
            health = health.keeping(Promise.MAX_TIME_SINCE_SUCCESS)
            health = health._replace(since=max(health.since, run.ended_at or 0.0))
            length = self._length(job, Promise.MAX_TIME_SINCE_SUCCESS)
            self._put(Promise.MAX_TIME_SINCE_SUCCESS, job.id, self.counts_from(job, health) + length)
        return health, [one for one in was.broken if one not in health.broken], breach

    def _start_of(
        self, before: Run | None, run: Run, job: Job, health: Health
    ) -> tuple[Health, Breach | None]:
        promise = Promise.LATE_AFTER
        began = _began(run)
        if before is None and began is None and run.state is not State.FINISHED and _owes_start(run):
            self._put(promise, run.id, run.instant + self._length(job, promise))
        elif began is not None or run.state is State.FINISHED:
            self._at.pop((promise, run.id), None)
        if began is None or (before is not None and _began(before) is not None) or not _owes_start(run):
            return health, None
        if run.instant <= health.late_upto:
            return health, None
        moment = run.instant + self._length(job, promise)
        if health.is_broken(promise) and began <= moment:
            # Older ones that still wait are no news.
            return health.keeping(promise)._replace(late_upto=run.instant), None
        if not health.is_broken(promise) and began > moment:
            # It was made up, or nobody looked in time.
            return health, Breach(job, promise, moment, run)
        return health, None

    def _length_of(self, before: Run | None, run: Run, job: Job, health: Health, *, ends: bool) -> Health:
        promise = Promise.WARN_RUNTIME
        began = _began(run)
        if began is not None and (before is None or _began(before) is None) and not ends:
            self._put(promise, run.id, began + self._length(job, promise))
        if not ends:
            return health
        self._at.pop((promise, run.id), None)
        moment = None if began is None else self._too_long_at(run.but(state=State.RUNNING), job, health)
        shifts = tuple(one for one in health.shifts if one[0] != run.id)
        if shifts != health.shifts:
            health = health._replace(shifts=shifts)
        at = run.ended_at or 0.0
        if run.outcome is not Outcome.SUCCESS or moment is None or at > moment:
            return health
        others = (one for one in self.memory.runs_of(job.id) if one.id != run.id and one.is_active)
        ends_of = (self._too_long_at(one, job, health) for one in others)
        if any(one is not None and one <= at for one in ends_of):
            return health  # another one still takes too long
        return health.keeping(promise)

    # --- clocks, and times without a daemon ------------------------------------------------------------

    def shifted(self, seconds: float, wall: float) -> Iterator[tuple[str, Health]]:
        """Yield how jobs stand if `seconds` do not count as running time: the clock was set, or the host
        slept. `wall` is what it is now.
        """
        for name in sorted(self.roster.promising):
            health = self.memory.health.get(name, WELL)
            runs = [run for run in self.memory.runs_of(name) if run.state is not State.FINISHED]
            found = health
            if self.roster.jobs[name].entry.policy.warn_runtime is not None:
                held = dict(health.shifts)
                active = [run.id for run in runs if run.is_active and _began(run) is not None]
                held |= {one: held.get(one, 0.0) + seconds for one in active}
                found = health._replace(shifts=tuple(held.items()))
            if health.late_upto > wall and all(run.instant <= wall for run in runs):
                # A clock that was wrong by a day must not keep us silent for one.
                found = found._replace(late_upto=wall)
            if found != health:
                yield name, found

    def watch_again(self, job: str) -> None:
        """Set the timers of the runs of `job` anew, after `shifted` was remembered."""
        for run in self.memory.runs_of(job):
            self._watch(run)

    def missed(
        self,
        since: float,
        upto: float,
        is_left_out: Callable[[Job], bool],
        left: Mapping[str, Sequence[float]],
    ) -> Iterator[Breach]:
        """Yield the jobs with instants in (since, upto] that get no runs, or with such in `left`."""
        counted = 0
        for name in sorted(self.roster.promising):
            job, health = self.roster.jobs[name], self.memory.health.get(name, WELL)
            is_promised = job.entry.policy.late_after is not None and job.entry.policy.enabled
            if not is_promised or health.is_broken(Promise.LATE_AFTER) or name in self.roster.held:
                continue
            if not is_left_out(job):
                continue
            answered = self.memory.answered.get(name)
            low = max(since, health.since, 0.0 if answered is None else answered.instant)
            most = _COUNTED if counted < _COUNTED_IN_ALL else 1
            found = [*left.get(name, ()), *islice(self._owed(job, low, upto), most)]
            counted += len(found)
            if found:
                first = found[0]
                yield Breach(job, Promise.LATE_AFTER, first, None, first, len(found))

    def _owed(self, job: Job, low: float, upto: float) -> Iterator[float]:
        before = low
        # A job that is off may have been so for years.
        for instant in islice(self.due_after(job, low), 10 * _COUNTED):
            if instant > upto:
                return
            begin, end = self.window_of(job, instant)
            is_owed = begin <= instant < end and not self.memory.is_paused_at(job.id, instant)
            # Minutes of a gap share a moment.
            if instant > before and is_owed and not self.day_off(job, instant):
                yield instant
            before = instant


def _owes_start(run: Run) -> bool:
    """True if `run` answers an instant by itself: what somebody asks for starts when it may."""
    return run.is_scheduled and run.by is None


def _began(run: Run) -> float | None:
    """When the first process of its command was made."""
    for one in run.attempts:
        if one.number > run.spent and one.started_at is not None:
            return one.started_at
    return None
