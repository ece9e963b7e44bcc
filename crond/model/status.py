"""How a process ended, and what that means: wait status becomes an Exit, an Exit an Outcome.

The one place that takes wait statuses apart. Pure; called by the engine, shown by the client.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from crond.model.run import Outcome


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: with `code` (0 to 255), or by `signal`; the other one is None."""

    code: int | None
    signal: int | None = None
    core_dumped: bool = False


def exit_of(status: int) -> Exit:
    """Take a wait status, as wait4(2) gives it, apart."""
    if os.WIFSIGNALED(status):
        return Exit(None, os.WTERMSIG(status), os.WCOREDUMP(status))
    return Exit(os.WEXITSTATUS(status))


def judge(ended: Exit, *, stopping: bool) -> Outcome:
    """Return what an exit means for its run; `stopping`: we were asked to end it."""
    if stopping:
        return Outcome.STOPPED
    return Outcome.SUCCESS if ended.code == 0 else Outcome.FAILED
