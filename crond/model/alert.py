"""What may be told of a job: the kinds of news, and a flip, one piece of it with all that its message needs.

Owns their names and how a target is named without being said: a URL may hold a password, so it is never
outside its crontab. Who decides a flip is `crond.core.alerting`; the recorder keeps it until it is delivered.
Pure; knows no clock.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, NamedTuple


class Event(StrEnum):
    """What happened."""

    FAILURE = "failure"  #: a run failed for good, or could not be
    RETRY = "retry"  #: an attempt failed, and another follows
    SUCCESS = "success"
    RECOVERY = "recovery"  #: the first success after a failure that was told
    SKIP = "skip"
    LATE = "late"  #: a promise is broken
    ON_TIME = "on_time"  #: a promise that was broken, and told, holds again
    TROUBLE = "trouble"  #: something of the daemon's own, or of a crontab
    PING_START = "ping_start"
    PING_SUCCESS = "ping_success"
    PING_FAIL = "ping_fail"

    @property
    def is_ping(self) -> bool:
        """True for what a program reads, not a person."""
        return self in (Event.PING_START, Event.PING_SUCCESS, Event.PING_FAIL)


class Promise(StrEnum):
    """What `on_late` is about: the key that promises it."""

    LATE_AFTER = "late_after"
    WARN_RUNTIME = "warn_runtime"
    MAX_TIME_SINCE_SUCCESS = "max_time_since_success"


class Addressee(NamedTuple):
    """A target as it is named outside its crontab: by its digest, and by a label for people."""

    digest: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """One piece of news.

    `id` follows from what it is about, so that what is decided twice is told once. `origin` is the crontab
    that names the targets, "" the host's settings; `uid` is who it belongs to. Times are epoch seconds. `job`
    is "" where it is about no job. `attempt` is the key of the attempt whose output belongs to it. `pipeline`
    and `held_up` say what else the failure stopped. `failures` counts those in a row, this one included;
    `missed`, how many instants a late job did not start for. `cooldown`, seconds, is the least time between
    two messages of its job to one target. `muted`: it is kept and not sent.
    """

    id: str
    event: Event
    at: float
    origin: str
    uid: int
    addressees: tuple[Addressee, ...]
    job: str = ""
    run: str = ""
    trigger: str = ""
    instant: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    again_at: float | None = None  #: of a retry: when the next attempt begins
    starts: int = 0
    retries: int = 0
    outcome: str = ""
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    attempt: str = ""
    run_as: str = ""
    timezone: str = ""  #: that its times are shown in, "" the daemon's
    previous_success: float | None = None
    pipeline: str = ""
    held_up: tuple[str, ...] = ()
    failures: int = 0
    promise: str = ""
    promised: float | None = None  #: seconds that the promise allows
    missed: int = 0
    cooldown: float = 0.0
    muted: bool = False

    def values(self) -> dict[str, Any]:
        """Return plain values, of which `flip_of` makes the flip again, without those that say nothing."""
        held = {name: getattr(self, name) for name in _NAMES}
        held = {name: said for name, said in held.items() if said != _DEFAULTS.get(name, _SAID)}
        held["addressees"] = [list(one) for one in self.addressees]
        return held


_SAID = object()
_NAMES = tuple(field.name for field in fields(Flip))
_DEFAULTS = {
    field.name: field.default
    for field in fields(Flip)
    if field.name not in ("id", "event", "at", "origin", "uid", "addressees")
}


def flip_of(values: dict[str, Any]) -> Flip:
    """Return the flip that `values` were taken of. Raises ValueError, TypeError, KeyError if of none."""
    held = dict(values)
    held["event"] = Event(held["event"])
    held["addressees"] = tuple(Addressee(str(digest), str(label)) for digest, label in held["addressees"])
    if "held_up" in held:
        held["held_up"] = tuple(map(str, held["held_up"]))
    return Flip(**held)


def flip_id(event: Event, *about: object) -> str:
    """Return the id of a flip about `about`: 14 hexadecimal digits."""
    key = "\n".join([event.value, *map(str, about)]).encode("utf-8", "surrogateescape")
    return hashlib.blake2s(key, digest_size=7).hexdigest()


def target_digest(target: str) -> str:
    """Return what names `target` where it must not be said: 16 hexadecimal digits."""
    return hashlib.blake2s(target.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def target_label(target: str) -> str:
    """Return `target` for people: a URL may hold a password or a token in any of its parts."""
    scheme, mark, _ = target.partition("://")
    return f"{scheme}://..." if mark else target


def addressee(target: str) -> Addressee:
    """Return how `target` is named outside its crontab."""
    return Addressee(target_digest(target), target_label(target))
