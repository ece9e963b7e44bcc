"""From what the walk finds due to what becomes a run: pauses, windows, followers, and what is made up.

Owns the rule that an instant is planned once. Knows nothing of what runs do. Pure; owned by the engine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from crond.core import memory
from crond.core.dependencies import DueAfter
from crond.core.ledger import Ledger
from crond.core.planner import Due
from crond.core.queue import Waiting
from crond.core.roster import Roster
from crond.core.zone import Zone, ZoneNamed, instant_of
from crond.model.job import Job
from crond.model.run import Trigger
from crond.model.schedule import After, At, Cron, Every, Reboot, minute_number

#: Most instants of one job that are made up together.
MOST_MADE_UP = 1000


@dataclass(slots=True)
class Planning:
    """Plans for the jobs of `roster`."""

    ledger: Ledger
    roster: Roster
    zone: Zone
    zone_named: ZoneNamed
    due_after: DueAfter

    def plan(self, dues: Iterable[Due], trigger: Trigger, *, made_up_to: float = float("-inf")) -> None:
        """Plan `dues`, and whoever follows them. What catches up has had its instants up to `made_up_to`."""
        planned: list[Waiting] = []
        followers = self.roster.graph.followers
        for due in dues:
            waiting = self._planned(due.job, due.instant, trigger, made_up_to)
            if waiting is None:
                continue
            planned.append(waiting)
            if followers and due.job.id in followers:
                planned += self._following(due.job.id, due.instant, trigger)
        if planned:
            self.ledger.remember(memory.due(planned))

    def _following(self, job: str, instant: float, trigger: Trigger) -> Iterator[Waiting]:
        """Yield the dues of the jobs that have the instants of `job`, parents first."""
        seen = {job}
        waiting = [job]
        while waiting:
            for follower in self.roster.graph.followers.get(waiting.pop(0), ()):
                if follower in seen:
                    continue
                seen.add(follower)
                planned = self._planned(self.roster.jobs[follower], instant, trigger)
                if planned is not None:
                    yield planned
                    waiting.append(follower)

    def _planned(
        self, job: Job, instant: float, trigger: Trigger, made_up_to: float = float("-inf")
    ) -> Waiting | None:
        ordinal = self.ledger.memory.next_ordinal(job.id, instant)
        schedule = job.entry.schedule
        if not isinstance(schedule, Cron) and self._is_over(job, ordinal):
            return None
        if self.ledger.memory.is_paused_at(job.id, instant):
            return None
        if job.id in self.roster.choosy and not self._wants(job, instant, ordinal, trigger, made_up_to):
            return None
        return Waiting(job.id, instant, ordinal, trigger)

    def _is_over(self, job: Job, ordinal: int) -> bool:
        """True for a moment that was answered before (a table read again would bring it back), and for a
        period whose last due still waits: they have no backlog.
        """
        schedule = job.entry.schedule
        if isinstance(schedule, Every):
            return self.ledger.memory.queue.holds(job.id)
        return ordinal > 0 and isinstance(schedule, At)

    def _wants(self, job: Job, instant: float, ordinal: int, trigger: Trigger, made_up_to: float) -> bool:
        policy = job.entry.policy
        if not policy.enabled or not self.is_within(job, instant):
            return False
        if policy.catchup == "none" or trigger is not Trigger.SCHEDULE:
            return True
        if isinstance(job.entry.schedule, After):
            return True  # whom it follows has decided that
        # What is late is made up by its own rule, and a clock that was set back brings nothing twice.
        return ordinal == 0 and instant > made_up_to

    def is_within(self, job: Job, instant: float) -> bool:
        """True if `instant` lies between starts_at and expires_at of `job`."""
        begin, end = self.window_of(job, instant)
        return begin <= instant < end

    def window_of(self, job: Job, near: float) -> tuple[float, float]:
        """Return starts_at and expires_at of `job`; of a time that comes twice, the one that is `near`."""
        policy = job.entry.policy
        begin, end = policy.starts_at, policy.expires_at
        return (
            float("-inf") if begin is None else self._moment(job, begin, near),
            float("inf") if end is None else self._moment(job, end, near),
        )

    def _moment(self, job: Job, moment: datetime, near: float) -> float:
        if moment.tzinfo is not None:
            return moment.timestamp()
        name = job.entry.policy.timezone or job.entry.timezone
        zone = self.zone if name is None else self.zone_named(name)
        return instant_of(zone, minute_number(moment), near) + moment.second

    # --- making up -----------------------------------------------------------------------------------

    def note_new(self, wall: float) -> None:
        """Remember since when each job that catches up is known: what was before owes nothing."""
        seen = self.ledger.memory.seen
        for job in self.roster.choosy:
            if job not in seen and self.roster.jobs[job].entry.policy.catchup != "none":
                self.ledger.remember(["seen", job, wall])

    def make_up(self, since: float, upto: float) -> set[str]:
        """Plan what was due in (since, upto] and is to be made up; return of which jobs there is some."""
        made_up: set[str] = set()
        for identity in sorted(self.roster.choosy):
            job = self.roster.jobs[identity]
            instants = self._missed(job, since, upto)
            if instants:
                made_up.add(identity)
                self.plan([Due(job, instant) for instant in instants], Trigger.CATCHUP)
        return made_up

    def _missed(self, job: Job, since: float, upto: float) -> list[float]:
        policy = job.entry.policy
        if policy.catchup == "none" or isinstance(job.entry.schedule, (Reboot, After)):
            return []  # whom an @after job follows brings it with its own
        low = max(since, upto - policy.catchup_window, self.ledger.memory.seen.get(job.id, upto))
        answered = self.ledger.memory.answered.get(job.id)
        if answered is not None:
            low = max(low, answered.instant)
        most = 1 if policy.catchup == "latest" else MOST_MADE_UP
        found = self._latest(job, low, upto, most + 1)
        if len(found) > MOST_MADE_UP:
            self.ledger.notice(
                f"{job.id}: more than {MOST_MADE_UP} times were missed; the latest are made up"
            )
        return found[-most:]

    def _latest(self, job: Job, low: float, upto: float, most: int) -> list[float]:
        """Return the latest instants of `job` in (low, upto], `most` at most.

        Looks back further and further: a window may be a year long, and hold more than there is time to walk.
        """
        reach = 3600.0
        while True:
            began = max(low, upto - reach)
            found: deque[float] = deque(maxlen=most)
            for instant in self.due_after(job, began):
                if instant > upto:
                    break
                # A paused time owes nothing, and minutes of a gap share a moment.
                if not self.ledger.memory.is_paused_at(job.id, instant) and (
                    not found or found[-1] < instant
                ):
                    found.append(instant)
            if began <= low or len(found) == most:
                return list(found)
            reach *= 4
