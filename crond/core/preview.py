"""When a job will be due next, if the clock runs evenly and its table stays: for people to look at.

The planner never looks ahead; this walks the stretches between changes of a zone's offset, with cron's
rules for what lies in a gap or comes twice. Pure; called for `list`, `next` and `status`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from crond.core.zone import Zone, ZoneNamed, instant_of, next_change
from crond.model.job import Job
from crond.model.schedule import At, Cron, DayRules, Every, minute_number

_DAY = 86400.0
#: How far ahead is looked for changes of an offset, and for an entry of leap days.
_CHANGES_AHEAD = 3 * 366 * _DAY
_MINUTES_AHEAD = 9 * 366 * 1440
#: How much is looked through at once: most ask for what comes soon, and each look takes time.
_STRETCH = 30 * _DAY
#: How far back they are looked for, beyond what is asked: others will ask from a little earlier.
_CHANGES_BEFORE = 30 * _DAY
#: A gap of so many minutes is not made up: the distance across it is one more than cron's 180.
_GAP_TOO_LONG = 180
_ANY: frozenset[int] = frozenset()
#: A minute before all others.
_LONG_AGO = -(10**9)
_NOTHING: Mapping[str, int] = {}


class Edge(NamedTuple):
    """The end of a stretch in which a zone has one offset, and whether it has another one from then on."""

    moment: float
    is_change: bool


class Edges:
    """The edges of `zone` after `since`, in their order; found when they are asked for, and kept."""

    def __init__(self, zone: Zone, since: float) -> None:
        self.since = since
        self._zone = zone
        self._found: list[Edge] = []
        self._more = self._look()

    def __iter__(self) -> Iterator[Edge]:
        number = 0
        while True:
            if number == len(self._found):
                edge = next(self._more, None)
                if edge is None:
                    return
                self._found.append(edge)
            yield self._found[number]
            number += 1

    def _look(self) -> Iterator[Edge]:
        at, end = self.since, self.since + _CHANGES_BEFORE + _CHANGES_AHEAD
        while at < end:
            upto = min(at + _STRETCH, end)
            change = next_change(self._zone, at, upto)
            at = upto if change is None else change
            yield Edge(at, change is not None)


class Preview:
    """Looks ahead from one moment; what it finds about zones is kept for the next question.

    `planned_upto` is the minute up to which the daemon's zone is served, `planned_zones` the same of those of
    `timezone=`.
    """

    def __init__(
        self,
        *,
        wall: float,
        planned_upto: int,
        planned_zones: Mapping[str, int] = _NOTHING,
        zone: Zone,
        zone_named: ZoneNamed,
        rules: DayRules | None,
        delay_factor: float,
    ) -> None:
        self._wall = wall
        self._planned_upto = planned_upto
        self._planned_zones = planned_zones
        self._zone = zone
        self._zone_named = zone_named
        self._rules = rules
        self._delay_factor = delay_factor
        self._edges: dict[str | None, Edges] = {}  #: by zone
        self._never: set[Hashable] = set()

    def looking_from(self, wall: float) -> Preview:
        """Return the same look ahead from `wall` (epoch seconds), as if nothing had been served."""
        other = Preview(
            wall=wall,
            planned_upto=_LONG_AGO,
            zone=self._zone,
            zone_named=self._zone_named,
            rules=self._rules,
            delay_factor=self._delay_factor,
        )
        other._edges = self._edges
        return other

    def due_times(self, job: Job) -> Iterator[float]:
        """Yield the moments (epoch seconds) at which `job` is due after now, in order."""
        schedule = job.entry.schedule
        if isinstance(schedule, Every):
            tick = schedule.tick(self._wall)
            while True:
                tick += 1
                yield float(tick * schedule.seconds)
        elif isinstance(schedule, At):
            moment = self._moment(job, schedule)
            if moment > self._wall:
                yield moment
        elif isinstance(schedule, Cron):
            # A user may have thousands of entries for 30 February, and half a millisecond each adds up.
            days = (job.entry.zone, replace(schedule, minute=_ANY, hour=_ANY))
            if days not in self._never:
                first = None
                for first in self._cron_times(job, schedule):
                    yield first
                if first is None:
                    self._never.add(days)

    def _cron_times(self, job: Job, schedule: Cron) -> Iterator[float]:
        """Walk the stretches of one offset; at the seams, what a gap holds or what comes twice."""
        name, own = job.entry.zone, job.entry.policy.timezone
        zone = self._zone if name is None else self._zone_named(name)
        delay = 60.0 * int(job.entry.random_delay * self._delay_factor)
        # Entries with CRON_TZ get none of cron's care for daylight saving.
        fixed = name == own and not schedule.wild
        cursor = self._wall - delay
        offset = zone.offset_at(cursor)
        served = int((cursor + offset) // 60)
        if fixed:
            planned = self._planned_upto if own is None else self._planned_zones.get(own, _LONG_AGO)
            served = max(served, planned - int(delay // 60))
        for edge in self._edges_of(name, zone, cursor):
            last = served + _MINUTES_AHEAD if edge is None else int((edge.moment - 1 + offset) // 60)
            found = schedule.next_after(served, last, self._rules)
            while found is not None:
                yield found * 60.0 - offset + delay
                served = found
                found = schedule.next_after(served, last, self._rules)
            served = max(served, last)
            if edge is None or not edge.is_change:
                continue
            offset = zone.offset_at(edge.moment)
            first = int((edge.moment + offset) // 60)
            if fixed and 0 < first - served - 1 < _GAP_TOO_LONG:
                missed = schedule.next_after(served, first - 1, self._rules)
                while missed is not None:
                    yield edge.moment + delay
                    missed = schedule.next_after(missed, first - 1, self._rules)
            served = max(served, first - 1) if fixed else first - 1

    def _edges_of(self, name: str | None, zone: Zone, after: float) -> Iterator[Edge | None]:
        """Yield the edges of `zone` after a moment, and None when no more are looked for."""
        known = self._edges.get(name)
        if known is None or after < known.since:
            known = self._edges[name] = Edges(zone, after - _CHANGES_BEFORE)
        yield from (edge for edge in known if edge.moment > after)
        yield None

    def _moment(self, job: Job, schedule: At) -> float:
        if schedule.moment.tzinfo is not None:
            return schedule.moment.timestamp()
        zone = self._zone if job.entry.zone is None else self._zone_named(job.entry.zone)
        return instant_of(zone, minute_number(schedule.moment), self._wall) + schedule.moment.second
