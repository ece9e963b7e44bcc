"""The walk over minutes: which jobs are due now, which are made up, which are left out.

It is cronie's algorithm as a state machine: a minute is walked, not guessed, so a late wake-up loses
nothing and a repeated one repeats nothing. Works on local minute numbers of one zone: the daemon's, or that
of a `timezone=`. Knows schedules and zones, not runs; `crond.core.walks` calls it at every wake-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from crond.core.clockwork import Gap, Reading, gap
from crond.core.index import Index, Place
from crond.core.zone import Zone, ZoneNamed, instant_of, next_change
from crond.model.job import Job
from crond.model.schedule import At, DayRules, local_minute, minute_number

#: Seconds between two minutes that are made up, if the first of them started anything.
SPACING = 10.0


class Due(NamedTuple):
    """`job` is due; `instant` is the UTC moment (epoch seconds) that it answers."""

    job: Job
    instant: float


@dataclass(frozen=True, slots=True)
class Position:
    """Where a walk stands, as far as it must survive a restart of the scheduler.

    `planned_upto` is cron's virtual time: all local minutes up to it are served. `woken` is the minute in
    which the walk last woke; `offset` the one in force when a minute was last served (seconds east of
    UTC); `making_up` the kind of gap that is being made up, if any. That of the daemon's zone also has those
    of the zones of `timezone=`, by name.
    """

    planned_upto: int
    woken: int
    offset: int
    making_up: Gap | None = None
    zones: tuple[tuple[str, Position], ...] = ()

    @property
    def served(self) -> float:
        """The moment up to which the walks of all zones have served all (epoch seconds)."""
        return min(one.planned_upto * 60.0 - one.offset for one in (self, *(one for _, one in self.zones)))


class Walk:
    """The planner of one zone: stands at a Position and moves with the clock."""

    def __init__(self, *, zone: Zone, zone_named: ZoneNamed, rules: DayRules | None) -> None:
        self._zone = zone
        self._zone_named = zone_named
        self._rules = rules
        self._index = Index((), delay_factor=0.0)
        self._ticks: dict[int, int] = {}
        self._moments: list[Due] = []
        self._spaced_until: float | None = None  # monotonic
        self._planned_upto = self._woken = self._offset = 0
        self._making_up: Gap | None = None

    @property
    def position(self) -> Position:
        return Position(self._planned_upto, self._woken, self._offset, self._making_up)

    def begin(self, wall: float) -> None:
        """Begin at `wall` as a cron does that just came up: its minute counts as served."""
        minute = self._minute(wall)
        self.resume(Position(minute, minute, self._zone.offset_at(wall)))

    def resume(self, position: Position) -> None:
        """Go on from `position`, as after a stall."""
        self._planned_upto = position.planned_upto
        self._woken = position.woken
        self._offset = position.offset
        self._making_up = position.making_up
        self._spaced_until = None

    def use(
        self, index: Index, wall: float, *, last_served: Callable[[Job], float | None] = lambda _job: None
    ) -> list[Due]:
        """Plan with `index` from now on; return the moments in it that have passed already.

        Periods that are new begin to count at `wall`, or at the latest instant that one of their jobs
        answered before a restart (`last_served`): then one due makes up for those that were missed.
        """
        self._index = index
        self._ticks = {
            seconds: self._ticks.get(seconds, _first_tick(seconds, map(last_served, jobs), wall))
            for seconds, jobs in index.periods.items()
        }
        served = self._planned_upto * 60.0 - self._offset
        moments = [Due(job, self._moment_of(job, wall)) for job in index.moments]
        self._moments = [due for due in moments if due.instant > served]
        return [due for due in moments if due.instant <= served]

    # --- minutes -------------------------------------------------------------------------------------

    def advance(self, reading: Reading) -> list[Due]:
        """Return what is due at `reading`, and move on."""
        dues: list[Due] = []
        offset = self._zone.offset_at(reading.wall)
        minute = int((reading.wall + offset) // 60)
        while True:
            if self._spaced_until is not None:
                if reading.mono < self._spaced_until:
                    break
                self._spaced_until = None
            if self._making_up is not None:
                found = self._make_up(minute, offset, reading.wall)
            elif minute != self._woken:
                found = self._wake(minute, offset, reading.wall)
            else:
                break
            dues += found
            if found and self._making_up is not None:
                self._spaced_until = reading.mono + SPACING
        return dues + self._periods(reading.wall) + self._passed_moments(reading.wall)

    def _wake(self, minute: int, offset: int, wall: float) -> list[Due]:
        """A new local minute began."""
        kind = gap(minute - self._planned_upto)
        self._woken = minute
        if kind is Gap.BACK:
            return self._matching(minute, offset, offset, wall, wild=True)
        if kind in (Gap.SMALL, Gap.MEDIUM):
            self._making_up = kind
            return [] if kind is Gap.SMALL else self._matching(minute, offset, offset, wall, wild=True)
        self._planned_upto = minute
        self._offset = offset
        return self._matching(minute, offset, offset, wall)

    def _make_up(self, minute: int, offset: int, wall: float) -> list[Due]:
        """Serve the next minute that was missed."""
        kind = self._making_up
        self._planned_upto += 1
        if self._planned_upto >= self._woken:
            # Entries with CRON_TZ are left out while the old offset counts, except now.
            self._offset = offset
        found = self._matching(
            self._planned_upto, self._offset, offset, wall, wild=None if kind is Gap.SMALL else False
        )
        if self._planned_upto >= self._woken or (kind is Gap.MEDIUM and minute != self._woken):
            self._making_up = None
        return found

    def _matching(
        self, number: int, offset: int, current: int, wall: float, *, wild: bool | None = None
    ) -> list[Due]:
        """The jobs whose schedule holds local minute `number`; `wild`: only those that are (not) wild."""
        found: list[tuple[int, Job, float]] = []
        for place in self._index.places:
            if place.timezone is not None and offset != current:
                continue
            at = local_minute(self._seen_from(place, number, offset))
            groups = place.matching(at, wild=wild, rules=self._rules)
            if not groups:
                continue
            if place.timezone is None:
                instant = instant_of(self._zone, at.number, wall)
            else:
                instant = (number - place.delay) * 60.0 - offset
            found += [(order, job, instant) for group in groups for order, job in group.jobs]
        found.sort(key=itemgetter(0))
        return [Due(job, instant) for _, job, instant in found]

    def _seen_from(self, place: Place, number: int, offset: int) -> int:
        """Local minute `number` as a place's own zone and delay see it."""
        number -= place.delay
        if place.timezone is None:
            return number
        moment = number * 60 - offset
        return (moment + self._zone_named(place.timezone).offset_at(moment)) // 60

    def _minute(self, wall: float) -> int:
        return int((wall + self._zone.offset_at(wall)) // 60)

    # --- periods and moments
    # -------------------------------------------------------------------------------------

    def _periods(self, wall: float) -> list[Due]:
        """One due for each period whose multiple passed; what was slept through is not made up."""
        dues: list[Due] = []
        for seconds, jobs in self._index.periods.items():
            tick, last = int(wall // seconds), self._ticks[seconds]
            if tick > last:
                dues.extend(Due(job, float(tick * seconds)) for job in jobs)
            if tick > last or tick < last - 1:
                # One tick back is a clock that was slewed; more is a clock that was set.
                self._ticks[seconds] = tick
        return dues

    def _passed_moments(self, wall: float) -> list[Due]:
        passed = [due for due in self._moments if due.instant <= wall]
        if passed:
            self._moments = [due for due in self._moments if due.instant > wall]
        return passed

    def _moment_of(self, job: Job, wall: float) -> float:
        schedule = job.entry.schedule
        if not isinstance(schedule, At):
            raise TypeError(f"{job.id} is not due at one moment")
        if schedule.moment.tzinfo is not None:
            return schedule.moment.timestamp()
        zone = self._zone if job.entry.zone is None else self._zone_named(job.entry.zone)
        return instant_of(zone, minute_number(schedule.moment), wall) + schedule.moment.second

    # --- looking ahead -------------------------------------------------------------------------------

    def deadline(self, reading: Reading) -> float:
        """Return the seconds from `reading` to the moment at which `advance` must be called again."""
        wall = reading.wall
        if self._spaced_until is None and self._minute(wall) != self._woken:
            return 0.0  # it began while something else was done
        waits = [60 - (wall + self._zone.offset_at(wall)) % 60]
        if self._spaced_until is not None:
            waits.append(max(0.0, self._spaced_until - reading.mono))
        waits.extend((self._ticks[seconds] + 1) * seconds - wall for seconds in self._index.periods)
        waits.extend(due.instant - wall for due in self._moments)
        return max(0.0, min(waits))

    def quiet_until(self, wall: float, upto: float) -> float:
        """Return the latest moment up to which waking every minute would do nothing, looking no further than
        `upto`; `wall` if there is none.
        """
        if self._making_up is not None or self._woken != self._planned_upto:
            return wall
        if self._minute(wall) != self._woken:
            return wall
        offset = self._zone.offset_at(wall)
        last = self._next_minute(int((upto + offset) // 60)) - 1
        for seconds in self._index.periods:
            last = min(last, int(((self._ticks[seconds] + 1) * seconds + offset) // 60) - 1)
        for due in self._moments:
            last = min(last, int((due.instant + offset) // 60) - 1)
        # All that holds while no zone changes its offset: go no further than to the first change.
        change = next_change(self._zone, wall, last * 60.0 - offset)
        if change is not None:
            last = int((change - 1 + offset) // 60)
        for name in {place.timezone for place in self._index.places if place.timezone is not None}:
            change = next_change(self._zone_named(name), wall - 86400, last * 60.0 - offset)
            if change is not None:
                last = int((max(wall, change - 1) + offset) // 60)
        return wall if last <= self._woken else last * 60.0 - self._offset

    def sleep_until(self, moment: float) -> None:
        """Count the minutes up to that of `moment` as served: nothing is due in them."""
        self._planned_upto = self._woken = self._minute(moment)

    def _next_minute(self, upto: int) -> int:
        """The first minute after `planned_upto` at which any group matches, or `upto` + 1."""
        first = upto + 1
        for place in self._index.places:
            seen = self._seen_from(place, self._planned_upto, self._offset)
            shift = self._planned_upto - seen
            first = min(first, place.next_minute(seen, upto - shift, self._rules) + shift)
        return first


def _first_tick(seconds: int, served: Iterable[float | None], wall: float) -> int:
    """The multiple of `seconds` that counts as served when a period is new to the walk."""
    instants = [instant for instant in served if instant is not None]
    return int(min(max(instants, default=wall), wall) // seconds)
