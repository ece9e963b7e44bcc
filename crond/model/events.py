"""What the engine is told: facts of the launcher as they crossed the wire, and what the loop adds to them.

An event is a value without a time: the reading that comes with it says when. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from crond.model.crontab import Table
from crond.model.messages import (
    Exited,
    Hello,
    NotStarted,
    Pairs,
    Started,
    Survived,
    TableGone,
    TableRefused,
    TablesComplete,
    Vanished,
)
from crond.model.run import Outcome


@dataclass(frozen=True, slots=True)
class Woke:
    """Time has passed. Comes at least at every deadline that the engine named."""


@dataclass(frozen=True, slots=True)
class TableParsed:
    """A TableText of the launcher, parsed."""

    version: int
    origin: str
    owner: str
    uid: int
    table: Table


@dataclass(frozen=True, slots=True)
class RunRequested:
    """Somebody (uid `by`) wants job `job` to run now, with `environment` beside its own variables.

    `downstream`: and then the jobs that depend on it, for the same instant.
    """

    job: str
    by: int
    environment: Pairs = ()
    downstream: bool = False


@dataclass(frozen=True, slots=True)
class BackfillRequested:
    """Somebody (uid `by`) wants job `job` to run for `instant` (epoch seconds), which it was due at."""

    job: str
    by: int
    instant: float


@dataclass(frozen=True, slots=True)
class RerunRequested:
    """Somebody (uid `by`) wants the finished `run` to run again.

    `downstream`: and so the runs that it was an answer for; `failed`: of those, the ones that did not
    succeed.
    """

    run: str
    by: int
    downstream: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class MarkRequested:
    """Somebody (uid `by`) wants `run` to count as `outcome`, which is SUCCESS or FAILED; what runs is
    ended.
    """

    run: str
    by: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class PauseRequested:
    """Somebody (uid `by`) wants `job` not to be due until `until` (epoch seconds; None: until it is
    resumed). `note` says why.
    """

    job: str
    by: int
    until: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class ResumeRequested:
    """Somebody (uid `by`) wants the paused `job` to be due again."""

    job: str
    by: int


@dataclass(frozen=True, slots=True)
class MuteRequested:
    """Somebody (uid `by`) wants news of `job` to be kept and not sent until `until` (epoch seconds; None:
    until it is unmuted). `note` says why.
    """

    job: str
    by: int
    until: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class UnmuteRequested:
    """Somebody (uid `by`) wants news of the muted `job` to be sent again."""

    job: str
    by: int


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Somebody (uid `by`) wants run `run` to end."""

    run: str
    by: int


Event = (
    Woke
    | Hello
    | TableParsed
    | TableGone
    | TableRefused
    | Survived
    | TablesComplete
    | Started
    | NotStarted
    | Exited
    | Vanished
    | RunRequested
    | BackfillRequested
    | RerunRequested
    | MarkRequested
    | StopRequested
    | PauseRequested
    | ResumeRequested
    | MuteRequested
    | UnmuteRequested
)
