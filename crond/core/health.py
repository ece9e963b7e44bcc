"""How a job stands in the eyes of those who are told of it: failures in a row, what was told, and promises.

Kept only of jobs that somebody is to be told of, and only while it says anything. Pure values; remembered by
`memory`, changed by `alerting` and `promises`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple


class Broken(NamedTuple):
    """A promise that does not hold. `told`: and somebody was told so."""

    promise: str
    told: bool


class Health(NamedTuple):
    """How one job stands.

    `failures` counts those in a row, `announced` says that one of them was told. `late_upto` is the latest
    instant that was found late; `since`, epoch seconds, is from when `max_time_since_success` counts at the
    earliest. `shifts` are runs with the seconds that do not count as their running time: the clock was set,
    or the host slept.
    """

    failures: int = 0
    announced: bool = False
    broken: tuple[Broken, ...] = ()
    late_upto: float = 0.0
    since: float = 0.0
    shifts: tuple[tuple[str, float], ...] = ()

    def is_broken(self, promise: str) -> bool:
        """True while `promise` does not hold, and its breach was noticed."""
        return any(one.promise == promise for one in self.broken)

    def breaking(self, promise: str, *, told: bool) -> Health:
        """Return the same with `promise` broken."""
        return self._replace(broken=(*self.broken, Broken(promise, told)))

    def keeping(self, promise: str) -> Health:
        """Return the same with `promise` held."""
        return self._replace(broken=tuple(one for one in self.broken if one.promise != promise))


#: That of a job of which there is nothing to say.
WELL = Health()


def health_of(
    failures: int,
    announced: bool,
    broken: Iterable[Iterable[Any]],
    late_upto: float,
    since: float,
    shifts: Iterable[Iterable[Any]],
) -> Health:
    """Return the health that these values were taken of. Raises ValueError, TypeError if of none."""
    held = tuple(Broken(str(promise), bool(told)) for promise, told in broken)
    shifted = tuple((str(run), float(seconds)) for run, seconds in shifts)
    return Health(int(failures), bool(announced), held, float(late_upto), float(since), shifted)


class Mute(NamedTuple):
    """A time in which news of a job is kept and not sent: until `until` (None: until somebody ends it)."""

    began: float
    until: float | None
    by: int
    note: str
