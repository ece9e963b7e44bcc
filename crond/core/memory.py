"""What the engine remembers, and the records that rebuild it: nothing of it lives anywhere else.

Every change is a record, applied here and written to the journal in the same step, so that reading the
journal back gives the same memory. Records are lists of plain values with absolute contents: applying one
twice is applying it once. Pure; the scheduler's journal stores and replays the records.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from crond.core.clockwork import Gap
from crond.core.health import WELL, Health, Mute, health_of
from crond.core.planner import Position
from crond.core.queue import Queue, Waiting
from crond.model.actions import Record
from crond.model.run import Outcome, Run, State, Trigger, run_of


class BadRecord(ValueError):
    """A record that no version of this program wrote."""


class Answered(NamedTuple):
    """The highest instant that a job was ever due for, and how many dues did not lie above it."""

    instant: float
    repeats: int


class Crontab(NamedTuple):
    """The newest version of a crontab that was seen: whose it was, its digest, and since when it is known."""

    owner: str
    uid: int
    digest: str
    at: float


class Pause(NamedTuple):
    """A time in which a job is not due: from `began` up to `until` (None: until it is resumed). `ended` is
    when it was over.
    """

    began: float
    until: float | None
    by: int
    note: str
    ended: float | None = None

    def covers(self, instant: float) -> bool:
        """True if a due at `instant` falls into it."""
        return self.began <= instant and (self.ended is None or instant < self.ended)


class Trouble(NamedTuple):
    """Something wrong that belongs to no run: since when it is known, and whether somebody was told."""

    since: float
    told: bool


class Outage(NamedTuple):
    """A time in which nothing was due, as there was no daemon or its host slept."""

    began: float
    ended: float
    reason: str = "the daemon was down"


_NONE: Mapping[str, Run] = {}
#: How many outages are remembered: of two starts in a row, the second must not hide the first.
KEPT_OUTAGES = 8


class Memory:
    """The engine's whole memory. Changes only through `apply`."""

    def __init__(self) -> None:
        self.life = ""
        self.boot = ""
        self.position: Position | None = None
        self.answered: dict[str, Answered] = {}
        self.queue = Queue()
        self.crontabs: dict[str, Crontab] = {}
        self.runs: dict[str, Run] = {}
        self.pauses: dict[str, Pause] = {}  #: the latest of each job
        self.successes: dict[str, float] = {}  #: by job, the instant of the last run that succeeded
        self.seen: dict[str, float] = {}  #: since when a job that catches up is known
        self.outages: list[Outage] = []  #: the latest ones, in their order
        self.health: dict[str, Health] = {}  #: of jobs that somebody is to be told of
        self.mutes: dict[str, Mute] = {}  #: the jobs whose news is not sent
        self.troubles: dict[str, Trouble] = {}
        #: By job: all of its runs, and those of them that a table made due, or that have ended.
        self._runs_of: dict[str, dict[str, Run]] = {}
        self._scheduled_of: dict[str, dict[str, Run]] = {}
        self._finished_of: dict[str, dict[str, Run]] = {}

    def apply(self, record: Record) -> None:
        """Make the change that `record` says. Raises BadRecord, and then changed nothing."""
        try:
            kind, *values = record
            change = _CHANGES[kind]
        except (ValueError, TypeError, KeyError):
            raise BadRecord(f"no record: {record!r:.80}") from None
        try:
            change(self, *values)
        except (ValueError, TypeError, KeyError) as error:
            raise BadRecord(f"{kind}: {error}") from None

    def records(self) -> Iterator[Record]:
        """Yield records that rebuild this memory from nothing."""
        yield ["life", self.life]
        yield ["boot", self.boot]
        if self.position is not None:
            yield planned(self.position)
        for job, answered in self.answered.items():
            yield ["answered", job, answered.instant, answered.repeats]
        for origin, seen in self.crontabs.items():
            yield ["crontab", origin, *seen]
        for job, instant in self.successes.items():
            yield ["success", job, instant]
        yield due(list(self.queue))
        for run in self.runs.values():
            yield changed(run)
        for job, pause in self.pauses.items():
            yield ["pause", job, *pause]
        for job, at in self.seen.items():
            yield ["seen", job, at]
        for outage in self.outages:
            yield ["outage", *outage]
        for job, health in self.health.items():
            yield ["health", job, *health]
        for job, mute in self.mutes.items():
            yield ["mute", job, *mute]
        for key, trouble in self.troubles.items():
            yield ["trouble", key, *trouble]

    def next_ordinal(self, job: str, instant: float) -> int:
        """Return the ordinal of a new due: 0 while instants rise, else a number that never came before."""
        held = self.answered.get(job)
        return 0 if held is None or instant > held.instant else held.repeats + 1

    def is_paused(self, job: str) -> bool:
        """True while `job` is not due because somebody paused it."""
        pause = self.pauses.get(job)
        return pause is not None and pause.ended is None

    def is_paused_at(self, job: str, instant: float) -> bool:
        """True if `job` is not due at `instant`: it is paused, or was then."""
        pause = self.pauses.get(job)
        return pause is not None and (pause.ended is None or pause.covers(instant))

    def is_muted(self, job: str) -> bool:
        """True while news of `job` is kept and not sent."""
        return job in self.mutes

    def runs_of(self, job: str) -> list[Run]:
        """Return the runs of `job`, in the order in which they came to be."""
        return list(self._runs_of.get(job, {}).values())

    def scheduled_of(self, job: str) -> Collection[Run]:
        """Return those of them that a table made due."""
        return self._scheduled_of.get(job, _NONE).values()

    def finished_of(self, job: str) -> Collection[Run]:
        """Return those of them that have ended, in the order in which they did."""
        return self._finished_of.get(job, _NONE).values()

    # --- the changes -----------------------------------------------------------------------------------

    def set_life(self, life: str) -> None:
        self.life = life

    def set_boot(self, boot: str) -> None:
        self.boot = boot

    def set_planned(
        self,
        planned_upto: int,
        woken: int,
        offset: int,
        making_up: str | None,
        zones: Sequence[Sequence[Any]] = (),
    ) -> None:
        others = tuple((name, _position(*one)) for name, *one in zones)
        self.position = replace(_position(planned_upto, woken, offset, making_up), zones=others)

    def set_answered(self, job: str, instant: float, repeats: int) -> None:
        self.answered[job] = Answered(instant, repeats)

    def set_due(self, dues: list[Waiting] | list[list[Any]]) -> None:
        planned_dues = [one if isinstance(one, Waiting) else _waiting(*one) for one in dues]
        fresh = Answered(0.0, 0)
        for job, instant, ordinal, _trigger in planned_dues:
            held = self.answered.get(job)
            if held is not None and (held.instant > instant or held.repeats > ordinal):
                self.answered[job] = Answered(max(instant, held.instant), max(ordinal, held.repeats))
                continue
            # Nearly all that are due together share both: the first start waits for this.
            if fresh != (instant, ordinal):
                fresh = Answered(instant, ordinal)
            self.answered[job] = fresh
        self.queue.extend(planned_dues)

    def set_run(self, run: Run | dict[str, Any], news: dict[str, Any] | None = None) -> None:
        """`news` is what is told of it ("flips"), and how its job stands then ("health")."""
        if not isinstance(run, Run):
            run = run_of(run)
        self.runs[run.id] = run
        self._runs_of.setdefault(run.job, {})[run.id] = run
        if run.is_scheduled:
            self._scheduled_of.setdefault(run.job, {})[run.id] = run
        if run.state is State.FINISHED:
            self._finished_of.setdefault(run.job, {})[run.id] = run
        elif run.job in self._finished_of:
            self._finished_of[run.job].pop(run.id, None)
        if run.outcome is Outcome.SUCCESS:
            self.successes[run.job] = max(run.instant, self.successes.get(run.job, run.instant))
        if self.queue.holds(run.job):
            self.queue.take(Waiting(run.job, run.instant, run.ordinal, run.trigger))
        if news is not None and news.get("health"):
            self.set_health(*news["health"])

    def set_health(self, job: str, *values: Any) -> None:
        health = health_of(*values)
        if health == WELL:
            self.health.pop(job, None)
        else:
            self.health[job] = health

    def set_flip(
        self,
        _flip: dict[str, Any],
        health: Sequence[Any] | None = None,
        trouble: Sequence[Any] | None = None,
    ) -> None:
        """What is told without a run that changed."""
        if health is not None:
            self.set_health(*health)
        if trouble is not None:
            self.set_trouble(*trouble)

    def set_trouble(self, key: str, since: float | None, told: bool = False) -> None:
        if since is None:
            self.troubles.pop(key, None)
        else:
            self.troubles[key] = Trouble(since, told)

    def set_mute(self, job: str, began: float, until: float | None, by: int, note: str) -> None:
        self.mutes[job] = Mute(began, until, by, note)

    def set_unmute(self, job: str) -> None:
        self.mutes.pop(job, None)

    def set_crontab(self, origin: str, owner: str, uid: int, digest: str, at: float) -> None:
        self.crontabs[origin] = Crontab(owner, uid, digest, at)

    def set_interval(self, kind: str, began: float, ended: float, reason: str, job: str = "") -> None:
        """Change nothing: what did not run, and why, is for the history."""

    def set_outage(self, began: float, ended: float, reason: str = "the daemon was down") -> None:
        outage = Outage(began, ended, reason)
        others = [one for one in self.outages if one != outage]
        self.outages = [*others, outage][-KEPT_OUTAGES:]

    def set_pause(
        self, job: str, began: float, until: float | None, by: int, note: str, ended: float | None = None
    ) -> None:
        self.pauses[job] = Pause(began, until, by, note, ended)

    def set_success(self, job: str, instant: float) -> None:
        self.successes[job] = instant

    def set_seen(self, job: str, at: float) -> None:
        self.seen[job] = at

    def set_forget_run(self, run: str) -> None:
        held = self.runs.pop(run, None)
        if held is None:
            return
        for kept in (self._runs_of, self._scheduled_of, self._finished_of):
            siblings = kept.get(held.job, {})
            siblings.pop(run, None)
            if not siblings:
                kept.pop(held.job, None)

    def set_forget_job(self, job: str) -> None:
        self.answered.pop(job, None)
        self.pauses.pop(job, None)
        self.successes.pop(job, None)
        self.seen.pop(job, None)
        self.health.pop(job, None)
        self.mutes.pop(job, None)


