"""The time of those who tell: what is to happen when, while the world passes from one moment to another."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from crond.core.clockwork import Reading


class Clock:
    """What happens by itself, in its order. `mono` is on the monotonic clock; `ahead` goes as `mono` does,
    and with the wall clock whenever that leaps ahead: no program can believe that more time has passed.
    """

    def __init__(self, now: Reading) -> None:
        self.mono = now.mono
        self._offset = now.wall - now.mono
        self._leapt = 0.0
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    @property
    def wall(self) -> float:
        """Epoch seconds."""
        return self.mono + self._offset

    @property
    def ahead(self) -> float:
        """The most seconds that anybody can believe to have passed."""
        return self.mono + self._leapt

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Let `act` happen in so many seconds."""
        heappush(self._coming, (self.mono + seconds, next(self._numbers), act))

    def set(self, now: Reading) -> bool:
        """Take over the wall clock, before time passes; return True if it was set."""
        leap = (now.wall - now.mono) - self._offset
        self._offset += leap
        self._leapt += max(0.0, leap)
        return abs(leap) > 0.001

    def upto(self, mono: float) -> None:
        """Let everything happen until `mono`."""
        while self._coming and self._coming[0][0] <= mono:
            at, _, act = heappop(self._coming)
            self.mono = max(self.mono, at)
            act()
        self.mono = max(self.mono, mono)

    def next(self) -> float | None:
        """When something happens next, None if never."""
        return self._coming[0][0] if self._coming else None
