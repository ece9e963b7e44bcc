"""What the recorder tells: the history's answers as plain values, and how it is asked.

The recorder may be absent while the daemon runs jobs, and that is told apart from no daemon. Prints
nothing but that the history lags; called by the verbs over it, and by those that add a word of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from crond.cli.answers import (
    BadAnswer,
    RunSeen,
    amount_of,
    list_of,
    moment_of,
    number_of,
    object_of,
    read_run,
    run_at,
    text_of,
)
from crond.cli.client import LAUNCHER, RECORDER, Connection, Place
from crond.cli.failure import Failure, Status
from crond.cli.format import printable, size

#: Characters in one argument of a question.
_ARGUMENT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSeen:
    """One process start. `cpu` is seconds, `max_rss` bytes, `read` and `written` bytes of disks.

    `number` is 0 for the condition of its run, and below 0 for a try of its `wait_for`.
    """

    number: int
    pid: int | None
    started_at: datetime | None
    ended_at: datetime | None
    duration: float | None
    exit_code: int | None
    signal: int | None
    cpu: float | None
    max_rss: int | None
    output_size: int | None
    read: int | None
    written: int | None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class ParentSeen:
    """How a job that a run depends on stood for it; `run` is empty where none answered."""

    job: str
    run: str
    outcome: str
    exit_code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class IntervalSeen:
    """A time in which jobs were not started; `kind` is outage, suspend, pause or disabled.

    `job` is the one that it is about; empty if it is about all.
    """

    kind: str
    began: datetime | None
    ended: datetime | None
    reason: str
    job: str = ""


@dataclass(frozen=True, slots=True)
class CrontabSeen:
    """A version of a crontab: `at` is when the scheduler first saw it."""

    origin: str
    digest: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class RunShown:
    """All that is known of one run. `given` are variables of who asked for it, `left` those it left."""

    run: RunSeen
    run_as: str
    host: str
    by: int | None
    attempts: tuple[AttemptSeen, ...]
    crontab: CrontabSeen | None
    parents: tuple[ParentSeen, ...] = ()
    given: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the history knows of the instants of a job in [since, upto)."""

    job: str
    instant: datetime | None
    runs: tuple[RunSeen, ...]
    intervals: tuple[IntervalSeen, ...]
    crontab: CrontabSeen | None
    before: RunSeen | None
    after: RunSeen | None
    recorded_since: datetime | None


@dataclass(frozen=True, slots=True)
class InstantSeen:
    """An instant of a pipeline: its runs, and how they stand together: failed, running, success, skipped."""

    instant: datetime | None
    state: str
    runs: tuple[RunSeen, ...]


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long runs took, in seconds."""

    least: float
    median: float
    most: float
    mean: float
    p90: float
    p99: float


@dataclass(frozen=True, slots=True)
class LastRun:
    """One run of a sparkline."""

    duration: float | None
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsSeen:
    """The figures of a job. `success_rate` is from 0 to 1; `max_rss` is bytes."""

    job: str
    runs: int
    outcomes: dict[str, int]
    success_rate: float | None
    durations: Lengths | None = None
    cpu_mean: float | None = None
    cpu_max: float | None = None
    max_rss: int | None = None
    last: tuple[LastRun, ...] = ()


def ask_recorder(place: Place, verb: str, **arguments: str | None) -> dict[str, Any]:
    """Ask the recorder one thing and return its only answer."""
    with connect(place) as recorder:
        return recorder.ask(verb, **arguments).body


def ask_briefly(place: Place, verb: str, seconds: float, **arguments: str | None) -> dict[str, Any] | None:
    """The same for what a verb can do without: None if there is no answer within `seconds`."""
    try:
        with connect(place) as recorder:
            recorder.begin(verb, **arguments)
            reply = recorder.poll(seconds)
    except Failure:
        return None
    return None if reply is None else reply.body


def listed(name: str, values: Iterable[str]) -> dict[str, str]:
    """Return `values` as arguments `name`, `name`1 ...: JSON lists, none longer than an argument may be."""
    parts: list[list[str]] = [[]]
    for value in values:
        if len(json.dumps([*parts[-1], value])) > _ARGUMENT and parts[-1]:
            parts.append([])
        parts[-1].append(value)
    return {f"{name}{number or ''}": json.dumps(part) for number, part in enumerate(parts)}


def connect(place: Place) -> Connection:
    """Return a connection to the recorder. Raises Failure: no recorder, or no daemon at all."""
    try:
        return Connection(place, RECORDER)
    except Failure as failure:
        try:
            Connection(place, LAUNCHER).__exit__(None, None, None)
        except Failure:
            raise failure from None
        raise Failure(
            f"no recorder answers at {printable(place.socket(RECORDER))}\n"
            "The daemon is there and runs jobs; what they did is recorded later. Was it started with"
            " --no-recorder? Its log says more.",
            Status.UNREACHABLE,
        ) from None


def behind(body: dict[str, Any]) -> int:
    """Return how many bytes of the scheduler's journal are not in the history yet."""
    return max(number_of(body, "behind") or 0, 0)


