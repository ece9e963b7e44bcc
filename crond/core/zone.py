"""What the core must know of a time zone: how far it is from UTC at a moment, and when that changes.

Where zones come from (the host's, the tz database) is `crond.zones`' business. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

#: No zone ever changed twice within this many seconds.
_SCAN = 6 * 3600


class Zone(Protocol):
    """A time zone. Moments are epoch seconds, offsets are seconds east of UTC."""

    def offset_at(self, moment: float) -> int:
        """Return the offset in force at `moment`."""
        ...


#: Finds the zone of a CRON_TZ text; one that nobody knows is UTC, as in cronie.
ZoneNamed = Callable[[str], Zone]


def next_change(zone: Zone, after: float, upto: float) -> float | None:
    """Return the first whole second in (after, upto] at which another offset is in force, or None."""
    offset = zone.offset_at(after)
    low = after
    while low < upto:
        high = min(low + _SCAN, upto)
        if zone.offset_at(high) != offset:
            return float(_first_change(zone, offset, int(low), int(-(-high // 1))))
        low = high
    return None


def _first_change(zone: Zone, offset: int, low: int, high: int) -> int:
    """The first second in (low, high] whose offset is not `offset`, given that high's is not."""
    while high - low > 1:
        middle = (low + high) // 2
        if zone.offset_at(middle) == offset:
            low = middle
        else:
            high = middle
    return high


def instant_of(zone: Zone, minute: int, now: float) -> float:
    """Return the UTC moment (epoch seconds) of local minute `minute`, seen from `now`.

    A minute that comes twice is the one that lies nearer before `now`. A minute inside a gap has no
    moment of its own: it gets that of the change.
    """
    offset = zone.offset_at(now)
    moment = minute * 60.0 - offset
    held = zone.offset_at(moment)
    if held == offset:
        return moment
    other = minute * 60.0 - held
    if zone.offset_at(other) == held:
        return other
    change = next_change(zone, min(moment, other) - 1, max(moment, other) + 1)
    return moment if change is None else change
