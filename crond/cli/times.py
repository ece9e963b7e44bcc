"""Times as the client reads and shows them: ISO 8601 in, local time with its zone out.

The daemon speaks UTC; people read their own zone, named beside every time, since 02:30 alone means
two moments on some nights. Knows no crontab and no socket; used by every verb that shows a time.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from crond.cli.failure import Failure, Status
from crond.cli.format import printable

#: Local minutes count from 1970 on, and a look ahead must end before Python's last year does.
_FIRST_YEAR = 1971
_LAST_YEAR = 9900


def parse_iso(text: str) -> datetime:
    """Return the aware moment in `text` (ISO 8601 with an offset or Z). Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset")
    return moment


def shown(moment: datetime | None, zone: tzinfo | None = None) -> str:
    """Return `2026-11-21 12:00:00 KST` in `zone` (None: the local one); `-` for no moment."""
    if moment is None:
        return "-"
    # A zone without letters is named by its offset, and %Z gives that as it is in the zone file.
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def shown_together(title: str, moments: Sequence[datetime | None]) -> tuple[str, list[str]]:
    """Return the title and the texts of a column of local times: the zone in the title where all share it."""
    texts = [shown(moment) for moment in moments]
    zones = {text.partition(" ")[2].partition(" ")[2] for text in texts if text != "-"}
    if len(zones) != 1:
        return title, texts
    zone = zones.pop()
    return f"{title} ({zone})", [text.removesuffix(f" {zone}") for text in texts]


def utc_text(moment: datetime) -> str:
    """Return the moment as the daemon writes it: `2026-11-21T03:00:00Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def epoch(moment: datetime | None) -> str | None:
    """Return the moment as the daemon's programs read it: epoch seconds, decimal."""
    return None if moment is None else f"{moment.timestamp():.6f}".rstrip("0").rstrip(".")


def find_zone(name: str | None) -> tzinfo | None:
    """Return the zone of that name, None (the local zone) for None. Raises Failure for an unknown one."""
    if name is None:
        return None
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        text = f"no time zone is called '{printable(name)}' (try Europe/Berlin, Asia/Seoul, UTC)"
        raise Failure(text, Status.USAGE) from None


def local_zone() -> tzinfo:
    """Return the local zone as a value: what TZ says, else the file that /etc/localtime is, else UTC."""
    from zoneinfo import ZoneInfo

    from crond.zones import tzinfo_named

    asked = os.environ.get("TZ", "")
    if asked:
        return tzinfo_named(asked) or UTC
    try:
        with open("/etc/localtime", "rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return UTC


def parse_moment(text: str, zone: tzinfo | None, option: str) -> datetime:
    """Return the aware moment that a person gave to `option`: a date, or a date and a time.

    Without an offset it is in `zone` (None: the local one). Raises Failure, naming the option.
    """
    if text == "now":
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.astimezone() if zone is None else moment.replace(tzinfo=zone)
        moment.astimezone(UTC)  # year 1 has moments that UTC has not
    except (ValueError, OverflowError):
        hint = "write now, 2026-11-21, or 2026-11-21T07:00 with +09:00 or Z if you like"
        raise Failure(f"{option}: '{printable(text)}' is no time; {hint}", Status.USAGE) from None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise Failure(f"{option}: the year is to be from {_FIRST_YEAR} to {_LAST_YEAR}", Status.USAGE)
    return moment
