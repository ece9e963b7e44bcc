"""The jobs, arranged by when they are due: many jobs share a schedule, few schedules share a minute.

Jobs of one schedule, zone and delay form a group that is tested once; only groups that hold the minute of
the hour are tested at all. Rebuilt whole whenever a table changes. Pure; made by the engine, asked by the
planner.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from crond.model.job import Job
from crond.model.schedule import At, Cron, DayRules, Every, LocalMinute


@dataclass(frozen=True, slots=True)
class Group:
    """The jobs of one schedule in one place, each with its number in the order of the files."""

    schedule: Cron
    jobs: list[tuple[int, Job]] = field(default_factory=list)


class Place:
    """Where a local minute is seen from: a CRON_TZ (None: the zone of the walk) and a delay in minutes."""

    def __init__(self, timezone: str | None, delay: int) -> None:
        self.timezone = timezone
        self.delay = delay
        self._groups: dict[Cron, Group] = {}
        self._by_minute: tuple[list[Group], ...] = tuple([] for _ in range(60))
        self._looked: int | None = None
        self._ahead: list[tuple[int, int]] = []  # a heap: next minute, number of the schedule

    def add(self, schedule: Cron, number: int, job: Job) -> None:
        """Put `job` among those of its schedule."""
        group = self._groups.get(schedule)
        if group is None:
            group = self._groups[schedule] = Group(schedule)
            for minute in schedule.minute:
                self._by_minute[minute].append(group)
        group.jobs.append((number, job))

    def matching(self, at: LocalMinute, *, wild: bool | None, rules: DayRules | None) -> Iterable[Group]:
        """Return the groups that hold `at`; `wild`: only those that are (not) wild."""
        return [
            group
            for group in self._by_minute[at.minute]
            if (wild is None or group.schedule.wild is wild) and group.schedule.matches(at, rules)
        ]

    def next_minute(self, after: int, upto: int, rules: DayRules | None) -> int:
        """Return the first minute of this place after `after` that any group holds, or one beyond
        `upto`.
        """
        if self._looked is None or after < self._looked:
            self._ahead = [(after, number) for number in range(len(self._groups))]
            heapify(self._ahead)
        self._looked = after
        schedules = list(self._groups) if self._ahead[0][0] <= after else []
        while self._ahead[0][0] <= after:
            _, number = heappop(self._ahead)
            found = schedules[number].next_after(after, upto, rules)
            heappush(self._ahead, (max(upto, after) + 1 if found is None else found, number))
        return self._ahead[0][0]


class Index:
    """All jobs. `delay_factor` scales every RANDOM_DELAY; cronie draws it once when it comes up.

    `zones` holds the schedules of `timezone=` by its zone, each for a walk of its own; `places` all others.
    """

    def __init__(self, jobs: Iterable[Job], *, delay_factor: float) -> None:
        self.zones: dict[str, Index] = {}
        self.periods: dict[int, list[Job]] = {}
        self.moments: list[Job] = []
        self._places: dict[tuple[str | None, int], Place] = {}
        for number, job in enumerate(jobs):
            schedule = job.entry.schedule
            if isinstance(schedule, Cron):
                delay = int(job.entry.random_delay * delay_factor)
                zone = job.entry.policy.timezone
                if zone is None:
                    self.place(job.entry.timezone, delay).add(schedule, number, job)
                else:
                    if zone not in self.zones:
                        self.zones[zone] = Index((), delay_factor=delay_factor)
                    self.zones[zone].place(None, delay).add(schedule, number, job)
            elif isinstance(schedule, Every):
                self.periods.setdefault(schedule.seconds, []).append(job)
            elif isinstance(schedule, At):
                self.moments.append(job)

    @property
    def places(self) -> Collection[Place]:
        return self._places.values()

    def place(self, timezone: str | None, delay: int) -> Place:
        """Return the place of this zone and delay, a new one if there is none."""
        key = (timezone, delay)
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = Place(timezone, delay)
        return place
