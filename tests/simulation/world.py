"""A world of faults, drawn from one seed: schedulers and launchers die, clocks jump, tables change.

The engine is the real one. After every step its promises are checked; at the end all is let come to rest,
and no due that was planned may be without an answer.
"""

from __future__ import annotations

import random
from typing import Any

from crond.calendars.rules import days_of_rule
from crond.core.clockwork import Reading
from crond.core.engine import Engine
from crond.core.keeping import KEPT_RUNS
from crond.core.memory import Memory
from crond.model.actions import Record, Remember, Send
from crond.model.crontab import parse_crontab
from crond.model.events import Event, RunRequested, StopRequested, TableParsed, Woke
from crond.model.messages import PROTOCOL, Ack, Hello, TablesComplete
from crond.model.run import TRANSITIONS, Run, State
from crond.zones import zone_named
from tests.core.driving import contents, durable, rebuilt
from tests.simulation.launcher import Broken, FakeLauncher

_FIELDS = ("*", "*/7", "0-59/10", "5,35", "0", "17")
_HOURS = ("*", "*/2", "1", "2", "1-3", "0-23")
_OTHERS = (
    "@every 40s",
    "@every 1h",
    "@reboot",
    "@at 2026-03-08T03:05",
    "@hourly",
    "CRON_TZ=Asia/Seoul\n7 * * * *",
)
#: An hour and a half before New York's clocks go forward, or back.
_BEGINNINGS = (1772947800.0, 1793507400.0)


