"""The clock and the alarm: the one file of the scheduler that reads time or waits for it.

poll's own time-out may end 0.1 % late, which is 57 ms after a minute; an interval timer does not. Called
by the loop alone.
"""

from __future__ import annotations

import os
import select
import signal
import time
from types import FrameType

from crond.core.clockwork import Reading


class SystemClock:
    """The clocks of this machine."""

    def read(self) -> Reading:
        load = os.getloadavg()[0]
        return Reading(time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME), load)


class Waiter:
    """Waits for sockets, signals and one deadline. There may be only one: it owns the process's signals."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._signals: set[int] = set()
        reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeups = reading
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGALRM, _nothing)
        self._poll.register(reading, select.POLLIN)

    def catch(self, signum: int) -> None:
        """Report signal `signum` from `wait` instead of dying of it."""
        signal.signal(signum, _nothing)

    def watch(self, fd: int, *, writing: bool) -> None:
        """Report `fd` when it is readable or, with `writing`, writable."""
        self._poll.register(fd, select.POLLIN | (select.POLLOUT if writing else 0))

    def forget(self, fd: int) -> None:
        self._poll.unregister(fd)

    def wait(self, seconds: float) -> tuple[list[tuple[int, int]], set[int]]:
        """Wait until something happens, at most `seconds`; return (fd, events) pairs and signals."""
        if seconds > 0:
            # The alarm is armed before poll, and poll has no time-out: an alarm that comes in between is
            # a byte in the pipe, so none is lost.
            signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-5))
        ready = self._poll.poll(None if seconds > 0 else 0)
        signals: set[int] = set()
        happened = []
        for fd, events in ready:
            if fd == self._wakeups:
                signals.update(os.read(fd, 4096))
            else:
                happened.append((fd, events))
        return happened, signals - {signal.SIGALRM}


def _nothing(_signum: int, _frame: FrameType | None) -> None:
    """Python writes the signal's number to the wake-up pipe; nothing else is wanted."""
