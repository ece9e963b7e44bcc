"""A world of faults, drawn from one seed: schedulers and launchers die, clocks jump, tables change.

The engine is the real one. The world moves the clocks, plays the launcher's wire and the journal, and lets
the judge hear all that crosses them. It decides nothing about right and wrong itself.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any, Self

from crond.calendars.rules import days_of_rule
from crond.core.clockwork import Reading
from crond.core.engine import Engine
from crond.core.memory import Memory
from crond.model.actions import Remember, Send
from crond.model.alert import Flip
from crond.model.crontab import Table, parse_crontab
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
from crond.model.job import jobs_of
from crond.model.messages import (
    PROTOCOL,
    Ack,
    Hello,
    News,
    Survived,
    TableGone,
    TableRefused,
    TablesComplete,
)
from crond.model.run import Outcome, State
from crond.zones import zone_named
from tests.core.driving import flips_in
from tests.simulation.crontabs import Crontab
from tests.simulation.judge import KEPT, LONGEST, Judge
from tests.simulation.keeping import InMemory, Keeper, OnDisk
from tests.simulation.launcher import Broken, FakeLauncher
from tests.simulation.telling import Telling

#: True where the engine obeys annotations: they and the events that came with them are simulated, too.
ANNOTATED = find_spec("crond.core.dependencies") is not None
ZONES = ("America/New_York", "Asia/Seoul", "Australia/Lord_Howe", "UTC")
#: An hour and a half before New York's clocks go forward or back, and before Lord Howe's.
_BEGINNINGS = (1772947800.0, 1793507400.0, 1775309400.0, 1790992800.0)
_NEW_YEAR = 1767225600.0
_DAY = 86400.0
_TRAIL = 40
#: How many steps may follow each other at one moment.
_AT_ONCE = 1000
#: Before annotations were obeyed, runs that were skipped stayed until the next one of their job ended.
_KEPT = KEPT if ANNOTATED else 100_000
_LOADS = "load" in {field.name for field in fields(Reading)}


class Died(Exception):
    """The scheduler is no more."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What kind of world. `sparse`: due a few times a day, so that years pass quickly; `pause` is the longest
    time, in seconds, between two faults; `sizes` are the least and the greatest number of lines.
    """

    sparse: bool
    annotated: bool
    pause: int
    sizes: tuple[int, int]
    on_disk: float = 0.0  #: how likely it is that records go to files and a database


LONG = Kind(sparse=True, annotated=ANNOTATED, pause=2 * 43200, sizes=(50, 50))
DENSE = Kind(sparse=False, annotated=ANNOTATED, pause=4000, sizes=(1, 12), on_disk=0.2)


class World:
    """Everything that one seed makes happen; a context manager, as it may have files."""

    def __init__(self, source: random.Random, kind: Kind = DENSE) -> None:
        self.random = source
        self.kind = kind
        began = _NEW_YEAR + source.randrange(300) * _DAY if kind.sparse else source.choice(_BEGINNINGS)
        self.now = Reading(began + source.randrange(7200), 1e4, 1e4)
        self.zone = source.choice(ZONES)
        self.trail: deque[tuple[float, str, Any]] = deque(maxlen=_TRAIL)
        self.faults: Counter[str] = Counter()
        self.ever_started: set[str] = set()
        self.lives, self.boots = 1, 1
        self.judge = Judge(self.zone)
        self.judge.reads(self.now)
        kept: Keeper = OnDisk(source) if source.random() < kind.on_disk else InMemory()
        self.telling = Telling(random.Random(source.getrandbits(64)), self.now, kept, self.judge.figures)
        self.keeper: Keeper = self.telling
        self.crontab = Crontab(source, kind.annotated, kind.sparse)
        self.crontab.grow(source.randrange(kind.sizes[0], kind.sizes[1] + 1))
        self.there = True
        self._parsed: tuple[str, Table] | None = None
        self._doom: int | None = None
        self._steps = 0
        self._offset = zone_named(self.zone).offset_at(self.now.wall)
        self.engine = self._engine(Memory())
        self.began = self.now.wall
        self.launcher = FakeLauncher(source, self.ever_started, self._born, self.judge.died)
        self.launcher.new_table()
        try:
            self._greet(())
        except BaseException:
            self.keeper.close()  # nobody else can: there is no world yet
            raise

    # --- a life ------------------------------------------------------------------------------------------

    def live(self, seconds: float) -> None:
        """Let time pass with everything that may go wrong. Raises Broken, with what came before it."""
        end = self.now.mono + seconds
        while self.now.mono < end:
            self._guarded(self._pass, self.random.randrange(1, self.kind.pause))
            fault = self.random.choice(self._weighted())
            self.faults[fault.__name__.strip("_").replace("_", " ")] += 1
            self._note("fault", fault.__name__)
            self._guarded(fault)
            if self.random.random() < 0.1:
                self._guarded(self._look_around)

    def rest(self) -> None:
        """Nothing goes wrong any more; then everything must come to an end."""
        self.telling.calm()
        self._doom = None
        self._guarded(self._pass, 2 * _DAY)
        self._guarded(self._look_around)
        self.there = False
        self._guarded(self._tell_table)
        self._guarded(self._pass, LONGEST)
        self._guarded(self._look_around)
        self._guarded(self.judge.rests)
        if self.engine.memory.queue:
            raise Broken(f"still waiting: {list(self.engine.memory.queue)}")
        self.keeper.compare(self.judge.ends)
        self._guarded(self.telling.rests)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.keeper.close()

    @property
    def figures(self) -> Counter[str]:
        """What there was."""
        return self.judge.figures + self.launcher.figures + self.judge.told.figures

    @property
    def flips(self) -> dict[str, Flip]:
        """All that was told and is in the journal, by id."""
        return self.judge.told.flips

    def _guarded(self, act: Callable[..., None], *values: Any) -> None:
        """Do it; a scheduler that dies in it comes back; what breaks says what came before."""
        try:
            try:
                act(*values)
            except Died:
                self._revive()
        except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError, RuntimeError) as error:
            told = "\n".join(
                f"  {_local(wall, self.zone)}  {kind} {_said(what)}" for wall, kind, what in self.trail
            )
            text = f"{type(error).__name__}: {error}"
            raise Broken(f"{text}\nthe last {len(self.trail)} events, the newest last:\n{told}") from error

    def _weighted(self) -> list[Callable[[], None]]:
        happenings: list[tuple[Callable[[], None], int]] = [
            (self._edit, 6),
            (self._lose_table, 1),
            (self._set_clock, 1),
            (self._suspend, 1),
            (self._stall, 1),
            (self._stall_shortly, 3),
            (self._kill_scheduler, 12),
            (self._lose_scheduler, 2),
            (self._restart_launcher, 1),
            (self._reboot, 1),
            (self._busy_launcher, 4),
            (self._run, 4),
            (self._stop, 5),
        ]
        if self.kind.annotated:
            happenings += [
                (self._run_downstream, 3),
                (self._rerun, 4),
                (self._mark, 3),
                (self._pause, 2),
                (self._resume, 2),
                (self._backfill, 3),
                (self._load, 2),
                (self._mute, 2),
                (self._unmute, 1),
            ]
        return [happening for happening, weight in happenings for _ in range(weight)]

    # --- what may happen -----------------------------------------------------------------------------------

    def _edit(self) -> None:
        self.faults[f"crontab: {self.crontab.change()}"] += 1
        self._tell_table()

    def _lose_table(self) -> None:
        """The file is refused or gone for a while."""
        self.there = False
        self._tell_table()
        self._pass(self.random.choice((0, 70, 5000)))
        self.there = True
        self._tell_table()

    def _set_clock(self) -> None:
        by = self.random.choice((-20000, -3600, -61, -5, 5, 250, 3600, 9000, 40000))
        self.now = replace(self.now, wall=self.now.wall + by)
        self._jumped(back_to=self.now.wall if by < 0 else None)

    def _suspend(self) -> None:
        by = self.random.choice((70, 1200, 9000, 20000))
        self.now = replace(self.now, wall=self.now.wall + by, boot=self.now.boot + by)
        self._jumped()

    def _stall(self) -> None:
        """The machine runs, and the scheduler does not."""
        self._skip(self.random.choice((400, 1200, 9000, 20000)))
        self._jumped()

    def _stall_shortly(self) -> None:
        """So shortly that every minute is made up."""
        self._come_up_to_now()
        self._skip(self.random.choice((2, 30, 61, 150)))
        self._jumped(missed=False)

    def _kill_scheduler(self) -> None:
        """It dies within one of the next steps, and is back at once."""
        self._doom = self.random.randrange(4)
        # At a moment when there is something to do, else nothing would be lost with it.
        self._pass(self._wait())
        self._step(Woke())

    def _lose_scheduler(self) -> None:
        """It dies between two steps, and is away for a while."""
        self._come_up_to_now()
        self._skip(self.random.choice((0, 3, 70, 200, 9000)))
        self._jumped()
        self._revive()

    def _restart_launcher(self) -> None:
        """Some of its processes survive it."""
        self._new_launcher(survive=self.random.choice((0.0, 0.5, 1.0)) if self.kind.annotated else 0.0)

    def _reboot(self) -> None:
        self.boots += 1
        self._new_launcher(survive=0.0)

    def _new_launcher(self, *, survive: float) -> None:
        self._skip(self.random.choice((0, 1, 30, 3000)))
        self.lives += 1
        self.telling.lose_launcher()
        self.began = self.now.wall
        before = set(self.launcher.live)
        self.judge.reads(self.now)
        self.launcher = self.launcher.successor(self.now, survive=survive)
        self.launcher.new_table()
        self._jumped()
        self._revive(tuple(sorted(before & self.launcher.live.keys())))

    def _busy_launcher(self) -> None:
        """Wishes and facts are on their way for a while."""
        self.launcher.busy = self.now.mono + self.random.choice((1, 20, 100))

    def _run(self) -> None:
        if self.engine.jobs:
            self._step(RunRequested(self.random.choice(list(self.engine.jobs)), 0))

    def _run_downstream(self) -> None:
        if self.engine.jobs:
            job = self.random.choice(list(self.engine.jobs))
            self._step(RunRequested(job, 0, (), downstream=True))

    def _stop(self) -> None:
        run = self._any_run()
        if run is not None:
            self._step(StopRequested(run, 0))

    def _rerun(self) -> None:
        run = self._any_run(State.FINISHED)
        if run is not None:
            downstream, failed = self.random.random() < 0.5, self.random.random() < 0.5
            self._step(RerunRequested(run, 0, downstream, failed))

    def _mark(self) -> None:
        run = self._any_run()
        if run is not None:
            self._step(MarkRequested(run, 0, self.random.choice((Outcome.SUCCESS, Outcome.FAILED))))

    def _pause(self) -> None:
        if self.engine.jobs:
            job = self.random.choice(list(self.engine.jobs))
            until = self.random.choice((None, self.now.wall + 3600, self.now.wall + 3 * _DAY))
            self._step(PauseRequested(job, 0, until, "by chance"))

    def _resume(self) -> None:
        if self.engine.jobs:
            self._step(ResumeRequested(self.random.choice(list(self.engine.jobs)), 0))

    def _mute(self) -> None:
        if self.engine.jobs:
            job = self.random.choice(list(self.engine.jobs))
            until = self.random.choice((None, self.now.wall + 3600, self.now.wall + _DAY))
            self._step(MuteRequested(job, 0, until, "by chance"))

    def _unmute(self) -> None:
        if self.engine.memory.mutes:
            self._step(UnmuteRequested(self.random.choice(list(self.engine.memory.mutes)), 0))

    def _backfill(self) -> None:
        run = self._any_run()
        if run is not None:
            held = self.judge.runs[run].run
            self._step(BackfillRequested(held.job, 0, held.instant))

    def _load(self) -> None:
        """The host is busy for a while."""
        if _LOADS:
            busy: dict[str, Any] = {"load": 9.0}
            idle: dict[str, Any] = {"load": 0.0}
            self.now = replace(self.now, **busy)
            try:
                self._pass(self.random.choice((60, 3600, 20000)))
            finally:
                self.now = replace(self.now, **idle)

    def _any_run(self, state: State | None = None) -> str | None:
        """One that is remembered; what is not at an end is rare, and so preferred."""
        runs = [seen.run for seen in self.judge.runs.values()]
        wanted = [run.id for run in runs if run.state is state or (state is None and run.outcome is None)]
        if not wanted or (state is None and self.random.random() < 0.2):
            wanted = [run.id for run in runs]
        return self.random.choice(wanted) if wanted else None

    # --- the clock -----------------------------------------------------------------------------------------

    def _pass(self, seconds: float) -> None:
        """Let `seconds` pass, and wake the engine whenever it asks for it."""
        end, stood_still, before = self.now.mono + seconds, 0, self.now.mono
        while True:
            stood_still = stood_still + 1 if self.now.mono == before else 0
            before = self.now.mono
            if stood_still > _AT_ONCE:
                raise Broken("the engine asks to be woken again and again, and time does not pass")
            self._hear()
            wait = self._wait()
            upto = min(end - self.now.mono, self.launcher.next_turn(self.now))
            if wait > 0 and upto > 60:
                self._skip(self.engine.idle_until(self.now, self.now.wall + upto) - self.now.wall)
                wait = self._wait()
                upto = min(end - self.now.mono, self.launcher.next_turn(self.now))
            if self.now.mono + min(wait, upto) >= end:
                self._skip(end - self.now.mono)
                self._hear()
                return
            self._skip(min(wait, upto))
            if wait <= upto:
                self._step(Woke())

    def _wait(self) -> float:
        return max(0.0, self.engine.deadline(self.now))

    def _skip(self, seconds: float) -> None:
        if seconds <= 0:
            return
        held = self.now
        self.now = replace(held, wall=held.wall + seconds, mono=held.mono + seconds, boot=held.boot + seconds)
        offset = zone_named(self.zone).offset_at(self.now.wall)
        if offset != self._offset:
            self.faults["change of daylight saving"] += 1
            self._offset = offset
        self.judge.reads(self.now)
        self.telling.upto(self.now)

    def _come_up_to_now(self) -> None:
        """The minutes that a virtual clock passed over without waking anybody count as woken."""
        self._pass(self._wait())
        self._step(Woke())

    def _jumped(self, *, back_to: float | None = None, missed: bool = True) -> None:
        self.judge.reads(self.now)
        self.judge.jumped(back_to=back_to, missed=missed)

    # --- the wire ------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        """Facts arrive in order, perhaps not all of them yet, perhaps again."""
        self.launcher.turn(self.now)
        while self.launcher.facts and self.now.mono >= self.launcher.busy:
            facts = self.launcher.facts[: self.random.randrange(1, 4)]
            for fact in facts:
                self._step(fact)
            if self.random.random() < 0.05:
                self.faults["acknowledgement late"] += 1
                return  # so they come again
            self.launcher.send(Ack(facts[-1].number), self.now)

    def _greet(self, survivors: tuple[str, ...]) -> None:
        life, boot = f"life{self.lives}", f"boot{self.boots}"
        trouble = (("0123456789abcdef", "root"),) if self.kind.annotated else ()
        hello = Hello(PROTOCOL, life, boot, True, 7, "cronie", self.began)
        self._step(replace(hello, trouble=trouble, held_after=3600.0))
        self._tell_parsed()
        for key in survivors:
            self._step(Survived(key, 4711))
        self._step(TablesComplete())

    def _revive(self, survivors: tuple[str, ...] | None = None) -> None:
        """A new scheduler, with what is durable. It may die again at once."""
        if survivors is None:
            survivors = tuple(key for key, process in self.launcher.live.items() if process.orphan)
        while True:
            self.engine = self._engine(self.keeper.rebuilt())
            try:
                self._greet(survivors)
            except Died:
                continue
            return

    def _tell_table(self) -> None:
        self.launcher.new_table()
        # The scheduler hears of it a little later: until then its starts are stale.
        if self.random.random() < 0.5:
            self._step(Woke())
        self._tell_parsed()

    def _tell_parsed(self) -> None:
        if not self.there:
            event = self.random.choice((TableGone("tab"), TableRefused("tab", "me", 7, "WRONG OWNER")))
            self.judge.tables((), {})
            self.telling.tables(())
            self._step(event)
            return
        text = self.crontab.text()
        if self._parsed is None or self._parsed[0] != text:
            self._parsed = (text, parse_crontab(text, extensions=True))
        table, version = self._parsed[1], self.launcher.version
        jobs = jobs_of(table, owner="me", uid=7, origin="tab", version=version)
        self.telling.tables(jobs)
        self.judge.tables(jobs, {f"me/{name}": size for name, size in table.pools.items()})
        self._step(TableParsed(version, "tab", "me", 7, table))

    def _engine(self, memory: Memory) -> Engine:
        zone = zone_named(self.zone)
        return Engine(memory=memory, zone=zone, zone_named=zone_named, rules=days_of_rule)

    def _born(self, process: Any) -> None:
        self.judge.born(process.key)

    # --- a step --------------------------------------------------------------------------------------------

    def _step(self, event: Event) -> None:
        self._steps += 1
        self.judge.reads(self.now)
        if not isinstance(event, Woke):
            self._note("told", event)
        actions = self.engine.step(self.now, event)
        records = [action.record for action in actions if isinstance(action, Remember)]
        wishes = [action.wish for action in actions if isinstance(action, Send)]
        tells = any(map(flips_in, records))
        if sum(isinstance(wish, News) for wish in wishes) != tells:
            raise Broken(f"whoever delivers news hears of it {wishes.count(News())} times: {records}")
        if self._doom is None:
            self._write(records)
            self._send(wishes)
        else:
            self._doom -= 1
            if self._doom < 0:
                self._doom = None
                self._die(records, wishes)
            self._write(records)
            self._send(wishes)
        if self._steps % 256 == 0:
            self.keeper.turn(self.engine.memory)

    def _die(self, records: list[Any], wishes: list[Any]) -> None:
        """In the middle of a step: before, within or after its write, or between two wishes."""
        way = self.random.choice(("unwritten", "torn", "unsent", "half sent"))
        self.faults[f"died {way}"] += 1
        self._note("died", way)
        if way == "torn":
            self.keeper.write(kept := records[: self.random.randrange(len(records) + 1)], torn=True)
            self.judge.remembers(kept)
            # How far the walk came may be known, and not what it found there.
            self.judge.jumped()
        elif way != "unwritten":
            self._write(records)
            if way == "half sent":
                self._send(wishes[: self.random.randrange(len(wishes) + 1)])
        raise Died

    def _write(self, records: list[Any]) -> None:
        if records:
            for record in records:
                if record[0] not in ("planned", "due"):
                    self._note("remembers", record)
            self.keeper.write(records)
            self.judge.remembers(records)

    def _send(self, wishes: list[Any]) -> None:
        for wish in wishes:
            self._note("wishes", wish)
            self.judge.wishes(wish)
            if isinstance(wish, News):
                self.telling.news()
            self.launcher.send(wish, self.now)

    def _look_around(self) -> None:
        self.keeper.check(self.engine.memory)
        self.judge.looks()
        self.judge.check_bounds(sum(1 for _ in self.engine.memory.records()), _KEPT)
        self.judge.prune()

    def _note(self, kind: str, what: Any) -> None:
        self.trail.append((self.now.wall, kind, what))


def seeded(seed: int, kind: Kind = DENSE) -> World:
    """The world that belongs to `seed`."""
    return World(random.Random(seed), kind)


def _said(what: Any) -> str:
    """What is not as it always is, in one line."""
    if isinstance(what, list):
        return " ".join([str(what[0]), *map(_said, what[1:])])
    if isinstance(what, tuple) and what and is_dataclass(what[0]):
        return f"({', '.join(map(_said, what))})"
    if not is_dataclass(what) or isinstance(what, type):
        return str(what)
    if isinstance(what, TableParsed):
        return f"TableParsed version {what.version}"
    values = ((one.name, getattr(what, one.name), one.default) for one in fields(what))
    told = (f"{name}={_said(value)}" for name, value, usual in values if value != usual)
    return f"{type(what).__name__}({', '.join(told)})"


def _local(wall: float, zone: str) -> str:
    local = datetime.fromtimestamp(wall + zone_named(zone).offset_at(wall), UTC)
    return f"{local:%Y-%m-%d %H:%M:%S}"
