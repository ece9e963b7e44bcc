"""A launcher that starts nothing, but answers as the real one does, with fortunes drawn from a seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from crond.core.clockwork import Reading
from crond.model.messages import (
    Ack,
    Exited,
    Forget,
    NotStarted,
    Pairs,
    Start,
    Started,
    Stop,
    Vanished,
    attempt_key,
)

#: By part: how many seconds a process takes, and its wait status. What hangs ends some day all the same.
HANGS = 6 * 3600.0
_SECONDS = {
    "command": (0, 0, 0, 1, 1, 30, 30, 200, 200, 1000, 5000, HANGS),
    "condition": (0, 0, 0, 0, 1, 5, 20, HANGS),
    "wait_for": (0, 0, 1, 5, 30),
}
_STATUSES = {
    "command": (0,) * 14 + (1 << 8, 1 << 8, 2 << 8, 3 << 8, 10 << 8, 99 << 8, 9, 11),
    "condition": (0,) * 7 + (1 << 8, 1 << 8, 2 << 8, 9),
    "wait_for": (0, 0, 0, 1 << 8, 1 << 8, 1 << 8, 9),
}
_REASONS = ("exec", "resources", "user", "permission", "chdir")
_VALUES = ("yes", "no", "7", "")


class Broken(AssertionError):
    """The engine did what it must never do."""


@dataclass(slots=True)
class Process:
    """One that lives. Its end is on the monotonic clock: processes do not look at the wall."""

    key: str
    ends_at: float
    status: int
    began: float  #: monotonic
    data: Pairs = ()
    orphan: bool = False  #: an earlier life started it: nobody can wait for it


@dataclass(slots=True)
class FakeLauncher:
    """One life of the launcher. Facts are kept, in order, until they are acknowledged.

    `ever_started` is of all lives. While it is busy (until `busy`, monotonic) it neither hears nor tells.
    `tell_birth` and `tell_death` are called with a process when it begins and has ended.
    """

    random: random.Random
    ever_started: set[str]
    tell_birth: Callable[[Process], None]
    tell_death: Callable[[str], None]
    version: int = 0
    busy: float = 0.0
    held: set[int] = field(default_factory=set)
    known: set[str] = field(default_factory=set)  #: attempts that would be refused
    live: dict[str, Process] = field(default_factory=dict)
    facts: list[Any] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    _number: int = 0
    _ends: list[tuple[float, str]] = field(default_factory=list)
    _inbox: list[Any] = field(default_factory=list)

    def send(self, wish: Any, now: Reading) -> None:
        """A wish is on its way; it is read as soon as nothing keeps the launcher busy."""
        self._inbox.append(wish)
        self.turn(now)

    def turn(self, now: Reading) -> None:
        """Let processes end whose time has come, then do what was wished. What comes of it becomes facts."""
        if now.mono < self.busy:
            return
        while self._ends and self._ends[0][0] <= now.mono:
            at, key = heappop(self._ends)
            process = self.live.get(key)
            if process is not None and process.ends_at == at:
                self._end(process, now)
        wishes, self._inbox = self._inbox, []
        for wish in wishes:
            self._obey(wish, now)
        if wishes:
            self.turn(now)  # what was just started may have ended, too

    def next_turn(self, now: Reading) -> float:
        """Return the seconds until it has anything to tell by itself, infinity if it never has."""
        if now.mono < self.busy:
            return self.busy - now.mono
        return self._ends[0][0] - now.mono if self._ends else float("inf")

    def new_table(self) -> int:
        """Hold another version; the one before is held no longer."""
        self.version += 1
        self.held = {self.version}
        return self.version

    def successor(self, now: Reading, *, survive: float) -> FakeLauncher:
        """The next life. Each process is still there with probability `survive`, the others are gone."""
        later = FakeLauncher(
            self.random, self.ever_started, self.tell_birth, self.tell_death, figures=self.figures
        )
        for process in list(self.live.values()):
            if self.random.random() < survive:
                process.orphan = True
                later.known.add(process.key)
                later._watch(process)
                self.figures["survivors"] += 1
            else:
                self.tell_death(process.key)
        later.version = self.version
        return later

    # --- wishes ------------------------------------------------------------------------------------------

    def _obey(self, wish: Any, now: Reading) -> None:
        if isinstance(wish, Start):
            self._start(wish, now)
        elif isinstance(wish, Stop):
            self._stop(wish.attempt, now)
        elif isinstance(wish, Forget):
            if wish.attempt in self.live:
                raise Broken(f"{wish.attempt} was forgotten while it runs")
            self.known.discard(wish.attempt)
        elif isinstance(wish, Ack):
            self.facts = [fact for fact in self.facts if fact.number > wish.number]

    def _start(self, wish: Start, now: Reading) -> None:
        key = attempt_key(wish.run, wish.attempt)
        if key in self.known:
            self.figures["duplicate starts refused"] += 1
            self._tell(NotStarted, key, now.wall, "duplicate", "")
        elif wish.table not in self.held:
            self.figures["stale starts refused"] += 1
            self._tell(NotStarted, key, now.wall, "stale", "")
        elif self.random.random() < 0.03:
            self.known.add(key)
            self.figures["starts that failed"] += 1
            if self.random.random() < 0.3:
                self._tell(Started, key, 4711, now.wall)
            self._tell(NotStarted, key, now.wall, self.random.choice(_REASONS), "")
        else:
            if key in self.ever_started:
                raise Broken(f"{key} was started twice")
            self.ever_started.add(key)
            self.known.add(key)
            self.figures[f"starts of a {wish.part}"] += 1
            seconds, status = (
                self.random.choice(_SECONDS[wish.part]),
                self.random.choice(_STATUSES[wish.part]),
            )
            process = Process(key, now.mono + seconds, status, now.mono)
            if wish.part == "command" and self.random.random() < 0.3:
                process.data = (("BETTER", self.random.choice(_VALUES)), ("N", wish.run))
            self._watch(process)
            self.tell_birth(process)
            self._tell(Started, key, 4711, now.wall)

    def _stop(self, key: str, now: Reading) -> None:
        """It ends at once, a little later, or by KILL; a few end well as if nobody had asked."""
        process = self.live.get(key)
        if process is None:
            return
        end = now.mono + self.random.choice((0, 0, 3, 10))
        if end < process.ends_at:
            process.ends_at, process.status = end, self.random.choice((15, 15, 143 << 8, 9, 0))
            heappush(self._ends, (end, key))

    def _watch(self, process: Process) -> None:
        self.live[process.key] = process
        heappush(self._ends, (process.ends_at, process.key))

    def _end(self, process: Process, now: Reading) -> None:
        del self.live[process.key]
        self.tell_death(process.key)
        if process.orphan:
            self._tell(Vanished, process.key, now.wall)
            return
        size = self.random.choice((0, 0, 0, 120))
        self._tell(Exited, process.key, now.wall, process.status, 0.0, 0.0, 0, size, 0, 0, process.data)

    def _tell(self, shape: Any, key: str, *values: Any) -> None:
        self._number += 1
        self.facts.append(shape(self._number, key, *values))
