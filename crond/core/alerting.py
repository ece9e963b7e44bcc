"""What is told of a run, and to whom: flips, decided as runs change.

Owns which end is a failure that somebody hears of, when a recovery follows, and all that a flip says. Sends
nothing, waits for nothing and reads no clock: what it returns is journalled in the record of the run that
caused it, with the health of its job. Called by the ledger at every change of a run of a job with alert keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from crond.core.health import WELL, Health
from crond.core.memory import Memory
from crond.core.promises import Breach, Promises
from crond.core.roster import Roster
from crond.core.waits import Waits
from crond.core.withheld import held_up
from crond.model.alert import Addressee, Event, Flip, Promise, addressee, flip_id
from crond.model.job import Job
from crond.model.messages import attempt_key
from crond.model.run import Attempt, Outcome, Run, State, Wait, Want

_MARKED = (Want.SUCCEED, Want.FAIL)
_ALIVE = (State.STARTING, State.RUNNING, State.STOPPING)


class Told(NamedTuple):
    """What a change of a run brings: its flips, and how its job stands then (None: as before)."""

    flips: list[Flip]
    health: Health | None


@dataclass(slots=True)
class Alerting:
    """Decides for the jobs of `roster`."""

    memory: Memory
    roster: Roster
    waits: Waits
    promises: Promises

    def told_of(self, before: Run | None, run: Run) -> Told | None:
        """Return what is told because `run`, which was `before`, changed; None for nothing at all."""
        job = self.roster.jobs.get(run.job)
        if job is None:
            return None
        was = self.memory.health.get(run.job, WELL)
        health, flips = was, list[Flip]()
        if _begins(before, run):
            flips += self._flips(Event.PING_START, job, run, job.entry.policy.ping)
        if run.state is State.FINISHED and (before is None or before.state is not State.FINISHED):
            health = self._ended(job, run, health, flips)
        elif run.waits is Wait.RETRY and before is not None and before.state in _ALIVE:
            flips += self._flips(Event.RETRY, job, run, job.entry.policy.on_retry, again_at=run.until)
        if job.id in self.roster.promising:
            health, kept, breach = self.promises.changed(before, run, job, health)
            flips += [self._on_time(job, Promise(one.promise), run) for one in kept if one.told]
            if breach is not None:
                flips.append(self.late(breach, _moment(run)))
                health = self.broken_by(breach, health)
        if not flips and health == was:
            return None
        return Told(flips, None if health == was else health)

    # --- ends ----------------------------------------------------------------------------------------

    def _ended(self, job: Job, run: Run, health: Health, flips: list[Flip]) -> Health:
        policy = job.entry.policy
        self._ping_end(job, run, flips)
        if run.want in _MARKED:
            return health  # whoever marked it knows
        if run.has_failed:
            return self._failed(job, run, health, flips)
        if run.outcome is Outcome.SUCCESS:
            told: tuple[Addressee, ...] = ()
            if health.announced:
                recovery = self._flips(Event.RECOVERY, job, run, (*policy.on_failure, *policy.on_recovery))
                told = recovery[0].addressees if recovery else ()
                flips += recovery
            flips += self._flips(Event.SUCCESS, job, run, policy.on_success, but=told)
            return health._replace(failures=0, announced=False)
        if run.outcome is Outcome.SKIPPED:
            flips += self._flips(Event.SKIP, job, run, policy.on_skip)
        return health

    def _failed(self, job: Job, run: Run, health: Health, flips: list[Flip]) -> Health:
        policy = job.entry.policy
        if not policy.on_failure and not policy.on_recovery:
            return health
        failures = health.failures + 1
        if failures < policy.alert_after:
            return health._replace(failures=failures)
        names = held_up(run, self.memory, self.roster, self.waits)
        flips += self._flips(Event.FAILURE, job, run, policy.on_failure, failures=failures, held_up=names)
        # Who does not know of a failure is not to hear that it is over.
        announced = health.announced or not self.memory.is_muted(job.id)
        return health._replace(failures=failures, announced=announced)

    def _ping_end(self, job: Job, run: Run, flips: list[Flip]) -> None:
        if not job.entry.policy.ping or (run.want in _MARKED and run.starts == run.spent):
            return
        if run.outcome is Outcome.SUCCESS:
            flips += self._flips(Event.PING_SUCCESS, job, run, job.entry.policy.ping)
        elif run.has_failed or run.outcome is Outcome.STOPPED:
            flips += self._flips(Event.PING_FAIL, job, run, job.entry.policy.ping)

    # --- promises ------------------------------------------------------------------------------------

    def late(self, breach: Breach, wall: float) -> Flip:
        """Return what is told of `breach`, found at `wall`."""
        job, run = breach.job, breach.run
        # A clock that was set back brings the same moment again, after another success.
        success = self.memory.successes.get(job.id)
        about = (job.id, repr(breach.at), success) if run is None else (run.id, run.spent)
        said = {} if run is not None else {"instant": breach.instant, "missed": breach.missed}
        targets = job.entry.policy.on_late
        return self._promise(Event.LATE, job, breach.promise, targets, about, at=wall, run=run, **said)

    def broken_by(self, breach: Breach, health: Health, late_upto: float = 0.0) -> Health:
        """Return how its job stands after `breach`, which was told unless it is muted. `late_upto` is up to
        when instants were missed.
        """
        if breach.promise is Promise.LATE_AFTER:
            reached = late_upto if breach.run is None else breach.run.instant
            health = health._replace(late_upto=max(reached, health.late_upto))
        return health.breaking(breach.promise, told=not self.memory.is_muted(breach.job.id))

    def _on_time(self, job: Job, promise: Promise, run: Run) -> Flip:
        policy = job.entry.policy
        targets = (*policy.on_late, *policy.on_recovery)
        about = (run.id, run.starts)
        return self._promise(Event.ON_TIME, job, promise, targets, about, at=_moment(run), run=run)

    def _promise(
        self,
        event: Event,
        job: Job,
        promise: Promise,
        targets: Iterable[str],
        about: tuple[object, ...],
        *,
        at: float,
        run: Run | None,
        **said: Any,
    ) -> Flip:
        said |= {"promise": promise.value, "promised": float(getattr(job.entry.policy, promise.value))}
        values = self._of_job(job) | ({} if run is None else _of_run(run)) | said
        identity = flip_id(event, promise.value, *about)
        return Flip(id=identity, event=event, at=at, addressees=addressees(targets), **values)

    # --- flips ---------------------------------------------------------------------------------------

    def _flips(
        self,
        event: Event,
        job: Job,
        run: Run,
        targets: Iterable[str],
        *,
        but: tuple[Addressee, ...] = (),
        **said: Any,
    ) -> list[Flip]:
        """Return the flip that tells `targets`, but for some, of `run`; none where nobody is left."""
        told = tuple(one for one in addressees(targets) if one not in but)
        if not told:
            return []
        # What somebody asked for may end more than once without another start.
        again = () if run.by is None else (repr(run.ended_at),)
        values = self._of_job(job) | _of_run(run) | said
        if event.is_ping:
            values["muted"] = False  # whoever watches for silence would be told by that
        identity = flip_id(event, run.id, run.starts, *again)
        return [Flip(id=identity, event=event, at=_moment(run), addressees=told, **values)]

    def _of_job(self, job: Job) -> dict[str, Any]:
        return {
            "origin": job.origin,
            "uid": job.uid,
            "job": job.id,
            "run_as": job.run_as,
            "timezone": job.entry.zone or "",
            "retries": job.entry.policy.retries,
            "cooldown": float(job.entry.policy.alert_cooldown),
            "previous_success": self.memory.successes.get(job.id),
            "pipeline": self.roster.pipeline_of(job),
            "muted": self.memory.is_muted(job.id),
        }


def addressees(targets: Iterable[str]) -> tuple[Addressee, ...]:
    """Return how `targets` are named outside their crontab, each once."""
    return tuple(dict.fromkeys(map(addressee, targets)))


def _begins(before: Run | None, run: Run) -> bool:
    """True if the first process of the command of `run` was made just now."""
    if not run.attempts or run.attempt.number != run.spent + 1 or run.attempt.started_at is None:
        return False
    return before is None or not before.attempts or before.attempt.started_at is None


def _moment(run: Run) -> float:
    """When what is told of `run` happened."""
    if run.ended_at is not None:
        return run.ended_at
    if run.waits is Wait.RETRY and run.since is not None:
        return run.since
    return run.attempt.started_at or run.instant


def _of_run(run: Run) -> dict[str, Any]:
    """What a flip says of `run`: its attempts are those since it was asked for."""
    last = run.attempts[-1] if run.attempts else None
    commands = [one for one in run.attempts if one.number > run.spent]
    return {
        "run": run.id,
        "trigger": run.trigger.value,
        "instant": run.instant,
        "started_at": next((one.started_at for one in commands if one.started_at is not None), None),
        "ended_at": run.ended_at if last is None or run.ended_at is not None else last.ended_at,
        "starts": len(commands),
        "outcome": "" if run.outcome is None else run.outcome.value,
        "exit_code": last and last.exit_code,
        "signal": last and last.signal,
        "reason": run.reason,
        "attempt": _shown(run, commands, last),
    }


def _shown(run: Run, commands: list[Attempt], last: Attempt | None) -> str:
    """The key of the attempt whose output says most: the last start that wrote anything, else the last."""
    wrote = [one for one in commands if one.output_size]
    shown = wrote[-1] if wrote else last
    return "" if shown is None else attempt_key(run.id, shown.number)
