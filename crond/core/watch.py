"""What is told without a run that changes: promises that time breaks, and what is wrong with crontabs.

Looks when the engine wakes it, tells through the ledger, and names the moment at which it must be woken next.
Pure; owned by the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from crond.core.alerting import Alerting
from crond.core.health import WELL, Health
from crond.core.ledger import Ledger
from crond.core.promises import Breach, Promises
from crond.core.roster import Roster
from crond.core.troubles import Troubles
from crond.model.alert import Promise
from crond.model.job import Job
from crond.model.messages import Hello


@dataclass(slots=True)
class Watch:
    """Watches over the jobs of `roster`."""

    ledger: Ledger
    roster: Roster
    promises: Promises
    alerting: Alerting = field(init=False)
    troubles: Troubles = field(init=False)

    def __post_init__(self) -> None:
        held = self.ledger.memory
        self.alerting = Alerting(held, self.roster, self.ledger.waits, self.promises)
        self.troubles = Troubles(held, self.roster)
        self.ledger.tells(self.roster.alerting, self.alerting.told_of)

    def begin(self, hello: Hello) -> None:
        """The launcher has greeted: who is told of the host's troubles is known."""
        self.troubles.begin(hello)

    def settle(self, wall: float) -> None:
        """Begin anew with the tables as they are."""
        self._stand(self.promises.settle(wall))
        for record in list(self.troubles.settle(wall)):
            self.ledger.remember(record)
        self.troubles.settled()

    def _stand(self, changes: Iterable[tuple[str, Health]]) -> None:
        for job, health in changes:
            self.ledger.remember(["health", job, *health])

    def next_moment(self) -> float | None:
        """Return when to look next, None for never."""
        moments = (self.promises.next_moment(), self.troubles.next_moment())
        return min((one for one in moments if one is not None), default=None)

    def look(self, wall: float) -> None:
        """Tell what is to be told by `wall`."""
        for breach in self.promises.over(wall):
            excused = self.promises.excused_until(breach)
            if excused is None:
                self._break(breach, wall)
            else:
                health = self.ledger.memory.health.get(breach.job.id, WELL)
                self._stand([(breach.job.id, health._replace(since=excused))])
                self.promises.excuse(breach)
        for flip, trouble in self.troubles.over(wall):
            self.ledger.tell(flip, trouble=trouble)

    def miss(
        self,
        since: float,
        upto: float,
        is_left_out: Callable[[Job], bool],
        wall: float,
        left: Mapping[str, Sequence[float]] = MappingProxyType({}),
    ) -> None:
        """Tell of jobs whose instants in (since, upto] get no runs, as `is_left_out` says. `left` are
        instants before, by job, that got none either.
        """
        for breach in self.promises.missed(since, upto, is_left_out, left):
            self._break(breach, wall, late_upto=upto)

    def _break(self, breach: Breach, wall: float, *, late_upto: float = 0.0) -> None:
        job, promise = breach.job, breach.promise
        health = self.ledger.memory.health.get(job.id, WELL)
        if promise is Promise.LATE_AFTER:
            reached = late_upto if breach.run is None else breach.run.instant
            health = health._replace(late_upto=max(reached, health.late_upto))
        flip = self.alerting.late(breach, wall)
        health = health.breaking(promise, told=not flip.muted)
        self.ledger.tell(flip, health=[job.id, *health])

    def shift(self, seconds: float) -> None:
        """Keep lengths of time what they are, as `Runs.shift` does."""
        for job, health in list(self.promises.shifted(seconds)):
            self._stand([(job, health)])
            self.promises.watch_again(job)
