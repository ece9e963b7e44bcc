"""What people ask of jobs and runs: to run by hand, again, for a time that was; to count as; to pause.

Each wish becomes changes of runs by the same ways as everything else. Who may ask is decided before, by the
scheduler's control socket. Pure; called by the engine.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from crond.core.clockwork import Reading
from crond.core.ledger import Ledger
from crond.core.runs import Runs
from crond.core.turns import owner_of
from crond.model.events import (
    BackfillRequested,
    MarkRequested,
    MuteRequested,
    PauseRequested,
    RerunRequested,
    ResumeRequested,
    RunRequested,
    StopRequested,
    UnmuteRequested,
)
from crond.model.run import FAILURES, Outcome, Parent, Run, State, Trigger, Want, run_id

#: Most runs of an owner's jobs that somebody asked for and that have not ended.
MOST_ASKED = 1000


@dataclass(slots=True)
class Requests:
    """Carries out what people ask."""

    ledger: Ledger
    runs: Runs

    def crowd_of(self, event: RunRequested | BackfillRequested | RerunRequested) -> str:
        """Say whose runs would be more than MOST_ASKED if `event` were carried out, "" if nobody's."""
        for owner, wanted in Counter(map(owner_of, self._jobs_of(event))).items():
            held = self.ledger.siblings.asked_of(owner)
            if held + wanted > MOST_ASKED:
                return (
                    f"{owner} may have {MOST_ASKED} unfinished runs that were asked for, has {held}, and "
                    f"this asks for {wanted} more; wait until some have ended, or stop them (crontabx stop)"
                )
        return ""

    def _jobs_of(self, event: RunRequested | BackfillRequested | RerunRequested) -> list[str]:
        """Return the job of each run that `event` makes, or runs again."""
        if isinstance(event, RerunRequested):
            root = self.ledger.memory.runs.get(event.run)
            return [] if root is None else [run.job for run in self._again(root, event).values()]
        downstream = isinstance(event, RunRequested) and event.downstream
        return [event.job, *(self._followers(event.job, event.by) if downstream else ())]

    def run(self, reading: Reading, event: RunRequested) -> None:
        """Run a job now, whatever it depends on; with `downstream` its descendants after it."""
        root = self._made(event.job, reading.wall, Trigger.MANUAL, event.by)
        root = root.but(environment=event.environment)
        self.runs.ask_for(root)
        made = {root.job: root}
        for job in self._followers(event.job, event.by) if event.downstream else ():
            one = self._made(job, reading.wall, Trigger.MANUAL, event.by)
            made[job] = one.but(follows=root.id, parents=self._parents(one, made))
            self.runs.ask_for(made[job])

    def _followers(self, asked: str, by: int) -> list[str]:
        downstream = self.runs.scene.roster.graph.downstream(asked)
        return [job for job in downstream if self._may_follow(asked, job, by)]

    def _may_follow(self, asked: str, job: str, by: int) -> bool:
        """True if what is asked of one job may reach another: root's jobs may depend on those of users, who
        must not start them by that.
        """
        jobs = self.runs.scene.roster.jobs
        return by == 0 or (asked in jobs and job in jobs and jobs[asked].uid == jobs[job].uid)

    def _parents(self, run: Run, made: dict[str, Run]) -> tuple[Parent, ...]:
        links = self.runs.scene.roster.graph.parents.get(run.job, ())
        return tuple(
            Parent(link.parent, made[link.parent].id)
            if link.parent in made
            else self.runs.parent_for(run, link.parent)
            for link in links
        )

    def backfill(self, _reading: Reading, event: BackfillRequested) -> None:
        """Run a job for an instant that was."""
        self.runs.ask_for(self._made(event.job, event.instant, Trigger.BACKFILL, event.by))

    def _made(self, job: str, instant: float, trigger: Trigger, by: int) -> Run:
        # Two requests may come in one turn of the loop, and so at one reading.
        ordinal = self.ledger.siblings.asked_for(job, instant, trigger)
        while (identity := run_id(job, instant, ordinal, trigger)) in self.ledger.memory.runs:
            ordinal += 1
        return Run(id=identity, job=job, instant=instant, ordinal=ordinal, trigger=trigger, by=by)

    def rerun(self, reading: Reading, event: RerunRequested) -> None:
        """Run a finished run again; with `downstream` those that it answered for, after it."""
        root = self.ledger.memory.runs.get(event.run)
        if root is None or root.state is not State.FINISHED:
            return
        if root.job not in self.runs.scene.roster.jobs:
            return  # nothing is left to run, and how it ended shall stay known
        again = self._again(root, event)
        for run in again.values():
            parents = tuple(
                replace(one, outcome=None, exit_code=None, reason="") if one.run in again else one
                for one in run.parents
            )
            # What somebody asks for runs whatever its parents did; what follows it waits for them.
            revived = run.revive(at=reading.wall, by=event.by, parents=() if run is root else parents)
            self.ledger.change(revived)
            self.runs.look_again(run.id)

    def _again(self, root: Run, event: RerunRequested) -> dict[str, Run]:
        """Return `root`, and with `downstream` the finished runs that it answered for, and theirs; `failed`:
        only what did not succeed.
        """
        again = {root.id: root}
        if not event.downstream:
            return again
        waiting = [root]
        while waiting:
            parent = waiting.pop()
            for job in self.runs.scene.roster.graph.children.get(parent.job, ()):
                if not self._may_follow(root.job, job, event.by):
                    continue
                for run in self.ledger.memory.finished_of(job):
                    answered = any(one.run == parent.id for one in run.parents)
                    if not answered or run.id in again:
                        continue
                    if event.failed and run.outcome not in (*FAILURES, Outcome.UPSTREAM_FAILED):
                        continue
                    again[run.id] = run
                    waiting.append(run)
        return again

    def mark(self, reading: Reading, event: MarkRequested) -> None:
        """Let a run count as a success or a failure; one that runs is ended first."""
        run = self.ledger.memory.runs.get(event.run)
        if run is None:
            return
        reason = f"marked by uid {event.by}"
        if run.state is State.FINISHED:
            marked = run.but(outcome=event.outcome, reason=reason, by=event.by)
            self.ledger.change(marked)
            self.runs.tell_children(marked)
        else:
            want = Want.SUCCEED if event.outcome is Outcome.SUCCESS else Want.FAIL
            self.runs.stop(run, want, reading.wall)

    def stop(self, reading: Reading, event: StopRequested) -> None:
        """End a run."""
        run = self.ledger.memory.runs.get(event.run)
        if run is not None:
            self.runs.stop(run, Want.STOP, reading.wall)

    def pause(self, reading: Reading, event: PauseRequested) -> None:
        """Let a job not be due; a pause that holds already is replaced and keeps its beginning."""
        held = self.ledger.memory.pauses.get(event.job)
        began = held.began if held is not None and held.ended is None else reading.wall
        self.ledger.remember(["pause", event.job, began, event.until, event.by, event.note])

    def resume(self, reading: Reading, event: ResumeRequested) -> None:
        """Let a job be due again."""
        self._end_pause(event.job, reading.wall)

    def mute(self, reading: Reading, event: MuteRequested) -> None:
        """Let news of a job be kept and not sent; one that holds already is replaced and keeps its
        beginning.
        """
        held = self.ledger.memory.mutes.get(event.job)
        began = reading.wall if held is None else held.began
        self.ledger.remember(["mute", event.job, began, event.until, event.by, event.note])

    def unmute(self, _reading: Reading, event: UnmuteRequested) -> None:
        """Let news of a job be sent again."""
        if event.job in self.ledger.memory.mutes:
            self.ledger.remember(["unmute", event.job])

    def expire(self, reading: Reading) -> None:
        """End the pauses and mutes whose time is over."""
        for job, pause in list(self.ledger.memory.pauses.items()):
            if pause.ended is None and pause.until is not None and pause.until <= reading.wall:
                self._end_pause(job, pause.until)
        for job, mute in list(self.ledger.memory.mutes.items()):
            if mute.until is not None and mute.until <= reading.wall:
                self.ledger.remember(["unmute", job])

    def next_expiry(self) -> float | None:
        """Return when the next pause or mute ends by itself."""
        memory = self.ledger.memory
        ends = [one.until for one in memory.pauses.values() if one.ended is None]
        ends += [one.until for one in memory.mutes.values()]
        return min((one for one in ends if one is not None), default=None)

    def _end_pause(self, job: str, at: float) -> None:
        pause = self.ledger.memory.pauses.get(job)
        if pause is None or pause.ended is not None:
            return
        note = f": {pause.note}" if pause.note else ""
        at = max(at, pause.began)
        self.ledger.remember(["interval", "pause", pause.began, at, f"paused by uid {pause.by}{note}", job])
        self.ledger.remember(["pause", job, pause.began, pause.until, pause.by, pause.note, at])
