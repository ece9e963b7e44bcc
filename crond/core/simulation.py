"""The engine under a virtual clock: what a daemon that came up at one moment would start until another.

Drives the real engine with readings, events and answers as the scheduler's loop does; only time and
processes are made up. Behind `crond.simulate`, `crontabx simulate` and many tests. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from crond.core.clockwork import Reading
from crond.core.engine import Engine
from crond.core.memory import Memory
from crond.core.zone import Zone, ZoneNamed
from crond.model.actions import Action, Send
from crond.model.crontab import Table
from crond.model.entry import Entry
from crond.model.events import TableParsed, Woke
from crond.model.messages import (
    PROTOCOL,
    Exited,
    Hello,
    Start,
    Started,
    TablesComplete,
    attempt_key,
)
from crond.model.schedule import DayRules


@dataclass(frozen=True, slots=True)
class Launch:
    """One process start: `wall` is when, `instant` what it answers; both in epoch seconds."""

    wall: float
    instant: float
    entry: Entry


@dataclass(frozen=True, slots=True)
class Ending:
    """How a simulated process ends: `seconds` after its start, with wait status `status`."""

    seconds: float = 0.0
    status: int = 0


class Simulation:
    """One engine, one table, one virtual clock that never sleeps."""

    def __init__(
        self,
        table: Table,
        *,
        start: float,
        zone: Zone,
        zone_named: ZoneNamed,
        rules: DayRules | None,
        seed: int,
        ending: Callable[[Launch], Ending],
    ) -> None:
        self._table = table
        self._now = start
        self._ending = ending
        self._exits: list[tuple[float, str, int]] = []
        self._number = 0
        self._engine = Engine(memory=Memory(), zone=zone, zone_named=zone_named, rules=rules)
        hello = Hello(PROTOCOL, "simulation", "simulation", True, seed, "cronie", start)
        self._engine.step(self._reading(), hello)
        self._engine.step(self._reading(), TableParsed(1, "simulated", "simulated", 0, table))

    def run(self, until: float) -> Iterator[Launch]:
        """Yield the starts up to and including `until`."""
        yield from self._carry_out(self._engine.step(self._reading(), TablesComplete()))
        while True:
            waking = self._waking(until)
            following = min([waking, *(at for at, _, _ in self._exits)])
            if following > until:
                return
            self._now = following
            yield from self._end_processes()
            if following == waking:
                yield from self._carry_out(self._engine.step(self._reading(), Woke()))

    def _waking(self, until: float) -> float:
        """The moment at which the engine must be woken; what it would sleep through is passed over."""
        wait = self._engine.deadline(self._reading())
        if wait > 0 and not self._exits:
            self._now = max(self._now, self._engine.idle_until(self._reading(), until))
            wait = self._engine.deadline(self._reading())
        return self._now + wait

    def _reading(self) -> Reading:
        return Reading(self._now, self._now, self._now)

    def _carry_out(self, actions: list[Action]) -> Iterator[Launch]:
        for action in actions:
            if isinstance(action, Send) and isinstance(action.wish, Start):
                yield from self._launch(action.wish)

    def _launch(self, wish: Start) -> Iterator[Launch]:
        key = attempt_key(wish.run, wish.attempt)
        run = self._engine.memory.runs[wish.run]
        launch = Launch(self._now, run.instant, self._table.entries[wish.entry])
        yield launch
        ending = self._ending(launch)
        yield from self._tell(Started(self._next_number(), key, 1, self._now))
        if ending.seconds > 0:
            self._exits.append((self._now + ending.seconds, key, ending.status))
        else:
            yield from self._exit(self._now, key, ending.status)

    def _end_processes(self) -> Iterator[Launch]:
        ended = [exit_ for exit_ in self._exits if exit_[0] <= self._now]
        self._exits = [exit_ for exit_ in self._exits if exit_[0] > self._now]
        for at, key, status in ended:
            yield from self._exit(at, key, status)

    def _exit(self, at: float, key: str, status: int) -> Iterator[Launch]:
        yield from self._tell(Exited(self._next_number(), key, at, status, 0.0, 0.0, 0, 0))

    def _tell(self, fact: Started | Exited) -> Iterator[Launch]:
        yield from self._carry_out(self._engine.step(self._reading(), fact))

    def _next_number(self) -> int:
        self._number += 1
        return self._number
