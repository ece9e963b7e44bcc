"""What a daemon's answers mean: runs, jobs, next instants and problems as plain values.

Everything from the wire is checked here once, so that no verb meets a number where a text belongs;
what is missing is None, what is unknown is ignored (a newer daemon may say more). Knows no socket
and prints nothing; the verbs call it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from crond.cli.failure import Failure, Status
from crond.cli.format import printable
from crond.cli.times import parse_iso

_Seen = TypeVar("_Seen")


class BadAnswer(Failure):
    """An answer whose parts are not what they should be. The text says which."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the daemon's answer cannot be read: {what} (are client and daemon of the same version?)",
            Status.UNREACHABLE,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSeen:
    """A run as the daemon tells it. Texts are printable; `attempt` is the key of the latest one, RUN.N."""

    id: str
    job: str
    instant: datetime | None
    trigger: str
    state: str
    outcome: str | None
    reason: str | None
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    signal: int | None
    attempt: str | None
    attempts: int
    pid: int | None
    duration: float | None = None  #: seconds of the latest attempt; only the history tells it
    waits: str | None = None  #: what it waits for, and until when
    until: datetime | None = None
    pool: str | None = None
    follows: str | None = None
    by: int | None = None
    awaits: tuple[str, ...] = ()  #: the jobs that it depends on which have not ended

    @property
    def ended(self) -> bool:
        return self.state.lower() == "finished"


@dataclass(frozen=True, slots=True)
class PauseSeen:
    """A pause that holds. `until` is None until somebody resumes the job."""

    job: str
    since: datetime | None
    until: datetime | None
    by: int | None
    note: str


@dataclass(frozen=True, slots=True)
class HeldSeen:
    """A job that its time never starts, and why."""

    job: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSeen:
    """A job as the daemon tells it. Texts are printable."""

    name: str
    origin: str
    line: int | None
    schedule: str
    options: str
    command: str
    next: datetime | None
    running: tuple[RunSeen, ...]
    last: RunSeen | None
    problems: int
    held: str = ""
    paused: PauseSeen | None = None
    muted: PauseSeen | None = None
    enabled: bool = True
    zone: str | None = None  #: the zone of its own that its times are in


@dataclass(frozen=True, slots=True)
class NextSeen:
    """An instant to come. `after` are the jobs that its run will wait for; `jitter` is in seconds; one of a
    `held` job is left out.
    """

    job: str
    instant: datetime | None
    schedule: str
    after: tuple[str, ...] = ()
    jitter: int = 0
    held: bool = False


@dataclass(frozen=True, slots=True)
class ProblemSeen:
    """What is wrong with a crontab. Texts are printable."""

    origin: str
    line: int | None
    column: int | None
    severity: str
    message: str
    hint: str


def text_of(body: dict[str, Any], key: str) -> str:
    """Return the printable text at `key`; empty where there is none. Raises BadAnswer, as all here do."""
    value = body.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadAnswer(f"{key} is no text")
    return printable(value)


def number_of(body: dict[str, Any], key: str) -> int | None:
    """Return the whole number at `key`, None where there is none."""
    value = body.get(key)
    if value is not None and type(value) is not int:
        raise BadAnswer(f"{key} is no whole number")
    return value


def amount_of(body: dict[str, Any], key: str) -> float | None:
    """Return the finite number at `key`, None where there is none."""
    value = body.get(key)
    if value is None:
        return None
    # bool is an int to Python; NaN and infinity compare false.
    if type(value) not in (int, float) or not -1e15 < value < 1e15:
        raise BadAnswer(f"{key} is no number")
    return float(value)


def texts_of(body: dict[str, Any], key: str) -> tuple[str, ...]:
    """Return the printable texts at `key`; none where there is none."""
    values = body.get(key)
    if values is None:
        return ()
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise BadAnswer(f"{key} is no list of texts")
    return tuple(map(printable, values))


def object_of(body: dict[str, Any], key: str) -> dict[str, Any] | None:
    """Return the object at `key`, None where there is none."""
    return None if body.get(key) is None else _object(body[key], key)


def moment_of(body: dict[str, Any], key: str) -> datetime | None:
    """Return the moment at `key`, None where there is none."""
    value = body.get(key)
    if value is None:
        return None
    try:
        moment = parse_iso(value)
        if not 1970 <= moment.year <= 9998:  # beyond, not every zone has it
            raise ValueError(value)
        return moment
    except (TypeError, ValueError):
        raise BadAnswer(f"{key} is no time") from None


