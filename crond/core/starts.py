"""Starts that are asked of the launcher: what such a wish says, and how it is said again.

Asking twice is safe, since the launcher makes each start once. Changes no run. Pure; used by `runs` and, when
a scheduler comes back, by the engine.
"""

from __future__ import annotations

from dataclasses import dataclass

from crond.core.ledger import Ledger
from crond.core.roster import Roster
from crond.core.surroundings import variables
from crond.core.zone import Zone, ZoneNamed
from crond.model.job import Job
from crond.model.messages import Start
from crond.model.policy import PLAIN
from crond.model.run import Run


@dataclass(slots=True)
class Starts:
    """Asks for the latest attempt of a run."""

    ledger: Ledger
    roster: Roster
    zone: Zone
    zone_named: ZoneNamed

    def ask(self, run: Run, job: Job) -> None:
        """Ask for the start of `run`, whose job is `job`."""
        attempt, entry = run.attempt, job.entry
        given = run.environment
        if entry.annotations or entry.policy is not PLAIN:  # a plain entry's environment is cron's
            given = variables(
                run,
                job,
                attempt.number,
                memory=self.ledger.memory,
                zone=self.zone,
                zone_named=self.zone_named,
            )
        wish = Start(job.version, job.index, attempt.part, job.name, run.id, attempt.number, given)
        self.ledger.send(wish)

    def ask_again(self, run: Run) -> None:
        """Ask for a start that may have been made: the launcher refuses to make it twice."""
        job = self.roster.jobs.get(run.job)
        if job is None:
            self.ask_whether_made(run)
        else:
            self.ask(run, job)

    def ask_whether_made(self, run: Run) -> None:
        """Have the launcher say whether it made a start: no version is 0, so it makes none now."""
        number, name = run.attempt.number, run.job.partition("/")[2]
        self.ledger.send(Start(0, 0, run.attempt.part, name, run.id, number))
