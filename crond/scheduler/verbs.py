"""What each verb of a client comes to: an answer, or events for the engine and what is told after them.

Reads the engine and changes nothing: whatever goes wrong here concerns only who asked. Which arguments there
may be is said in `crond.scheduler.wishes`, what is shown in `crond.scheduler.views`. Called by
`crond.scheduler.control`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from crond.core.clockwork import Reading
from crond.core.engine import Engine
from crond.core.preview import Preview
from crond.model.actions import Action, Changed
from crond.model.events import BackfillRequested, Event, RerunRequested, RunRequested
from crond.model.job import Job
from crond.model.messages import Ask
from crond.model.run import Run, State
from crond.scheduler import wishes
from crond.scheduler.metrics import Metrics
from crond.scheduler.refusal import Refusal
from crond.scheduler.shapes import shown
from crond.scheduler.views import Views


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that wants `events` of the engine, or none; `body` says what is told once they are carried
    out, of the actions that this took.
    """

    body: Callable[[Sequence[Action]], dict[str, Any]]
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Ordered:
    """A request that makes runs by `events`; who waits is told when all of them have ended."""

    events: tuple[Event, ...]
    first: str | None  #: the run that was asked for, where it was there before
    waits: bool

    def runs(self, actions: Sequence[Action]) -> list[Run]:
        """Return the runs that `actions` made or revived; the first is the one that was asked for."""
        # Others may change in the same step, and dues begin: those give way, these nobody asked for.
        fresh = {
            action.run.id
            for action in actions
            if isinstance(action, Changed) and action.was in (None, State.FINISHED)
        }
        latest = {action.run.id: action.run for action in actions if isinstance(action, Changed)}
        runs = [run for run in latest.values() if run.id in fresh and run.by is not None]
        return sorted(runs, key=lambda run: run.id != self.first if self.first else bool(run.follows))


@dataclass(frozen=True, slots=True)
class Verbs:
    """All verbs. `preview` makes a look ahead from a moment."""

    engine: Engine
    metrics: Metrics
    preview: Callable[[Reading], Preview]

    def understood(self, ask: Ask, uid: int, reading: Reading) -> Answered | Ordered:
        """Return what `ask`, by `uid`, comes to. Raises Refusal."""
        arguments = dict(ask.arguments)
        if not all(wishes.is_text(value) for value in arguments.values()):
            raise Refusal("bad_request", "an argument is no text")
        views = Views(
            self.engine,
            wishes.from_moment(self.preview(reading), arguments),
            uid=uid,
            everything=uid in (0, os.geteuid()),
            wall=reading.wall,
        )
        request = _Request(self.engine, self.metrics, views, arguments, uid, reading)
        if ask.verb not in _VERBS:
            raise Refusal("bad_request", f"the scheduler knows no {ask.verb!r}")
        found = _VERBS[ask.verb](request)
        return found if isinstance(found, (Answered, Ordered)) else Answered(lambda _actions: found)


