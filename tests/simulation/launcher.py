"""A launcher that starts nothing, but answers as the real one does, with faults drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from crond.core.clockwork import Reading
from crond.model.messages import Ack, Exited, Forget, NotStarted, Start, Started, Stop, attempt_key


class Broken(AssertionError):
    """The engine did what it must never do."""


@dataclass(slots=True)
class _Process:
    ends_at: float  #: monotonic: processes do not look at the wall clock
    ended: bool = False


@dataclass(slots=True)
class FakeLauncher:
    """One life of the launcher. Facts are kept, in order, until they are acknowledged."""

    random: random.Random
    ever_started: set[str]  #: of all lives: an attempt must never be started twice
    version: int = 0
    held: set[int] = field(default_factory=set)
    attempts: dict[str, _Process] = field(default_factory=dict)
    facts: list[Any] = field(default_factory=list)
    number: int = 0

    def obey(self, wish: Any, now: Reading) -> None:
        """Take a wish; what comes of it is told as facts."""
        if isinstance(wish, Start):
            self._start(wish, now)
        elif isinstance(wish, Stop):
            process = self.attempts.get(wish.attempt)
            if process is not None and not process.ended:
                process.ends_at = min(process.ends_at, now.mono + self.random.choice((0, 3)))
        elif isinstance(wish, Forget):
            process = self.attempts.get(wish.attempt)
            if process is not None and not process.ended:
                raise Broken(f"{wish.attempt} was forgotten while it runs")
        elif isinstance(wish, Ack):
            self.facts = [fact for fact in self.facts if fact.number > wish.number]

    def _start(self, wish: Start, now: Reading) -> None:
        key = attempt_key(wish.run, wish.attempt)
        if key in self.attempts:
            self._tell(NotStarted, key, now.wall, "duplicate", "")
        elif wish.table not in self.held:
            self._tell(NotStarted, key, now.wall, "stale", "")
        elif self.random.random() < 0.05:
            self.attempts[key] = _Process(now.mono, ended=True)
            self._tell(NotStarted, key, now.wall, self.random.choice(("exec", "resources", "user")), "")
        else:
            if key in self.ever_started:
                raise Broken(f"{key} was started twice")
            self.ever_started.add(key)
            self.attempts[key] = _Process(now.mono + self.random.choice((0, 0, 1, 30, 200, 5000)))
            self._tell(Started, key, 4711, now.wall)

    def let_end(self, now: Reading) -> None:
        """End the processes whose time has come."""
        for key, process in self.attempts.items():
            if not process.ended and process.ends_at <= now.mono:
                process.ended = True
                status = self.random.choice((0, 0, 0, 256, 9))
                self._tell(Exited, key, now.wall, status, 0.0, 0.0, 0, 0)

    def new_table(self) -> int:
        """Hold another version; the one before is held no longer."""
        self.version += 1
        self.held = {self.version}
        return self.version

    def _tell(self, shape: Any, key: str, *values: Any) -> None:
        self.number += 1
        self.facts.append(shape(self.number, key, *values))
