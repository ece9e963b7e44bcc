"""Times in which nobody walked, or the walk was behind: what is made up, is late by that, or was an outage.

Owns how long a gap must be for that. Which instants a job makes up is `planning`'s, what is told of the
others `watch`'s. Pure; owned by the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from crond.core.clockwork import Gap, gap
from crond.core.ledger import Ledger
from crond.core.planning import Planning
from crond.core.roster import Roster
from crond.core.runs import Runs
from crond.core.watch import Watch
from crond.model.job import Job
from crond.model.schedule import Cron

#: A walk that came so many seconds after the minute served last has missed minutes.
_MISSED = 119.0
#: Seconds by which a due may then be late and still be one of its own minute.
_ON_TIME = 60.0
#: After so many seconds cron does not make up every minute any longer.
_NOT_ALL_MADE_UP = 360.0
#: Over how many seconds the jobs that are made up together spread at most.
_SPREAD = 60
_STALLED = "the host slept, or its clock was set"


@dataclass(slots=True)
class Gaps:
    """Sees to gaps. What catches up has had its instants up to `made_up_to`."""

    ledger: Ledger
    roster: Roster
    planning: Planning
    runs: Runs
    watch: Watch
    made_up_to: float = float("-inf")

    def pass_by(self, served: float, looked: float | None, wall: float, went_by: float) -> None:
        """See to what was missed up to `wall`, if anything was. All up to `served` had been walked, and at
        `looked` the clock was looked at last; so many seconds went by since.
        """
        # In an hour that comes twice the walk stands still, and yet misses nothing.
        lost = wall - (served if looked is None else max(served, looked))
        if lost > _MISSED:
            # Before what is due now: instants of one job rise. And before the position: what is made up would
            # be lost if the write was cut off between them, and is never planned twice.
            self.made_up_to = wall - _ON_TIME
            made_up = self._make_up(served, self.made_up_to)
            if went_by > _MISSED:  # else the clock was set, and nothing could have started
                kind = gap(int(wall // 60) - int(served // 60))
                self.watch.miss(served, self.made_up_to, partial(self._is_left_out, made_up, kind), wall)
        if lost > _NOT_ALL_MADE_UP:
            self.ledger.remember(["outage", served, wall, _STALLED])

    def come_back(self, served: float, upto: float, wall: float, left: Mapping[str, Sequence[float]]) -> None:
        """See to what a new life of the launcher finds: all up to `served` was walked by the one before, and
        this one begins with `upto`. `left` are instants, by job, that were planned and not started.
        """
        made_up = self._make_up(served, wall)
        self.watch.miss(served, upto, partial(self._is_left_out, made_up, Gap.LARGE), wall, left)

    def _make_up(self, since: float, wall: float) -> set[str]:
        jobs = self.planning.make_up(since, wall)
        # All at once would be a burst at the very moment at which the host has most to do.
        self.runs.spread_over = 0 if len(jobs) < 2 else min(_SPREAD, 2 * len(jobs))
        return jobs

    def _is_left_out(self, made_up: set[str], kind: Gap, job: Job) -> bool:
        """True if the instants of `job` in a gap of this `kind` get no runs: neither by its `catchup`, nor by
        cron's walk.
        """
        led_by = self.roster.graph.led_by(job.id)
        if not made_up.isdisjoint(led_by):
            return False
        leader = self.roster.jobs.get(led_by[-1], job)
        if kind is Gap.LARGE or leader.entry.policy.catchup != "none":
            return True
        schedule = leader.entry.schedule
        return kind is Gap.MEDIUM and isinstance(schedule, Cron) and schedule.wild
