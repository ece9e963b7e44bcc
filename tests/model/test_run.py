"""Runs: the arrows between states, attempts, ids; and what a wait status means."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from itertools import product

import pytest

from crond.model.messages import is_token
from crond.model.policy import PLAIN, Policy
from crond.model.run import (
    TRANSITIONS,
    Attempt,
    IllegalTransition,
    Outcome,
    Run,
    State,
    Trigger,
    Want,
    run_id,
    run_of,
)
from crond.model.status import Exit, exit_of, judge


def run(state: State = State.DUE) -> Run:
    return Run(id="r", job="me/j", instant=60.0, ordinal=0, trigger=Trigger.SCHEDULE, state=state)


@pytest.mark.parametrize(("before", "after"), list(product(State, State)))
def test_only_the_arrows_of_the_table(before: State, after: State) -> None:
    """Every pair of states: an arrow of TRANSITIONS is gone along, any other raises."""
    if after in TRANSITIONS[before]:
        assert run(before).to(after).state is after
    else:
        with pytest.raises(IllegalTransition, match=f"run r of me/j: {before.value} -> {after.value}"):
            run(before).to(after)


def test_the_table_of_transitions_as_it_is_documented() -> None:
    """One terminal state, reached from everywhere; no way back to DUE."""
    assert set(TRANSITIONS) == set(State)
    # Only somebody's wish to run it again leads out of the end.
    assert TRANSITIONS[State.FINISHED] == frozenset((State.WAITING,))
    for state in set(State) - {State.FINISHED}:
        assert State.FINISHED in TRANSITIONS[state]
        assert State.DUE not in TRANSITIONS[state]


def test_finishing_says_how_when_and_why() -> None:
    """A finished run has an outcome, and cannot finish again."""
    ended = run(State.RUNNING).finish(Outcome.FAILED, at=90.0, reason="because")
    assert (ended.state, ended.outcome, ended.ended_at, ended.reason) == (
        State.FINISHED,
        Outcome.FAILED,
        90.0,
        "because",
    )
    with pytest.raises(IllegalTransition):
        ended.finish(Outcome.SUCCESS, at=91.0)


def test_attempts_are_replaced_by_their_number() -> None:
    """The same number replaces, a new one is added; the latest is `attempt`."""
    first = run().to(State.STARTING, attempts=run().with_attempt(Attempt(number=1)))
    known = first.to(State.RUNNING, attempts=first.with_attempt(Attempt(number=1, pid=5)))
    assert [(one.number, one.pid) for one in known.attempts] == [(1, 5)]
    assert [one.number for one in known.with_attempt(Attempt(number=2))] == [1, 2]
    assert known.attempt.pid == 5
    with pytest.raises(IndexError):
        _ = run().attempt


def test_an_id_follows_from_the_key() -> None:
    """The same due is the same run, so planning twice cannot make two; any part of the key tells apart."""
    key = ("me/j", 60.0, 0, Trigger.SCHEDULE)
    assert run_id(*key) == run_id(*key)
    others = [
        ("me/k", 60.0, 0, Trigger.SCHEDULE),
        ("me/j", 120.0, 0, Trigger.SCHEDULE),
        ("me/j", 60.0, 1, Trigger.SCHEDULE),
        ("me/j", 60.0, 0, Trigger.MANUAL),
        ("me/\udcff", 60.0, 0, Trigger.SCHEDULE),
    ]
    ids = {run_id(*key), *(run_id(*other) for other in others)}
    assert len(ids) == 6
    assert all(is_token(one) and one == one.lower() for one in ids)


def test_a_run_is_plain_values_and_back() -> None:
    """What the journal holds of a run makes the same run again."""
    whole = run(State.RUNNING).finish(
        Outcome.FAILED, at=9.0, reason="r", attempts=(Attempt(number=1, pid=5, started_at=1.5, exit_code=3),)
    )
    assert run_of(json.loads(json.dumps(whole.values()))) == whole


@pytest.mark.parametrize(
    ("code", "ended"),
    [
        ("raise SystemExit(0)", Exit(0)),
        ("raise SystemExit(255)", Exit(255)),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", Exit(None, signal.SIGKILL)),
    ],
)
def test_wait_statuses_of_real_processes(code: str, ended: Exit) -> None:
    """A real process, a real status."""
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", code])
    _, status = os.waitpid(process.pid, 0)
    process.returncode = 0
    assert exit_of(status) == ended


def test_a_core_dump_is_known() -> None:
    """Bit 7 of a status says that memory was written out."""
    assert exit_of(0x80 | signal.SIGSEGV) == Exit(None, signal.SIGSEGV, core_dumped=True)


@pytest.mark.parametrize(
    ("ended", "want", "outcome"),
    [
        (Exit(0), Want.RUN, Outcome.SUCCESS),
        (Exit(1), Want.RUN, Outcome.FAILED),
        (Exit(None, 9), Want.RUN, Outcome.FAILED),
        (Exit(0), Want.STOP, Outcome.STOPPED),
        (Exit(None, 15), Want.REPLACE, Outcome.STOPPED),
        (Exit(0), Want.TIME_OUT, Outcome.TIMED_OUT),
        (Exit(None, 15), Want.SUCCEED, Outcome.SUCCESS),
        (Exit(0), Want.FAIL, Outcome.FAILED),
    ],
)
def test_what_an_exit_means(ended: Exit, want: Want, outcome: Outcome) -> None:
    """Only 0 is success; what we were asked to end is what was asked, however it went."""
    assert judge(ended, PLAIN, want=want, wrote=True) is outcome


def test_what_an_exit_means_by_policy() -> None:
    """`success_codes` is the whole list, a code in both lists is a success, and output may be a failure."""
    policy = Policy(success_codes=(3, 4), skip_codes=(4, 99))
    judged = {code: judge(Exit(code), policy, want=Want.RUN, wrote=True) for code in (0, 3, 4, 99)}
    assert judged == {
        0: Outcome.FAILED,
        3: Outcome.SUCCESS,
        4: Outcome.SUCCESS,
        99: Outcome.SKIPPED,
    }
    silent = Policy(fail_on_output=True)
    assert judge(Exit(0), silent, want=Want.RUN, wrote=False) is Outcome.SUCCESS
    assert judge(Exit(0), silent, want=Want.RUN, wrote=True) is Outcome.FAILED
