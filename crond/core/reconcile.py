"""What remains of runs when one of the programs came back: which are lost, and what must be asked again.

Under a living launcher nothing is lost: it holds every attempt until it is forgotten, and refuses to
start one twice, so asking again is safe. A launcher that is new knows none of them. Pure; called by the
engine.
"""

from __future__ import annotations

from collections.abc import Iterable

from crond.model.run import Outcome, Run, State

_ACTIVE = (State.STARTING, State.RUNNING, State.STOPPING)


def lost(runs: Iterable[Run], *, at: float) -> list[Run]:
    """Return, as they end, the runs whose processes belonged to a launcher that is no more."""
    reason = "the daemon ended first"
    return [run.finish(Outcome.LOST, at=at, reason=reason) for run in runs if run.state in _ACTIVE]


def unanswered(runs: Iterable[Run]) -> list[Run]:
    """Return the runs whose Start the launcher may never have seen."""
    return [run for run in runs if run.state is State.STARTING]


def stopping(runs: Iterable[Run]) -> list[Run]:
    """Return the runs whose Stop the launcher may never have seen."""
    return [run for run in runs if run.state is State.STOPPING]
