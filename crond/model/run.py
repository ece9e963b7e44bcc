"""A run: one answer to one instant of a job (or to a manual request), with its attempts.

Owns the words for where a run is (State), how it ended (Outcome) and what was asked of it (Want), and the
one table of transitions between states. Frozen: a change is a new value. Knows no clock; times are handed
in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a run is. FINISHED is the only one without a way out."""

    DUE = "due"
    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"


class Outcome(StrEnum):
    """How a run ended. LOST: its end is unknown, because the launcher itself died."""

    SUCCESS = "success"
    FAILED = "failed"
    STOPPED = "stopped"
    COULD_NOT_START = "could_not_start"
    SKIPPED = "skipped"
    LOST = "lost"


class Want(StrEnum):
    """What somebody asked of a run."""

    RUN = "run"
    STOP = "stop"


class Trigger(StrEnum):
    """Why there is a run."""

    SCHEDULE = "schedule"
    REBOOT = "reboot"
    MANUAL = "manual"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.DUE: frozenset((State.WAITING, State.STARTING, State.FINISHED)),
    State.WAITING: frozenset((State.WAITING, State.STARTING, State.FINISHED)),
    State.STARTING: frozenset((State.RUNNING, State.STOPPING, State.FINISHED)),
    State.RUNNING: frozenset((State.WAITING, State.STOPPING, State.FINISHED)),
    State.STOPPING: frozenset((State.FINISHED,)),
    State.FINISHED: frozenset(),
}


class IllegalTransition(RuntimeError):
    """A run was moved along an arrow that is not in TRANSITIONS: a bug of ours, never of a user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One process start inside a run.

    Times are epoch seconds; `max_rss` is KiB, `output_size` bytes; `blocks_in` and `blocks_out`, what it
    read from and wrote to disks, are blocks of 512 bytes.
    """

    number: int
    pid: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    cpu_user: float = 0.0
    cpu_system: float = 0.0
    max_rss: int = 0
    output_size: int = 0
    blocks_in: int = 0
    blocks_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One answer to one instant.

    `(job, instant, ordinal)` is its key: `instant` is UTC epoch seconds, and `ordinal` tells apart what a
    clock set back, or a gap of daylight saving, makes due more than once. `by` is the uid that asked for
    a manual run. `reason` says more about the outcome, in words. `uid` is the owner's, `run_as` the account
    of its processes and `crontab` the digest of the text it stood in; a job that had vanished has none.
    """

    id: str
    job: str
    instant: float
    ordinal: int
    trigger: Trigger
    by: int | None = None
    uid: int | None = None
    run_as: str = ""
    crontab: str = ""
    state: State = State.DUE
    want: Want = Want.RUN
    outcome: Outcome | None = None
    reason: str = ""
    ended_at: float | None = None
    attempts: tuple[Attempt, ...] = ()

    @property
    def attempt(self) -> Attempt:
        """The latest attempt; a run that never started has none (IndexError)."""
        return self.attempts[-1]

    def to(self, state: State, **changes: Any) -> Run:
        """Return this run in `state`, with `changes` of its other fields. Raises IllegalTransition."""
        if state not in TRANSITIONS[self.state]:
            raise IllegalTransition(f"run {self.id} of {self.job}: {self.state.value} -> {state.value}")
        return replace(self, state=state, **changes)

    def finish(self, outcome: Outcome, *, at: float, reason: str = "", **changes: Any) -> Run:
        """Return this run FINISHED with `outcome`, with `changes` of its other fields."""
        return self.to(State.FINISHED, outcome=outcome, reason=reason, ended_at=at, **changes)

    def with_attempt(self, attempt: Attempt) -> tuple[Attempt, ...]:
        """Return the attempts with `attempt` in the place of its number, or at the end."""
        return (*(held for held in self.attempts if held.number != attempt.number), attempt)

    def values(self) -> dict[str, Any]:
        """Return plain values, of which `run_of` makes the run again."""
        values = {name: getattr(self, name) for name in _RUN}
        values["attempts"] = [{name: getattr(one, name) for name in _ATTEMPT} for one in self.attempts]
        return values


_RUN = tuple(field.name for field in fields(Run))
_ATTEMPT = tuple(field.name for field in fields(Attempt))


def run_of(values: dict[str, Any]) -> Run:
    """Return the run that `values` were taken of. Raises ValueError, TypeError, KeyError if of none."""
    held = dict(values)
    held["trigger"] = Trigger(held["trigger"])
    held["state"] = State(held["state"])
    held["want"] = Want(held["want"])
    held["outcome"] = None if held["outcome"] is None else Outcome(held["outcome"])
    held["attempts"] = tuple(Attempt(**attempt) for attempt in held["attempts"])
    return Run(**held)


def run_id(job: str, instant: float, ordinal: int, trigger: Trigger) -> str:
    """Return the id of a run: it follows from its key, so that planning twice can never make two runs."""
    key = f"{job}\n{instant!r}\n{ordinal}\n{trigger.value}".encode("utf-8", "surrogateescape")
    return hashlib.blake2s(key, digest_size=7).hexdigest()
