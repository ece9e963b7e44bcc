"""A run: one answer to one instant of a job (or to a manual request), with its attempts.

Owns the words for where a run is (State), how it ended (Outcome) and what was asked of it (Want), and the
one table of transitions between states. Frozen: a change is a new value. Knows no clock; times are handed
in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from itertools import repeat
from operator import attrgetter, call
from typing import Any, Self

from crond.model.messages import Pairs


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
    TIMED_OUT = "timed_out"
    STOPPED = "stopped"
    COULD_NOT_START = "could_not_start"
    UPSTREAM_FAILED = "upstream_failed"
    SKIPPED = "skipped"
    LOST = "lost"


#: Those that count as a failure of the run itself, for whoever depends on it.
FAILURES = frozenset(
    (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.STOPPED, Outcome.COULD_NOT_START, Outcome.LOST)
)


class Want(StrEnum):
    """What was asked of a run."""

    RUN = "run"
    STOP = "stop"  #: somebody wants it to end
    TIME_OUT = "timeout"  #: its time is over
    REPLACE = "replace"  #: a newer run of its job takes its place
    SUCCEED = "success"  #: somebody wants it to count as a success
    FAIL = "failed"  #: somebody wants it to count as failed


class Wait(StrEnum):
    """What a WAITING run waits for."""

    JITTER = "jitter"
    DEPENDENCIES = "dependencies"
    PAST = "past"  #: the run of its job before it
    SENSOR = "sensor"  #: its `wait_for`
    OVERLAP = "overlap"  #: other runs of its job
    POOL = "pool"
    LOAD = "load"
    RETRY = "retry"


class Trigger(StrEnum):
    """Why there is a run."""

    SCHEDULE = "schedule"
    REBOOT = "reboot"
    CATCHUP = "catchup"  #: it was due while it could not be served, and is made up
    MANUAL = "manual"
    BACKFILL = "backfill"


#: Out of FINISHED leads only somebody's wish to run again (`Run.revive`).
TRANSITIONS: dict[State, frozenset[State]] = {
    State.DUE: frozenset((State.WAITING, State.STARTING, State.FINISHED)),
    State.WAITING: frozenset((State.WAITING, State.STARTING, State.FINISHED)),
    State.STARTING: frozenset((State.WAITING, State.RUNNING, State.STOPPING, State.FINISHED)),
    State.RUNNING: frozenset((State.WAITING, State.STOPPING, State.FINISHED)),
    State.STOPPING: frozenset((State.WAITING, State.FINISHED)),
    State.FINISHED: frozenset((State.WAITING,)),
}


class IllegalTransition(RuntimeError):
    """A run was moved along an arrow that is not in TRANSITIONS: a bug of ours, never of a user."""


class _Value:
    """A frozen value of which another one is made at every step of a run."""

    __slots__ = ()

    def but(self, **changes: Any) -> Self:
        """Return this value with `changes` of its fields. As `dataclasses.replace`, which takes twice
        as long: a thousand dues of a minute wait for this.
        """
        get, puts = _FIELDS[type(self)]
        changed = object.__new__(type(self))
        any(map(call, puts, repeat(changed), get(self)))  # each puts one, and returns None
        for name, value in changes.items():
            object.__setattr__(changed, name, value)
        return changed


#: How the fields of each are read and written.
_FIELDS: dict[type, tuple[Callable[[Any], tuple[Any, ...]], tuple[Callable[[Any, Any], None], ...]]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt(_Value):
    """One process start inside a run.

    `part` says which of the entry's commands it is, as a Start names it. `number` counts starts of the
    command from 1; the run's `condition` is 0, and -1, -2 ... are the tries of its `wait_for`, of which a run
    keeps the latest, and conditions that are asked again because the run is run again. Times are epoch
    seconds; `max_rss` is KiB, `output_size` bytes; `blocks_in` and `blocks_out`, what it read from and wrote
    to disks, are blocks of 512 bytes. `data` is what it left for the jobs that depend on it. `outcome` is how
    it ended, None while it has not.
    """

    number: int
    part: str = "command"
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
    outcome: Outcome | None = None
    data: Pairs = ()


@dataclass(frozen=True, slots=True)
class Parent:
    """How one parent stands for one run of a child.

    `run` is the id of the run that answers, "" where none does. `outcome` is how that ended, None while
    the child has to wait for it; `exit_code` is that of its last attempt. Where none answers, it is SKIPPED
    and `reason` says why.
    """

    job: str
    run: str = ""
    outcome: Outcome | None = None
    exit_code: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(_Value):
    """One answer to one instant.

    `(job, instant, ordinal)` is its key: `instant` is UTC epoch seconds, and `ordinal` tells apart what a
    clock set back, or a gap of daylight saving, makes due more than once. `by` is the uid that asked for
    a manual run. `reason` says more about the outcome, in words. `uid` is the owner's, `run_as` the account
    of its processes and `crontab` the digest of the text it stood in; a job that had vanished has none.

    `waits` is what it waits for while it is WAITING. `since` is when its present stretch of waits began;
    `until` is when its wait, or the time of its attempt, is over. `parents` is how those that it depends on
    stand. `pool` is the pool, OWNER/NAME, whose `slots` it holds. `environment` was given by who asked for
    it. `follows` is the manual run that it belongs to (`run --downstream`). `spent` is how many attempts were
    made before somebody asked to run it again: they do not count against its retries.
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
    waits: Wait | None = None
    since: float | None = None
    until: float | None = None
    parents: tuple[Parent, ...] = ()
    pool: str = ""
    slots: tuple[int, ...] = ()
    environment: Pairs = ()
    follows: str = ""
    spent: int = 0

    @property
    def attempt(self) -> Attempt:
        """The latest attempt; a run that never started has none (IndexError)."""
        return self.attempts[-1]

    @property
    def starts(self) -> int:
        """How many times its command was to start."""
        return max((one.number for one in self.attempts if one.number > 0), default=0)

    @property
    def is_active(self) -> bool:
        """True from its first start until its end: what counts for `concurrency`. Waits before that do
        not.
        """
        if self.state is State.WAITING:
            return bool(self.attempts) and self.starts > self.spent
        return self.state in (State.STARTING, State.RUNNING, State.STOPPING)

    @property
    def is_scheduled(self) -> bool:
        """True for what a table made due, which may answer for those who depend on it."""
        return self.trigger in (Trigger.SCHEDULE, Trigger.REBOOT, Trigger.CATCHUP)

    @property
    def has_failed(self) -> bool:
        """True for an end that people hear of as a failure of this run. What somebody ended is none, and what
        failed by its parents is told where they failed; what is held was never to be left out.
        """
        is_held = self.outcome is Outcome.SKIPPED and self.reason.startswith("held: ")
        return is_held or (self.outcome in FAILURES and self.outcome is not Outcome.STOPPED)

    def to(self, state: State, **changes: Any) -> Run:
        """Return this run in `state`, with `changes` of its other fields. Raises IllegalTransition."""
        if state not in TRANSITIONS[self.state]:
            raise IllegalTransition(f"run {self.id} of {self.job}: {self.state.value} -> {state.value}")
        return self.but(state=state, **changes)

    def finish(self, outcome: Outcome, *, at: float, reason: str = "", **changes: Any) -> Run:
        """Return this run FINISHED with `outcome`, with `changes` of its other fields."""
        changes |= {"waits": None, "since": None, "until": None, "slots": ()}
        return self.to(State.FINISHED, outcome=outcome, reason=reason, ended_at=at, **changes)

    def revive(self, *, at: float, by: int, parents: tuple[Parent, ...] = ()) -> Run:
        """Return this run, which is FINISHED, as it waits again because `by` asked for it at `at`. Attempts
        go on counting; `parents` are those that it has to wait for. Raises IllegalTransition.
        """
        if self.state is not State.FINISHED:
            raise IllegalTransition(f"run {self.id} of {self.job} has not ended, and is to run again")
        return self.to(
            State.WAITING,
            waits=Wait.DEPENDENCIES,
            since=at,
            want=Want.RUN,
            outcome=None,
            reason="",
            ended_at=None,
            by=by,
            parents=parents,
            spent=self.starts,
        )

    def with_attempt(self, attempt: Attempt) -> tuple[Attempt, ...]:
        """Return the attempts with `attempt` in the place of its number, or at the end. One of `wait_for`
        takes the place of the one before.
        """
        if not self.attempts:
            return (attempt,)
        if self.attempts[-1].number == attempt.number:
            return (*self.attempts[:-1], attempt)
        kept = (
            one
            for one in self.attempts
            if one.number != attempt.number and not (one.part == attempt.part == "wait_for")
        )
        return (*kept, attempt)

    def next_number(self, part: str) -> int:
        """Return the number of the next attempt at `part`: a key of an attempt is never used again."""
        if not self.attempts:
            return _FIRST[part]
        numbers = [one.number for one in self.attempts]
        if part == "command":
            return self.starts + 1
        if part == "condition" and 0 not in numbers:
            return _FIRST[part]
        return min(0, *numbers) - 1

    def values(self) -> dict[str, Any]:
        """Return plain values, of which `run_of` makes the run again."""
        values = dict(zip(_ALWAYS, _always_of(self), strict=True))
        values["attempts"] = list(map(_attempt_values, self.attempts))
        # Most runs wait for nothing: their lines stay short.
        later = _later_of(self)
        if later != _NOTHING_LATER:
            values |= {
                name: value
                for name, value, empty in zip(_LATER, later, _NOTHING_LATER, strict=True)
                if value != empty
            }
        if self.parents:
            values["parents"] = [[getattr(one, name) for name in _PARENT] for one in self.parents]
        return values


