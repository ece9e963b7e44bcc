"""What a fact of the launcher makes of a run: started, ended, or never started.

Pure steps to the next Run, or to its attempt as it ended; which run a fact belongs to, and whether it was
heard before, the engine knows.
"""

from __future__ import annotations

from crond.model.messages import Exited, NotStarted, Started
from crond.model.policy import PLAIN, Policy
from crond.model.run import Attempt, Outcome, Run, State, Want
from crond.model.status import exit_of, judge


def started(run: Run, fact: Started) -> Run:
    """Return `run` with its process. One that is to end stays STOPPING: the wish came while it started. A
    condition is a part of STARTING, and a sensor one of WAITING.
    """
    return found(run, fact.pid, fact.at)


def exited(run: Run, fact: Exited, policy: Policy) -> Attempt:
    """Return the latest attempt of `run` ended: what it used, how it ended, what it left."""
    ended = exit_of(fact.status)
    # It may have ended by itself while the wish to end it was on its way.
    by_itself = run.want is Want.TIME_OUT and run.until is not None and fact.at < run.until
    attempt = run.attempt
    return attempt.but(
        ended_at=fact.at,
        exit_code=ended.code,
        signal=ended.signal,
        cpu_user=fact.cpu_user,
        cpu_system=fact.cpu_system,
        max_rss=fact.max_rss,
        output_size=fact.output_size,
        blocks_in=fact.blocks_in,
        blocks_out=fact.blocks_out,
        outcome=judge(
            ended,
            policy if attempt.part == "command" else PLAIN,
            want=Want.RUN if by_itself else run.want,
            wrote=fact.output_size > 0,
        ),
        data=fact.data,
    )


def vanished(run: Run, at: float) -> Attempt:
    """Return the latest attempt of `run` gone: nobody knows how it ended."""
    return run.attempt.but(ended_at=at, outcome=Outcome.LOST)


def found(run: Run, pid: int, at: float) -> Run:
    """Return `run` with the process that a launcher which is no more started for it."""
    attempt = run.attempt.but(pid=pid, started_at=at)
    attempts = run.with_attempt(attempt)
    if run.state is State.STARTING and attempt.part == "command":
        return run.to(State.RUNNING, attempts=attempts)
    return run.but(attempts=attempts)


def not_started(run: Run, fact: NotStarted) -> Attempt:
    """Return the latest attempt of `run` at an end before it was its command."""
    return run.attempt.but(ended_at=fact.at, outcome=Outcome.COULD_NOT_START)


def refusal(run: Run, fact: NotStarted) -> str:
    """Say why it did not start; one that was to end anyway is simply stopped."""
    if fact.reason == "stale" and run.state is State.STOPPING:
        return "stopped before it started"
    return f"{fact.reason}: {fact.detail}" if fact.detail else fact.reason
