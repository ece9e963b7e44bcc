"""Which run answers, and what trigger rules make of answers: against a reference that is written
differently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement, product

import pytest

from crond.core.dependencies import Ruling, Verdict, answer_of, as_parent, given_up, rule_on, verdict_of
from crond.core.keeping import KEPT_RUNS
from crond.model.dependency import Dependency
from crond.model.events import PauseRequested, RunRequested
from crond.model.run import FAILURES, Attempt, Outcome, Parent, Run, State, Trigger
from tests.core.driving import Driver

NOON = 1_772_366_400.0  # 2026-03-01T12:00:00Z
HOUR, DAY = 3600.0, 86400.0
S, F, U, K, P = Verdict.SUCCESS, Verdict.FAILED, Verdict.UPSTREAM_FAILED, Verdict.SKIPPED, Verdict.PENDING
ENDS = (S, F, U, K)
GO, SKIP, FAIL = Ruling(True), Ruling(False, Outcome.SKIPPED), Ruling(False, Outcome.UPSTREAM_FAILED)
WAIT = Ruling(None)

#: Airflow's rules as its documentation says them, on parents that have all ended: (what it wants, else).
FINAL: dict[str, Callable[[Sequence[Verdict]], Ruling]] = {
    "all_success": lambda v: FAIL if {F, U} & {*v} else SKIP if K in v else GO,
    "all_failed": lambda v: GO if {*v} <= {F, U} else SKIP,
    "all_done": lambda _v: GO,
    "all_skipped": lambda v: GO if {*v} == {K} else SKIP,
    "one_success": lambda v: GO if S in v else SKIP if {*v} == {K} else FAIL,
    "one_failed": lambda v: GO if {F, U} & {*v} else SKIP,
    "one_done": lambda v: SKIP if {*v} == {K} else GO,
    "none_failed": lambda v: FAIL if {F, U} & {*v} else GO,
    "none_failed_min_one_success": lambda v: FAIL if {F, U} & {*v} else GO if S in v else SKIP,
    "none_skipped": lambda v: SKIP if K in v else GO,
    "all_done_min_one_success": lambda v: SKIP if K in v else GO if S in v else FAIL,
    "always": lambda _v: GO,
}
#: What each may say before all have ended: the ends that decide at once. Failure comes before skip.
AT_ONCE: dict[str, dict[Verdict, Ruling]] = {
    "all_success": {F: FAIL, U: FAIL, K: SKIP},
    "all_failed": {S: SKIP, K: SKIP},
    "all_done": {},
    "all_skipped": {S: SKIP, F: SKIP, U: SKIP},
    "one_success": {S: GO},
    "one_failed": {F: GO, U: GO},
    "one_done": {S: GO, F: GO, U: GO},
    "none_failed": {F: FAIL, U: FAIL},
    "none_failed_min_one_success": {F: FAIL, U: FAIL},
    "none_skipped": {K: SKIP},
    "all_done_min_one_success": {K: SKIP},
    "always": {P: GO},
}


def reference(rule: str, verdicts: Sequence[Verdict]) -> Ruling:
    if P not in verdicts:
        return FINAL[rule](verdicts)
    for one in (F, U, S, K, P):
        if one in verdicts and one in AT_ONCE[rule]:
            return AT_ONCE[rule][one]
    return WAIT


@pytest.mark.parametrize("rule", FINAL)
def test_every_rule_over_every_multiset(rule: str) -> None:
    """Up to three parents, each ended in some way or not yet, in any order."""
    for count in (1, 2, 3):
        for verdicts in product((*ENDS, P), repeat=count):
            assert rule_on(rule, verdicts) == reference(rule, verdicts), verdicts


@pytest.mark.parametrize("rule", FINAL)
def test_what_is_decided_early_stays_decided(rule: str) -> None:
    """However those end that have not: only where a skip decided may a failure still come, and is told
    first.
    """
    for verdicts in combinations_with_replacement((*ENDS, P), 3):
        early = rule_on(rule, verdicts)
        if early.goes is None or P not in verdicts:
            continue
        open_ = verdicts.count(P)
        decided = [one for one in verdicts if one is not P]
        for ends in product(ENDS, repeat=open_):
            late = rule_on(rule, (*decided, *ends))
            assert late == early or (rule == "all_success" and (early, late) == (SKIP, FAIL)), ends


def test_a_rule_over_nobody() -> None:
    """The newest definition names no parent any longer: nothing stands in the way."""
    assert {rule_on(rule, ()) for rule in FINAL} == {GO}


# --- verdicts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", Outcome)
def test_what_a_parents_end_is(outcome: Outcome) -> None:
    """All ways in which the run itself went wrong are one; what it is wanted for may turn it round."""
    parent = Parent("me/p", "run", outcome, 10)
    failed = outcome in FAILURES
    expected = F if failed else Verdict(outcome.value)
    assert verdict_of(parent, Dependency("p")) is expected
    assert verdict_of(parent, Dependency("p", "failed")) is (S if failed else K)
    assert verdict_of(parent, Dependency("p", "done")) is S
    assert verdict_of(parent, Dependency("p", "exit", 10)) is (K if outcome is Outcome.STOPPED else S)
    assert verdict_of(parent, Dependency("p", "exit", 11)) is K


@pytest.mark.parametrize("want", ["success", "failed", "done", "exit"])
def test_a_parent_that_has_not_ended_or_has_no_run(want: str) -> None:
    """One that goes on is waited for; one that has no run to show is a skip, whatever is wanted."""
    assert verdict_of(Parent("me/p", "run"), Dependency("p", want, 0)) is P
    assert verdict_of(Parent("me/p", outcome=Outcome.SKIPPED), Dependency("p", want, 0)) is K


def test_whoever_is_given_up_has_failed() -> None:
    """Nobody waits any longer: those that ended stay as they are."""
    ended = Parent("me/a", "one", Outcome.SUCCESS, 0)
    late = given_up((ended, Parent("me/b", "two")))
    assert late[0] == ended
    assert [verdict_of(one, Dependency("x")) for one in late] == [S, F]


def test_a_run_as_a_parent() -> None:
    """Its exit code is that of its last start; a condition's is none of it."""
    run = Run(id="r", job="me/p", instant=0.0, ordinal=0, trigger=Trigger.SCHEDULE)
    assert as_parent(run) == Parent("me/p", "r")
    condition = Attempt(number=0, part="condition", exit_code=1)
    skipped = run.but(attempts=(condition,)).finish(Outcome.SKIPPED, at=1.0, reason="why")
    assert as_parent(skipped) == Parent("me/p", "r", Outcome.SKIPPED, None, "why")
    tried = (Attempt(number=1, exit_code=3), Attempt(number=2, exit_code=0))
    done = run.but(attempts=tried).finish(Outcome.SUCCESS, at=1.0)
    assert as_parent(done) == Parent("me/p", "r", Outcome.SUCCESS, 0)


