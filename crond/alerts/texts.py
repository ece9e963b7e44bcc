"""Pieces of what people read: names without traps, moments in their zone, lengths of time, all bounded.

Names and reasons were written by users, so nothing of them may act where it is shown. Pure but for the zone
files. Called by `crond.alerts.wording`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from crond.model.wording import span

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Linux's numbers of those that end jobs.
_SIGNALS = {
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
    9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
    24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
}  # fmt: skip


def plain(text: str, room: int = 1000) -> str:
    """Return `text` as one line of visible characters that takes at most `room` characters of JSON."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    while len(json.dumps(text)) - 2 > room:
        # What is not ASCII takes six or twelve: cut by what is too much, at least by something.
        text = (
            text[: min(len(text) - 2, max(0, len(text) * room // len(json.dumps(text)) - 6))].rstrip() + "…"
        )
    return text


def moment(at: float, zone: str, local: tzinfo | None) -> str:
    """Return `2026-11-28 02:00:03+01:00`, in the time zone `zone`; "" is `local`, None the machine's."""
    try:
        known = _EPOCH + timedelta(seconds=int(at // 1))
        return known.astimezone(_zone(zone) if zone else local).isoformat(" ", "seconds")
    except (OverflowError, ValueError):
        return "at no moment that a calendar has"


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # not found, not readable, no name of a zone
        return UTC


def length(seconds: float) -> str:
    """Return a length of time in words."""
    return span(int(seconds)) if seconds >= 1 else "less than a second"


def counted(number: int, one: str, many: str) -> str:
    """Return `1 failure`, `3 failures`."""
    return f"{number:,} {one if number == 1 else many}"


def signal_name(number: int) -> str:
    """Return `SIGKILL` for 9, `signal 64` for one that has no name."""
    return _SIGNALS.get(number, f"signal {number}")
