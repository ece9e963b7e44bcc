"""Where time zones come from: the host's own, through the C library, and the tz database, by name.

The core only asks a zone for its offset; this is the one place that reads the environment or zone files.
Used by the scheduler, the client and `crond.simulate`.
"""

from __future__ import annotations

import io
import struct
import time
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from crond.core.zone import Zone

#: No zone ever changed its offset twice within this many seconds.
_STRETCH = 3 * 3600


class HostZone:
    """The zone of this host: TZ or /etc/localtime, as the C library sees them now."""

    def offset_at(self, moment: float) -> int:
        return time.localtime(moment).tm_gmtoff

    def reread(self) -> None:
        """Notice a changed TZ or /etc/localtime (cronie notices only at a change of daylight saving)."""
        time.tzset()


class NamedZone:
    """A zone of the tz database, or any other tzinfo."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._known = (0.0, 0.0, 0)  # from, up to (excluded), offset

    def offset_at(self, moment: float) -> int:
        low, high, offset = self._known
        if low <= moment < high:
            return offset
        offset = self._read(moment)
        if self._read(moment + _STRETCH) == offset:
            self._known = (moment, moment + _STRETCH, offset)
        return offset

    def _read(self, moment: float) -> int:
        try:
            offset = datetime.fromtimestamp(moment, self._zone).utcoffset()
        except (ValueError, ArithmeticError):
            # A year that datetime lacks, or an offset of a day (`A0B-24,...`): any user may write both, and
            # an error here would end the scheduler for all.
            return 0
        return 0 if offset is None else int(offset.total_seconds())


@lru_cache(maxsize=256)
def zone_named(name: str) -> Zone:
    """Return the zone that TZ=`name` means; a name that nobody knows is UTC, as the C library has it."""
    return NamedZone(tzinfo_named(name) or UTC)


def tzinfo_named(name: str) -> tzinfo | None:
    """Return the tzinfo of a name of the tz database or of a POSIX TZ text, or None."""
    name = name.removeprefix(":")
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return _posix(name)


def _posix(text: str) -> tzinfo | None:
    """A zone from a POSIX text such as `KST-9`: a zone file with no history and the text as its footer."""
    header = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 4)
    local_type = struct.pack(">lbB", 0, 0, 0) + b"UTC\0"
    try:
        data = (header + local_type) * 2 + b"\n" + text.encode("ascii") + b"\n"
        zone = ZoneInfo.from_file(io.BytesIO(data))
        zone.utcoffset(datetime(2000, 1, 1, tzinfo=zone))
    except (ValueError, ArithmeticError):
        return None
    return zone


def fixed(seconds: int) -> Zone:
    """Return a zone that is always `seconds` east of UTC."""
    return NamedZone(timezone(timedelta(seconds=seconds)))
