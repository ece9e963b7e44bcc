"""What remains of runs when one of the programs came back: whose processes to look for, what to ask again.

Under a living launcher nothing is lost: it holds every attempt until it is forgotten, and refuses to
start one twice, so asking again is safe. A new launcher knows the processes that are still alive, and no
other. Pure; called by the engine.
"""

from __future__ import annotations

from collections.abc import Iterable

from crond.model.run import Run, State

_ACTIVE = (State.STARTING, State.RUNNING, State.STOPPING)


def processes(runs: Iterable[Run]) -> list[Run]:
    """Return the runs that have a process, as far as we know, or may have one."""
    return [run for run in runs if run.state in _ACTIVE or _is_trying(run)]


def unanswered(runs: Iterable[Run], *, wall: float) -> list[Run]:
    """Return the runs whose Start the launcher may never have seen; not those whose wait is over at `wall`."""
    return [
        run
        for run in runs
        if (run.state is State.STARTING or (_is_trying(run) and (run.until is None or wall < run.until)))
        and run.attempt.started_at is None
        and run.attempt.ended_at is None
    ]


def stopping(runs: Iterable[Run]) -> list[Run]:
    """Return the runs whose Stop the launcher may never have seen."""
    return [run for run in runs if run.state is State.STOPPING]


def _is_trying(run: Run) -> bool:
    """True while its `wait_for` is being tried."""
    if run.state is not State.WAITING or not run.attempts:
        return False
    return run.attempt.part == "wait_for" and run.attempt.outcome is None
