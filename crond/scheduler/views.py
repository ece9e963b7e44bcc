"""What clients are shown: jobs, runs and problems as JSON values, for the eyes of one uid.

Users see what is theirs, root and the daemon's own account see everything. Reads the engine, changes nothing.
Called by `crond.scheduler.verbs`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from operator import itemgetter
from typing import Any

from crond.core.engine import Engine
from crond.core.preview import Preview
from crond.model.job import Job
from crond.model.run import Outcome, Run, State, Wait
from crond.scheduler.coming import Coming
from crond.scheduler.metrics import Metrics
from crond.scheduler.refusal import Refusal
from crond.scheduler.shapes import FIRST, LAST, iso, iso_or_none, pause_shown, shown, text_of

#: What people are shown as a failure: what somebody ended is none.
_FAILURES = (
    Outcome.FAILED,
    Outcome.TIMED_OUT,
    Outcome.COULD_NOT_START,
    Outcome.UPSTREAM_FAILED,
    Outcome.LOST,
)
#: Most instants that are looked at for one answer, told or not: nobody's jobs start meanwhile.
_LOOKED_AT = 10_000
_SHOWN = 10
_PROBLEMS_TOLD = 1000


class Views:
    """One look at `engine` by `uid` at moment `wall` (epoch seconds)."""

    def __init__(self, engine: Engine, preview: Preview, *, uid: int, everything: bool, wall: float) -> None:
        self._engine = engine
        self._preview = preview
        self._uid = uid
        self._everything = everything
        self._wall = wall
        self._coming = Coming(engine, preview, wall)

    def jobs(self) -> list[Job]:
        """The jobs that this uid may see, in the order of their tables."""
        return [job for job in self._engine.jobs.values() if self._everything or job.uid == self._uid]

    def runs(self) -> list[Run]:
        """The runs that this uid may see, newest first."""
        owned = None if self._everything else {job.id for job in self.jobs()}
        runs = [run for run in self._engine.memory.runs.values() if owned is None or run.job in owned]
        return sorted(runs, key=_begin, reverse=True)

    def job_list(self, jobs: list[Job] | None = None) -> dict[str, Any]:
        """The jobs with how each stands; `jobs` where only those are asked for."""
        runs: dict[str, list[Run]] = {}
        for run in self.runs():
            runs.setdefault(run.job, []).append(run)
        return {"jobs": [self._job(job, runs.get(job.id, [])) for job in jobs or self.jobs()]}

    def status(self) -> dict[str, Any]:
        runs = self.runs()
        failed = [run for run in runs if run.outcome in _FAILURES]
        began, position = self._engine.began, self._engine.memory.position
        served = None if position is None else position.planned_upto * 60.0 - position.offset
        return {
            "now": iso(self._wall),
            "started_at": None if began is None else iso(began),
            "planned_upto": None if served is None else iso(served),
            "running": [shown(run) for run in runs if run.state is not State.FINISHED],
            "next": self._soonest(_SHOWN),
            "paused": self._pauses(self.jobs()),
            "muted": [
                {"job": job.id, **mute} for job in self.jobs() if (mute := self.mute_of(job)) is not None
            ],
            "held": [
                {"job": job.id, "reason": self._engine.roster.held[job.id]}
                for job in self.jobs()
                if job.id in self._engine.roster.held
            ],
            "failed": [shown(run) for run in failed[:_SHOWN]],
            "problems": sorted(self._problems(), key=_is_no_error)[:_PROBLEMS_TOLD],
        }

    def next_dues(self, jobs: list[Job], count: int) -> dict[str, Any]:
        """The next `count` dues of each of `jobs`, or of every job the soonest where none is named; and their
        runs that wait.
        """
        named = {job.id for job in jobs}
        waiting = [
            run for run in self.runs() if run.state is State.WAITING and (not jobs or run.job in named)
        ]
        body: dict[str, Any] = {
            "waiting": [shown(run) for run in waiting[:count]],
            "paused": self._pauses(jobs),
        }
        if not jobs:
            return {"next": self._soonest(count), **body}
        dues = [self._due(moment, job) for job in jobs for moment in islice(self._coming.times(job), count)]
        return {"next": dues, **body}

    def instants(self, job: Job, since: float | None, upto: float | None) -> dict[str, Any]:
        """The instants at which `job` was due from `since` up to and including `upto` (now at the latest)."""
        if since is None or upto is None:
            raise Refusal("bad_request", "from and to are needed")
        # Before its window there are none, however long that was.
        since, upto = max(since, self._engine.window_of(job, since)[0]), min(upto, self._wall)
        found: list[str] = []
        coming = Coming(self._engine, self._preview.looking_from(since - 1), self._wall)
        for looked, moment in enumerate(coming.times(job)):
            if moment > upto:
                break
            if looked == _LOOKED_AT:
                raise Refusal("bad_request", f"more than {_LOOKED_AT} instants; take a shorter time")
            if moment < since or not self._engine.is_within(job, moment):
                continue
            text = iso(moment)
            if (not found or found[-1] != text) and not self._engine.days.off(job, moment):
                found.append(text)
        return {"job": job.id, "instants": found}

    def _pauses(self, jobs: list[Job]) -> list[dict[str, Any]]:
        return [{"job": job.id, **pause} for job in jobs if (pause := self.pause_of(job)) is not None]

    def pause_of(self, job: Job) -> dict[str, Any] | None:
        """The pause of `job`, None while there is none."""
        return (
            pause_shown(self._engine.memory.pauses[job.id]) if self._engine.memory.is_paused(job.id) else None
        )

    def mute_of(self, job: Job) -> dict[str, Any] | None:
        """Since when and until when news of `job` is not sent, None while it is."""
        mute = self._engine.memory.mutes.get(job.id)
        return None if mute is None else pause_shown(mute)

    def graph(self, jobs: list[Job]) -> dict[str, Any]:
        """The jobs of the pipelines of `jobs` (with none: of all pipelines), and their arrows."""
        graph = self._engine.roster.graph
        named = [
            job
            for job in self.jobs()
            if job.entry.policy.pipeline or job.id in graph.parents or job.id in graph.children
        ]
        names = self._pipelines([*named, *jobs])
        wanted = {job.id for job in named}
        if jobs:
            linked = {one for job in jobs for one in graph.pipeline_of(job.id)}
            called = {(job.owner, names[job.id]) for job in jobs if names[job.id]}
            wanted = linked | {job.id for job in named if (job.owner, names[job.id]) in called}
        mine = {job.id for job in self.jobs()}
        shown_jobs = [job for job in self.jobs() if job.id in wanted]
        return {
            "jobs": [
                {
                    "job": job.id,
                    "schedule": str(job.entry.schedule),
                    "trigger_rule": job.entry.policy.trigger_rule,
                    "enabled": job.entry.policy.enabled,
                    "held": self._engine.roster.held.get(job.id, ""),
                    "paused": self.pause_of(job),
                    "pipeline": names[job.id],
                    "last": next((shown(run) for run in self._newest_runs(job)), None),
                }
                for job in shown_jobs
            ],
            "links": [
                {"parent": link.parent, "child": job.id, "want": link.dependency.want_words() or "success"}
                for job in shown_jobs
                for link in graph.parents.get(job.id, ())
                if link.parent in mine
            ],
        }

    def _pipelines(self, jobs: list[Job]) -> dict[str, str]:
        """The name of the pipeline of each of `jobs`; each pipeline is walked once."""
        graph = self._engine.roster.graph
        mine = {job.id: job for job in self.jobs()}
        names: dict[str, str] = {}
        for job in jobs:
            if job.id not in names:
                name = graph.name_of(job.id, mine)
                names.update(dict.fromkeys(graph.pipeline_of(job.id), name))
        return names

    def _newest_runs(self, job: Job) -> list[Run]:
        runs = self._engine.memory.runs_of(job.id)
        return sorted(runs, key=lambda run: (run.instant, run.ordinal), reverse=True)

    def unsettled(self) -> dict[str, Any]:
        """The jobs of which something stands out that a line with another name would lose."""
        memory, mine = self._engine.memory, {job.id for job in self.jobs()}
        why = {job: "is paused" for job, pause in memory.pauses.items() if pause.ended is None}
        for run in memory.runs.values():
            if run.waits is Wait.RETRY:
                why[run.job] = "waits to be tried again"
        return {"jobs": [{"job": job, "why": text} for job, text in why.items() if job in mine]}

    def newest(self, job: Job, since: float | None, upto: float | None) -> Run | None:
        """The newest remembered run of `job`, of those for instants in [since, upto) where that is given."""
        low, high = since or 0.0, float("inf") if upto is None else upto
        return next((run for run in self._newest_runs(job) if low <= run.instant < high), None)

    def standing(self, job: Job, instant: float | None) -> dict[str, Any]:
        """How `job` stands, and its runs for `instant` (without it: the newest), with what they wait for."""
        runs = [run for run in self._newest_runs(job) if _is_at(run.instant, instant)]
        due = [one for one in self._engine.memory.queue.dues_of(job.id) if _is_at(one.instant, instant)]
        policy = job.entry.policy
        begin, end = self._engine.window_of(job, self._wall if instant is None else instant)
        return {
            "job": job.id,
            "held": self._engine.roster.held.get(job.id, ""),
            "enabled": policy.enabled,
            "starts_at": iso(begin) if begin > FIRST else None,
            "expires_at": iso(end) if end < LAST else None,
            "day_off": "" if instant is None else self._engine.days.off(job, instant),
            "paused": self.pause_of(job),
            "after": [link.parent for link in self._engine.roster.graph.parents.get(job.id, ())],
            "jitter": self._engine.jitter_of(job),
            "queued": len(due),
            "runs": [self.detail(run) for run in runs[:_SHOWN]],
        }

    def detail(self, run: Run) -> dict[str, Any]:
        """A run with everything about what it waits for."""
        job = self._engine.jobs.get(run.job)
        return {
            **shown(run),
            "since": iso_or_none(run.since),
            "spent": run.spent,
            "retries": None if job is None else job.entry.policy.retries,
            "max_load": None if job is None else job.entry.policy.max_load,
            "parents": [
                {
                    "job": one.job,
                    "run": one.run or None,
                    "outcome": None if one.outcome is None else one.outcome.value,
                    "exit_code": one.exit_code,
                    "reason": one.reason,
                    "state": self._state_of(one.run),
                }
                for one in run.parents
            ],
            "others": [
                shown(other)
                for other in self._engine.memory.runs_of(run.job)
                if other.id != run.id and other.is_active
            ],
            "pool_held": self._pool(run),
        }

    def _state_of(self, run: str) -> str:
        held = self._engine.memory.runs.get(run)
        return "" if held is None else held.state.value

    def _pool(self, run: Run) -> dict[str, Any] | None:
        if not run.pool:
            return None
        holders = [one for one in self._engine.memory.runs.values() if one.pool == run.pool and one.slots]
        mine = {job.id for job in self.jobs()}
        return {
            "name": run.pool.removeprefix("/"),
            "size": self._engine.roster.size_of(run.pool),
            "taken": sum(len(one.slots) for one in holders),
            "holders": [
                {"job": one.job, "run": one.id, "slots": list(one.slots)}
                for one in holders
                if one.job in mine
            ],
        }

    def measured(self, metrics: Metrics) -> str:
        """Return the text of `metrics` as far as it is for this uid."""
        return metrics.text(
            self.jobs(), self._preview, uid=self._uid, everything=self._everything, wall=self._wall
        )

    def _soonest(self, count: int) -> list[dict[str, Any]]:
        """The next due of each job, soonest first: one that runs every second must not hide the others."""
        first = ((next(self._coming.times(job), None), job) for job in self.jobs())
        dues = sorted(((moment, job) for moment, job in first if moment is not None), key=itemgetter(0))
        return [self._due(moment, job) for moment, job in dues[:count]]

    def _due(self, moment: float, job: Job) -> dict[str, Any]:
        return {
            "job": job.id,
            "instant": iso(moment),
            "schedule": str(job.entry.schedule),
            "after": [link.parent for link in self._engine.roster.graph.parents.get(job.id, ())],
            "jitter": self._engine.jitter_of(job),
            "held": self._engine.roster.held.get(job.id, ""),
        }

    def _job(self, job: Job, runs: list[Run]) -> dict[str, Any]:
        entry = job.entry
        lines = [*(annotation.line for annotation in entry.annotations), entry.line]
        moment = next(self._coming.times(job), None)
        return {
            "job": job.id,
            "owner": job.owner,
            "origin": job.origin,
            "line": entry.line,
            "schedule": str(entry.schedule),
            "options": " ".join(entry.options),
            "command": text_of(entry.raw),
            "user": entry.user or job.owner,
            "next": None if moment is None else iso(moment),
            "held": self._engine.roster.held.get(job.id, ""),
            "paused": self.pause_of(job),
            "muted": self.mute_of(job),
            "enabled": entry.policy.enabled,
            "zone": entry.policy.timezone or entry.timezone,
            "running": [shown(run) for run in runs if run.state is not State.FINISHED],
            "last": next((shown(run) for run in runs if run.state is State.FINISHED), None),
            "problems": [one for line in lines for one in self._by_line.get((job.origin, line), ())],
        }

    @cached_property
    def _by_line(self) -> dict[tuple[str, int], list[dict[str, Any]]]:
        """The problems of each line of each table: a table of 10,000 entries may have as many problems."""
        found: dict[tuple[str, int], list[dict[str, Any]]] = {}
        for problem in self._problems():
            found.setdefault((problem["origin"], problem["line"]), []).append(problem)
        return found

    def _problems(self) -> Iterator[dict[str, Any]]:
        for path, table in self._engine.tables.items():
            if self._everything or table.uid == self._uid:
                for problem in table.table.problems:
                    yield {
                        "origin": path,
                        "line": problem.line,
                        "column": problem.column,
                        "severity": problem.severity,
                        "message": problem.message,
                        "hint": problem.hint,
                        "code": problem.code,
                    }
        for path, refused in self._engine.refused.items():
            if self._everything or refused.uid == self._uid:
                yield {
                    "origin": path,
                    "line": 0,
                    "column": 0,
                    "severity": "error",
                    "message": refused.reason,
                    "hint": "",
                    "code": "",
                }


def _is_at(moment: float, instant: float | None) -> bool:
    """True if clients, which know milliseconds, may mean `moment` by `instant`; None means any."""
    return instant is None or abs(moment - instant) < 0.001


def _is_no_error(problem: dict[str, Any]) -> bool:
    return bool(problem["severity"] != "error")


def _begin(run: Run) -> float:
    attempt = run.attempts[-1] if run.attempts else None
    return (attempt and attempt.started_at) or run.ended_at or run.instant
