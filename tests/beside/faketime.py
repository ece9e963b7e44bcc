"""Runs a command under libfaketime, on the clock that all daemons of a comparison share.

libfaketime counts from the start of each process, so what a process is told is computed here, right before
it begins. A script of its own (`faketime.py START BEGAN FACTOR COMMAND...`), since scheduler and launcher
start at different moments; imported by the comparison for the arithmetic.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass

LIBRARY = "/usr/$LIB/faketime/libfaketime.so.1"


@dataclass(frozen=True, slots=True)
class Clock:
    """Virtual time: `start` (epoch seconds) at the real boot-time second `began`, `factor` times as fast."""

    start: float
    began: float
    factor: float

    def virtual(self, uptime: float) -> float:
        """Return the virtual time, in epoch seconds, when the machine was up for `uptime` seconds."""
        return self.start + (uptime - self.began) * self.factor

    def now(self) -> float:
        """Return the virtual time now."""
        return self.virtual(uptime())

    def real_seconds_until(self, virtual: float) -> float:
        """Return how long `virtual` is away, in seconds that one can sleep."""
        return (virtual - self.now()) / self.factor

    def arguments(self) -> list[str]:
        """Return the words that tell this clock to the script."""
        return [repr(self.start), repr(self.began), repr(self.factor)]

    def environment(self) -> dict[str, str]:
        """Return the variables that put a process which starts now on this clock."""
        return {
            "LD_PRELOAD": LIBRARY,
            "FAKETIME_FMT": "%s",
            "FAKETIME": f"@{self.now():.6f} x{self.factor:g}",
            # Times of files stay what they are: cron compares them with each other only.
            "NO_FAKE_STAT": "1",
        }


def uptime() -> float:
    """Return the seconds since the machine came up, which is what /proc/uptime says too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def main() -> None:
    # Python ignores two signals and a shell that starts us in the background two more; the daemon, and the
    # jobs of one that does not care, would inherit that.
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    start, began, factor, *command = sys.argv[1:]
    clock = Clock(float(start), float(began), float(factor))
    os.execve(command[0], command, {**os.environ, **clock.environment()})


if __name__ == "__main__":
    main()
