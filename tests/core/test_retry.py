"""Another attempt, and when: properties of the delay, and what is tried again."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import pytest

from crond.core.retry import delay_after, gets_another
from crond.model.policy import Policy
from crond.model.run import Attempt, Outcome, Run, Trigger

RUN = Run(id="r", job="me/a", instant=0.0, ordinal=0, trigger=Trigger.SCHEDULE)
DELAYS = [
    Policy(retry_delay=delay, retry_backoff=backoff, retry_max_delay=cap, retry_jitter=jitter)
    for delay, backoff, cap, jitter in product(
        (0, 1, 60, 7200), (1.0, 1.5, 2.0, 1e9), (1, 600, 3600), (0, 30, 900)
    )
]


def tried(starts: int, spent: int = 0, **last: Any) -> Run:
    attempts = tuple(Attempt(number=number) for number in range(1, starts))
    return RUN.but(attempts=(*attempts, Attempt(number=starts).but(**last)), spent=spent)


@pytest.mark.parametrize("policy", DELAYS, ids=str)
def test_a_delay_keeps_its_bounds(policy: Policy) -> None:
    """Never below the plain delay, never above the cap (or the plain delay, where that is longer), however
    many attempts; the same whenever it is asked for.
    """
    cap = max(policy.retry_max_delay, policy.retry_delay)
    delays = [delay_after(tried(starts), policy) for starts in (*range(1, 20), 5000)]
    assert all(policy.retry_delay <= one <= cap for one in delays)
    assert delays == [delay_after(tried(starts), policy) for starts in (*range(1, 20), 5000)]
    plain = replace(policy, retry_jitter=0)
    grown = [delay_after(tried(starts), plain) for starts in range(1, 20)]
    assert all(one <= two for one, two in pairwise(grown))
    assert all(0 <= one - two <= policy.retry_jitter for one, two in zip(delays, grown, strict=False))


def test_the_delay_grows_by_its_factor() -> None:
    """From the failures since somebody asked for the run, not from all that there ever were."""
    policy = Policy(retry_delay=10, retry_backoff=2.0)
    assert [delay_after(tried(starts), policy) for starts in (1, 2, 3)] == [10, 20, 40]
    assert [delay_after(tried(starts, spent=2), policy) for starts in (3, 4)] == [10, 20]


@pytest.mark.parametrize(
    ("last", "on", "again"),
    [
        ({"outcome": Outcome.FAILED, "exit_code": 1}, ("exit",), True),
        ({"outcome": Outcome.FAILED, "exit_code": 1}, ("timeout", "signal", "lost"), False),
        ({"outcome": Outcome.FAILED, "exit_code": 75}, (75,), True),
        ({"outcome": Outcome.FAILED, "exit_code": 2}, (75,), False),
        ({"outcome": Outcome.FAILED, "signal": 9}, ("signal",), True),
        ({"outcome": Outcome.FAILED, "signal": 9}, ("exit",), False),
        ({"outcome": Outcome.TIMED_OUT, "signal": 15}, ("timeout",), True),
        ({"outcome": Outcome.TIMED_OUT, "exit_code": 75}, (75,), True),
        ({"outcome": Outcome.TIMED_OUT, "signal": 15}, ("signal",), False),
        ({"outcome": Outcome.LOST}, ("exit", "timeout", "signal"), False),
        ({"outcome": Outcome.LOST}, ("lost",), True),
        ({"outcome": Outcome.STOPPED, "signal": 15}, ("exit", "timeout", "signal", "lost"), False),
        ({"outcome": Outcome.COULD_NOT_START}, ("exit", "timeout", "signal", "lost"), False),
        ({"outcome": Outcome.SKIPPED, "exit_code": 99}, ("exit", 99), False),
        ({"outcome": Outcome.SUCCESS, "exit_code": 0}, ("exit", 0), False),
    ],
)
def test_what_is_tried_again(last: dict[str, Any], on: tuple[str | int, ...], again: bool) -> None:
    """Each way to end, and what `retry_on` says about it."""
    run = tried(1, **last)
    assert gets_another(run, run.attempt, Policy(retries=1, retry_on=on)) is again


def test_retries_are_counted_from_the_latest_wish() -> None:
    """`retries=2` is three attempts, and three more when somebody runs it again."""
    policy = Policy(retries=2)
    failed: dict[str, Any] = {"outcome": Outcome.FAILED, "exit_code": 1}
    again = [
        [
            gets_another(run, run.attempt, policy)
            for starts in starts_
            for run in (tried(starts, spent, **failed),)
        ]
        for spent, starts_ in ((0, (1, 2, 3)), (3, (4, 5, 6)))
    ]
    assert again == [[True, True, False]] * 2
