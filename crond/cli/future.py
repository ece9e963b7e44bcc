"""Moments to come as people name them: `tomorrow 7am`, `now + 2 hours`, `2026-12-01 09:00`.

Owns what is taken of what the library dateparser reads: what says too little to be sure is refused. The
moment that counts as now is an argument; the zone is this machine's. Called by at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from crond.cli.failure import Failure, Status
from crond.cli.format import duration, printable
from crond.cli.times import shown

_FORMS = "2026-12-01 09:00, 'tomorrow 7am', 'monday 18:30', 'now + 2 hours' or 'in 10 minutes'"
_LONGEST = 100
_LAST_YEAR = 9000
_DAY = timedelta(days=1)
#: As at(1) takes it.
_FOUR_DIGITS = re.compile(r"([01]\d|2[0-3])([0-5]\d)", re.ASCII)
#: The library reads `tomorrow at 7` as tomorrow.
_BARE_HOUR = re.compile(r"\bat \d{1,2}(?![\d:.]| ?[ap]\.?m)", re.ASCII | re.IGNORECASE)
_NUMBERS = re.compile(r"(?<![\d:./-])(\d{1,2})[./-](\d{1,2})(?![\d:]| ?[ap]\.?m)", re.ASCII | re.IGNORECASE)
_HOURS = re.compile(r"\d ?(?:h|mi|m\b|s)", re.ASCII | re.IGNORECASE)
#: Any that is no whole number of days will do: what moves along with it is counted from now.
_SHIFT = timedelta(seconds=61)


@dataclass(frozen=True, slots=True)
class Meant:
    """A moment in UTC, and what there is to say about how it was understood."""

    moment: datetime
    note: str = ""


def parse_future(text: str, now: datetime) -> Meant:
    """Return the moment that `text` names, `now` (aware) at the earliest. Raises Failure."""
    now = now.replace(microsecond=0)
    try:
        meant = _meant(" ".join(text.split()), now)
    except (ValueError, OverflowError):
        raise _unclear(text, f"is no time; write {_FORMS}") from None
    if meant.moment.year > _LAST_YEAR:
        raise _unclear(text, "is too far away")
    if meant.moment < now:
        ago = duration((now - meant.moment).total_seconds())
        raise _unclear(text, f"is {shown(meant.moment)}: that was {ago} ago")
    return meant


def _meant(text: str, now: datetime) -> Meant:
    if not text or len(text) > _LONGEST:
        raise ValueError(text)
    four = _FOUR_DIGITS.fullmatch(text)
    if four is not None:
        text = f"{four[1]}:{four[2]}"
    elif text.isdigit() or _BARE_HOUR.search(text):
        raise _unclear(text, "does not say which time of the day: write 07:00, 7am or 7pm")
    if "T" in text or ":" in text:
        try:
            return _at_clock(datetime.fromisoformat(text))
        except ValueError:
            pass
    order = _NUMBERS.search(text)
    if order is not None and order[1] != order[2] and max(int(order[1]), int(order[2])) <= 12:
        raise _unclear(text, "may be read in two ways: write the date as 2026-12-01")
    return _in_words(text, now)


def _in_words(text: str, now: datetime) -> Meant:
    here = now.astimezone().replace(tzinfo=None)
    found, with_time = _read(text, here)
    again, _ = _read(text, here - _SHIFT)
    if found.tzinfo is None and found - again == _SHIFT:
        ahead = found - here
        # Two hours are two hours, whatever the clocks do; in two days it is the same time of the day.
        if ahead and not ahead % _DAY and not _HOURS.search(text):
            return _at_clock(found)
        return Meant(now.astimezone(UTC) + ahead)
    if not with_time:
        raise _unclear(text, "says no time of the day: add one, such as 09:00")
    return _at_clock(found)


def _read(text: str, now: datetime) -> tuple[datetime, bool]:
    """Return what the library reads in `text`, and whether that says a time of the day. Raises ValueError."""
    # A tenth of a second, which nobody else is to wait for.
    from dateparser.date import DateDataParser

    settings: dict[str, Any] = {
        "RELATIVE_BASE": now,
        "PREFER_DATES_FROM": "future",
        "RETURN_TIME_AS_PERIOD": True,
    }
    read = DateDataParser(languages=["en"], settings=settings).get_date_data(text)
    if not isinstance(read.date_obj, datetime):
        raise ValueError(text)
    return read.date_obj, read.period == "time"


def _at_clock(moment: datetime) -> Meant:
    """Return the moment when the local clocks show `moment`, if it has no offset of its own."""
    if moment.tzinfo is not None:
        return Meant(moment.astimezone(UTC))
    first, second = (datetime.fromtimestamp(moment.replace(fold=fold).timestamp(), UTC) for fold in (0, 1))
    if first == second:
        return Meant(first)
    if first > second:
        text = f"'{moment:%Y-%m-%d %H:%M}' does not exist, since the clocks skip it"
        raise Failure(f"{text}; did you mean {shown(first)}?", Status.USAGE)
    later = f"{second.astimezone():%Y-%m-%dT%H:%M%z}"
    return Meant(first, f"the clocks show {moment:%H:%M} twice: this is the first; the second is {later}")


def _unclear(text: str, why: str) -> Failure:
    return Failure(f"'{printable(text[:_LONGEST])}' {why}", Status.USAGE)
