"""A walk under a clock that a test moves: wall time jumps, monotonic time only goes on."""

from __future__ import annotations

from crond.calendars.rules import days_of_rule
from crond.core.clockwork import Reading
from crond.core.index import Index
from crond.core.walks import Walks
from crond.core.zone import Zone
from crond.model.crontab import parse_crontab
from crond.model.job import Job, jobs_of
from crond.zones import zone_named


def jobs(text: str) -> list[Job]:
    """The jobs of a crontab, extensions included; its errors fail the test."""
    table = parse_crontab(text, extensions=True)
    assert not table.errors, table.errors
    return list(jobs_of(table, owner="me", uid=0, origin="t", version=1))


class Walker:
    """Drives a Walk as the engine does: only when it asks to be called, or when the clock is moved."""

    def __init__(
        self, text: str, *, start: float = 0.0, zone: str = "UTC", delay_factor: float = 0.0
    ) -> None:
        self.zone: Zone = zone_named(zone)
        self.now = Reading(start, 0.0, 0.0)
        self.jobs = jobs(text)
        self._delay_factor = delay_factor
        self.walk = self._new()
        self.walk.begin(start)
        self.passed = self._use()

    def restart(self) -> None:
        """A new walk at the position of the old one, as after a restart of the scheduler."""
        position = self.walk.position
        self.walk = self._new()
        self.walk.resume(position)
        self.passed = self._use()

    def edit(self, text: str) -> None:
        """Other jobs from now on."""
        self.jobs = jobs(text)
        self.passed = self._use()

    def go(self, seconds: float) -> list[tuple[float, str, float]]:
        """Let the clocks run for `seconds`; return (wall time, command, instant) of the dues."""
        end = self.now.mono + seconds
        dues: list[tuple[float, str, float]] = []
        while True:
            wait = self.walk.deadline(self.now)
            if self.now.mono + wait > end:
                self.pass_by(end - self.now.mono)
                return dues
            self.pass_by(wait)
            dues += self.look()

    def look(self) -> list[tuple[float, str, float]]:
        """Wake up now."""
        wall = self.now.wall
        return [(wall, due.job.entry.raw, due.instant) for due in self.walk.advance(self.now)]

    def pass_by(self, seconds: float) -> None:
        """Time goes by and nobody looks."""
        self.now = Reading(self.now.wall + seconds, self.now.mono + seconds, self.now.boot + seconds)

    def set_clock(self, seconds: float) -> None:
        """The wall clock is moved."""
        self.now = Reading(self.now.wall + seconds, self.now.mono, self.now.boot)

    def _new(self) -> Walks:
        return Walks(zone=self.zone, zone_named=zone_named, rules=days_of_rule)

    def _use(self) -> list[str]:
        index = Index(self.jobs, delay_factor=self._delay_factor)
        return [due.job.entry.raw for due in self.walk.use(index, self.now.wall)]
