"""How a job and its runs stand now, by the scheduler's word, in sentences: what a run waits for and who is in
its way, and what keeps a job from being due.

Pure: the answer, and the moment that counts as now, are arguments. Called by crond.cli.why.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crond.cli.answers import (
    PauseSeen,
    RunSeen,
    amount_of,
    list_of,
    moment_of,
    number_of,
    object_of,
    pause_of,
    read_run,
    text_of,
    texts_of,
)
from crond.cli.describe import account, listed, short, standing
from crond.cli.format import duration
from crond.cli.recorded import ParentSeen, read_parent
from crond.cli.times import shown


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool that a run waits for. Those of its `holders` that may be seen: their jobs and runs."""

    name: str
    size: int
    taken: int
    holders: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """A run with what it waits for. `states` are those of the runs of its parents, in their order."""

    run: RunSeen
    spent: int
    retries: int | None
    max_load: float | None
    parents: tuple[ParentSeen, ...]
    states: tuple[str, ...]
    others: tuple[RunSeen, ...]
    pool: Pool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A job now. `day_off` is about the instant that was asked for."""

    job: str
    held: str
    enabled: bool
    starts_at: datetime | None
    expires_at: datetime | None
    day_off: str
    paused: PauseSeen | None
    after: tuple[str, ...]
    jitter: int
    queued: int
    runs: tuple[Detail, ...]

    def detail_of(self, run: str) -> Detail | None:
        """Return what is known of `run` now; None where the scheduler does not remember it."""
        return next((one for one in self.runs if one.run.id == run), None)


def read_standing(body: dict[str, Any]) -> Standing:
    """Return what the scheduler's answer to `standing` says. Raises BadAnswer."""
    job = text_of(body, "job")
    return Standing(
        job=job,
        held=text_of(body, "held"),
        enabled=body.get("enabled") is not False,
        starts_at=moment_of(body, "starts_at"),
        expires_at=moment_of(body, "expires_at"),
        day_off=text_of(body, "day_off"),
        paused=pause_of(body, job),
        after=texts_of(body, "after"),
        jitter=number_of(body, "jitter") or 0,
        queued=number_of(body, "queued") or 0,
        runs=tuple(list_of(body, "runs", _detail)),
    )


def _detail(body: dict[str, Any]) -> Detail:
    return Detail(
        run=read_run(body),
        spent=number_of(body, "spent") or 0,
        retries=number_of(body, "retries"),
        max_load=amount_of(body, "max_load"),
        parents=tuple(list_of(body, "parents", read_parent)),
        states=tuple(list_of(body, "parents", lambda parent: text_of(parent, "state"))),
        others=tuple(list_of(body, "others", read_run)),
        pool=_pool(object_of(body, "pool_held")),
    )


def _pool(body: dict[str, Any] | None) -> Pool | None:
    if body is None:
        return None
    holders = list_of(body, "holders", lambda one: (text_of(one, "job"), text_of(one, "run")))
    return Pool(
        text_of(body, "name"), number_of(body, "size") or 0, number_of(body, "taken") or 0, tuple(holders)
    )


# --- what a run waits for ----------------------------------------------------------------------------


def on_waiting(detail: Detail, now: datetime) -> list[str]:
    """Return what a run that waits is waiting for, who is in its way, and for how long at most."""
    wait = detail.run.waits or ""
    told = {
        "dependencies": _on_parents,
        "retry": _on_retry,
        "overlap": _on_others,
        "pool": _on_pool,
        "load": _on_load,
    }.get(wait)
    until = detail.run.until
    words = list(told(detail, now)) if told is not None else []
    if wait == "past":
        words.append("The run of this job before it has not ended (depends_on_past).")
    elif wait == "sensor":
        words.append("What its wait_for asks for is not there yet; it is tried again and again.")
    elif wait == "jitter":
        words.append("Its start is put off by its jitter.")
    if until is not None and until > now:
        ends = {"retry": "The next attempt starts at", "jitter": "It starts at"}
        begin = ends.get(wait, "It waits no longer than until")
        words.append(f"{begin} {shown(until)}, in {duration((until - now).total_seconds())}.")
    return words


def _on_parents(detail: Detail, _now: datetime) -> Iterator[str]:
    for parent, state in zip(detail.parents, detail.states, strict=True):
        name = short(parent.job, detail.run.job)
        if parent.outcome:
            yield f"{name} has ended: {parent.outcome.replace('_', ' ')}."
        else:
            run = f" (run {parent.run})" if parent.run else ""
            yield f"{name}{run} has not ended: it is {state or 'to start'}."


def _on_retry(detail: Detail, _now: datetime) -> Iterator[str]:
    tried = detail.run.attempts - detail.spent
    most = "" if detail.retries is None else f" of {detail.retries + 1}"
    why = f"exit status {detail.run.exit_code}" if detail.run.exit_code is not None else detail.run.reason
    yield f"Attempt {tried}{most} failed{f' ({why})' if why else ''}."


def _on_others(detail: Detail, now: datetime) -> Iterator[str]:
    for other in detail.others:
        yield f"Run {other.id} of the same job is in its way: {standing(other, now).text}."


def _on_pool(detail: Detail, _now: datetime) -> Iterator[str]:
    pool = detail.pool
    if pool is None:
        return
    holders = ", ".join(f"{job} (run {run})" for job, run in pool.holders) or "jobs of others"
    yield f"Slots of the pool {pool.name} that are taken: {pool.taken} of {pool.size}, by {holders}."


def _on_load(detail: Detail, _now: datetime) -> Iterator[str]:
    yield (
        f"The load of the host is not below {detail.max_load:g} (max_load)."
        if detail.max_load
        else ("The load of the host is too high.")
    )


# --- what keeps a job --------------------------------------------------------------------------------


def on_pause(pause: PauseSeen) -> str:
    """Return who paused it, since when and until when, and why."""
    until = "until somebody resumes it" if pause.until is None else f"until {shown(pause.until)}"
    note = f": {pause.note}" if pause.note else ""
    return f"paused by {account(pause.by)} since {shown(pause.since)}, {until}{note}"


def keeps(standing_now: Standing, instant: datetime | None, now: datetime) -> list[str]:
    """Return what keeps the job from running at `instant`, or from now on (None)."""
    found = []
    moment = instant or now
    pause = standing_now.paused
    if standing_now.held:
        found.append(f"It is held: {standing_now.held}.")
    if pause is not None and (pause.until is None or moment < pause.until):
        found.append(f"It is {on_pause(pause)}.")
    if not standing_now.enabled:
        found.append("It is not enabled (enabled=no).")
    if standing_now.starts_at is not None and moment < standing_now.starts_at:
        found.append(f"It lives from {shown(standing_now.starts_at)} on (starts_at).")
    if standing_now.expires_at is not None and moment >= standing_now.expires_at:
        found.append(f"Its time was over at {shown(standing_now.expires_at)} (expires_at).")
    if standing_now.day_off:
        found.append(f"It is left out then: {standing_now.day_off}.")
    return found


def to_come(standing_now: Standing) -> list[str]:
    """Return what a run to come will wait for."""
    found = []
    if standing_now.after:
        found.append(f"It will wait for {listed(standing_now.after, of=standing_now.job)}.")
    if standing_now.jitter:
        found.append(f"It starts {duration(standing_now.jitter)} after its instant (jitter).")
    return found