# --- which run answers ------------------------------------------------------------------------------


def pair(parent: str, child: str, keys: str = "", more: str = "", *, wall: float = NOON) -> Driver:
    driver = Driver(wall=wall)
    driver.begin(f"#: name=p {more}\n{parent} p\n#: name=c depends_on=p {keys}\n{child} c\n")
    return driver


def answers(driver: Driver) -> list[float | None]:
    """For each run of the child the hours from its instant back to that of its answer."""
    held = driver.engine.memory.runs
    found = [(run.instant, held.get(run.parents[0].run)) for run in driver.runs("c")]
    return [None if one is None else (instant - one.instant) / HOUR for instant, one in found]


@pytest.mark.parametrize(
    ("parent", "child", "hours", "found"),
    [
        ("0 * * * *", "0 * * * *", 3, [0, 0, 0]),  # the same instant
        ("0 18 * * *", "0 * * * *", 9, [None] * 5 + [0, 1, 2, 3]),  # an hourly child of a daily parent
        ("0 * * * *", "0 14 * * *", 3, [0]),  # a daily child of an hourly one
        ("0 13 * * *", "0 14 * * *", 3, [1]),  # an hour ago
        ("0 15 * * *", "0 14 * * *", 27, [None, 23]),  # yesterday's
        ("30 * * * *", "0 * * * *", 3, [0.5, 0.5, 0.5]),
    ],
)
def test_the_latest_due_answers(parent: str, child: str, hours: int, found: list[float | None]) -> None:
    """The parent's latest due at or before the child's own; before its first there is none."""
    driver = pair(parent, child)
    driver.play(hours * HOUR)
    assert answers(driver) == found


def test_a_failure_before_the_answer_does_not_count() -> None:
    """Only the run that answers is asked."""
    driver = pair("*/30 * * * *", "0 * * * *")
    driver.play(1900, p=256)
    assert driver.play(1800) == ["p", "c"]


def test_manual_runs_never_answer() -> None:
    """Somebody tried the parent out: the child still goes by the one that was due."""
    driver = pair("0 * * * *", "30 * * * *")
    driver.play(HOUR, p=256)
    driver.step(RunRequested("me/p", 7))
    assert driver.play(HOUR, p=256)[0] == "p"
    assert {run.outcome for run in driver.runs("c")[1:]} == {Outcome.UPSTREAM_FAILED}


def test_instants_that_come_twice_are_paired() -> None:
    """The clock was set back: the second run of the child goes by the second one of the parent."""
    driver = pair("*/10 * * * *", "*/10 * * * *")
    driver.play(601)
    driver.set_clock(-300)
    driver.play(600)
    children, parents = driver.runs("c"), driver.runs("p")
    assert [run.ordinal for run in children] == [0, 1]
    assert [run.parents[0].run for run in children] == [run.id for run in parents]