for _shape in (Run, Attempt):
    _FIELDS[_shape] = (
        attrgetter(*_shape.__slots__),
        tuple(getattr(_shape, name).__set__ for name in _shape.__slots__),
    )


#: The number of a run's first attempt at each part.
_FIRST = {"command": 1, "condition": 0, "wait_for": -1}


def _attempt_values(attempt: Attempt) -> dict[str, Any]:
    values = dict(zip(_ATTEMPT, _plain_of(attempt), strict=True))
    if attempt.part != "command":
        values["part"] = attempt.part
    if attempt.outcome is not None:
        values["outcome"] = attempt.outcome
    if attempt.data:
        values["data"] = attempt.data
    return values


_PARENT = tuple(field.name for field in fields(Parent))
_ATTEMPT = tuple(field.name for field in fields(Attempt) if field.name not in ("part", "outcome", "data"))
_LATER = ("waits", "since", "until", "pool", "slots", "environment", "follows", "spent")
_ALWAYS = tuple(field.name for field in fields(Run) if field.name not in (*_LATER, "parents"))
_NOTHING_LATER = tuple({field.name: field.default for field in fields(Run)}[name] for name in _LATER)
_always_of, _later_of, _plain_of = attrgetter(*_ALWAYS), attrgetter(*_LATER), attrgetter(*_ATTEMPT)


