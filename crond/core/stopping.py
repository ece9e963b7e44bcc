"""What a wish to end a run comes to, depending on where the run is. Pure; called by the engine."""

from __future__ import annotations

from dataclasses import replace

from crond.model.actions import Send
from crond.model.messages import Stop, attempt_key
from crond.model.run import Run, State, Want


def stop(run: Run) -> tuple[Run, list[Send]]:
    """Return the run as it is once it is to end, and what to send.

    Asking again for a run that is STOPPING sends again: the launcher may have lost patience with a
    process that it could not signal.
    """
    if run.state in (State.STARTING, State.RUNNING):
        run = replace(run.to(State.STOPPING), want=Want.STOP)
    if run.state is not State.STOPPING:
        return run, []
    return run, [Send(Stop(attempt_key(run.id, run.attempt.number)))]