@pytest.mark.parametrize(("keys", "reason"), [("", "it is paused"), ("enabled=no", "it is not enabled")])
def test_a_parent_that_is_out_of_service(keys: str, reason: str) -> None:
    """It answers like a skip, and not by what it did before."""
    driver = pair("0 * * * *", "30 * * * *")
    assert driver.play(HOUR + 1800) == ["p", "c"]
    if keys:
        driver.edit(driver.text.replace("name=p ", f"name=p {keys} "))
    else:
        driver.step(PauseRequested("me/p", 7))
    driver.play(HOUR)
    assert (driver.last("c").outcome, driver.last("c").reason) == (Outcome.SKIPPED, f"p: skipped ({reason})")


def test_a_pause_that_is_over() -> None:
    """What fell into it is missing; what came after it counts."""
    driver = pair("0 * * * *", "30 * * * *")
    driver.play(HOUR + 1801)
    driver.step(PauseRequested("me/p", 7, NOON + 2 * HOUR + 600))
    driver.play(2 * HOUR)
    assert [run.reason for run in driver.runs("c")[2:]] == ["p: skipped (it was paused)", ""]


def test_a_parent_whose_leader_is_paused() -> None:
    """An `@after` parent had no due, as the job that it follows was paused: the child ran on yesterday's
    answer.
    """
    driver = Driver(wall=NOON)
    driver.begin(
        "#: name=a\n0 * * * * a\n#: name=b depends_on=a\n@after b\n#: name=c depends_on=b\n0 * * * * c\n"
    )
    assert driver.play(HOUR) == ["a", "b", "c"]
    driver.step(PauseRequested("me/a", 7))
    assert driver.play(HOUR) == []
    assert driver.last("c").reason == "b: skipped (a is paused)"


def test_a_parent_that_goes_away_ends_the_wait() -> None:
    """Its line was renamed while the child waited: the child is held, and nothing waits for ever."""
    driver = pair("0 * * * *", "0 * * * *")
    driver.go(HOUR)
    (start,) = driver.starts()
    driver.edit(driver.text.replace("name=p ", "name=q "))
    assert driver.last("c").reason == "held: there is no job 'p'"
    driver.end(start)
    assert driver.starts() == []


def test_a_parent_that_is_no_longer_asked_for() -> None:
    """Its name was taken out of `depends_on`: the child starts at once."""
    driver = pair("0 * * * *", "0 * * * *")
    driver.go(HOUR)
    driver.starts()
    driver.edit(driver.text.replace("depends_on=p", ""))
    assert [start.job for start in driver.starts()] == ["c"]


def test_an_answer_is_kept_while_it_is_needed() -> None:
    """A parent's runs are forgotten but for the newest; one that a child waits on is not."""
    driver = pair("*/5 * * * *", "0 13 * * *", "condition=go")
    driver.go(HOUR)
    starts = driver.starts()
    for start in starts:
        driver.end(start)
    (condition,) = driver.starts()
    key = driver.started(condition)
    answer = driver.last("c").parents[0].run
    for _ in range(20):
        driver.pass_by(300)
        driver.wake()
        for start in driver.starts():
            driver.end(start)
    assert answer in driver.engine.memory.runs
    assert len(driver.runs("p")) == KEPT_RUNS + 1
    driver.exited(key)
    assert driver.run(condition).state is State.FINISHED
    driver.play(300)
    assert answer not in driver.engine.memory.runs


def test_a_parent_that_takes_too_long() -> None:
    """After `depends_timeout` it counts as failed, and the reason says so."""
    driver = pair("0 * * * *", "0 * * * *", "depends_timeout=10m")
    driver.go(HOUR)
    (start,) = driver.starts()
    driver.started(start)
    driver.go(601)
    assert driver.last("c").outcome is Outcome.UPSTREAM_FAILED
    assert driver.last("c").reason == "p: timed out (it had not ended in time)"


def test_which_due_answers_does_not_hang_on_their_order() -> None:
    """After a clock was set back, an older instant has the newer run; of two at one instant before the
    child's, the later one answers. An outage in which nothing was due excuses nobody.
    """
    driver = Driver(wall=NOON)
    driver.begin("#: name=p\n0 * * * * p\n#: name=c depends_on=p\n30 * * * * c\n")
    memory = driver.engine.memory
    for number, (instant, ordinal) in enumerate(((NOON, 0), (NOON, 1), (NOON - HOUR, 0))):
        run = Run(id=str(number), job="me/p", instant=instant, ordinal=ordinal, trigger=Trigger.SCHEDULE)
        memory.apply(["run", run])
    memory.apply(["outage", NOON + 60, NOON + 120])
    roster = driver.engine.roster
    found = [
        answer_of("me/p", at, 0, memory=memory, roster=roster, due_after=lambda _job, _low: iter(()))
        for at in (NOON, NOON + 1800)
    ]
    assert found == [Parent("me/p", "0"), Parent("me/p", "1")]
