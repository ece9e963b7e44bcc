"""The local days of jobs: which of them are days off (`skip_on`), and when they end.

Knows zones and a calendar as functions, and no run. Pure; owned by the engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from crond.core.zone import Zone, ZoneNamed, instant_of
from crond.model.calendar import BadCalendar, DaysOff
from crond.model.job import Job

_EPOCH = date(1970, 1, 1)


@dataclass(slots=True)
class Days:
    """`zone` is the daemon's; `days_off` names the day off that a date is in a calendar."""

    zone: Zone
    zone_named: ZoneNamed
    days_off: DaysOff | None = None

    def off(self, job: Job, instant: float) -> str:
        """Return why `job` is left out on the day of `instant`, "" if it is not."""
        policy = job.entry.policy
        if not policy.skip_on or self.days_off is None:
            return ""
        day = self._day(job, instant)
        for source in policy.skip_on:
            try:
                found = self.days_off(source, day)
            except BadCalendar as error:
                return f"held: {error}"
            if found is not None:
                return f"{day} is a day off ({source}{f': {found}' if found else ''})"
        return ""

    def end(self, job: Job, instant: float) -> float:
        """Return when the day of `instant` is over where `job` lives (epoch seconds)."""
        following = self._day(job, instant) + timedelta(days=1)
        midnight = (following - _EPOCH).days * 1440
        return instant_of(self._zone_of(job), midnight, instant)

    def _day(self, job: Job, instant: float) -> date:
        offset = self._zone_of(job).offset_at(instant)
        return (datetime.fromtimestamp(instant, UTC) + timedelta(seconds=offset)).date()

    def _zone_of(self, job: Job) -> Zone:
        return self.zone if job.entry.zone is None else self.zone_named(job.entry.zone)
