"""Counters of runs, in the text format of Prometheus.

Owns what is counted since the scheduler came up, and its names. No command, output or environment is in it:
labels are a job's name and an outcome. Fed with each change of a run; read by the control socket, for the
eyes of one uid.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from crond.core.engine import Engine
from crond.core.preview import Preview
from crond.model.job import Job
from crond.model.run import Outcome, Run, State, Trigger
from crond.scheduler.coming import Coming

#: Upper bounds in seconds.
_DURATIONS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
_LATENESS = (0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 60.0, 600.0)
#: Jobs that no table holds are counted for so many seconds more, so that their last run can be read.
_KEPT = 3600.0
_ROOM = 1000


class Histogram:
    """How many values were at most each of `bounds`, their number and their sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


@dataclass(slots=True)
class _Counted:
    """One job. `seen` is when a table was last known to hold it, in epoch seconds."""

    uid: int | None
    seen: float
    outcomes: dict[Outcome, int] = field(default_factory=dict)
    last_success: float | None = None


class Metrics:
    """Counts the runs of `engine`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: dict[str, _Counted] = {}
        self._durations: dict[int | None, Histogram] = {}
        self._lateness: dict[int | None, Histogram] = {}
        # The last success is known from before we came up, and no counter.
        for run in engine.memory.runs.values():
            if run.outcome is Outcome.SUCCESS:
                self._succeeded(run)

    def changed(self, run: Run) -> None:
        """Take in `run`, which is new or has changed."""
        attempt = next((one for one in reversed(run.attempts) if one.part == "command"), None)
        if run.state is State.RUNNING and run.trigger is Trigger.SCHEDULE and attempt is not None:
            if attempt.number == 1 and attempt.started_at is not None:
                held = self._lateness.setdefault(run.uid, Histogram(_LATENESS))
                held.add(max(0.0, attempt.started_at - run.instant))
        elif run.state is State.FINISHED and run.outcome is not None:
            counted = self._counted(run)
            counted.outcomes[run.outcome] = counted.outcomes.get(run.outcome, 0) + 1
            if run.outcome is Outcome.SUCCESS:
                self._succeeded(run)
            if attempt is not None and attempt.started_at is not None and attempt.ended_at is not None:
                held = self._durations.setdefault(run.uid, Histogram(_DURATIONS))
                held.add(max(0.0, attempt.ended_at - attempt.started_at))

    def _succeeded(self, run: Run) -> None:
        counted = self._counted(run)
        counted.last_success = max(counted.last_success or 0.0, run.ended_at or 0.0)

    def _counted(self, run: Run) -> _Counted:
        counted = self._jobs.get(run.job)
        if counted is None:
            seen = run.ended_at or run.instant
            # Names come from tables that users write: whoever renames a job each minute fills nothing.
            if len(self._jobs) > 2 * len(self._engine.jobs) + _ROOM:
                self._tidy(seen, kept=0.0)
            counted = self._jobs[run.job] = _Counted(run.uid, seen)
        if run.uid is not None:
            counted.uid = run.uid
        return counted

    def _tidy(self, wall: float, *, kept: float) -> None:
        """Drop jobs that have been in no table for `kept` seconds."""
        for name, counted in list(self._jobs.items()):
            if name in self._engine.jobs:
                counted.seen = wall
            elif wall - counted.seen > kept:
                del self._jobs[name]

    # --- the text ----------------------------------------------------------------------------------------

    def text(self, jobs: Iterable[Job], preview: Preview, *, uid: int, everything: bool, wall: float) -> str:
        """Return what `uid` may see, at moment `wall` (epoch seconds); `jobs` are those that it may see."""
        self._tidy(wall, kept=_KEPT)
        seen = {name: one for name, one in sorted(self._jobs.items()) if everything or one.uid == uid}
        active = [run for run in self._engine.memory.runs.values() if run.state is not State.FINISHED]
        running = sum(bool(run.attempts) and (everything or run.uid == uid) for run in active)
        dues = Coming(self._engine, preview, wall)
        coming = ((job.id, next(dues.times(job), None)) for job in jobs)
        families = (
            _family("crontabx_runs_total", "counter", "Runs that ended.", _runs(seen)),
            _family(
                "crontabx_run_duration_seconds",
                "histogram",
                "How long processes ran.",
                _buckets(
                    _DURATIONS, [one for owner, one in self._durations.items() if everything or owner == uid]
                ),
            ),
            _family(
                "crontabx_start_lateness_seconds",
                "histogram",
                "From the due instant to the start.",
                _buckets(
                    _LATENESS, [one for owner, one in self._lateness.items() if everything or owner == uid]
                ),
            ),
            _family(
                "crontabx_last_success_timestamp_seconds",
                "gauge",
                "When the last run that succeeded ended.",
                ((f'{{job="{_label(name)}"}}', one.last_success) for name, one in seen.items()),
            ),
            _family(
                "crontabx_next_run_timestamp_seconds",
                "gauge",
                "When the job is due next.",
                ((f'{{job="{_label(name)}"}}', moment) for name, moment in coming),
            ),
            _family("crontabx_running", "gauge", "Runs whose process was started.", [("", running)]),
            _family(
                "crontabx_loop_heartbeat_timestamp_seconds",
                "gauge",
                "When the scheduler's loop last turned.",
                [("", wall)],
            ),
        )
        return "".join(line + "\n" for family in families for line in family)


def _runs(seen: dict[str, _Counted]) -> Iterator[tuple[str, float]]:
    for name, counted in seen.items():
        for outcome, count in sorted(counted.outcomes.items()):
            yield f'{{job="{_label(name)}",outcome="{outcome.value}"}}', count


def _buckets(bounds: tuple[float, ...], histograms: list[Histogram]) -> Iterator[tuple[str, float]]:
    """Yield the samples of all `histograms` together, each bucket with what the smaller ones hold."""
    count = 0
    for place, bound in enumerate((*bounds, "+Inf")):
        count += sum(one.counts[place] for one in histograms)
        yield f'_bucket{{le="{bound}"}}', count
    yield "_sum", sum(one.sum for one in histograms)
    yield "_count", count


def _family(name: str, kind: str, text: str, samples: Iterable[tuple[str, float | None]]) -> Iterator[str]:
    """Yield the lines of one metric; a sample that has no value is left out."""
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        if value is not None:
            yield f"{name}{labels} {value if isinstance(value, int) else round(value, 6)}"


def _label(text: str) -> str:
    """A name as the value of a label; it was written by a user."""
    plain = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return plain.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
