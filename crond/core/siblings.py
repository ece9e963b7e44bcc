"""The unfinished runs of each job by what they are to one another, and how many an owner has asked for.

What a run asks of those beside it, it asks here: an owner may have a thousand, and each would be walked past
at every change of one of them. Nothing of it is remembered: it follows from the runs in the engine's memory.
Pure; owned by the ledger.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Mapping
from itertools import product
from typing import TypeAlias

from crond.core.turns import owner_of
from crond.model.run import Run, State, Trigger, Wait

#: What those of a job may have in common: that they wait for the same and came to be in the same way, of whom
#: the first goes first; or that somebody asked for them in the same way and for the same instant.
_Kind: TypeAlias = "str | tuple[Wait, Trigger] | tuple[Trigger, float]"
_Place: TypeAlias = "tuple[float, int, str]"
_ACTIVE, _MADE_UP, _STANDING_BACK = "active", "made up", "standing back"
_LINES = tuple(product((Wait.OVERLAP, Wait.PAST), Trigger))


class Siblings:
    """Those of the runs in `runs`, by id."""

    def __init__(self, runs: Mapping[str, Run]) -> None:
        self._runs = runs
        #: By job and kind, in the order of their instants.
        self._kinds: dict[tuple[str, _Kind], list[_Place]] = {}
        self._asked: Counter[str] = Counter()
        for run in runs.values():
            self.changed(None, run)

    def changed(self, before: Run | None, run: Run) -> None:
        """Take note of `run`, which was `before`."""
        was, now = _kinds_of(before), _kinds_of(run)
        if was != now:
            for kind in was:
                self._leave((run.job, kind), _place_of(run))
            for kind in now:
                insort(self._kinds.setdefault((run.job, kind), []), _place_of(run))
        asked = _is_asked(run) - _is_asked(before)
        if asked:
            self._asked[owner_of(run.job)] += asked

    def _leave(self, key: tuple[str, _Kind], place: _Place) -> None:
        places = self._kinds[key]
        del places[bisect_left(places, place)]
        if not places:
            del self._kinds[key]

    def active_of(self, job: str) -> list[Run]:
        """Return the runs of `job` that count for its `concurrency`, the earliest instant first."""
        return [self._runs[place[2]] for place in self._kinds.get((job, _ACTIVE), ())]

    def standing_back_of(self, job: str) -> list[Run]:
        """Return those that wait for another run of `job`, and for which a newer one does not."""
        return [self._runs[place[2]] for place in self._kinds.get((job, _STANDING_BACK), ())]

    def first_made_up_of(self, job: str) -> Run | None:
        """Return the run of `job` that is made up next."""
        places = self._kinds.get((job, _MADE_UP))
        return self._runs[places[0][2]] if places else None

    def first_waiting_of(self, job: str) -> list[Run]:
        """Return who goes first of each line of those that wait for another run of `job`; of these, who has
        waited longest.
        """
        lines = (self._kinds.get((job, line)) for line in _LINES)
        first = [self._runs[places[0][2]] for places in lines if places]
        return sorted(first, key=lambda run: (run.since or 0.0, _place_of(run)))

    def asked_for(self, job: str, instant: float, trigger: Trigger) -> int:
        """Return how many of the runs that were asked for are alike in these."""
        return len(self._kinds.get((job, (trigger, instant)), ()))

    def asked_of(self, owner: str) -> int:
        """Return how many runs of the jobs of `owner` somebody asked for and have not ended."""
        return self._asked[owner]


def _kinds_of(run: Run | None) -> tuple[_Kind, ...]:
    if run is None or run.state is State.FINISHED:
        return ()
    kinds: tuple[_Kind, ...] = (_ACTIVE,) if run.is_active else ()
    if run.trigger is Trigger.CATCHUP:
        kinds = (*kinds, _MADE_UP)
    if run.waits is Wait.OVERLAP or run.waits is Wait.PAST:
        kinds = (*kinds, (run.waits, run.trigger))
        # What somebody asked for, or is made up, waits until it is its turn.
        if run.waits is Wait.OVERLAP and run.by is None and run.trigger is not Trigger.CATCHUP:
            kinds = (*kinds, _STANDING_BACK)
    return kinds if run.by is None else (*kinds, (run.trigger, run.instant))


def _is_asked(run: Run | None) -> bool:
    return run is not None and run.by is not None and run.state is not State.FINISHED


def _place_of(run: Run) -> _Place:
    return run.instant, run.ordinal, run.id
