"""What is told without a run that changes: promises that time breaks, and what is wrong with crontabs.

Looks when the engine wakes it, tells through the ledger, and names the moment at which it must be woken next.
Pure; owned by the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from crond.core.alerting import Alerting
from crond.core.clockwork import Reading
from crond.core.health import WELL, Health
from crond.core.ledger import Ledger
from crond.core.promises import Breach, Promises
from crond.core.roster import Roster
from crond.core.troubles import Troubles
from crond.model.job import Job
from crond.model.messages import Hello

#: Seconds for which the launcher may tell what happened while there was no scheduler.
_GRACE = 5.0


@dataclass(slots=True)
class Watch:
    """Watches over the jobs of `roster`."""

    ledger: Ledger
    roster: Roster
    promises: Promises
    alerting: Alerting = field(init=False)
    _not_before: float = float("-inf")  #: monotonic
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

    def next_moment(self, reading: Reading) -> float | None:
        """Return when to look next (epoch seconds), None for never."""
        promised, troubled = self.promises.next_moment(), self.troubles.next_moment()
        if promised is not None:
            promised = max(promised, reading.wall + self._not_before - reading.mono)
        return min((one for one in (promised, troubled) if one is not None), default=None)

    def wait(self, reading: Reading) -> None:
        """The scheduler came back: first the launcher tells what became of runs meanwhile."""
        self._not_before = reading.mono + _GRACE

    def look(self, reading: Reading) -> None:
        """Tell what is to be told by now."""
        if reading.mono >= self._not_before:
            self._look_at_promises(reading.wall)
        for flip, trouble in self.troubles.over(reading.wall):
            self.ledger.tell(flip, trouble=trouble)

    def _look_at_promises(self, wall: float) -> None:
        for breach in self.promises.over(wall):
            excused = self.promises.excused_until(breach)
            if excused is None:
                self._break(breach, wall)
            else:
                health = self.ledger.memory.health.get(breach.job.id, WELL)
                self._stand([(breach.job.id, health._replace(since=excused))])
                self.promises.excuse(breach)

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
        name = breach.job.id
        health = self.ledger.memory.health.get(name, WELL)
        health = self.alerting.broken_by(breach, health, late_upto)
        self.ledger.tell(self.alerting.late(breach, wall), health=[name, *health])

    def shift(self, seconds: float, wall: float) -> None:
        """Keep lengths of time what they are, as `Runs.shift` does; `wall` is what it is now."""
        for job, health in list(self.promises.shifted(seconds, wall)):
            self._stand([(job, health)])
            self.promises.watch_again(job)
