"""Fakes of the ports. Each passes the contract suite of its port, so a test may trust it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from crond.core.clockwork import Reading
from crond.model.actions import Record
from crond.scheduler.journal import _lines


class MemoryJournal:
    """A journal whose disk is `lines`, shared by its lives. `room`: how many bytes may still be written."""

    def __init__(self, lines: list[bytes] | None = None, *, growth: int = 4096) -> None:
        self.lines: list[bytes] = [] if lines is None else lines
        self.room = 2**40
        self.damaged = 0
        self._growth = growth
        self._appended = 0

    @property
    def grown(self) -> bool:
        return self._appended > self._growth

    def load(self) -> list[Record]:
        records = []
        self.damaged = 0
        for line in self.lines:
            try:
                records.append(json.loads(line))
            except ValueError:
                self.damaged += 1
        return records

    def append(self, records: Iterable[Record]) -> None:
        self.lines += self._within_room(_lines(records))
        self._appended += 1 + sum(map(len, self.lines[-1:]))

    def rewrite(self, records: Iterable[Record]) -> None:
        self.lines[:] = self._within_room(_lines(records))
        self._appended = 0

    def close(self) -> None:
        """Nothing is held open."""

    def _within_room(self, data: bytes) -> list[bytes]:
        if len(data) > self.room:
            raise OSError(28, "No space left on device")
        self.room -= len(data)
        return data.splitlines()


class FakeClock:
    """A clock that goes only when it is told to."""

    def __init__(self, wall: float = 1_772_366_400.0) -> None:
        self._now = Reading(wall, 100.0, 100.0)

    def read(self) -> Reading:
        return self._now

    def go(self, seconds: float) -> None:
        """Let all clocks run."""
        self._now = Reading(self._now.wall + seconds, self._now.mono + seconds, self._now.boot + seconds)

    def set(self, seconds: float) -> None:
        """Move the wall clock."""
        self._now = Reading(self._now.wall + seconds, self._now.mono, self._now.boot)

    def suspend(self, seconds: float) -> None:
        """Let the machine sleep."""
        self._now = Reading(self._now.wall + seconds, self._now.mono, self._now.boot + seconds)
