"""A problem: what is wrong with a crontab, and where.

Two kinds of error exist. cron's own leaves its line out; an annotation's leaves the entry in, since a
comment must never keep a job from running that cron would run. Pure; made by the parser and by the rules of
crond.sense, shown by everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Literal

_LOOKED_AT = 200

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a text, and where. `line` and `column` count from 1, in characters.

    The `message` of an error is cron's own word for it; `hint` says what to do about it, if we know. `code`
    names the rule that was broken, for scripts; docs/reference/checks.md has them all.
    """

    line: int
    column: int
    severity: Severity
    message: str
    hint: str = ""
    code: str = "syntax"

    @property
    def of_annotation(self) -> bool:
        """True if it is about an annotation: the entries of the crontab are what they are without it."""
        return self.code.startswith("annotation-")

    @property
    def drops(self) -> bool:
        """True if cron would not read what stands there."""
        return self.severity == "error" and not self.of_annotation


#: Takes each problem that is found.
Report = Callable[[Problem], None]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint that names what of `known` is nearest to `word`, empty if nothing is near.

    It takes microseconds for each of them, so that not all are looked at, and callers ask for few words.
    """
    import difflib  # only who makes a mistake pays for it

    near = difflib.get_close_matches(word[:64], list(islice(known, _LOOKED_AT)), n=1)
    return f"did you mean {near[0]}?" if near else ""