_CHANGES: dict[str, Callable[..., None]] = {
    "life": Memory.set_life,
    "boot": Memory.set_boot,
    "planned": Memory.set_planned,
    "answered": Memory.set_answered,
    "due": Memory.set_due,
    "run": Memory.set_run,
    "crontab": Memory.set_crontab,
    "interval": Memory.set_interval,
    "outage": Memory.set_outage,
    "pause": Memory.set_pause,
    "success": Memory.set_success,
    "seen": Memory.set_seen,
    "health": Memory.set_health,
    "flip": Memory.set_flip,
    "trouble": Memory.set_trouble,
    "mute": Memory.set_mute,
    "unmute": Memory.set_unmute,
    "forget-run": Memory.set_forget_run,
    "forget-job": Memory.set_forget_job,
}


def planned(position: Position) -> Record:
    """The record of how far the walk came, and where there are any, the walks of `timezone=`."""
    others = [[name, *_numbers(one)] for name, one in position.zones]
    return ["planned", *_numbers(position), *([others] if others else [])]


def _numbers(position: Position) -> list[Any]:
    gap = position.making_up
    return [position.planned_upto, position.woken, position.offset, gap and gap.value]


def _position(planned_upto: int, woken: int, offset: int, making_up: str | None) -> Position:
    return Position(planned_upto, woken, offset, None if making_up is None else Gap(making_up))


def due(dues: list[Waiting]) -> Record:
    """The record of dues that were planned together."""
    return ["due", dues]


def _waiting(job: str, instant: float, ordinal: int, trigger: str) -> Waiting:
    return Waiting(job, instant, ordinal, Trigger(trigger))


def news_in(records: Iterable[Record]) -> Iterator[Record]:
    """Yield what `records` tell, as records that change nothing: a snapshot holds no news."""
    for kind, *values in records:
        if kind == "flip":
            yield ["flip", values[0]]
        elif kind == "run" and len(values) > 1:
            yield from (["flip", one] for one in values[1]["flips"])


def changed(run: Run) -> Record:
    """The record of a run as it is now. The first record of a run takes its due off the queue."""
    return ["run", run]
