"""What a fact of the launcher makes of a run: started, ended, or never started.

Pure steps from one Run to the next; which run a fact belongs to, and whether it was heard before, the
engine knows.
"""

from __future__ import annotations

from dataclasses import replace

from crond.model.messages import Exited, NotStarted, Started
from crond.model.run import Outcome, Run, State
from crond.model.status import exit_of, judge


def started(run: Run, fact: Started) -> Run:
    """Return `run` with its process. One that is to end stays STOPPING: the wish came while it started."""
    attempts = run.with_attempt(replace(run.attempt, pid=fact.pid, started_at=fact.at))
    if run.state is State.STARTING:
        return run.to(State.RUNNING, attempts=attempts)
    return replace(run, attempts=attempts)


def exited(run: Run, fact: Exited) -> Run:
    """Return `run` as it ended, with what it used."""
    ended = exit_of(fact.status)
    attempt = replace(
        run.attempt,
        ended_at=fact.at,
        exit_code=ended.code,
        signal=ended.signal,
        cpu_user=fact.cpu_user,
        cpu_system=fact.cpu_system,
        max_rss=fact.max_rss,
        output_size=fact.output_size,
        blocks_in=fact.blocks_in,
        blocks_out=fact.blocks_out,
    )
    outcome = judge(ended, stopping=run.state is State.STOPPING)
    return run.finish(outcome, at=fact.at, attempts=run.with_attempt(attempt))


def not_started(run: Run, fact: NotStarted) -> Run:
    """Return `run` as it ended without its command; one that was to end anyway is simply stopped."""
    if fact.reason == "stale" and run.state is State.STOPPING:
        return run.finish(Outcome.STOPPED, at=fact.at, reason="stopped before it started")
    reason = f"{fact.reason}: {fact.detail}" if fact.detail else fact.reason
    return run.finish(Outcome.COULD_NOT_START, at=fact.at, reason=reason)