def run_of(values: dict[str, Any]) -> Run:
    """Return the run that `values` were taken of. Raises ValueError, TypeError, KeyError if of none."""
    held = dict(values)
    held["trigger"] = Trigger(held["trigger"])
    held["state"] = State(held["state"])
    held["want"] = Want(held["want"])
    held["outcome"] = None if held["outcome"] is None else Outcome(held["outcome"])
    held["attempts"] = tuple(map(_attempt_of, held["attempts"]))
    if "waits" in held:
        held["waits"] = Wait(held["waits"])
    if "parents" in held:
        held["parents"] = tuple(map(_parent_of, held["parents"]))
    if "slots" in held:
        held["slots"] = tuple(map(int, held["slots"]))
    if "environment" in held:
        held["environment"] = _pairs_of(held["environment"])
    return Run(**held)


def _attempt_of(values: dict[str, Any]) -> Attempt:
    held = dict(values)
    if "outcome" in held:
        held["outcome"] = Outcome(held["outcome"])
    if "data" in held:
        held["data"] = _pairs_of(held["data"])
    return Attempt(**held)


def _parent_of(values: list[Any]) -> Parent:
    job, run, outcome, exit_code, reason = values
    return Parent(job, run, None if outcome is None else Outcome(outcome), exit_code, reason)


def _pairs_of(values: list[list[str]]) -> Pairs:
    return tuple((str(name), str(value)) for name, value in values)


def run_id(job: str, instant: float, ordinal: int, trigger: Trigger) -> str:
    """Return the id of a run: it follows from its key, so that planning twice can never make two runs."""
    key = f"{job}\n{instant!r}\n{ordinal}\n{trigger.value}".encode("utf-8", "surrogateescape")
    return hashlib.blake2s(key, digest_size=7).hexdigest()
