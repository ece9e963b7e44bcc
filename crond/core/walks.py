"""The walks of all zones: that of the daemon's, and one for each zone of a `timezone=`.

Each zone has a walk of its own, so that the care which cron takes of daylight saving in the daemon's zone is
taken in each of them; `CRON_TZ` stays a matter of the daemon's walk, as in cronie. Periods and moments know
no zone and are the daemon's walk's. Pure; the engine calls it at every wake-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from crond.core.clockwork import Reading
from crond.core.index import Index
from crond.core.planner import Due, Position, Walk
from crond.core.zone import Zone, ZoneNamed, instant_of
from crond.model.job import Job
from crond.model.schedule import DayRules


class Walks:
    """As one Walk, whose Position holds those of all."""

    def __init__(self, *, zone: Zone, zone_named: ZoneNamed, rules: DayRules | None) -> None:
        self._zone = zone
        self._zone_named = zone_named
        self._rules = rules
        self._main = Walk(zone=zone, zone_named=zone_named, rules=rules)
        self._others: dict[str, Walk] = {}
        self._resumed: dict[str, Position] = {}

    @property
    def position(self) -> Position:
        if not self._others:
            return self._main.position  # asked twice each time that anything happens
        others = tuple((name, walk.position) for name, walk in self._others.items())
        return replace(self._main.position, zones=others)

    @property
    def is_making_up(self) -> bool:
        """True while minutes that were missed are still to be served."""
        return any(walk.position.making_up is not None for walk in self._all())

    def begin(self, wall: float) -> None:
        """Begin at `wall` as a cron does that just came up: its minute counts as served."""
        self._main.begin(wall)
        self._others.clear()
        self._resumed.clear()

    def resume(self, position: Position) -> None:
        """Go on from `position`, as after a stall."""
        self._main.resume(position)
        self._others.clear()
        self._resumed = dict(position.zones)

    def use(
        self, index: Index, wall: float, *, last_served: Callable[[Job], float | None] = lambda _job: None
    ) -> list[Due]:
        """As `Walk.use`; a new zone is walked from the minute in which the daemon's walk last woke."""
        woken = instant_of(self._zone, self._main.position.woken, wall)
        passed = self._main.use(index, wall, last_served=last_served)
        others: dict[str, Walk] = {}
        for name, part in index.zones.items():
            walk = others[name] = self._others.get(name) or self._begun(name, woken)
            walk.use(part, wall)
        self._others = others
        self._resumed.clear()
        return passed

    def _begun(self, name: str, woken: float) -> Walk:
        walk = Walk(zone=self._zone_named(name), zone_named=self._zone_named, rules=self._rules)
        if name in self._resumed:
            walk.resume(self._resumed[name])
        else:
            walk.begin(woken)
        return walk

    def advance(self, reading: Reading) -> list[Due]:
        """Return what is due at `reading`, and move on."""
        return [due for walk in self._all() for due in walk.advance(reading)]

    def deadline(self, reading: Reading) -> float:
        """Return the seconds from `reading` to the moment at which `advance` must be called again."""
        return min(walk.deadline(reading) for walk in self._all())

    def idle_until(self, wall: float, upto: float) -> float:
        """Return a moment up to which waking every minute would do nothing, and count those minutes as
        served.

        Only for a clock that is known to run evenly up to `upto`, which is a virtual one.
        """
        until = upto
        for walk in self._all():
            until = walk.quiet_until(wall, until)
            if until <= wall:
                return wall
        for walk in self._all():
            walk.sleep_until(until)
        return until

    def _all(self) -> Iterator[Walk]:
        yield self._main
        yield from self._others.values()