def list_of(body: dict[str, Any], key: str, read: Callable[[dict[str, Any]], _Seen]) -> list[_Seen]:
    """Return the objects at `key`, each read by `read`; the key must be there."""
    values = body.get(key)
    if not isinstance(values, list):
        raise BadAnswer(f"{key} is no list")
    return [read(_object(value, key)) for value in values]


def run_at(body: dict[str, Any], key: str) -> RunSeen:
    """Return the run at `key`, which must be there."""
    return read_run(_object(body.get(key), key))


def read_run(body: dict[str, Any]) -> RunSeen:
    """Return the run that `body` describes."""
    run = RunSeen(
        id=text_of(body, "id"),
        job=text_of(body, "job"),
        instant=moment_of(body, "instant"),
        trigger=text_of(body, "trigger"),
        state=text_of(body, "state"),
        outcome=text_of(body, "outcome") or None,
        reason=text_of(body, "reason") or None,
        started_at=moment_of(body, "started_at"),
        ended_at=moment_of(body, "ended_at"),
        exit_code=number_of(body, "exit_code"),
        signal=number_of(body, "signal"),
        attempt=text_of(body, "attempt") or None,
        attempts=number_of(body, "attempts") or 0,
        pid=number_of(body, "pid"),
        duration=amount_of(body, "duration"),
        waits=text_of(body, "waits") or None,
        until=moment_of(body, "until"),
        pool=text_of(body, "pool") or None,
        follows=text_of(body, "follows") or None,
        by=number_of(body, "by"),
        awaits=texts_of(body, "awaits"),
    )
    if not run.id or not run.state:
        raise BadAnswer("a run without id or state")
    return run


def pause_of(body: dict[str, Any], job: str, key: str = "paused") -> PauseSeen | None:
    """Return the pause of `job` at `key`, None where there is none."""
    held = object_of(body, key)
    return None if held is None else read_pause({**held, "job": job})


def read_pause(body: dict[str, Any]) -> PauseSeen:
    """Return the pause that `body` describes."""
    return PauseSeen(
        text_of(body, "job"),
        moment_of(body, "since"),
        moment_of(body, "until"),
        number_of(body, "by"),
        text_of(body, "note"),
    )


def read_held(body: dict[str, Any]) -> HeldSeen:
    """Return the held job that `body` describes."""
    return HeldSeen(text_of(body, "job"), text_of(body, "reason"))


def read_job(body: dict[str, Any]) -> JobSeen:
    """Return the job that `body` describes."""
    job = JobSeen(
        name=text_of(body, "job"),
        origin=text_of(body, "origin"),
        line=number_of(body, "line"),
        schedule=text_of(body, "schedule"),
        options=text_of(body, "options"),
        command=text_of(body, "command"),
        next=moment_of(body, "next"),
        running=tuple(list_of({"running": [], **body}, "running", read_run)),
        last=run_at(body, "last") if body.get("last") is not None else None,
        problems=len(list_of({"problems": [], **body}, "problems", dict)),
        held=text_of(body, "held"),
        paused=pause_of(body, text_of(body, "job")),
        muted=pause_of(body, text_of(body, "job"), "muted"),
        enabled=body.get("enabled") is not False,
        zone=text_of(body, "zone") or None,
    )
    if not job.name:
        raise BadAnswer("a job without a name")
    return job


def read_next(body: dict[str, Any]) -> NextSeen:
    """Return the instant to come that `body` describes."""
    return NextSeen(
        text_of(body, "job"),
        moment_of(body, "instant"),
        text_of(body, "schedule"),
        texts_of(body, "after"),
        number_of(body, "jitter") or 0,
        bool(text_of(body, "held")),
    )


def read_problem(body: dict[str, Any]) -> ProblemSeen:
    """Return the problem that `body` describes."""
    return ProblemSeen(
        text_of(body, "origin"),
        number_of(body, "line"),
        number_of(body, "column"),
        text_of(body, "severity"),
        text_of(body, "message"),
        text_of(body, "hint"),
    )


def _object(value: Any, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadAnswer(f"{key} is no object")
    return value
