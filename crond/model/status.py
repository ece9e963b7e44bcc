"""How a process ended, and what that means: wait status becomes an Exit, an Exit an Outcome.

The one place that takes wait statuses apart. Pure; called by the engine, shown by the client.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from crond.model.policy import Policy
from crond.model.run import Outcome, Want


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


def judge(ended: Exit, policy: Policy, *, want: Want, wrote: bool) -> Outcome:
    """Return what an exit means for its attempt: `want` is what was asked of its run, `wrote` whether it left
    any output.
    """
    asked = _ASKED.get(want)
    if asked is not None:
        return asked
    if ended.code in policy.success_codes:
        return Outcome.FAILED if policy.fail_on_output and wrote else Outcome.SUCCESS
    return Outcome.SKIPPED if ended.code in policy.skip_codes else Outcome.FAILED


_ASKED = {
    Want.STOP: Outcome.STOPPED,
    Want.REPLACE: Outcome.STOPPED,
    Want.TIME_OUT: Outcome.TIMED_OUT,
    Want.SUCCEED: Outcome.SUCCESS,
    Want.FAIL: Outcome.FAILED,
}