def show_lag(count: int) -> None:
    """Say on stderr that the history is not up to date, if it is not."""
    if count:
        text = f"The history is {size(count)} of journal behind; it is being brought up to date."
        click.echo(text, err=True)


def read_shown(body: dict[str, Any]) -> RunShown:
    """Return the run that the answer to `show` describes."""
    run = object_of(body, "run")
    if run is None:
        raise BadAnswer("run is missing")
    return RunShown(
        run=read_run(run),
        run_as=text_of(run, "run_as"),
        host=text_of(run, "host"),
        by=number_of(run, "by"),
        attempts=tuple(list_of(run, "attempts_detail", read_attempt)),
        crontab=_crontab_at(body, "crontab"),
        parents=tuple(list_of({"parents": [], **run}, "parents", read_parent)),
        given=_variables_at(run, "environment"),
        left=_variables_at(run, "data"),
        again=bool(number_of(run, "spent")),
    )


def read_parent(body: dict[str, Any]) -> ParentSeen:
    """Return the parent that `body` describes."""
    return ParentSeen(
        job=text_of(body, "job"),
        run=text_of(body, "run"),
        outcome=text_of(body, "outcome"),
        exit_code=number_of(body, "exit_code"),
        reason=text_of(body, "reason"),
    )


def read_attempt(body: dict[str, Any]) -> AttemptSeen:
    """Return the attempt that `body` describes."""
    user, system = amount_of(body, "cpu_user"), amount_of(body, "cpu_system")
    return AttemptSeen(
        number=number_of(body, "number") or 0,
        pid=number_of(body, "pid"),
        started_at=moment_of(body, "started_at"),
        ended_at=moment_of(body, "ended_at"),
        duration=amount_of(body, "duration"),
        exit_code=number_of(body, "exit_code"),
        signal=number_of(body, "signal"),
        cpu=None if user is None or system is None else user + system,
        max_rss=_bytes_of(body, "max_rss", 1024),
        output_size=number_of(body, "output_size"),
        read=_bytes_of(body, "blocks_in", 512),
        written=_bytes_of(body, "blocks_out", 512),
        outcome=text_of(body, "outcome") or None,
    )


def read_interval(body: dict[str, Any]) -> IntervalSeen:
    """Return the interval that `body` describes."""
    return IntervalSeen(
        kind=text_of(body, "kind"),
        began=moment_of(body, "from"),
        ended=moment_of(body, "upto"),
        reason=text_of(body, "reason"),
        job=text_of(body, "job"),
    )


def read_instant(body: dict[str, Any]) -> InstantSeen:
    """Return the instant that `body`, of an answer to `pipeline`, describes."""
    runs = tuple(list_of(body, "runs", read_run))
    return InstantSeen(moment_of(body, "instant"), text_of(body, "state"), runs)


def read_facts(body: dict[str, Any]) -> Facts:
    """Return what the answer to `why` says."""
    return Facts(
        job=text_of(body, "job"),
        instant=moment_of(body, "instant"),
        runs=tuple(list_of(body, "runs", read_run)),
        intervals=tuple(list_of(body, "intervals", read_interval)),
        crontab=_crontab_at(body, "crontab"),
        before=run_at(body, "before") if body.get("before") is not None else None,
        after=run_at(body, "after") if body.get("after") is not None else None,
        recorded_since=moment_of(body, "recorded_since"),
    )


def read_stats(body: dict[str, Any]) -> StatsSeen:
    """Return the figures that `body` describes."""
    held = object_of(body, "outcomes") or {}
    cpu = object_of(body, "cpu_seconds") or {}
    return StatsSeen(
        job=text_of(body, "job"),
        runs=number_of(body, "runs") or 0,
        outcomes={printable(name): number_of(held, name) or 0 for name in held},
        success_rate=amount_of(body, "success_rate"),
        durations=_lengths(object_of(body, "durations")),
        cpu_mean=amount_of(cpu, "mean"),
        cpu_max=amount_of(cpu, "max"),
        max_rss=_bytes_of(body, "max_rss", 1024),
        last=tuple(list_of({"last": [], **body}, "last", _last_run)),
    )


def _last_run(body: dict[str, Any]) -> LastRun:
    return LastRun(amount_of(body, "duration"), text_of(body, "outcome"))


def _lengths(body: dict[str, Any] | None) -> Lengths | None:
    if body is None:
        return None
    least, median, most, mean, p90, p99 = (
        amount_of(body, key) or 0.0 for key in ("min", "p50", "max", "mean", "p90", "p99")
    )
    return Lengths(least, median, most, mean, p90, p99)


def _crontab_at(body: dict[str, Any], key: str) -> CrontabSeen | None:
    held = object_of(body, key)
    if held is None:
        return None
    return CrontabSeen(text_of(held, "origin"), text_of(held, "digest"), moment_of(held, "at"))


def _variables_at(body: dict[str, Any], key: str) -> tuple[str, ...]:
    """The variables at `key`, each as NAME=VALUE; an older recorder tells none."""
    held = object_of(body, key) or {}
    return tuple(f"{printable(name)}={text_of(held, name)}" for name in held)


def _bytes_of(body: dict[str, Any], key: str, unit: int) -> int | None:
    count = number_of(body, key)
    return None if count is None else count * unit
