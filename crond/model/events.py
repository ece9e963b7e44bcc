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
    Started,
    TableGone,
    TableRefused,
    TablesComplete,
)


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
    """Somebody (uid `by`) wants job `job` to run now."""

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
    | TablesComplete
    | Started
    | NotStarted
    | Exited
    | RunRequested
    | StopRequested
)
