"""What need not be remembered any longer: old runs of a job, and whatever belongs to jobs that are gone.

Also has it forgotten, by the launcher, too. Pure; owned by the engine, asked by `runs` at each end.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from itertools import islice

from crond.core.ledger import Ledger
from crond.core.memory import Memory
from crond.core.roster import Roster
from crond.model.messages import Forget, attempt_key
from crond.model.run import Run, State

#: How many finished runs of a job are kept.
KEPT_RUNS = 10
#: What belongs to a job that no table holds any more is kept for this many seconds.
KEPT_AFTER_GONE = 86400.0
#: Most jobs that no table holds and that somebody paused; the latest are kept.
KEPT_PAUSES = 1000


@dataclass(slots=True)
class Keeping:
    """Forgets old runs."""

    ledger: Ledger
    roster: Roster
    #: Jobs of which nothing could be forgotten while dues waited.
    _put_off: set[str] = field(default_factory=set)

    def prune(self, job: str) -> None:
        """Forget the runs of `job` that need not be remembered any longer."""
        if self.ledger.memory.queue and job in self.roster.graph.children:
            self._put_off.add(job)  # a child's due may still ask for one of them
            return
        for old in superseded(self.ledger.memory, job):
            if not self.ledger.waits.is_needed(old.id):
                self.forget(old)

    def prune_all(self) -> None:
        """Do so for every job: a write that was cut off may have kept more."""
        for job in dict.fromkeys(run.job for run in self.ledger.memory.runs.values()):
            self.prune(job)

    def prune_rest(self) -> None:
        """Do what was put off, once no due waits any more."""
        while self._put_off and not self.ledger.memory.queue:
            self.prune(self._put_off.pop())

    def forget(self, run: Run) -> None:
        """Remember `run` no longer, nor does the launcher."""
        self.ledger.remember(["forget-run", run.id])
        for one in run.attempts:
            # One that still runs (a sensor's whose run was given up) is forgotten when it has ended.
            if one.started_at is None or one.ended_at is not None:
                self.ledger.send(Forget(attempt_key(run.id, one.number)))

    def tidy(self, wall: float) -> None:
        """Forget what belongs to jobs that left their tables long before `wall`."""
        memory, jobs = self.ledger.memory, self.roster.jobs
        for run in abandoned_runs(memory, jobs, wall):
            self.forget(run)
        for job in abandoned_jobs(memory, jobs, wall):
            self.ledger.remember(["forget-job", job])


def superseded(memory: Memory, job: str) -> list[Run]:
    """Return the finished runs of `job` beyond the newest KEPT_RUNS."""
    most = len(memory.finished_of(job)) - KEPT_RUNS
    if most <= 0:
        return []
    return list(islice((run for run in memory.runs_of(job) if run.state is State.FINISHED), most))


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
        {job: health.since for job, health in memory.health.items()},
        {job: mute.began if mute.until is None else mute.until for job, mute in memory.mutes.items()},
    )
    gone = dict.fromkeys(job for times in known for job in times if job not in jobs)
    return [
        job
        for job in gone
        if not memory.runs_of(job) and max(times[job] for times in known if job in times) < before
    ]
