"""Rules about nights in which clocks change: what the engine itself does with an entry in them.

Nothing is worked out here a second time: each night in which an entry has a time is run through the
simulation, and its starts are counted. Pure; called by `crond.sense.judge`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from crond.core.simulation import Ending, Launch, Simulation
from crond.core.zone import Zone, next_change
from crond.model.crontab import Problem, Table
from crond.model.entry import Entry
from crond.model.schedule import Cron, local_minute
from crond.sense.rules import finding
from crond.sense.scene import Scene

_HOUR = 3600
#: Made-up starts follow one another every 10 seconds, so a gap's are over long before.
_AFTER_GAP = 2 * _HOUR


@dataclass(frozen=True, slots=True)
class Change:
    """From `moment` (epoch seconds) on the zone is `new` seconds east of UTC, before it is `old`."""

    moment: int
    old: int
    new: int

    @property
    def shift(self) -> int:
        return abs(self.new - self.old)


@dataclass(frozen=True, slots=True)
class _Said:
    code: str
    message: str
    hint: str


def clock_findings(scene: Scene) -> Iterator[Problem]:
    """Yield what changes of the clock do to the entries of `scene` in its year."""
    nights = _Nights(scene)
    for entry in scene.entries:
        zone = entry.policy.timezone
        if zone is not None and not scene.host.knows_zone(zone):
            text = f"{zone!r} is no time zone: the job is held, and never starts by its time"
            yield finding("timezone-missing", entry.line, entry.column, text, "a name such as Asia/Seoul")
        if isinstance(entry.schedule, Cron):
            for said in nights.of(entry):
                yield finding(said.code, entry.line, entry.column, said.message, said.hint)


class _Nights:
    """Remembers what it found: many entries share a zone, and some a schedule."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._changes: dict[str | None, tuple[Change, ...]] = {}
        self._said: dict[Hashable, tuple[_Said, ...]] = {}

    def of(self, entry: Entry) -> tuple[_Said, ...]:
        key = (entry.schedule, entry.timezone, entry.policy.timezone)
        if key not in self._said:
            assert isinstance(entry.schedule, Cron)
            self._said[key] = tuple(self._look(entry, entry.schedule))
        return self._said[key]

    def _look(self, entry: Entry, schedule: Cron) -> Iterator[_Said]:
        if schedule.wild and len(schedule.hour) == 24:
            return  # it follows elapsed time, and no hour is missed by anybody
        for change in self._changes_of(entry.zone):
            forward = change.new > change.old
            yield from (self._gap if forward else self._overlap)(entry, schedule, change)
        if entry.timezone is not None and entry.policy.timezone is None:
            own = {change.moment for change in self._changes_of(entry.timezone)}
            for change in self._changes_of(None):
                if change.moment not in own:
                    yield from self._daemons(entry, schedule, change)

    def _changes_of(self, name: str | None) -> tuple[Change, ...]:
        if name not in self._changes:
            self._changes[name] = tuple(changes_of(self._zone(name), self._scene.year))
        return self._changes[name]

    def _zone(self, name: str | None) -> Zone:
        return self._scene.host.zone if name is None else self._scene.host.zone_named(name)

    def _gap(self, entry: Entry, schedule: Cron, change: Change) -> Iterator[_Said]:
        first = (change.moment + change.new) // 60
        missed = self._minutes(schedule, (change.moment + change.old) // 60, first - 1)
        if not missed:
            return
        upto = change.moment + _AFTER_GAP - 1
        starts = self._starts(entry, change.moment, upto)
        regular = self._minutes(schedule, first, (upto + change.new) // 60)
        made_up = len(starts) - len(regular)
        verb = "does" if len(missed) == 1 else "do"
        where = f"{_times(missed)} {verb} not exist on {_date(missed[0])}{self._in_zone(entry)}"
        if made_up <= 0:
            text = f"{where}: it does not run then"
            yield _Said("dst-skipped", text, "choose a time outside the hour that is left out")
        else:
            at = _time(int(starts[0].wall + change.new) // 60)
            times = "once" if made_up == 1 else f"{made_up} times"
            yield _Said("dst-moved", f"{where}: it runs {times} after the gap, from {at} on", "")

    def _overlap(self, entry: Entry, schedule: Cron, change: Change) -> Iterator[_Said]:
        twice = self._minutes(
            schedule, (change.moment + change.new) // 60, (change.moment + change.old) // 60 - 1
        )
        if not twice:
            return
        starts = self._starts(entry, change.moment - change.shift, change.moment + change.shift - 1)
        verb = "comes" if len(twice) == 1 else "come"
        where = f"{_times(twice)} {verb} twice on {_date(twice[0])}{self._in_zone(entry)}"
        if len(starts) > len(twice):
            count = len(starts)
            text = f"{where}: it runs {'twice' if count == 2 else f'both times, {count} starts in all'}"
            yield _Said("dst-twice", text, "choose a time outside the hour that comes twice")
        elif len(starts) == len(twice):
            yield _Said("dst-once", f"{where}: it runs once", "")
        else:
            yield _Said("dst-skipped", f"{where}: it runs {len(starts)} times", "choose another time")

    def _daemons(self, entry: Entry, schedule: Cron, change: Change) -> Iterator[_Said]:
        """What a change of the daemon's own zone does to an entry that has another zone."""
        begin, end = change.moment - 2 * _HOUR, change.moment + 2 * _HOUR
        offset = self._zone(entry.timezone).offset_at(change.moment)
        wanted = self._minutes(schedule, (begin + offset) // 60, (end + offset) // 60 - 1)
        if wanted and len(self._starts(entry, begin, end - 1)) < len(wanted):
            text = (
                f"{_times(wanted)} on {_date(wanted[0])}{self._in_zone(entry)} is when the daemon's own"
                " clocks change: it does not run then"
            )
            yield _Said("dst-skipped", text, "choose a time further away from that change")

    def _minutes(self, schedule: Cron, first: int, last: int) -> list[int]:
        found: list[int] = []
        at = schedule.next_after(first - 1, last, self._scene.host.rules)
        while at is not None:
            found.append(at)
            at = schedule.next_after(at, last, self._scene.host.rules)
        return found

    def _starts(self, entry: Entry, begin: int, upto: int) -> list[Launch]:
        """What the engine starts from `begin` up to and including `upto` (epoch seconds)."""
        simulation = Simulation(
            Table(b"", (replace(entry, random_delay=0),), {}, ()),
            start=begin - 90.0,  # the minute of its start is never served
            zone=self._scene.host.zone,
            zone_named=self._scene.host.zone_named,
            rules=self._scene.host.rules,
            seed=0,
            ending=lambda _: Ending(),
        )
        return [launch for launch in simulation.run(float(upto)) if launch.wall >= begin]

    def _in_zone(self, entry: Entry) -> str:
        return f" ({entry.zone or self._scene.host.zone_name})"


def changes_of(zone: Zone, year: int) -> Iterator[Change]:
    """Yield the changes of the offset of `zone` in `year` (of UTC)."""
    at: float | None = datetime(year, 1, 1, tzinfo=UTC).timestamp() - 1
    end = datetime(year + 1, 1, 1, tzinfo=UTC).timestamp()
    while at is not None:
        before = zone.offset_at(at)
        at = next_change(zone, at, end - 1)
        if at is not None:
            yield Change(int(at), before, zone.offset_at(at))


def _date(minute: int) -> str:
    at = local_minute(minute)
    return f"{at.year}-{at.month:02}-{at.day:02}"


def _time(minute: int) -> str:
    at = local_minute(minute)
    return f"{at.hour:02}:{at.minute:02}"


def _times(minutes: list[int]) -> str:
    named = ", ".join(_time(minute) for minute in minutes[:3])
    return named if len(minutes) <= 3 else f"{named} and {len(minutes) - 3} more"
