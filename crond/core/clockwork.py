"""What a clock did between two looks at it: went on, was late, was set, or slept with the machine.

Three clocks tell these apart: wall time, monotonic time (which stops in suspend) and boot time (which does
not). Also cron's own classes of a gap in minutes. Pure tables of numbers; used by the planner and the engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

#: Differences below this many seconds are noise: slewing, rounding, a busy machine.
_TOLERANCE = 2.0
#: A wake-up this many seconds after the last is late: the loop looks at its clock every minute.
_LATE = 90.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the clocks, in seconds. `wall` counts from the epoch; the others from some past moment.

    `load` is the load of the host, as far as it was looked at.
    """

    wall: float
    mono: float
    boot: float
    load: float = 0.0


class Passage(StrEnum):
    """What happened between two readings."""

    STEADY = "steady"
    LATE = "late"  #: the loop did not run, while the machine did
    SUSPENDED = "suspended"  #: the machine slept
    STEPPED = "stepped"  #: somebody set the clock


def passage(before: Reading, now: Reading) -> tuple[Passage, float]:
    """Return what happened, and by how many seconds (negative: the clock was set back)."""
    slept = (now.boot - before.boot) - (now.mono - before.mono)
    stepped = (now.wall - before.wall) - (now.boot - before.boot)
    if abs(stepped) > _TOLERANCE:
        return Passage.STEPPED, stepped
    if slept > _TOLERANCE:
        return Passage.SUSPENDED, slept
    if now.mono - before.mono > _LATE:
        return Passage.LATE, now.mono - before.mono
    return Passage.STEADY, 0.0


class Gap(Enum):
    """cron's classes of the distance between the minute that it is and the minute served last."""

    NEXT = "next"  #: 1: the ordinary minute
    SMALL = "small"  #: 2 to 5: every minute is made up
    MEDIUM = "medium"  #: 6 to 180: wild entries once, fixed ones for every minute
    BACK = "back"  #: 0 to -180: wild entries only, until the minute served last is passed again
    LARGE = "large"  #: beyond: the clock was set; nothing is made up


def gap(minutes: int) -> Gap:
    """Classify a distance in local minutes (thresholds of vixie cron, kept by all its descendants)."""
    if minutes == 1:
        return Gap.NEXT
    if not -180 <= minutes <= 180:
        return Gap.LARGE
    if minutes > 5:
        return Gap.MEDIUM
    return Gap.SMALL if minutes > 0 else Gap.BACK
