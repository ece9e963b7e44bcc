"""Moments of the past as people name them: `yesterday`, `2h`, `03:00`, `2026-11-20T03:00`.

Owns that little language. The moment that counts as now is an argument. Called by the verbs over the
history.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crond.cli.failure import Failure, Status
from crond.cli.format import printable

_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_PART = r"(\d{1,6})\s*(sec|min|s|m|h|d|w)"
_AGO = re.compile(rf"(?:{_PART}\s*)+(?:ago)?", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MINUTE = timedelta(minutes=1)
_FIRST_YEAR, _LAST_YEAR = 1971, 9000
_FORMS = "2026-11-20, 2026-11-20T03:00, yesterday, 'yesterday 03:00', 03:00, 2h or 3d (ago)"


@dataclass(frozen=True, slots=True)
class Span:
    """What was meant: a day, a minute or a second, as [since, upto)."""

    since: datetime
    upto: datetime


def parse_past(text: str, now: datetime, option: str) -> datetime:
    """Return the moment that `text` names, in the local zone. Raises Failure, naming `option`."""
    return parse_span(text, now, option).since


def parse_span(text: str, now: datetime, option: str) -> Span:
    """Return the day, minute or second that `text` names. Raises Failure, naming `option`."""
    try:
        span = _span(text.strip(), now)
        in_range = _FIRST_YEAR <= span.since.year <= _LAST_YEAR
        if not in_range:
            raise ValueError(text)
    except (ValueError, OverflowError):
        hint = f"write {_FORMS}"
        raise Failure(f"{option}: '{printable(text)}' is no time; {hint}", Status.USAGE) from None
    return span


def _span(text: str, now: datetime) -> Span:
    word, _, rest = text.partition(" ")
    days = {"today": 0, "yesterday": 1}.get(word)
    here = now.astimezone()
    if text == "now":
        return Span(now, now + _MINUTE)
    if days is not None:
        day = _midnight(here, -days)
        return _at_clock(day, rest.strip()) if rest else Span(day, _midnight(here, 1 - days))
    if _AGO.fullmatch(text):
        ago = sum(int(count) * _UNITS[unit] for count, unit in re.findall(_PART, text))
        return Span(now - timedelta(seconds=ago), now - timedelta(seconds=ago) + _MINUTE)
    if _CLOCK.fullmatch(text):
        span = _at_clock(here, text)
        # What is to come today was yesterday too.
        return span if span.since <= now else _at_clock(_midnight(here, -1), text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.astimezone()
    if _DATE.fullmatch(text):
        return Span(moment, _midnight(moment, 1))
    moment.astimezone(UTC)  # year 1 has moments that UTC has not
    return Span(moment, moment + (timedelta(seconds=1) if moment.second else _MINUTE))


def _midnight(moment: datetime, days: int) -> datetime:
    """The midnight of the local day of `moment`, `days` later. A day may have 23 hours."""
    naive = moment.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    return (naive + timedelta(days=days)).astimezone()


def _at_clock(day: datetime, text: str) -> Span:
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise ValueError(text)
    hour, minute, second = (int(part or 0) for part in found.groups())
    moment = day.replace(hour=hour, minute=minute, second=second, microsecond=0, tzinfo=None).astimezone()
    return Span(moment, moment + (timedelta(seconds=1) if found[3] else _MINUTE))
