"""What may stand in place of the five fields beyond cron: `@every PERIOD`, `@at TIME` and `@after`.

A crontab that uses them is read by crontabx alone, so they count only where extensions are asked for. Also
owns the way a duration is written, and a schedule that stands by itself. Pure; called by
`crond.model.crontab` and `crond.model.values`.
"""

from __future__ import annotations

import re
from datetime import datetime

from crond.model.fields import KINDS, BadField, Dialect, Draw, parse_field
from crond.model.schedule import EVERY_MINUTE, NICKNAMES, After, At, Every, Schedule, cron_of

#: What needs no argument.
ALONE: dict[str, Schedule] = {**NICKNAMES, str(EVERY_MINUTE): EVERY_MINUTE, "@after": After()}
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


def parse_schedule(text: str, *, dialect: Dialect, draw: Draw) -> Schedule:
    """Return the schedule that `text` says, cron's fields among others. Raises BadSpecial."""
    words = text.split()
    if words and words[0].startswith("@"):
        known = ALONE.get(words[0]) if len(words) == 1 else None
        return parse_special(words[0], " ".join(words[1:])) if known is None else known
    if len(words) != len(KINDS):
        raise BadSpecial(f"cron has five fields, not {len(words)}; quotes keep them together")
    try:
        fields = tuple(
            parse_field(word, kind, dialect=dialect, extensions=True, draw=draw)
            for word, kind in zip(words, KINDS, strict=True)
        )
    except BadField as error:
        raise BadSpecial(": ".join(filter(None, (str(error), error.hint)))) from None
    return cron_of(fields, " ".join(words))


def parse_duration(text: str) -> int | None:
    """Return the seconds in `text` (`90`, `90s`, `15m`, `2h`, `1d`, `1h30m`), or None if it is none."""
    found = _DURATION.fullmatch(text)
    if found is None or not text:
        return None
    return sum(int(count) * unit for count, unit in zip(found.groups("0"), _UNITS.values(), strict=True))
