"""What the launcher tells of attempts: whose run a fact belongs to, and whether it was heard before.

Facts come again until they are acknowledged, perhaps of runs that nobody remembers. What they make of a run
is `progress`'s and `runs`'. Pure; called by the engine.
"""

from __future__ import annotations

from dataclasses import dataclass

from crond.core import progress
from crond.core.clockwork import Reading
from crond.core.ledger import Ledger
from crond.core.roster import Roster
from crond.core.runs import Runs
from crond.model.messages import Exited, Forget, Mail, NotStarted, Started, Vanished
from crond.model.policy import PLAIN
from crond.model.run import Run, State


@dataclass(slots=True)
class Facts:
    """Takes facts in."""

    ledger: Ledger
    runs: Runs
    roster: Roster

    def started(self, _reading: Reading, event: Started) -> None:
        """An attempt has a process."""
        run = self._run_of(event.attempt)
        if run is not None and run.attempt.started_at is None:
            self.runs.started(progress.started(run, event))

    def not_started(self, reading: Reading, event: NotStarted) -> None:
        """An attempt could not be started, or was before."""
        run = self._run_of(event.attempt)
        if run is None or event.reason == "duplicate" or run.attempt.ended_at is not None:
            return  # a duplicate was started before: its own facts say what became of it
        if event.reason == "stale" and run.state in (State.STARTING, State.WAITING):
            self.runs.start_again(run, reading.wall)
        else:
            self.runs.ended(run, progress.not_started(run, event), reading, progress.refusal(run, event))

    def exited(self, reading: Reading, event: Exited) -> None:
        """The process of an attempt has ended."""
        run = self._run_of(event.attempt)
        if run is None:
            # Nobody remembers it: without this the launcher would keep it for ever.
            if event.output_size and int(event.attempt.rpartition(".")[2]) > 0:
                self.ledger.send(Mail(event.attempt))
            self.ledger.send(Forget(event.attempt))
        elif run.attempt.ended_at is None:
            job = self.roster.jobs.get(run.job)
            policy = PLAIN if job is None else job.entry.policy
            self.runs.ended(run, progress.exited(run, event, policy), reading)
        elif run.state is State.FINISHED:
            self.runs.mail(run)  # the fact comes again, and no crash shall lose the letter

    def vanished(self, reading: Reading, event: Vanished) -> None:
        """A process is gone, and nobody knows how it ended."""
        run = self._run_of(event.attempt)
        if run is None:
            self.ledger.send(Forget(event.attempt))
        elif run.attempt.ended_at is None:
            self.runs.ended(run, progress.vanished(run, event.at), reading, "the daemon ended first")

    def _run_of(self, attempt: str) -> Run | None:
        """Return the run whose latest attempt is `attempt`; an earlier one has nothing more to tell."""
        run, _, number = attempt.rpartition(".")
        held = self.ledger.memory.runs.get(run)
        if held is None or not held.attempts or str(held.attempt.number) != number:
            return None
        return held
