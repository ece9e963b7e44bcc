"""When jobs are due, as things stand now: by their schedules, windows and pauses, and by whom `@after` jobs
follow.

What has passed is told as the schedule of today has it, whatever kept a job then: that is the history's to
say. Reads the engine, changes nothing. Called by `views` and `metrics`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from crond.core.engine import Engine
from crond.core.preview import Preview
from crond.model.job import Job
from crond.model.schedule import After

#: Seconds. A look ahead begins after its moment, and what is due at that very moment is to be in it.
_JUST_BEFORE = 0.001
_NEVER = float("inf")


class Coming:
    """The dues after the moment that `preview` looks from; what lies after `wall` is still to come."""

    def __init__(self, engine: Engine, preview: Preview, wall: float) -> None:
        self._engine = engine
        self._preview = preview
        self._wall = wall

    def times(self, job: Job) -> Iterator[float]:
        """Yield the moments (epoch seconds) at which `job` is due, in order."""
        line = self._line(job)
        if not line:
            return
        moments = self._preview.due_times(line[-1])
        for moment in moments:
            if moment > self._wall:
                yield from self._to_come(line, chain((moment,), moments))
                return
            yield moment

    def _line(self, job: Job) -> list[Job]:
        """`job`, whom it follows, whom that follows, and so on; nothing where that leads nowhere."""
        line = [job]
        roster = self._engine.roster
        while isinstance(line[-1].entry.schedule, After):
            links = roster.graph.parents.get(line[-1].id, ())
            followed = roster.jobs.get(links[0].parent) if links else None
            if followed is None or followed in line or line[-1].id in roster.graph.held:
                return []
            line.append(followed)
        return line

    def _to_come(self, line: Sequence[Job], moments: Iterator[float]) -> Iterator[float]:
        begins, ends = zip(*map(self._open, line), strict=True)
        begin, end = max(begins), min(ends)
        if begin == _NEVER:
            return
        if begin > self._wall:
            moments = self._preview.looking_from(begin - _JUST_BEFORE).due_times(line[-1])
        for moment in moments:
            if moment >= end:
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
