"""Who takes messages, or does not: receivers with fortunes drawn from a seed.

Each may be away for an hour, or for longer than anybody tries; refuse, hang, or take a message and not say
so. Knows nothing of who sends. Called by the notifiers.
"""

from __future__ import annotations

import random
from typing import NamedTuple

_HOUR = 3600.0


class Answer(NamedTuple):
    """What a receiver did: whether it has the message, and what the sender makes of its answer, one of
    messages.DELIVERIES, after so many seconds.
    """

    taken: bool
    result: str
    seconds: float


_TAKES = Answer(True, "sent", 0.2)
#: With how likely each is, in hundredths.
_FORTUNES = {
    "takes": (_TAKES, 79),
    "takes slowly": (Answer(True, "sent", 8.0), 4),
    "is busy": (Answer(False, "again", 0.1), 5),
    "refuses": (Answer(False, "never", 0.1), 2),
    "hangs": (Answer(False, "unsure", 20.0), 2),
    "hangs with it": (Answer(True, "unsure", 20.0), 2),
    "closes with it": (Answer(True, "unsure", 0.1), 4),
}
_AWAY = Answer(False, "again", 1.0)


class Receivers:
    """All of them, by the digests of their targets. Times are monotonic seconds."""

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self._away: dict[str, float] = {}
        self.calm = False  #: nothing goes wrong any more

    def receive(self, target: str, now: float) -> tuple[str, Answer]:
        """Have a message delivered to `target`; return how that went, by name as well."""
        if self.calm:
            return "takes", _TAKES
        if now < self._away.get(target, now):
            return "is away", _AWAY
        if self._random.random() < 0.02:
            away = self._random.choice((_HOUR, _HOUR, _HOUR, 6 * _HOUR))
            self._away[target] = now + away
            return "goes away", _AWAY
        names = list(_FORTUNES)
        name = self._random.choices(names, [_FORTUNES[one][1] for one in names])[0]
        return name, _FORTUNES[name][0]
