"""The engine: `step(reading, event) -> actions`. It holds the state and delegates every decision.

No input, output, clock or thread: what happened comes in as events, what is to be done goes out as
actions, and all that must survive is in its Memory, whose every change is also an action. The scheduler's
loop drives it in earnest, `crond.core.simulation` under a virtual clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crond.core import admission, keeping, memory, progress, reconcile, stopping
from crond.core.clockwork import Passage, Reading, passage
from crond.core.index import Index
from crond.core.memory import Memory
from crond.core.planner import Due
from crond.core.preview import Preview
from crond.core.queue import Waiting
from crond.core.walks import Walks
from crond.core.zone import Zone, ZoneNamed
from crond.model.actions import Action, Changed, Notice, Record, Remember, Send
from crond.model.entry import random_delay_factor
from crond.model.events import Event, RunRequested, StopRequested, TableParsed, Woke
from crond.model.job import Job, digest_of, jobs_of
from crond.model.messages import (
    Exited,
    Forget,
    Hello,
    Mail,
    NotStarted,
    Start,
    Started,
    Stop,
    TableGone,
    TableRefused,
    TablesComplete,
    attempt_key,
)
from crond.model.run import Attempt, Outcome, Run, State, Trigger, run_id
from crond.model.schedule import At, Cron, DayRules, Every, Reboot

#: How many dues become starts in one step: the first of a thousand must not wait for the last.
BATCH = 32
#: How many do so in the step that plans them: the very first must wait for few.
FIRST_BATCH = 4


class Engine:
    """The scheduler's mind. All times are readings handed in."""

    def __init__(
        self, *, memory: Memory, zone: Zone, zone_named: ZoneNamed, rules: DayRules | None = None
    ) -> None:
        self.memory = memory
        self.jobs: dict[str, Job] = {}
        self.refused: dict[str, TableRefused] = {}
        self.tables: dict[str, TableParsed] = {}
        self.began: float | None = None
        self._zone = zone
        self._zone_named = zone_named
        self._rules = rules
        self._walk = Walks(zone=zone, zone_named=zone_named, rules=rules)
        self._jobs_of: dict[str, tuple[Job, ...]] = {}
        self._hello: Hello | None = None
        self._complete = False
        self._delay_factor = 0.0
        self._last: Reading | None = None
        self._actions: list[Action] = []
        self._handlers: dict[type, Callable[[Reading, Any], None]] = {
            Woke: self._woke,
            Hello: self._greeted,
            TableParsed: self._table_parsed,
            TableGone: self._table_gone,
            TableRefused: self._table_refused,
            TablesComplete: self._tables_complete,
            Started: self._started,
            NotStarted: self._not_started,
            Exited: self._exited,
            RunRequested: self._run_requested,
            StopRequested: self._stop_requested,
        }

    def step(self, reading: Reading, event: Event) -> list[Action]:
        """Take in `event`, which was noticed at `reading`; return what is to be done, in order."""
        self._actions = []
        self._handlers[type(event)](reading, event)
        return self._actions

    def deadline(self, reading: Reading) -> float:
        """Return in how many seconds the engine must be woken."""
        if not self._complete:
            return 60.0
        return 0.0 if self.memory.queue else self._walk.deadline(reading)

    def idle_until(self, reading: Reading, upto: float) -> float:
        """As `Walks.idle_until`; never while anything waits."""
        return reading.wall if self.memory.queue else self._walk.idle_until(reading.wall, upto)

    def preview(self, wall: float) -> Preview:
        """Return a look ahead from `wall`, for people."""
        return Preview(
            wall=wall,
            planned_upto=self._walk.position.planned_upto,
            planned_zones={name: one.planned_upto for name, one in self._walk.position.zones},
            zone=self._zone,
            zone_named=self._zone_named,
            rules=self._rules,
            delay_factor=self._delay_factor,
        )

    # --- time ------------------------------------------------------------------------------------------

    def _woke(self, reading: Reading, _event: Woke) -> None:
        if not self._complete:
            return
        self._watch_clock(reading)
        before = self._walk.position
        dues = self._walk.advance(reading)
        if self._walk.position != before:
            self._remember(memory.planned(self._walk.position))
            if self._walk.position.woken % 60 == 0:
                self._tidy(reading.wall)
        self._plan(dues, Trigger.SCHEDULE)
        self._admit(reading.wall, FIRST_BATCH if dues else BATCH)

    def _watch_clock(self, reading: Reading) -> None:
        if self._last is not None:
            kind, seconds = passage(self._last, reading)
            if kind is not Passage.STEADY:
                text = _PASSAGES[kind].format(abs(seconds), _direction(seconds))
                self._actions.append(Notice(text))
                if kind is Passage.SUSPENDED:
                    self._remember(["interval", "suspend", self._last.wall, reading.wall, text])
        self._last = reading

    def _plan(self, dues: list[Due], trigger: Trigger) -> None:
        if not dues:
            return
        planned: list[Waiting] = []
        for job, instant in dues:
            ordinal = self.memory.next_ordinal(job.id, instant)
            if isinstance(job.entry.schedule, Cron) or not self._is_over(job, ordinal):
                planned.append(Waiting(job.id, instant, ordinal, trigger))
        self._remember(memory.due(planned))

    def _is_over(self, job: Job, ordinal: int) -> bool:
        """True for a moment that was answered before (a table read again would bring it back), and for a
        period whose last due still waits: they have no backlog.
        """
        schedule = job.entry.schedule
        if isinstance(schedule, Every):
            return self.memory.queue.holds(job.id)
        return ordinal > 0 and isinstance(schedule, At)

    def _admit(self, wall: float, most: int = BATCH) -> None:
        for _ in range(min(most, len(self.memory.queue))):
            one = self.memory.queue.first()
            identity = run_id(one.job, one.instant, one.ordinal, one.trigger)
            run = Run(id=identity, job=one.job, instant=one.instant, ordinal=one.ordinal, trigger=one.trigger)
            self._answer(run, wall)

    def _answer(self, run: Run, wall: float) -> None:
        """Let a run that is DUE start, or leave it out."""
        answer = admission.admit(self.jobs.get(run.job), self.memory.runs_of)
        if isinstance(answer, admission.Skip):
            self._change(run.finish(Outcome.SKIPPED, at=wall, reason=answer.reason))
            return
        job = answer.job
        run = run.to(
            State.STARTING,
            attempts=(Attempt(number=1),),
            uid=job.uid,
            run_as=job.run_as,
            crontab=job.crontab,
        )
        self._change(run)
        self._send_start(run, job)

    def _send_start(self, run: Run, job: Job) -> None:
        number = run.attempt.number
        self._actions.append(Send(Start(job.version, job.index, "command", job.name, run.id, number)))

    # --- the launcher ----------------------------------------------------------------------------------

    def _greeted(self, reading: Reading, hello: Hello) -> None:
        self._hello = hello
        self._complete = False
        self.jobs.clear()
        self.refused.clear()
        self.tables.clear()
        self._jobs_of.clear()
        self.began = hello.began
        self._delay_factor = random_delay_factor(hello.seed)
        position = self.memory.position
        if hello.life == self.memory.life and position is not None:
            self._walk.resume(position)
            return
        if position is not None:
            served = position.planned_upto * 60.0 - position.offset
            self._remember(["interval", "outage", served, hello.began, "the daemon was down"])
        self._walk.begin(hello.began)
        self._remember(["life", hello.life])
        self._remember(memory.planned(self._walk.position))
        for run in reconcile.lost(self.memory.runs.values(), at=reading.wall):
            self._finish(run)
        while self.memory.queue:
            one = self.memory.queue.first()
            identity = run_id(one.job, one.instant, one.ordinal, one.trigger)
            run = Run(id=identity, job=one.job, instant=one.instant, ordinal=one.ordinal, trigger=one.trigger)
            self._change(run.finish(Outcome.SKIPPED, at=reading.wall, reason="the daemon was down"))

    def _tables_complete(self, reading: Reading, _event: TablesComplete) -> None:
        self._complete = True
        # Only now: a table that is read again later must start nothing.
        self._reindex(reading.wall, self._last_served)
        self._plan_reboot()
        for run in reconcile.unanswered(self.memory.runs.values()):
            self._ask_again(run)
        for run in reconcile.stopping(self.memory.runs.values()):
            if run.attempt.started_at is None:
                self._ask_whether_started(run)
            self._actions.append(Send(Stop(attempt_key(run.id, run.attempt.number))))
        self._admit(reading.wall)

    def _plan_reboot(self) -> None:
        hello = self._hello
        if hello is None or hello.boot == self.memory.boot:
            return
        self._remember(["boot", hello.boot])
        if hello.reboot:
            jobs = [job for job in self.jobs.values() if isinstance(job.entry.schedule, Reboot)]
            self._plan([Due(job, hello.began) for job in jobs], Trigger.REBOOT)

    def _table_parsed(self, reading: Reading, event: TableParsed) -> None:
        self._drop(event.origin)
        jobs = jobs_of(
            event.table,
            owner=event.owner,
            uid=event.uid,
            origin=event.origin,
            version=event.version,
            taken=self.jobs,
        )
        self.tables[event.origin] = event
        self._jobs_of[event.origin] = jobs
        digest = digest_of(event.table)
        seen = self.memory.crontabs.get(event.origin)
        if seen is None or (seen.uid, seen.digest) != (event.uid, digest):
            self._remember(["crontab", event.origin, event.owner, event.uid, digest, reading.wall])
        self.jobs.update((job.id, job) for job in jobs)
        self._reindex(reading.wall)

    def _table_gone(self, reading: Reading, event: TableGone) -> None:
        self._drop(event.origin)
        self._reindex(reading.wall)

    def _table_refused(self, reading: Reading, event: TableRefused) -> None:
        self._drop(event.origin)
        self.refused[event.origin] = event
        self._reindex(reading.wall)

    def _drop(self, origin: str) -> None:
        for job in self._jobs_of.pop(origin, ()):
            self.jobs.pop(job.id, None)
        self.tables.pop(origin, None)
        self.refused.pop(origin, None)

    def _reindex(self, wall: float, last_served: Callable[[Job], float | None] = lambda _job: None) -> None:
        if not self._complete:
            return  # at start, once for all tables
        index = Index(self.jobs.values(), delay_factor=self._delay_factor)
        passed = self._walk.use(index, wall, last_served=last_served)
        for one in passed:
            held = self.memory.answered.get(one.job.id)
            if held is None or held.instant < one.instant:
                self._actions.append(Notice(f"{one.job.id}: {one.job.entry.schedule} has passed; not run"))

    def _last_served(self, job: Job) -> float | None:
        """The instant that `job` last answered in this life of the launcher, if any."""
        held = self.memory.answered.get(job.id)
        return None if held is None or self.began is None or held.instant < self.began else held.instant

    # --- attempts ----------------------------------------------------------------------------------------

    def _started(self, _reading: Reading, event: Started) -> None:
        run = self._run_of(event.attempt)
        if run is not None and run.attempt.started_at is None:
            self._change(progress.started(run, event))

    def _not_started(self, reading: Reading, event: NotStarted) -> None:
        run = self._run_of(event.attempt)
        if run is None or event.reason == "duplicate" or run.state is State.FINISHED:
            return  # a duplicate was started before: its own facts say what became of it
        if event.reason == "stale" and run.state is not State.STOPPING:
            self._send_again(run, reading.wall)
        else:
            self._finish(progress.not_started(run, event))

    def _exited(self, _reading: Reading, event: Exited) -> None:
        run = self._run_of(event.attempt)
        if event.output_size:
            # Said again with a fact that comes again, and before anything is forgotten: no crash loses it.
            self._actions.append(Send(Mail(event.attempt)))
        if run is None:
            # Nobody remembers it: without this the launcher would keep it for ever.
            self._actions.append(Send(Forget(event.attempt)))
        elif run.state is not State.FINISHED:
            self._finish(progress.exited(run, event))

    def _ask_again(self, run: Run) -> None:
        """Ask for a start that may have been made: the launcher refuses to make it twice."""
        job = self.jobs.get(run.job)
        if job is None:
            self._ask_whether_started(run)
        else:
            self._send_start(run, job)

    def _ask_whether_started(self, run: Run) -> None:
        """Have the launcher say whether it made a start: no version is 0, so it makes none now."""
        name = run.job.partition("/")[2]
        self._actions.append(Send(Start(0, 0, "command", name, run.id, run.attempt.number)))

    def _send_again(self, run: Run, wall: float) -> None:
        """Ask for a start again, with the newest version of the job's table."""
        job = self.jobs.get(run.job)
        if job is None:
            self._finish(run.finish(Outcome.SKIPPED, at=wall, reason="gone"))
        else:
            self._send_start(run, job)

    def _finish(self, run: Run) -> None:
        self._change(run)
        for old in keeping.superseded(self.memory, run.job):
            self._forget(old)

    def _forget(self, run: Run) -> None:
        self._remember(["forget-run", run.id])
        self._actions.extend(Send(Forget(attempt_key(run.id, one.number))) for one in run.attempts)

    def _tidy(self, wall: float) -> None:
        """Forget what belongs to jobs that left their tables long ago."""
        for run in keeping.abandoned_runs(self.memory, self.jobs, wall):
            self._forget(run)
        for job in keeping.abandoned_jobs(self.memory, self.jobs, wall):
            self._remember(["forget-job", job])

    # --- people ------------------------------------------------------------------------------------------

    def _run_requested(self, reading: Reading, event: RunRequested) -> None:
        # Two requests may come in one turn of the loop, and so at one reading.
        ordinal = sum(
            run.trigger is Trigger.MANUAL and run.instant == reading.wall
            for run in self.memory.runs_of(event.job)
        )
        identity = run_id(event.job, reading.wall, ordinal, Trigger.MANUAL)
        run = Run(
            id=identity,
            job=event.job,
            instant=reading.wall,
            ordinal=ordinal,
            trigger=Trigger.MANUAL,
            by=event.by,
        )
        self._answer(run, reading.wall)

    def _stop_requested(self, _reading: Reading, event: StopRequested) -> None:
        run = self.memory.runs.get(event.run)
        if run is None:
            return
        stopped, wishes = stopping.stop(run)
        if stopped is not run:
            self._change(stopped)
        self._actions.extend(wishes)

    # --- memory ------------------------------------------------------------------------------------------

    def _run_of(self, attempt: str) -> Run | None:
        run, _, number = attempt.rpartition(".")
        held = self.memory.runs.get(run)
        if held is None or not held.attempts or str(held.attempt.number) != number:
            return None
        return held

    def _change(self, run: Run) -> None:
        self._remember(memory.changed(run))
        self._actions.append(Changed(run))

    def _remember(self, record: Record) -> None:
        self.memory.apply(record)
        self._actions.append(Remember(record))


_PASSAGES = {
    Passage.LATE: "the scheduler did not run for {:.0f} s",
    Passage.SUSPENDED: "the machine was suspended for {:.0f} s",
    Passage.STEPPED: "the clock was set {1} by {0:.0f} s",
}


def _direction(seconds: float) -> str:
    return "forward" if seconds > 0 else "back"
