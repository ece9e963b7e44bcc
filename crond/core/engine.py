"""The engine: `step(reading, event) -> actions`. It holds the state and delegates every decision.

No input, output, clock or thread: what happened comes in as events, what is to be done goes out as
actions, and all that must survive is in its Memory, whose every change is also an action. The scheduler's
loop drives it in earnest, `crond.core.simulation` under a virtual clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from crond.core import memory, progress, reconcile
from crond.core.clockwork import Passage, Reading, passage
from crond.core.days import Days
from crond.core.facts import Facts
from crond.core.gaps import Gaps
from crond.core.gates import Scene
from crond.core.index import Index
from crond.core.keeping import Keeping
from crond.core.ledger import Ledger
from crond.core.memory import Memory
from crond.core.planner import Due
from crond.core.planning import Planning
from crond.core.preview import Preview
from crond.core.promises import Promises
from crond.core.queue import Waiting
from crond.core.requests import Requests
from crond.core.roster import Roster
from crond.core.runs import Runs, due_run
from crond.core.spread import spread
from crond.core.starts import Starts
from crond.core.walks import Walks
from crond.core.watch import Watch
from crond.core.zone import Zone, ZoneNamed
from crond.model.actions import Action
from crond.model.calendar import DaysOff
from crond.model.entry import random_delay_factor
from crond.model.events import (
    BackfillRequested,
    Event,
    MarkRequested,
    MuteRequested,
    PauseRequested,
    RerunRequested,
    ResumeRequested,
    RunRequested,
    StopRequested,
    TableParsed,
    UnmuteRequested,
    Woke,
)
from crond.model.host import read_host
from crond.model.job import Job, digest_of
from crond.model.messages import (
    Exited,
    Hello,
    NotStarted,
    Started,
    Stop,
    Survived,
    TableGone,
    TableRefused,
    TablesComplete,
    Vanished,
    attempt_key,
)
from crond.model.run import Outcome, Trigger
from crond.model.schedule import DayRules, Reboot

#: How many dues become starts in one step: the first of a thousand must not wait for the last.
BATCH = 32
#: How many do so in the step that plans them: the very first must wait for few.
FIRST_BATCH = 4
_DOWN = "the daemon was down"


class Engine:
    """The scheduler's mind. All times are readings handed in.

    `days_off` names the day off that a date is in a calendar; `host` makes jitter differ between hosts;
    `is_zone` tells whether a text names a time zone.
    """

    def __init__(
        self,
        *,
        memory: Memory,
        zone: Zone,
        zone_named: ZoneNamed,
        rules: DayRules | None = None,
        days_off: DaysOff | None = None,
        host: str = "",
        is_zone: Callable[[str], bool] = lambda _name: True,
    ) -> None:
        self.memory = memory
        self.began: float | None = None
        self._zone = zone
        self._zone_named = zone_named
        self._rules = rules
        self.days = Days(zone, zone_named, days_off)
        self._host = host
        self._walk = Walks(zone=zone, zone_named=zone_named, rules=rules)
        self._hello: Hello | None = None
        self._complete = False
        self._delay_factor = 0.0
        self._last: Reading | None = None
        self._new_life = False
        self._survivors: dict[str, int] = {}
        self._looking: Preview | None = None  #: of this hour
        self._hour = 0.0
        self.roster = Roster(is_zone)
        self._ledger = Ledger(memory)
        scene = Scene(
            memory,
            self.roster,
            self._ledger.waits,
            self._ledger.siblings,
            self.days.off,
            host,
            lambda: self._walk.is_making_up,
        )
        self._starts = Starts(self._ledger, self.roster, zone, zone_named)
        self._keeping = Keeping(self._ledger, self.roster)
        self._runs = Runs(self._ledger, scene, self._starts, self._keeping, self._due_after)
        self._planning = Planning(self._ledger, self.roster, zone, zone_named, self._due_after)
        self._requests = Requests(self._ledger, self._runs)
        self._facts = Facts(self._ledger, self._runs, self.roster)
        promises = Promises(
            memory, self.roster, self._due_after, self._planning.window_of, self.days.off, self.days.end
        )
        self._watch = Watch(self._ledger, self.roster, promises)
        self._gaps = Gaps(self._ledger, self.roster, self._planning, self._runs, self._watch)
        self._handlers: dict[type, Callable[[Reading, Any], None]] = {
            Woke: self._woke,
            Hello: self._greeted,
            TableParsed: self._table_parsed,
            TableGone: self._table_gone,
            TableRefused: self._table_refused,
            Survived: self._survived,
            TablesComplete: self._tables_complete,
            Started: self._facts.started,
            NotStarted: self._facts.not_started,
            Exited: self._facts.exited,
            Vanished: self._facts.vanished,
            RunRequested: self._requests.run,
            BackfillRequested: self._requests.backfill,
            RerunRequested: self._requests.rerun,
            MarkRequested: self._requests.mark,
            StopRequested: self._requests.stop,
            PauseRequested: self._requests.pause,
            ResumeRequested: self._requests.resume,
            MuteRequested: self._requests.mute,
            UnmuteRequested: self._requests.unmute,
        }

    @property
    def jobs(self) -> dict[str, Job]:
        """The jobs that there are, by their ids."""
        return self.roster.jobs

    @property
    def tables(self) -> dict[str, TableParsed]:
        """The tables that are obeyed, by their paths."""
        return self.roster.tables

    @property
    def refused(self) -> dict[str, TableRefused]:
        """The tables that are not obeyed, by their paths."""
        return self.roster.refused

    def step(self, reading: Reading, event: Event) -> list[Action]:
        """Take in `event`, which was noticed at `reading`; return what is to be done, in order."""
        actions = self._ledger.begin()
        if reading.wall // 3600 != self._hour:
            # What it found about zones takes milliseconds, and holds until somebody sets another zone.
            self._looking, self._hour = None, reading.wall // 3600
        if type(event) is Woke:
            self._runs.begin_turn()
        self._handlers[type(event)](reading, event)
        if self._complete:
            self._runs.work(reading)
        self._ledger.end()
        return actions

    def deadline(self, reading: Reading) -> float:
        """Return in how many seconds the engine must be woken."""
        if not self._complete:
            return 60.0
        if self.memory.queue or self._runs.busy:
            return 0.0
        return min(self._walk.deadline(reading), max(0.0, self._next_moment(reading) - reading.wall))

    def idle_until(self, reading: Reading, upto: float) -> float:
        """As `Walks.idle_until`; never while anything is to be done, nor beyond the end of a wait."""
        if self.memory.queue or self._runs.busy:
            return reading.wall
        return self._walk.idle_until(reading.wall, min(upto, self._next_moment(reading)))

    def _next_moment(self, reading: Reading) -> float:
        """Return when something is over next, but for minutes; infinite if nothing is."""
        moments = (
            self._ledger.waits.next_moment(),
            self._requests.next_expiry(),
            self._watch.next_moment(reading),
        )
        return min((moment for moment in moments if moment is not None), default=float("inf"))

    def crowd_of(self, event: RunRequested | BackfillRequested | RerunRequested) -> str:
        """Return why `event` asks for more runs than an owner may have, "" where it does not."""
        return self._requests.crowd_of(event)

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

    def is_within(self, job: Job, instant: float) -> bool:
        """True if `instant` (epoch seconds) lies between starts_at and expires_at of `job`."""
        return self._planning.is_within(job, instant)

    def window_of(self, job: Job, near: float) -> tuple[float, float]:
        """Return starts_at and expires_at of `job` (epoch seconds), infinite where it has none. Of a time
        that comes twice, the one that is `near`.
        """
        return self._planning.window_of(job, near)

    def jitter_of(self, job: Job) -> int:
        """Return by how many seconds runs of `job` start after their instants."""
        return spread(job.entry.policy.jitter, self._host, job.id)

    def _due_after(self, job: Job, wall: float) -> Iterator[float]:
        leader = self.jobs.get(self.roster.graph.led_by(job.id)[-1], job)
        if self._looking is None:
            self._looking = self.preview(wall)
        return self._looking.looking_from(wall).due_times(leader)

    # --- time ------------------------------------------------------------------------------------------

    def _woke(self, reading: Reading, _event: Woke) -> None:
        if not self._complete:
            return
        looked = None if self._last is None else self._last.wall
        went_by = self._watch_clock(reading)
        self._requests.expire(reading)
        for run in self._ledger.waits.over(reading.wall):
            self._runs.look_again(run)
        before = self._walk.position
        dues = self._walk.advance(reading)
        moved = self._walk.position != before
        if moved:
            self._gaps.pass_by(before.served, looked, reading.wall, went_by)
            # Before what is due: a write that was cut off may lose a minute, and must not serve it twice.
            self._ledger.remember(memory.planned(self._walk.position))
        if dues:
            self._planning.plan(dues, Trigger.SCHEDULE, made_up_to=self._gaps.made_up_to)
        if moved and self._walk.position.woken % 60 == 0:
            self._keeping.tidy(reading.wall)
        self._watch.look(reading)
        self._admit(reading, FIRST_BATCH if dues else BATCH)

    def _watch_clock(self, reading: Reading) -> float:
        """See to what the clock did since it was looked at last; return how many seconds went by, sleep
        included.
        """
        went_by = float("inf") if self._last is None else reading.boot - self._last.boot
        if self._last is not None:
            kind, seconds = passage(self._last, reading)
            if kind is not Passage.STEADY:
                text = _PASSAGES[kind].format(abs(seconds), _direction(seconds))
                self._ledger.notice(text)
                if kind is Passage.SUSPENDED:
                    self._ledger.remember(["interval", "suspend", self._last.wall, reading.wall, text])
                if kind is not Passage.LATE:
                    self._runs.shift(seconds, asleep=kind is Passage.SUSPENDED)
                    self._watch.shift(seconds, reading.wall)
        self._last = reading
        return went_by

    def _admit(self, reading: Reading, most: int = BATCH) -> None:
        for _ in range(min(most, len(self.memory.queue))):
            self._runs.answer(self.memory.queue.first(), reading)
        self._keeping.prune_rest()

    # --- the launcher ----------------------------------------------------------------------------------

    def _greeted(self, _reading: Reading, hello: Hello) -> None:
        self._hello = hello
        self._complete = False
        self._looking = None
        self._survivors = {}
        self.roster.begin(read_host((), hello.pools).pools)
        self.began = hello.began
        self._delay_factor = random_delay_factor(hello.seed)
        self._watch.begin(hello)
        position = self.memory.position
        self._new_life = hello.life != self.memory.life or position is None
        if not self._new_life and position is not None:
            self._walk.resume(position)
            return
        self._walk.begin(hello.began)

    def _survived(self, _reading: Reading, event: Survived) -> None:
        self._survivors[event.attempt] = event.pid

    def _tables_complete(self, reading: Reading, _event: TablesComplete) -> None:
        self._complete = True
        self._requests.expire(reading)
        position = self.memory.position
        if self._new_life and position is not None and self.began is not None:
            self._ledger.remember(["interval", "outage", position.served, self.began, _DOWN])
            self._ledger.remember(["outage", position.served, self.began])
        # Only now: a table that is read again later must start nothing.
        self._settle(reading.wall, starting=True)
        if self._new_life:
            self._lose(reading)
            left = self._leave_out_what_waited(reading)
            if position is not None:
                # `@every` has instants inside the minute in which this life began, too.
                upto = max(self._walk.position.served, self.began or 0.0)
                self._gaps.come_back(position.served, upto, reading.wall, left)
            self._begin_life()
        self._plan_reboot()
        for run in reconcile.unanswered(self.memory.runs.values(), wall=reading.wall):
            self._starts.ask_again(run)
        for run in reconcile.stopping(self.memory.runs.values()):
            if run.attempt.started_at is None:
                self._starts.ask_whether_made(run)
            self._ledger.send(Stop(attempt_key(run.id, run.attempt.number)))
        self._runs.resume()
        self._keeping.prune_all()
        self._watch.wait(reading)
        self._admit(reading)

    def _begin_life(self) -> None:
        """Remember whose life it is: last of all that a new one brings with it. A scheduler that dies before
        finds it new again; one that knew it would never end what the life before left.
        """
        self._new_life = False
        self._ledger.remember(memory.planned(self._walk.position))
        if self._hello is not None:
            self._ledger.remember(["life", self._hello.life])

    def _lose(self, reading: Reading) -> None:
        """End the attempts of a launcher that is no more; those whose process lives go on."""
        for run in reconcile.processes(self.memory.runs.values()):
            key = attempt_key(run.id, run.attempt.number)
            if key not in self._survivors:
                self._runs.ended(run, progress.vanished(run, reading.wall), reading, "the daemon ended first")
            elif run.attempt.started_at is None:
                self._runs.started(progress.found(run, self._survivors[key], reading.wall))

    def _leave_out_what_waited(self, reading: Reading) -> dict[str, list[float]]:
        """Answer the dues that the life before planned and did not start, and return them; what catches up
        keeps its own.
        """
        left: dict[str, list[float]] = {}
        for due in list(self.memory.queue):
            job = self.jobs.get(due.job)
            if job is None or job.entry.policy.catchup == "none":
                self._runs.finish(due_run(due), Outcome.SKIPPED, _DOWN, reading.wall)
                left.setdefault(due.job, []).append(due.instant)
        return left

    def _plan_reboot(self) -> None:
        hello = self._hello
        if hello is None or hello.boot == self.memory.boot:
            return
        if hello.reboot:
            jobs = [job for job in self.jobs.values() if isinstance(job.entry.schedule, Reboot)]
            # Those that were planned before a write was cut off are not planned again.
            dues = [Due(job, hello.began) for job in jobs if self._last_served(job) is None]
            self._planning.plan(dues, Trigger.REBOOT)
        self._ledger.remember(["boot", hello.boot])

    def _table_parsed(self, reading: Reading, event: TableParsed) -> None:
        self.roster.put(event)
        digest = digest_of(event.table)
        seen = self.memory.crontabs.get(event.origin)
        if seen is None or (seen.uid, seen.digest) != (event.uid, digest):
            self._ledger.remember(["crontab", event.origin, event.owner, event.uid, digest, reading.wall])
        self._settle(reading.wall)

    def _table_gone(self, reading: Reading, event: TableGone) -> None:
        self.roster.drop(event.origin)
        self._settle(reading.wall)

    def _table_refused(self, reading: Reading, event: TableRefused) -> None:
        self.roster.refuse(event)
        self._settle(reading.wall)

    def _settle(self, wall: float, *, starting: bool = False) -> None:
        if not self._complete:
            return  # at start, once for all tables
        self.roster.settle()
        self._planning.note_new(wall)
        self._watch.settle(wall)
        index = Index(self.jobs.values(), delay_factor=self._delay_factor)
        passed = self._walk.use(index, wall, last_served=self._last_served if starting else _never_served)
        for due in passed:
            self._passed_by(due, wall)
        self._runs.resume()

    def _passed_by(self, due: Due, wall: float) -> None:
        """Answer a moment that has passed: made up, left out with its reason, or never ours."""
        held = self.memory.answered.get(due.job.id)
        if held is not None and held.instant >= due.instant:
            # Its line may still be there: whoever was to remove it died, or could not.
            self._runs.retire(due.job)
            return
        if not any(one.began < due.instant <= one.ended for one in self.memory.outages):
            self._ledger.notice(f"{due.job.id}: {due.job.entry.schedule} has passed; not run")
        elif due.job.entry.policy.catchup == "none":
            self._planning.plan([due], Trigger.SCHEDULE)
            run = due_run(Waiting(due.job.id, due.instant, 0, Trigger.SCHEDULE))
            self._runs.finish(run, Outcome.SKIPPED, f"missed: {_DOWN}", wall)
        # What catches up is made up with everything else.

    def _last_served(self, job: Job) -> float | None:
        """The instant that `job` last answered in this life of the launcher, if any."""
        held = self.memory.answered.get(job.id)
        return None if held is None or self.began is None or held.instant < self.began else held.instant


def _never_served(_job: Job) -> float | None:
    return None


_PASSAGES = {
    Passage.LATE: "the scheduler did not run for {:.0f} s",
    Passage.SUSPENDED: "the machine was suspended for {:.0f} s",
    Passage.STEPPED: "the clock was set {1} by {0:.0f} s",
}


def _direction(seconds: float) -> str:
    return "forward" if seconds > 0 else "back"
