"""The engine under a virtual clock: what a daemon that came up at one moment would start until another.

Drives the real engine with readings, events and answers as the scheduler's loop does; only time and
processes are made up: a command ends as its caller says, what an entry waits for has come, and a condition
is met. Behind `crond.simulate`, `crontabx simulate` and many tests. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from crond.core.clockwork import Reading
from crond.core.engine import Engine
from crond.core.memory import Memory
from crond.core.zone import Zone, ZoneNamed
from crond.model.actions import Send
from crond.model.calendar import DaysOff
from crond.model.crontab import Table
from crond.model.entry import Entry
from crond.model.events import Event, TableParsed, Woke
from crond.model.messages import (
    PROTOCOL,
    Exited,
    Hello,
    Start,
    Started,
    Stop,
    TablesComplete,
    Wish,
    attempt_key,
)
from crond.model.schedule import DayRules


@dataclass(frozen=True, slots=True)
class Launch:
    """One start of a command: `wall` is when, `instant` what it answers; both in epoch seconds. `attempt`
    counts the starts of its run from 1.
    """

    wall: float
    instant: float
    entry: Entry
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Ending:
    """How a simulated process ends: `seconds` after its start, with wait status `status`."""

    seconds: float = 0.0
    status: int = 0


#: The wait status of a process that SIGTERM ended.
_TERMINATED = 15


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
        days_off: DaysOff | None = None,
    ) -> None:
        self._table = table
        self._now = start
        self._ending = ending
        self._wishes: deque[Wish] = deque()
        self._exits: list[tuple[float, str, int]] = []
        self._number = 0
        self._engine = Engine(
            memory=Memory(), zone=zone, zone_named=zone_named, rules=rules, days_off=days_off
        )
        hello = Hello(PROTOCOL, "simulation", "simulation", True, seed, "cronie", start)
        self._engine.step(self._reading(), hello)
        self._engine.step(self._reading(), TableParsed(1, "simulated", "simulated", 0, table))

    def run(self, until: float) -> Iterator[Launch]:
        """Yield the starts up to and including `until`."""
        yield from self._step(TablesComplete())
        while True:
            waking = self._waking(until)
            following = min([waking, *(at for at, _, _ in self._exits)])
            if following > until:
                return
            self._now = following
            yield from self._end_processes()
            if following == waking:
                yield from self._step(Woke())

    def _waking(self, until: float) -> float:
        """The moment at which the engine must be woken; what it would sleep through is passed over."""
        wait = self._engine.deadline(self._reading())
        if wait > 0 and not self._exits:
            self._now = max(self._now, self._engine.idle_until(self._reading(), until))
            wait = self._engine.deadline(self._reading())
        return self._now + wait

    def _reading(self) -> Reading:
        return Reading(self._now, self._now, self._now)

    def _step(self, event: Event) -> Iterator[Launch]:
        """Tell the engine of `event`, and carry out what it wants until it wants nothing more."""
        self._tell(event)
        # No recursion: a chain of jobs that end at once may be as long as a crontab.
        while self._wishes:
            wish = self._wishes.popleft()
            if isinstance(wish, Start):
                yield from self._launch(wish)
            elif isinstance(wish, Stop):
                self._stop(wish.attempt)

    def _tell(self, event: Event) -> None:
        actions = self._engine.step(self._reading(), event)
        self._wishes.extend(action.wish for action in actions if isinstance(action, Send))

    def _launch(self, wish: Start) -> Iterator[Launch]:
        key = attempt_key(wish.run, wish.attempt)
        ending = Ending()  # whatever is waited for has come, and every condition is met
        if wish.part == "command":
            run = self._engine.memory.runs[wish.run]
            launch = Launch(self._now, run.instant, self._table.entries[wish.entry], wish.attempt)
            yield launch
            ending = self._ending(launch)
        self._tell(Started(self._next_number(), key, 1, self._now))
        if ending.seconds > 0:
            self._exits.append((self._now + ending.seconds, key, ending.status))
        else:
            self._exit(self._now, key, ending.status)

    def _end_processes(self) -> Iterator[Launch]:
        ended = [exit_ for exit_ in self._exits if exit_[0] <= self._now]
        self._exits = [exit_ for exit_ in self._exits if exit_[0] > self._now]
        for at, key, status in ended:
            yield from self._step(self._exited(at, key, status))

    def _stop(self, key: str) -> None:
        """A process that is to end does so at once."""
        if any(held == key for _, held, _ in self._exits):
            self._exits = [exit_ for exit_ in self._exits if exit_[1] != key]
            self._exit(self._now, key, _TERMINATED)

    def _exit(self, at: float, key: str, status: int) -> None:
        self._tell(self._exited(at, key, status))

    def _exited(self, at: float, key: str, status: int) -> Exited:
        return Exited(self._next_number(), key, at, status, 0.0, 0.0, 0, 0)

    def _next_number(self) -> int:
        self._number += 1
        return self._number
