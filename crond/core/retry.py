"""Does a failed attempt get another one, and when? Pure arithmetic on a policy and a run.

The delay grows by a factor up to a cap; the jitter is drawn from the key of the run and the number of the
attempt, so that asking twice gives the same. Called by the engine at the end of an attempt.
"""

from __future__ import annotations

from crond.core.spread import spread
from crond.model.policy import Policy
from crond.model.run import Attempt, Outcome, Run


def gets_another(run: Run, attempt: Attempt, policy: Policy) -> bool:
    """True if `run`, whose latest start was `attempt` and has ended, is to be tried again.

    What somebody ended (STOPPED) is not, and neither is what could not start.
    """
    if run.starts - run.spent > policy.retries:
        return False
    kind = _kind_of(attempt)
    return kind is not None and (
        kind in policy.retry_on or (kind != "lost" and attempt.exit_code in policy.retry_on)
    )


def _kind_of(attempt: Attempt) -> str | None:
    """What `retry_on` calls the way in which `attempt` ended, None if it is nothing to be tried again."""
    if attempt.outcome is Outcome.TIMED_OUT:
        return "timeout"
    if attempt.outcome is Outcome.LOST:
        return "lost"
    if attempt.outcome is not Outcome.FAILED:
        return None
    return "exit" if attempt.signal is None else "signal"


def delay_after(run: Run, policy: Policy) -> float:
    """Return the seconds from the failure of the latest attempt of `run` to the next one."""
    failures = max(1, run.starts - run.spent)
    try:
        grown = policy.retry_delay * policy.retry_backoff ** (failures - 1)
    except OverflowError:
        grown = float("inf")
    drawn = spread(policy.retry_jitter, run.id, str(run.starts))
    # Who asks for 2 h and says nothing about a cap means 2 h.
    return min(grown + drawn, float(max(policy.retry_max_delay, policy.retry_delay)))
