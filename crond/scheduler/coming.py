"""When jobs are due, as things stand now: by their schedules, windows and pauses, and by whom `@after` jobs
follow.

What has passed is told as the schedule of today has it, whatever kept a job then: that is the history's to
say. Reads the engine, changes nothing. Called by `views` and `metrics`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from crond.core.engine import Engine
from crond.core.preview import Preview
from crond.model.job import Job
from crond.model.schedule import After

#: Seconds. A look ahead begins after its moment, and what is due at that very moment is to be in it.
_JUST_BEFORE = 0.001
_NEVER = float("inf")


class _Followed(NamedTuple):
    """Whose instants a job has, and from when until before when they count."""

    job: Job
    begin: float
    end: float


class Coming:
    """The dues after the moment that `preview` looks from; what lies after `wall` is still to come."""

    def __init__(self, engine: Engine, preview: Preview, wall: float) -> None:
        self._engine = engine
        self._preview = preview
        self._wall = wall
        self._known: dict[str, _Followed | None] = {}

    def times(self, job: Job) -> Iterator[float]:
        """Yield the moments (epoch seconds) at which `job` is due, in order."""
        found = self._followed(job)
        if found is None:
            return
        moments = self._preview.due_times(found.job)
        for moment in moments:
            if moment > self._wall:
                yield from self._to_come(found, chain((moment,), moments))
                return
            yield moment

    def _followed(self, job: Job) -> _Followed | None:
        """Whose instants `job` has, and the time in which it and all between them are open; None where that
        leads nowhere.
        """
        # Each job is looked at once: along a chain of thousands all would be walked again for each of them,
        # and nobody's jobs start meanwhile.
        line: list[Job] = []
        while job.id not in self._known:
            self._known[job.id] = None  # also what a way around leads to
            line.append(job)
            followed = self._leader_of(job) if isinstance(job.entry.schedule, After) else None
            if followed is None:
                break
            job = followed
        if line and not isinstance(line[-1].entry.schedule, After):
            root = line.pop()
            self._known[root.id] = _Followed(root, *self._open(root))
        found = self._known[job.id]
        for one in reversed(line):
            if found is not None:
                begin, end = self._open(one)
                found = _Followed(found.job, max(begin, found.begin), min(end, found.end))
            self._known[one.id] = found
        return found

    def _leader_of(self, job: Job) -> Job | None:
        roster = self._engine.roster
        links = roster.graph.parents.get(job.id, ())
        return roster.jobs.get(links[0].parent) if links and job.id not in roster.graph.held else None

    def _to_come(self, found: _Followed, moments: Iterator[float]) -> Iterator[float]:
        if found.begin == _NEVER:
            return
        if found.begin > self._wall:
            moments = self._preview.looking_from(found.begin - _JUST_BEFORE).due_times(found.job)
        for moment in moments:
            if moment >= found.end:
                return
            yield moment

    def _open(self, job: Job) -> tuple[float, float]:
        """From when until before when the dues of `job` count."""
        if not job.entry.policy.enabled:
            return _NEVER, _NEVER
        begin, end = self._engine.window_of(job, self._wall)
        pause = self._engine.memory.pauses.get(job.id)
        if pause is not None and pause.ended is None:
            begin = max(begin, _NEVER if pause.until is None else pause.until)
        return begin, end
