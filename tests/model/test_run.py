"""Runs: the arrows between states, attempts, ids; and what a wait status means."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import MISSING, fields, replace
from itertools import product

import pytest

from crond.model.messages import PARTS, is_token
from crond.model.policy import PLAIN, Policy
from crond.model.run import (
    TRANSITIONS,
    Attempt,
    IllegalTransition,
    Outcome,
    Parent,
    Run,
    State,
    Trigger,
    Wait,
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
    # What was started is stopped before it waits again, or ends by itself.
    assert {state for state in State if State.STARTING in TRANSITIONS[state]} == {
        State.DUE,
        State.WAITING,
    }
    assert {state for state in State if State.STOPPING in TRANSITIONS[state]} == {
        State.STARTING,
        State.RUNNING,
    }
    assert State.RUNNING not in TRANSITIONS[State.STOPPING] | TRANSITIONS[State.WAITING]


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


@pytest.mark.parametrize(
    ("numbers", "part", "following"),
    [
        ((), "command", 1),
        ((1, 2), "command", 3),
        ((-3, 0, 1), "command", 2),
        ((), "condition", 0),
        ((-3,), "condition", 0),
        ((-3, 0, 1), "condition", -4),
        ((), "wait_for", -1),
        ((-2,), "wait_for", -3),
        ((0, 1), "wait_for", -1),
        ((1, 2, 0), "wait_for", -1),
    ],
)
def test_numbers_of_attempts_are_never_used_again(
    numbers: tuple[int, ...], part: str, following: int
) -> None:
    """The launcher starts a key once: a condition that is asked again goes among the negative numbers."""
    assert part in PARTS
    held = replace(run(), attempts=tuple(Attempt(number=number) for number in numbers))
    assert held.next_number(part) == following


def test_of_a_sensor_the_latest_try_is_kept() -> None:
    """A sensor that is asked for days would make the run grow; the others are not touched by it."""
    held = run()
    for number in (-1, -2, -2, -3):
        held = replace(held, attempts=held.with_attempt(Attempt(number=number, part="wait_for")))
    held = replace(held, attempts=held.with_attempt(Attempt(number=0, part="condition")))
    assert held.starts == 0
    for number in (1, 2):
        held = replace(held, attempts=held.with_attempt(Attempt(number=number)))
    assert [one.number for one in held.attempts] == [-3, 0, 1, 2]
    assert (held.starts, run().starts) == (2, 0)
    again = held.with_attempt(Attempt(number=-4, part="condition"))
    assert [one.number for one in again] == [-3, 0, 1, 2, -4]


def test_a_run_that_is_run_again() -> None:
    """It waits as if it were new, under its id; attempts go on counting, and earlier ones are spent."""
    first = replace(run(State.RUNNING), attempts=(Attempt(number=1), Attempt(number=2)), want=Want.TIME_OUT)
    failed = replace(first, parents=(Parent("me/p", "q", Outcome.SUCCESS, 0),), slots=(1,)).finish(
        Outcome.FAILED, at=90.0, reason="because"
    )
    assert failed.slots == ()
    again = failed.revive(at=95.0, by=7)
    assert (again.state, again.outcome, again.reason, again.ended_at) == (State.WAITING, None, "", None)
    assert (again.want, again.by, again.spent, again.parents) == (Want.RUN, 7, 2, ())
    assert again.attempts == failed.attempts
    assert not again.is_active
    with pytest.raises(IllegalTransition):
        again.revive(at=96.0, by=7)


def test_a_finished_run_waits_for_nothing() -> None:
    """What it waited for, and until when, is over with it."""
    waiting = replace(run(State.WAITING), waits=Wait.POOL, since=1.0, until=2.0, pool="me/gpu", slots=(0,))
    ended = waiting.finish(Outcome.SKIPPED, at=3.0)
    assert (ended.waits, ended.since, ended.until, ended.slots) == (None, None, None, ())


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


WHOLE = Run(
    id="r",
    job="me/j",
    instant=60.0,
    ordinal=1,
    trigger=Trigger.BACKFILL,
    by=7,
    state=State.WAITING,
    want=Want.FAIL,
    attempts=(
        Attempt(number=-2, exit_code=1, outcome=Outcome.FAILED),
        Attempt(number=1, pid=5, outcome=Outcome.TIMED_OUT, data=(("A", "b"), ("C", "\udcff"))),
    ),
    waits=Wait.RETRY,
    since=70.0,
    until=80.0,
    parents=(Parent("me/p", "q", Outcome.SUCCESS, 0), Parent("me/o", reason="paused")),
    pool="me/gpu",
    slots=(0, 2),
    environment=(("LR", "1"),),
    follows="m",
    spent=1,
)


def test_all_that_a_run_may_hold_comes_back() -> None:
    """Each field has another value than its default, so that one which is forgotten would show."""
    defaults = {field.name: field.default for field in fields(Run) if field.default is not MISSING}
    same = {name for name, value in defaults.items() if getattr(WHOLE, name) == value}
    assert same <= {"outcome", "reason", "ended_at", "uid", "run_as", "crontab"}
    assert run_of(json.loads(json.dumps(WHOLE.values()))) == WHOLE


def test_a_plain_run_says_only_what_every_run_does() -> None:
    """A run that waits for nothing and has no parents is a short line in the journal."""
    assert not {"waits", "until", "parents", "pool", "slots", "environment", "spent"} & run().values().keys()
    (told,) = replace(run(), attempts=(Attempt(number=1),)).values()["attempts"]
    assert not {"data", "outcome"} & told.keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "sleeping"),
        ("waits", "nobody"),
        ("trigger", "who"),
        ("parents", [["me/p"]]),
        ("slots", ["x"]),
        ("environment", [["A"]]),
        ("more", 1),
    ],
)
def test_values_of_no_run_are_refused(name: str, value: object) -> None:
    """A journal of another version, or a damaged one, makes no half of a run."""
    values = json.loads(json.dumps(WHOLE.values()))
    with pytest.raises((ValueError, TypeError, KeyError)):
        run_of(values | {name: value})


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