class World:
    """Everything that one seed makes happen."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = Reading(self.random.choice(_BEGINNINGS) + self.random.randrange(7200), 1e4, 1e4)
        self.records: list[Record] = []
        self.planned: set[tuple[Any, ...]] = set()
        self.states: dict[str, State] = {}
        self.ever_started: set[str] = set()
        self.lives = 0
        self.text = self._crontab()
        self.engine = self._engine(Memory())
        self.launcher = self._launcher()
        self._greet()

    # --- what may happen ------------------------------------------------------------------------------

    def live(self, seconds: float) -> None:
        """Let time pass with everything that may go wrong."""
        end = self.now.mono + seconds
        happenings = (
            (self._edit, 4),
            (self._set_clock, 2),
            (self._stall, 3),
            (self._lose_scheduler, 6),
            (self._lose_launcher, 1),
            (self._request, 4),
            (self._stop, 4),
        )
        weighted = [happening for happening, weight in happenings for _ in range(weight)]
        while self.now.mono < end:
            self._pass(self.random.choice((1, 20, 61, 200, 900, 4000)))
            self.random.choice(weighted)()

    def rest(self) -> None:
        """Nothing goes wrong any more; then every due must have its answer."""
        self.text = "# nothing\n"
        self._tell_table()
        self._pass(10_000)
        self._check_memory()
        unanswered = self.planned - self._answered()
        if unanswered:
            raise Broken(f"planned, and without an answer: {sorted(unanswered)}")
        unfinished = [run for run in self.engine.memory.runs.values() if run.state is not State.FINISHED]
        if unfinished or self.engine.memory.queue:
            raise Broken(f"still not at an end: {unfinished} {self.engine.memory.queue}")

    def _pass(self, seconds: float) -> None:
        end = self.now.mono + seconds
        while True:
            self._hear()
            wait = self.engine.deadline(self.now)
            ends = [process.ends_at - self.now.mono for process in self._running()]
            wait = max(0.0, min(wait, *ends, 1e9))
            if self.now.mono + wait > end:
                self._skip(end - self.now.mono)
                return
            self._skip(wait)
            self._step(Woke())

    def _running(self) -> list[Any]:
        return [process for process in self.launcher.attempts.values() if not process.ended]

    def _edit(self) -> None:
        self.text = self._crontab()
        self._tell_table()

    def _set_clock(self) -> None:
        by = self.random.choice((-20000, -3600, -61, -5, 5, 250, 3600, 9000, 40000))
        self.now = Reading(self.now.wall + by, self.now.mono, self.now.boot)

    def _stall(self) -> None:
        by = self.random.choice((70, 200, 1200, 9000, 20000))
        asleep = self.random.random() < 0.5
        self.now = Reading(self.now.wall + by, self.now.mono + (0 if asleep else by), self.now.boot + by)

    def _lose_scheduler(self) -> None:
        """It dies in the middle of a step: with the step's records written or not, and nothing sent."""
        # At a moment when there is something to do, else nothing would be lost with it.
        self._skip(self.engine.deadline(self.now))
        self._step(Woke(), dies_before_sending=True, writes=self.random.random() < 0.5)
        self.engine = self._engine(rebuilt(self.records))
        self._greet()

    def _lose_launcher(self) -> None:
        self.engine = self._engine(rebuilt(self.records))
        self.launcher = self._launcher()
        self._greet()

    def _request(self) -> None:
        if self.engine.jobs:
            self._step(RunRequested(self.random.choice(list(self.engine.jobs)), 0))

    def _stop(self) -> None:
        if self.engine.memory.runs:
            self._step(StopRequested(self.random.choice(list(self.engine.memory.runs)), 0))

    # --- the machinery --------------------------------------------------------------------------------

    def _crontab(self) -> str:
        lines = [f"{self.random.choice(_FIELDS)} {self.random.choice(_HOURS)} * * *" for _ in range(3)]
        lines += self.random.sample(_OTHERS, 2)
        kept = self.random.sample(lines, self.random.randrange(1, 6))
        return "".join(f"{line} c{self.random.randrange(4)}\n" for line in kept)

    def _engine(self, memory: Memory) -> Engine:
        zone = zone_named("America/New_York")
        return Engine(memory=memory, zone=zone, zone_named=zone_named, rules=days_of_rule)

    def _launcher(self) -> FakeLauncher:
        self.lives += 1
        self.began = self.now.wall
        return FakeLauncher(self.random, self.ever_started)

    def _greet(self) -> None:
        self._step(
            Hello(PROTOCOL, f"life{self.lives}", f"boot{self.lives // 2}", True, 7, "cronie", self.began)
        )
        if not self.launcher.held:
            self.launcher.new_table()
        self._tell_parsed()
        self._step(TablesComplete())

    def _tell_table(self) -> None:
        self.launcher.new_table()
        # The scheduler hears of it a little later: until then its starts are stale.
        if self.random.random() < 0.5:
            self._step(Woke())
        self._tell_parsed()

    def _tell_parsed(self) -> None:
        table = parse_crontab(self.text, extensions=True)
        self._step(TableParsed(self.launcher.version, "tab", "me", 7, table))

    def _hear(self) -> None:
        """Facts arrive, perhaps not all of them yet, perhaps twice."""
        self.launcher.let_end(self.now)
        while self.launcher.facts:
            facts = self.launcher.facts[: self.random.randrange(1, 4)]
            for fact in facts:
                self._step(fact)
            if self.random.random() < 0.1:
                return  # the acknowledgement is still on its way, so they come again
            self.launcher.obey(Ack(facts[-1].number), self.now)
            self.launcher.let_end(self.now)

    def _skip(self, seconds: float) -> None:
        self.now = Reading(self.now.wall + seconds, self.now.mono + seconds, self.now.boot + seconds)

    def _step(self, event: Event, *, dies_before_sending: bool = False, writes: bool = True) -> None:
        actions = self.engine.step(self.now, event)
        if not writes:
            return
        self._write([action.record for action in actions if isinstance(action, Remember)])
        self._check_kept()
        if dies_before_sending:
            return
        for action in actions:
            if isinstance(action, Send):
                self.launcher.obey(action.wish, self.now)

    # --- promises -------------------------------------------------------------------------------------

    def _write(self, records: list[Record]) -> None:
        for record in durable(records):
            if record[0] == "due":
                for due in record[1]:
                    if tuple(due) in self.planned:
                        raise Broken(f"planned twice: {due}")
                    self.planned.add(tuple(due))
            elif record[0] == "run":
                self._check_arrow(record[1])
        self.records += records

    def _check_arrow(self, run: dict[str, Any]) -> None:
        state, before = State(run["state"]), self.states.get(run["id"], State.DUE)
        if state is not before and state not in TRANSITIONS[before]:
            raise Broken(f"{run['id']}: {before} -> {state}")
        self.states[run["id"]] = state

    def _check_kept(self) -> None:
        kept: dict[str, int] = {}
        for run in self.engine.memory.runs.values():
            kept[run.job] = kept.get(run.job, 0) + (run.state is State.FINISHED)
        if max(kept.values(), default=0) > KEPT_RUNS:
            raise Broken(f"more than {KEPT_RUNS} finished runs are kept: {kept}")

    def _check_memory(self) -> None:
        if contents(rebuilt(self.records)) != contents(self.engine.memory):
            raise Broken("the journal comes to another memory")

    def _answered(self) -> set[tuple[Any, ...]]:
        runs = [record[1] for record in self.records if record[0] == "run"]
        plain = [run.values() if isinstance(run, Run) else run for run in runs]
        return {(run["job"], run["instant"], run["ordinal"], run["trigger"]) for run in plain}
