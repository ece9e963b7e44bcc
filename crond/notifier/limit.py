"""The time limit of a message: an alarm that raises in whatever waits.

Owns SIGALRM of the process. Called by main, which has the limits, and targets, which shares them out. Nothing
but the end of the process helps where a library waits in C for good; that is the launcher's to see to.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from crond.notifier.outcome import OutOfTime

#: Seconds. The alarm comes again and again: an exception that cannot get out, as of a destructor, is lost.
_AGAIN = 0.25
_LEAST = 0.01


class Limit:
    """So many `seconds` for a message, from now on."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._armed = False
        signal.signal(signal.SIGALRM, self._ring)

    def left(self) -> float:
        """Return how many seconds are left."""
        return max(_LEAST, self._until - time.monotonic())

    @contextmanager
    def part(self, seconds: float) -> Iterator[None]:
        """Raise OutOfTime in what is done within, when `seconds` are over."""
        self._armed = True
        signal.setitimer(signal.ITIMER_REAL, max(_LEAST, seconds), _AGAIN)
        try:
            yield
        finally:
            # First, lest one more alarm breaks what stops the alarms.
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        if self._armed:
            raise OutOfTime
