"""What may stand in place of the five fields beyond cron: `@every PERIOD` and `@at TIME`.

A crontab that uses them is read by crontabx alone, so they count only where extensions are asked for. Also
owns the way a duration is written. Pure; called by `crond.model.crontab`.
"""

from __future__ import annotations

import re
from datetime import datetime

from crond.model.schedule import At, Every

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s?)?", re.ASCII)


class BadSpecial(ValueError):
    """The words are no special schedule; the text says what would be one ("" where the name is unknown)."""


def parse_special(word: str, argument: str) -> Every | At:
    """Return the schedule that `word argument` says. Raises BadSpecial."""
    if word == "@every":
        seconds = parse_duration(argument)
        if seconds is None or seconds < 1:
            raise BadSpecial("@every takes a period of at least 1s, such as 15s, 5m, 1h30m or 1d")
        return Every(seconds, f"{word} {argument}")
    if word == "@at":
        try:
            moment = datetime.fromisoformat(argument)
        except ValueError:
            raise BadSpecial("@at takes an ISO 8601 time, such as 2026-11-29T07:00") from None
        return At(moment, f"{word} {argument}")
    raise BadSpecial


def parse_duration(text: str) -> int | None:
    """Return the seconds in `text` (`90`, `90s`, `15m`, `2h`, `1d`, `1h30m`), or None if it is none."""
    found = _DURATION.fullmatch(text)
    if found is None or not text:
        return None
    return sum(int(count) * unit for count, unit in zip(found.groups("0"), _UNITS.values(), strict=True))
