"""The judge hears records made by hand: it lets good ones pass and refuses each kind of bad one.

The other tests of this folder trust it, so that a check of it that cannot fail would be worth nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from crond.core.clockwork import Reading
from crond.core.queue import Waiting
from crond.model.crontab import parse_crontab
from crond.model.dependency import Dependency
from crond.model.job import jobs_of
from crond.model.keys import TRIGGER_RULES
from crond.model.messages import Start
from crond.model.run import Attempt, Outcome, Parent, Run, State, Trigger, Wait, Want, run_id
from tests.simulation import reference
from tests.simulation.judge import KEPT, LONGEST, Judge
from tests.simulation.launcher import Broken
from tests.simulation.rules import End, end_of, verdict

_NOON = 1780315200.0  # 2026-06-01 12:00 UTC
_ONE = Attempt(number=1)
_FAILED = Attempt(number=1, exit_code=1, ended_at=_NOON, outcome=Outcome.FAILED)


class Court:
    """A judge with a crontab, to whom things are told in few words."""

    def __init__(self, text: str, zone: str = "UTC") -> None:
        self.judge = Judge(zone)
        self.after(0)
        self.edit(text)

    def edit(self, text: str) -> None:
        table = parse_crontab(text, extensions=True)
        jobs = jobs_of(table, owner="me", uid=7, origin="tab", version=1)
        self.judge.tables(jobs, {f"me/{name}": size for name, size in table.pools.items()})

    def after(self, seconds: float) -> None:
        now = Reading(_NOON + seconds, 1000 + seconds, 1000 + seconds)
        self.judge.reads(now)

    def due(self, job: str, instant: float = _NOON, ordinal: int = 0) -> None:
        self.judge.remembers([["due", [Waiting(f"me/{job}", instant, ordinal, Trigger.SCHEDULE)]]])

    def run(self, job: str, *states: State, instant: float = _NOON, ordinal: int = 0, **changes: Any) -> Run:
        """Tell of a run that goes through `states`; return it."""
        name = run_id(f"me/{job}", instant, ordinal, Trigger.SCHEDULE)
        run = Run(id=name, job=f"me/{job}", instant=instant, ordinal=ordinal, trigger=Trigger.SCHEDULE)
        for state in states:
            run = replace(run, state=state, **changes)
            self.judge.remembers([["run", run]])
        return run

    def again(self, run: Run, **changes: Any) -> Run:
        run = replace(run, **changes)
        self.judge.remembers([["run", run]])
        return run

    def end(self, run: Run, outcome: Outcome, reason: str = "", **changes: Any) -> Run:
        return self.again(
            run, state=State.FINISHED, outcome=outcome, reason=reason, ended_at=_NOON, slots=(), **changes
        )

    def start(self, run: Run, attempt: int = 1, environment: tuple[tuple[str, str], ...] = ()) -> None:
        part = "command" if attempt > 0 else "condition" if attempt == 0 else "wait_for"
        self.judge.wishes(Start(1, 0, part, run.job, run.id, attempt, environment))


# --- good lives ---------------------------------------------------------------------------------------------


def test_a_quiet_life_passes() -> None:
    """Due, started, tried again after a failure, done: nothing to say."""
    court = Court("#: name=a retries=1 retry_delay=1m\n0 * * * * a\n")
    court.due("a")
    run = court.run("a", State.STARTING, attempts=(_ONE,))
    court.start(run)
    court.judge.born(f"{run.id}.1")
    run = court.again(run, state=State.RUNNING)
    court.judge.died(f"{run.id}.1")
    run = court.again(run, state=State.WAITING, waits=Wait.RETRY, attempts=(_FAILED,))
    court.after(60)
    run = court.again(run, state=State.STARTING, waits=None, attempts=(_FAILED, Attempt(number=2)))
    court.start(run, 2)
    run = court.again(run, state=State.RUNNING)
    court.end(run, Outcome.SUCCESS, attempts=(_FAILED, Attempt(number=2, exit_code=0)))
    court.after(3000)
    court.judge.looks()
    court.judge.rests()
    assert court.judge.figures["retries"] == 1


def test_a_child_starts_when_its_parents_let_it() -> None:
    """With what the parent left."""
    court = Court("#: name=a-b\n0 * * * * a\n#: name=c depends_on=a-b\n0 * * * * c\n")
    court.due("a-b")
    court.due("c")
    attempt = replace(_ONE, exit_code=0, data=(("x", "1"),))
    run = court.run("a-b", State.STARTING, attempts=(_ONE,))
    court.end(run, Outcome.SUCCESS, attempts=(attempt,))
    parent = Parent("me/a-b", run.id, Outcome.SUCCESS, 0)
    child = court.run("c", State.WAITING, State.STARTING, attempts=(_ONE,), parents=(parent,))
    court.start(child, environment=(("OUT_A_B_X", "1"),))
    assert court.judge.figures["starts with data of parents"] == 1


# --- bad ones -----------------------------------------------------------------------------------------------


def _due_twice(court: Court) -> None:
    court.due("a")
    court.due("a")


def _due_again_under_another_ordinal(court: Court) -> None:
    court.due("a")
    court.due("a", ordinal=1)


def _due_too_early(court: Court) -> None:
    court.due("a", _NOON + 3600)


def _due_for_what_no_schedule_holds(court: Court) -> None:
    court.due("a", _NOON - 60)


def _due_while_disabled(court: Court) -> None:
    court.edit("#: name=a enabled=no\n0 * * * * a\n")
    court.due("a")


def _due_while_paused(court: Court) -> None:
    court.judge.remembers([["pause", "me/a", _NOON - 3600, None, 0, ""]])
    court.due("a")


def _due_before_it_is_alive(court: Court) -> None:
    court.edit("#: name=a starts_at=2026-06-01T12:01\n0 * * * * a\n")
    court.due("a")


def _never_due(court: Court) -> None:
    court.after(3 * 3600)
    court.judge.looks()


def _a_child_never_due(court: Court) -> None:
    court.edit("#: name=a\n@every 1d a\n#: name=b schedule=@after depends_on=a\n0 0 * * * b\n")
    court.after(43200)
    court.due("a", _NOON + 43200)
    court.after(43200 + 2 * 3600)
    court.judge.looks()


def _no_answer(court: Court) -> None:
    court.due("a")
    court.after(7 * 3600)
    court.judge.looks()


def _a_forbidden_arrow(court: Court) -> None:
    court.run("a", State.STARTING, State.DUE)


def _again_without_being_asked(court: Court) -> None:
    court.again(
        court.end(court.run("a", State.DUE), Outcome.SKIPPED, "why"), state=State.WAITING, outcome=None
    )


def _skipped_without_a_reason(court: Court) -> None:
    court.end(court.run("a", State.DUE), Outcome.SKIPPED)


def _stopped_by_nobody(court: Court) -> None:
    court.end(court.run("a", State.STARTING), Outcome.STOPPED)


def _finished_while_it_runs(court: Court) -> None:
    run = court.run("a", State.STARTING, State.RUNNING, attempts=(_ONE,))
    court.judge.born(f"{run.id}.1")
    court.end(run, Outcome.LOST, "gone")


def _a_success_that_is_none(court: Court) -> None:
    court.end(court.run("a", State.STARTING, attempts=(_FAILED,)), Outcome.SUCCESS)


def _a_lost_retry(court: Court) -> None:
    court.edit("#: name=a retries=1\n0 * * * * a\n")
    court.end(court.run("a", State.STARTING, attempts=(_FAILED,)), Outcome.FAILED)


def _too_many_tries(court: Court) -> None:
    court.start(court.run("a", State.STARTING, attempts=(_FAILED, Attempt(number=2))), 2)


def _a_retry_of_what_is_not_retried(court: Court) -> None:
    court.edit("#: name=a retries=1 retry_on=timeout retry_delay=0\n0 * * * * a\n")
    court.start(court.run("a", State.STARTING, attempts=(_FAILED, Attempt(number=2))), 2)


def _a_retry_too_soon(court: Court) -> None:
    court.edit("#: name=a retries=2 retry_delay=1m retry_backoff=2\n0 * * * * a\n")
    court.after(61)
    second = replace(_FAILED, number=2)
    court.start(court.run("a", State.STARTING, attempts=(_FAILED, second, Attempt(number=3))), 3)


def _overlap(court: Court) -> None:
    court.edit("#: name=a concurrency=forbid\n0 * * * * a\n")
    court.run("a", State.STARTING, attempts=(_ONE,))
    court.run("a", State.STARTING, instant=_NOON + 60, attempts=(_ONE,))


def _overlap_with_a_retry(court: Court) -> None:
    court.edit("#: name=a concurrency=queue retries=1\n0 * * * * a\n")
    court.run("a", State.STARTING, State.RUNNING, State.WAITING, attempts=(_FAILED,), waits=Wait.RETRY)
    court.run("a", State.STARTING, instant=_NOON + 60, attempts=(_ONE,))


_POOL = "#: pool p=2\n#: name=a pool=p\n0 * * * * a\n#: name=b pool=p\n0 * * * * b\n"


def _a_slot_twice(court: Court) -> None:
    court.edit(_POOL)
    court.run("a", State.STARTING, pool="me/p", slots=(0,))
    court.run("b", State.STARTING, pool="me/p", slots=(0,))


def _a_slot_too_many(court: Court) -> None:
    court.edit(_POOL)
    court.run("a", State.STARTING, pool="me/p", slots=(2,))


def _a_start_without_its_pool(court: Court) -> None:
    court.edit(_POOL)
    court.start(court.run("a", State.STARTING, attempts=(_ONE,)))


def _slots_of_others(court: Court) -> None:
    court.edit(_POOL)
    run = court.run("a", State.STARTING, attempts=(_ONE,), pool="me/p", slots=(1,))
    court.start(run, environment=(("CRONTABX_POOL_SLOTS", "0"),))


_FAMILY = "#: name=a\n0 * * * * a\n#: name=c depends_on=a\n0 * * * * c\n"


def _a_dependency_ignored(court: Court) -> None:
    court.edit(_FAMILY)
    run = court.run("a", State.STARTING, attempts=(_ONE,))
    court.start(court.run("c", State.STARTING, attempts=(_ONE,), parents=(Parent("me/a", run.id),)))


def _no_parents_at_all(court: Court) -> None:
    court.edit(_FAMILY)
    court.start(court.run("c", State.STARTING, attempts=(_ONE,)))


def _a_parent_that_ended_otherwise(court: Court) -> None:
    court.edit(_FAMILY)
    run = court.run("a", State.STARTING, attempts=(_FAILED,))
    court.end(run, Outcome.FAILED)
    parent = Parent("me/a", run.id, Outcome.SUCCESS, 0)
    court.start(court.run("c", State.STARTING, attempts=(_ONE,), parents=(parent,)))


def _an_older_answer(court: Court) -> None:
    court.edit(_FAMILY)
    run = court.end(court.run("a", State.STARTING, instant=_NOON - 3600), Outcome.SUCCESS)
    court.due("a")
    court.due("c")
    parent = Parent("me/a", run.id, Outcome.SUCCESS, 0)
    court.start(court.run("c", State.STARTING, attempts=(_ONE,), parents=(parent,)))


def _nobody_answers_though_it_was_due(court: Court) -> None:
    court.edit(_FAMILY.replace("depends_on=a", "depends_on=a trigger_rule=all_done"))
    court.due("a")
    parent = Parent("me/a", "", Outcome.SKIPPED, None, "no due yet")
    court.start(court.run("c", State.STARTING, attempts=(_ONE,), parents=(parent,)))


def _a_failure_that_the_parents_do_not_make(court: Court) -> None:
    court.edit(_FAMILY)
    parent = Parent("me/a", "x", Outcome.SKIPPED)
    run = court.run("c", State.WAITING, parents=(parent,))
    court.end(run, Outcome.UPSTREAM_FAILED, "a")


def _a_held_job_starts(court: Court) -> None:
    court.edit("#: name=c depends_on=nobody\n0 * * * * c\n")
    parent = Parent("me/nobody", "", Outcome.SUCCESS)
    court.start(court.run("c", State.STARTING, attempts=(_ONE,), parents=(parent,)))


def _foreign_data(court: Court) -> None:
    court.start(court.run("a", State.STARTING, attempts=(_ONE,)), environment=(("OUT_X_Y", "1"),))


def _a_condition_ignored(court: Court) -> None:
    court.edit("#: name=a condition=false\n0 * * * * a\n")
    court.start(
        court.run("a", State.STARTING, attempts=(Attempt(number=0, part="condition", exit_code=1), _ONE))
    )


def _a_sensor_ignored(court: Court) -> None:
    court.edit("#: name=a wait_for=false\n0 * * * * a\n")
    court.start(
        court.run("a", State.STARTING, attempts=(Attempt(number=-3, part="wait_for", exit_code=1), _ONE))
    )


def _the_past_ignored(court: Court) -> None:
    court.edit("#: name=a depends_on_past\n0 * * * * a\n")
    court.end(court.run("a", State.STARTING, instant=_NOON - 3600), Outcome.FAILED)
    court.start(court.run("a", State.STARTING, attempts=(_ONE,)))


def _a_start_after_its_deadline(court: Court) -> None:
    court.edit("#: name=a start_deadline=1m\n0 * * * * a\n")
    run = court.run("a", State.WAITING)
    court.after(90)
    court.start(court.again(run, state=State.STARTING, attempts=(_ONE,)))


def _a_start_of_nothing(court: Court) -> None:
    court.judge.wishes(Start(1, 0, "command", "a", "nobody", 1))


def _a_start_before_it_is_remembered(court: Court) -> None:
    court.start(court.run("a", State.WAITING))


def _a_start_after_the_end(court: Court) -> None:
    court.start(court.end(court.run("a", State.STARTING, attempts=(_FAILED,)), Outcome.FAILED))


def _another_part(court: Court) -> None:
    run = court.run("a", State.STARTING, attempts=(_ONE,))
    court.judge.wishes(Start(1, 0, "condition", "a", run.id, 1))


def _no_timeout(court: Court) -> None:
    court.edit("#: name=a timeout=1m\n0 * * * * a\n")
    run = court.run("a", State.STARTING, State.RUNNING, attempts=(_ONE,))
    court.after(1)
    court.judge.born(f"{run.id}.1")
    court.after(2000)
    court.judge.looks()


def _a_wait_without_end(court: Court) -> None:
    court.run("a", State.WAITING, waits=Wait.POOL)
    court.judge.tables((), {})
    court.after(LONGEST + 1)
    court.judge.looks()


def _forgotten_too_soon(court: Court) -> None:
    court.judge.remembers([["forget-run", court.run("a", State.WAITING).id]])


def _too_many_remembered(court: Court) -> None:
    for hour in range(KEPT + 1):
        court.end(court.run("a", State.DUE, instant=_NOON - hour * 3600), Outcome.SKIPPED, "why")
    court.judge.check_bounds(10)


def _too_many_records(court: Court) -> None:
    court.judge.check_bounds(1000)


def _a_run_that_is_left(court: Court) -> None:
    court.run("a", State.STARTING)
    court.judge.rests()


def _a_process_that_is_left(court: Court) -> None:
    court.judge.born("x.1")
    court.judge.rests()


BAD: tuple[tuple[Callable[[Court], None], str], ...] = (
    (_due_twice, "planned twice"),
    (_due_again_under_another_ordinal, "the clock was not set back"),
    (_due_too_early, "too early"),
    (_due_for_what_no_schedule_holds, "does not hold"),
    (_due_while_disabled, "not enabled"),
    (_due_while_paused, "while it is paused"),
    (_due_before_it_is_alive, "outside the time"),
    (_never_due, "was never due"),
    (_a_child_never_due, "was never due"),
    (_no_answer, "without an answer"),
    (_a_forbidden_arrow, "-> due"),
    (_again_without_being_asked, "nobody asked for it"),
    (_skipped_without_a_reason, "nothing says why"),
    (_stopped_by_nobody, "nobody wanted that"),
    (_finished_while_it_runs, "is finished while"),
    (_a_success_that_is_none, "by exit 1"),
    (_a_lost_retry, "failed for good at attempt 1 of 2"),
    (_too_many_tries, "of at most 1"),
    (_a_retry_of_what_is_not_retried, "tries again after Attempt"),
    (_a_retry_too_soon, "instead of 120"),
    (_overlap, "2 runs at once"),
    (_overlap_with_a_retry, "2 runs at once"),
    (_a_slot_twice, "used twice"),
    (_a_slot_too_many, "which has 2"),
    (_a_start_without_its_pool, "without its pool"),
    (_slots_of_others, "is given slots 0"),
    (_a_dependency_ignored, "while its parents say"),
    (_no_parents_at_all, "depends on others"),
    (_a_parent_that_ended_otherwise, "ended as failed"),
    (_an_older_answer, "has a later due"),
    (_nobody_answers_though_it_was_due, "answers not"),
    (_a_failure_that_the_parents_do_not_make, "do not make it fail"),
    (_a_held_job_starts, "is held"),
    (_foreign_data, "is given {'OUT_X_Y'"),
    (_a_condition_ignored, "its condition ended with {'condition': 1"),
    (_a_sensor_ignored, "what it waits for ended with {'wait_for': 1"),
    (_the_past_ignored, "the run before it is failed"),
    (_a_start_after_its_deadline, "s late, of 60"),
    (_a_start_of_nothing, "nothing is remembered"),
    (_a_start_before_it_is_remembered, "before it is remembered"),
    (_a_start_after_the_end, "after its end"),
    (_another_part, "is no condition"),
    (_no_timeout, "of 60"),
    (_a_wait_without_end, "never ends"),
    (_forgotten_too_soon, "is forgotten, and waiting"),
    (_too_many_remembered, "are remembered"),
    (_too_many_records, "1000 records"),
    (_a_run_that_is_left, "not at an end"),
    (_a_process_that_is_left, "which run"),
)


@pytest.mark.parametrize(("act", "says"), BAD, ids=[act.__name__.strip("_") for act, _ in BAD])
def test_each_broken_promise_is_noticed(act: Callable[[Court], None], says: str) -> None:
    """One for each check of the judge."""
    court = Court("#: name=a\n0 * * * * a\n")
    with pytest.raises(Broken) as raised:
        act(court)
    assert says in str(raised.value)


# --- what may look like a broken promise --------------------------------------------------------------------


def test_a_clock_that_was_set_back_repeats_instants() -> None:
    """Under another ordinal."""
    court = Court("#: name=a\n0 * * * * a\n")
    court.due("a")
    court.judge.jumped(back_to=_NOON - 600)
    court.due("a", ordinal=1)


def test_limits_that_were_just_lowered_bind_new_runs_only() -> None:
    """Two runs that were allowed go on under a limit of one."""
    court = Court("#: name=a\n0 * * * * a\n")
    court.run("a", State.STARTING)
    court.edit("#: name=a concurrency=forbid\n0 * * * * a\n")
    court.run("a", State.STARTING, instant=_NOON - 3600)


def test_who_runs_again_gets_all_its_attempts_again() -> None:
    """Those that were spent do not count."""
    court = Court("#: name=a\n0 * * * * a\n")
    run = court.end(court.run("a", State.STARTING, attempts=(_FAILED,)), Outcome.FAILED)
    run = court.again(run, state=State.WAITING, by=0, spent=1, outcome=None, want=Want.RUN)
    court.start(court.again(run, state=State.STARTING, attempts=(_FAILED, Attempt(number=2))), 2)


# --- the rules and the reference ----------------------------------------------------------------------------

_RULES: dict[str, dict[tuple[End, ...], str]] = {
    "all_success": {
        ("success", "success"): "run",
        ("success", "running"): "wait",
        ("failed", "running"): "upstream_failed",
        ("failed", "skipped"): "upstream_failed",
        ("skipped", "success"): "skipped",
    },
    "all_failed": {("failed", "upstream_failed"): "run", ("failed", "success"): "skipped"},
    "all_done": {("failed", "skipped"): "run", ("failed", "running"): "wait"},
    "all_skipped": {("skipped", "skipped"): "run", ("skipped", "failed"): "skipped"},
    "one_success": {
        ("success", "running"): "run",
        ("skipped", "skipped"): "skipped",
        ("failed", "skipped"): "upstream_failed",
        ("failed", "running"): "wait",
    },
    "one_failed": {("upstream_failed", "running"): "run", ("success", "skipped"): "skipped"},
    "one_done": {
        ("failed", "running"): "run",
        ("skipped", "skipped"): "skipped",
        ("skipped", "running"): "wait",
    },
    "none_failed": {
        ("skipped", "success"): "run",
        ("skipped", "running"): "wait",
        ("failed", "running"): "upstream_failed",
    },
    "none_failed_min_one_success": {
        ("skipped", "success"): "run",
        ("skipped", "skipped"): "skipped",
        ("failed", "success"): "upstream_failed",
    },
    "none_skipped": {("failed", "success"): "run", ("skipped", "running"): "skipped"},
    "all_done_min_one_success": {
        ("failed", "success"): "run",
        ("skipped", "success"): "skipped",
        ("failed", "failed"): "upstream_failed",
    },
    "always": {("running", "running"): "run"},
}


@pytest.mark.parametrize("rule", TRIGGER_RULES)
def test_trigger_rules(rule: str) -> None:
    """As airflow.md has them; the order of parents is of no matter."""
    for ends, said in _RULES[rule].items():
        assert verdict(rule, ends) == verdict(rule, ends[::-1]) == said, ends


@pytest.mark.parametrize(
    ("want", "outcome", "code", "end"),
    [
        ("success", Outcome.STOPPED, None, "failed"),
        ("success", Outcome.UPSTREAM_FAILED, None, "upstream_failed"),
        ("failed", Outcome.LOST, None, "success"),
        ("failed", Outcome.SUCCESS, 0, "skipped"),
        ("done", Outcome.SKIPPED, None, "success"),
        ("exit", Outcome.FAILED, 10, "success"),
        ("exit", Outcome.SUCCESS, 0, "skipped"),
        ("success", None, None, "running"),
    ],
)
def test_what_counts_as_success_of_one_parent(
    want: str, outcome: Outcome | None, code: int | None, end: End
) -> None:
    """`evaluate:failed`, `:done` and `:exit=10` turn ends into success, and all else into skips."""
    assert end_of(Parent("me/a", "x", outcome, code), Dependency("a", want, 10), late=False) == end


def test_who_is_late_has_failed() -> None:
    """After `depends_timeout`."""
    assert end_of(Parent("me/a", "x"), Dependency("a"), late=True) == "failed"


def test_the_reference_walks_days() -> None:
    """Monday at nine in Seoul is Monday at midnight in UTC."""
    (entry,) = parse_crontab("0,30 9 * * 1 a\n", extensions=True).entries
    found = list(reference.instants(entry, "Asia/Seoul", _NOON - 86400, _NOON + 14 * 86400))
    assert found[:2] == [_NOON - 43200, _NOON - 43200 + 1800]
    assert [later - one for one, later in pairwise(found[::2])] == [7 * 86400.0] * 2