@dataclass(frozen=True, slots=True)
class _Request:
    engine: Engine
    metrics: Metrics
    views: Views
    arguments: dict[str, str]
    uid: int
    reading: Reading

    # --- questions ---------------------------------------------------------------------------------------

    def job_list(self) -> dict[str, Any]:
        return self.views.job_list(self._named_jobs() or None)

    def names(self) -> dict[str, Any]:
        return {"names": [job.id for job in self.views.jobs()]}

    def job(self) -> dict[str, Any]:
        job = self._job()
        return {"job": job.id, "table": job.version, "entry": job.index}

    def status(self) -> dict[str, Any]:
        return self.views.status()

    def next(self) -> dict[str, Any]:
        return self.views.next_dues(self._named_jobs(), wishes.count(self.arguments))

    def runs(self) -> dict[str, Any]:
        return {"runs": [shown(run) for run in self._runs()[: wishes.count(self.arguments)]]}

    def unsettled(self) -> dict[str, Any]:
        return self.views.unsettled()

    def graph(self) -> dict[str, Any]:
        return self.views.graph(self._named_jobs())

    def standing(self) -> dict[str, Any]:
        return self.views.standing(self._job(), wishes.moment(self.arguments, "instant"))

    def instants(self) -> dict[str, Any]:
        since, upto = (wishes.moment(self.arguments, name) for name in ("from", "to"))
        return self.views.instants(self._job(), since, upto)

    def measured(self) -> dict[str, Any]:
        return {"text": self.views.measured(self.metrics)}

    # --- wishes ------------------------------------------------------------------------------------------

    def pause(self) -> Answered:
        return self._of_job(wishes.pause, "paused", self.views.pause_of)

    def resume(self) -> Answered:
        return self._of_job(wishes.resume, "paused", self.views.pause_of)

    def mute(self) -> Answered:
        return self._of_job(wishes.mute, "muted", self.views.mute_of)

    def unmute(self) -> Answered:
        return self._of_job(wishes.unmute, "muted", self.views.mute_of)

    def _of_job(
        self,
        wish: Callable[[Job, dict[str, str], int, Reading], Event],
        key: str,
        held: Callable[[Job], dict[str, Any] | None],
    ) -> Answered:
        job = self._job()
        before = held(job)

        def told(_actions: Sequence[Action]) -> dict[str, Any]:
            return {"job": job.id, key: held(job), "before": before}

        return Answered(told, (wish(job, self.arguments, self.uid, self.reading),))

    def mark(self) -> Answered:
        run = self._named()

        def told(actions: Sequence[Action]) -> dict[str, Any]:
            return {"run": shown(*_as_changed([run], actions)), "before": shown(run)}

        return Answered(told, (wishes.mark(run, self.arguments, self.uid),))

    def stop(self) -> Answered:
        runs = [run for run in self._targets() if run.state is not State.FINISHED]

        def told(actions: Sequence[Action]) -> dict[str, Any]:
            return {"stopping": [shown(run) for run in _as_changed(runs, actions)]}

        return Answered(told, tuple(wishes.stop(run, self.uid) for run in runs))

    def run(self) -> Ordered:
        return self._ordered(wishes.run(self._job(), self.arguments, self.uid, self.reading))

    def backfill(self) -> Ordered:
        return self._ordered(wishes.backfill(self._job(), self.arguments, self.uid, self.reading))

    def rerun(self) -> Ordered:
        again = self._named()
        if again.job not in self.engine.jobs:
            raise Refusal("unknown", f"{again.job} is in no crontab any more")
        return self._ordered(wishes.rerun(again, self.arguments, self.uid))

    def _ordered(self, event: RunRequested | BackfillRequested | RerunRequested) -> Ordered:
        crowd = self.engine.crowd_of(event)
        if crowd:
            raise Refusal("too_many", crowd)
        first = event.run if isinstance(event, RerunRequested) else None
        return Ordered((event,), first, self.arguments.get("wait") == "yes")

    # --- what is meant -----------------------------------------------------------------------------------

    def _job(self, text: str | None = None) -> Job:
        """The job that `text` (the argument `job`) names: OWNER/NAME, NAME, or the beginning of either."""
        text = self.arguments.get("job", "") if text is None else text
        jobs = self.views.jobs()
        for matches in (
            [job for job in jobs if job.id == text],
            [job for job in jobs if job.name == text],
            [job for job in jobs if text and (job.id.startswith(text) or job.name.startswith(text))],
        ):
            if len(matches) == 1:
                return matches[0]
            if matches:
                names = sorted(job.id for job in matches)
                raise Refusal("ambiguous", f"{text!r} may be {len(names)} jobs", names[:20])
        raise Refusal("unknown", f"there is no job {text!r}; crontabx list shows those there are")

    def _named_jobs(self) -> list[Job]:
        return [self._job()] if "job" in self.arguments else []

    def _named(self) -> Run:
        """The run that is meant: by its id, by its job, whose newest it is, or by its job and a time in which
        its instant lies.
        """
        text = self.arguments.get("run", "")
        since, upto = (wishes.moment(self.arguments, name) for name in ("instant", "upto"))
        try:
            job = self._job(text)
        except Refusal as refusal:
            if since is not None or refusal.code != "unknown":
                raise
            runs = self._runs_named(text)
            if not runs:
                raise Refusal(
                    "unknown", f"there is no job {text!r}, and no run of that id is remembered"
                ) from None
            return runs[0]
        found = self.views.newest(job, since, upto)
        if found is None:
            when = "" if since is None else " of that time"
            raise Refusal("forgotten", f"no run{when} of {job.id} is remembered by the scheduler")
        return found

    def _runs(self) -> list[Run]:
        if "run" in self.arguments:
            runs = self._runs_named(self.arguments["run"])
            if not runs:
                raise Refusal("unknown", f"no run {self.arguments['run']!r} is remembered")
            return runs
        if "job" in self.arguments:
            return self._runs_of(self._job())
        return self.views.runs()

    def _targets(self) -> list[Run]:
        """The runs that the argument `target` means: those of a job, else one by its id. A job's name goes
        first.
        """
        text = self.arguments.get("target", "")
        try:
            return self._runs_of(self._job(text))
        except Refusal as refusal:
            runs = self._runs_named(text) if refusal.code == "unknown" else []
            if not runs:
                raise
            return runs

    def _runs_named(self, text: str) -> list[Run]:
        """The run whose id, or the id of whose attempt, `text` is or begins; none if there is no such run."""
        identity = text.partition(".")[0]
        runs = [run for run in self.views.runs() if len(identity) >= 4 and run.id.startswith(identity)]
        if len(runs) > 1:
            raise Refusal("ambiguous", f"{text!r} may be {len(runs)} runs", [run.id for run in runs[:20]])
        return runs

    def _runs_of(self, job: Job) -> list[Run]:
        return [run for run in self.views.runs() if run.job == job.id]


def _as_changed(runs: Iterable[Run], actions: Sequence[Action]) -> list[Run]:
    """Return `runs` as `actions` left them: one that has ended may be forgotten at once."""
    latest = {action.run.id: action.run for action in actions if isinstance(action, Changed)}
    return [latest.get(run.id, run) for run in runs]


_VERBS: dict[str, Callable[[_Request], dict[str, Any] | Answered | Ordered]] = {
    "list": _Request.job_list,
    "names": _Request.names,
    "job": _Request.job,
    "status": _Request.status,
    "next": _Request.next,
    "runs": _Request.runs,
    "unsettled": _Request.unsettled,
    "graph": _Request.graph,
    "standing": _Request.standing,
    "instants": _Request.instants,
    "metrics": _Request.measured,
    "pause": _Request.pause,
    "resume": _Request.resume,
    "mute": _Request.mute,
    "unmute": _Request.unmute,
    "mark": _Request.mark,
    "stop": _Request.stop,
    "run": _Request.run,
    "backfill": _Request.backfill,
    "rerun": _Request.rerun,
}
