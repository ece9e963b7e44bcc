"""What people ask: to run now, with what follows; again; for a time that was; to count as."""

from __future__ import annotations

import pytest

from crond.core.requests import MOST_ASKED
from crond.core.runs import AGENDA_BATCH
from crond.model.crontab import parse_crontab
from crond.model.events import (
    BackfillRequested,
    MarkRequested,
    RerunRequested,
    RunRequested,
    StopRequested,
    TableParsed,
)
from crond.model.messages import Stop
from crond.model.run import Outcome, Run, State, Trigger, Wait
from tests.core.driving import Driver

NOON = 1_772_366_400.0
HOUR = 3600.0
FAILED = 0x0100
#: a -> b, c -> d; b is free of the rest.
DIAMOND = (
    "#: name=a\n0 * * * * a\n#: name=b depends_on=a\n0 * * * * b\n#: name=c depends_on=a\n0 * * * * c\n"
    "#: name=d depends_on=b,c trigger_rule=none_failed\n0 * * * * d\n"
)


def driver_of(text: str) -> Driver:
    driver = Driver(wall=NOON)
    driver.begin(text)
    return driver


# --- run ------------------------------------------------------------------------------------------


def test_a_job_runs_alone() -> None:
    """Whatever it depends on, and nobody after it; two wishes at one reading are two runs."""
    driver = driver_of(DIAMOND)
    driver.step(RunRequested("me/b", 7, (("LR", "0.1"),)))
    driver.step(RunRequested("me/b", 8))
    assert driver.play(60) == ["b", "b"]
    assert [(run.by, run.ordinal, run.environment) for run in driver.runs("b")] == [
        (7, 0, (("LR", "0.1"),)),
        (8, 1, ()),
    ]


def test_what_follows_it_runs_after_it() -> None:
    """All its descendants, once each, for that moment, by their own rules."""
    driver = driver_of(DIAMOND)
    driver.step(RunRequested("me/a", 7, downstream=True))
    assert [driver.last(name).waits for name in "bcd"] == [Wait.DEPENDENCIES] * 3
    assert driver.play(60, c=FAILED) == ["a", "b", "c"]
    assert driver.last("d").outcome is Outcome.UPSTREAM_FAILED
    assert {run.follows for run in map(driver.last, "bcd")} == {driver.last("a").id}


def test_a_parent_that_is_not_among_them_answers_by_its_time() -> None:
    """`c` is not asked for: its latest due answers for `d`."""
    driver = driver_of(DIAMOND)
    driver.play(HOUR)
    driver.step(RunRequested("me/b", 7, downstream=True))
    assert driver.play(60) == ["b", "d"]
    assert driver.last("d").parents[1].run == driver.last("c").id


def test_a_root_that_ends_at_once() -> None:
    """Its pool is too small: those after it are told in the same step."""
    driver = driver_of("#: name=a pool=missing\n0 * * * * a\n#: name=b depends_on=a\n0 * * * * b\n")
    driver.step(RunRequested("me/a", 7, downstream=True))
    assert driver.last("b").outcome is Outcome.SKIPPED


def test_a_job_that_there_is_not() -> None:
    """It went between the question and the step."""
    driver = driver_of(DIAMOND)
    driver.step(RunRequested("me/nobody", 7))
    assert driver.last("nobody").reason == "gone"


def test_times_that_were() -> None:
    """Each its own run, one after the other; the same twice is two."""
    driver = driver_of("#: name=a concurrency=forbid\n0 * * * * a\n")
    for instant in (NOON - HOUR, NOON - 2 * HOUR, NOON - HOUR):
        driver.step(BackfillRequested("me/a", 7, instant))
    assert [run.waits for run in driver.runs("a")].count(Wait.OVERLAP) == 2
    assert driver.play(1) == ["a"] * 3
    assert [(run.instant, run.ordinal, run.trigger, run.outcome) for run in driver.runs("a")] == [
        (NOON - 2 * HOUR, 0, Trigger.BACKFILL, Outcome.SUCCESS),
        (NOON - HOUR, 0, Trigger.BACKFILL, Outcome.SUCCESS),
        (NOON - HOUR, 1, Trigger.BACKFILL, Outcome.SUCCESS),
    ]


# --- many wishes ----------------------------------------------------------------------------------

#: A chain of 20, and 20 that wait for themselves, after its first.
MANY = "#: name=r0\n0 * * * * r\n" + "".join(
    f"#: name=r{n} depends_on=r{n - 1}\n0 * * * * r\n"
    f"#: name=q{n} depends_on=r0 concurrency=queue\n0 * * * * q\n"
    for n in range(1, 21)
)


def two_owners(text: str) -> Driver:
    """`me` has `text`, `other` a job each second, and one that is never due."""
    driver = driver_of(text)
    table = parse_crontab("#: name=often\n@every 1s o\n#: name=never\n0 0 31 2 * n\n", extensions=True)
    driver.step(TableParsed(99, "theirs", "other", 8, table))
    return driver


def test_who_asks_without_pause_makes_only_himself_late() -> None:
    """A colleague asked for his pipeline again and again, and what others had due or asked for came seconds
    later: all of it stood behind hundreds of his runs.
    """
    driver = two_owners(MANY)
    for _ in range(20):
        driver.step(RunRequested("me/r0", 7, downstream=True))
    driver.step(RunRequested("other/never", 8))
    begun = driver.starts()
    assert 0 < len(begun) <= AGENDA_BATCH, "not all at once"
    driver.pass_by(1)
    driver.wake()
    later = driver.starts()
    assert {"often", "never"} <= {start.job for start in later[:4]}
    for start in (*begun, *later):
        driver.end(start)
    driver.play(60)
    assert {run.outcome for run in driver.engine.memory.runs.values()} == {Outcome.SUCCESS}


def test_wishes_that_wait_for_their_turn_outlive_a_restart() -> None:
    """They were answered: none may be lost with the scheduler, nor with the daemon."""
    driver = driver_of("#: name=a\n0 * * * * a\n")
    for _ in range(3 * AGENDA_BATCH):
        driver.step(RunRequested("me/a", 7))
    assert {run.state for run in driver.runs("a")} == {State.STARTING, State.DUE}
    driver.starts()
    driver.restart()
    assert driver.play(10).count("a") == 3 * AGENDA_BATCH
    for _ in range(3 * AGENDA_BATCH):
        driver.step(RunRequested("me/a", 7))
    due = sum(run.state is State.DUE for run in driver.runs("a"))
    driver.starts()
    driver.restart(life="another")
    assert driver.play(10).count("a") == due > 0


def test_how_many_may_be_asked_for() -> None:
    """So many of an owner's, whoever asks; others may ask, and there is room again as they end."""
    driver = two_owners(MANY)
    wish = RunRequested("me/r0", 7, downstream=True)
    asked = 0
    while not driver.engine.crowd_of(wish):
        driver.step(wish)
        asked += 41
    assert MOST_ASKED - 41 < asked <= MOST_ASKED
    told = driver.engine.crowd_of(wish)
    assert told.startswith(f"me may have {MOST_ASKED} unfinished runs that were asked for, has {asked}")
    assert "asks for 41 more" in told
    for _ in range(MOST_ASKED - asked):
        driver.step(BackfillRequested("me/r1", 0, NOON - HOUR))
    for another in (RunRequested("me/r2", 0), BackfillRequested("me/r1", 7, NOON - HOUR)):
        assert driver.engine.crowd_of(another)
    assert not driver.engine.crowd_of(RunRequested("other/often", 8))
    driver.play(60)
    assert not driver.engine.crowd_of(wish)


def test_running_again_counts_as_well() -> None:
    """Each of the runs that a rerun brings back is one more."""
    driver = driver_of(DIAMOND)
    driver.play(HOUR)
    again = RerunRequested(driver.last("a").id, 7, downstream=True)
    for _ in range(MOST_ASKED - 3):
        driver.step(BackfillRequested("me/a", 7, NOON - HOUR))
    assert "asks for 4 more" in driver.engine.crowd_of(again)
    assert not driver.engine.crowd_of(RerunRequested(again.run, 7))


def test_asking_for_the_same_time_does_not_search_all_that_were_asked_for() -> None:
    """Every further wish for one instant walked past all before it, to find a number for itself."""
    driver = driver_of("#: name=a\n0 * * * * a\n")
    for count in range(200):
        driver.step(BackfillRequested("me/a", 7, NOON - HOUR))
        assert driver.engine._ledger.siblings.asked_for("me/a", NOON - HOUR, Trigger.BACKFILL) == count + 1
    assert [run.ordinal for run in driver.runs("a")] == list(range(200))


# --- again ----------------------------------------------------------------------------------------


def test_a_run_again() -> None:
    """The same run: its attempts go on counting, and its retries begin anew."""
    driver = driver_of("#: name=a retries=1 retry_delay=1m\n0 * * * * a\n")
    driver.play(HOUR + 61, a=FAILED)
    run = driver.last("a")
    assert (run.outcome, run.starts, run.spent) == (Outcome.FAILED, 2, 0)
    driver.step(RerunRequested(run.id, 7))
    driver.step(RerunRequested(run.id, 7))  # it is no longer finished
    assert driver.play(61, a=FAILED) == ["a", "a"]
    run = driver.last("a")
    assert (run.outcome, run.starts, run.spent, run.by) == (Outcome.FAILED, 4, 2, 7)
    driver.step(RerunRequested("nobody", 7))


@pytest.mark.parametrize(
    ("downstream", "failed", "again"),
    [(False, False, ["a"]), (True, False, ["a", "b", "c", "d"]), (True, True, ["a", "c", "d"])],
)
def test_who_runs_again_with_it(downstream: bool, failed: bool, again: list[str]) -> None:
    """Those that it answered for, and theirs; of them, if asked so, what did not succeed."""
    driver = driver_of(DIAMOND)
    driver.play(HOUR, c=FAILED)
    driver.step(RerunRequested(driver.last("a").id, 7, downstream=downstream, failed=failed))
    assert driver.play(60) == again
    assert all(len(driver.runs(name)) == 1 for name in "abcd")


# --- count as, stop --------------------------------------------------------------------------------


def waiting() -> tuple[Driver, Run]:
    driver = driver_of(DIAMOND)
    driver.go(HOUR)
    return driver, driver.last("b")


def starting() -> tuple[Driver, Run]:
    driver = driver_of(DIAMOND)
    driver.go(HOUR)
    return driver, driver.run(driver.starts()[0])


def running() -> tuple[Driver, Run]:
    driver, _ = starting()
    driver.step(RunRequested("me/a", 7))
    (start,) = driver.starts()
    driver.started(start)
    return driver, driver.run(start)


@pytest.mark.parametrize("outcome", [Outcome.SUCCESS, Outcome.FAILED])
@pytest.mark.parametrize("state", [waiting, starting, running])
def test_a_run_counts_as(state: object, outcome: Outcome) -> None:
    """What runs is ended first; who waits for it is told."""
    driver, run = state()  # type: ignore[operator]
    driver.step(MarkRequested(run.id, 9, outcome))
    marked = driver.engine.memory.runs[run.id]
    if run.state is not State.WAITING:
        assert marked.state is State.STOPPING
        key = f"{run.id}.1"
        assert driver.asked(Stop)[-1] == Stop(key)
        driver.exited(key, 15)
        marked = driver.engine.memory.runs[run.id]
    assert (marked.outcome, marked.reason) == (outcome, "marked")


def test_a_finished_run_counts_as() -> None:
    """Whoever still waits for another parent sees it as it is now."""
    driver = driver_of(DIAMOND)
    driver.go(HOUR)
    driver.end(driver.starts()[0])
    first, second = driver.starts()
    driver.end(first, FAILED)
    assert driver.last("d").outcome is Outcome.UPSTREAM_FAILED
    driver.step(MarkRequested(first.run, 9, Outcome.SUCCESS))
    assert (driver.run(first).outcome, driver.run(first).reason) == (Outcome.SUCCESS, "marked by uid 9")
    driver.step(MarkRequested("nobody", 9, Outcome.SUCCESS))
    driver.step(StopRequested("nobody", 9))
    driver.step(StopRequested(first.run, 9))
    assert driver.run(first).outcome is Outcome.SUCCESS
    driver.end(second)


def test_a_wait_is_stopped_with_its_reason() -> None:
    """What it waited for is said."""
    driver, run = waiting()
    driver.step(StopRequested(run.id, 9))
    ended = driver.engine.memory.runs[run.id]
    assert (ended.outcome, ended.reason) == (
        Outcome.STOPPED,
        "stopped while it waited for the jobs it depends on",
    )


def test_what_others_have_follows_for_nobody_else() -> None:
    """Root's job may depend on a user's, who must not start it by that: neither by `run` with all that
    follows nor by running again.
    """
    driver = driver_of("#: name=a\n0 * * * * a\n")
    others = parse_crontab("#: name=x depends_on=me/a\n0 * * * * x\n", extensions=True, privileged=True)
    driver.step(TableParsed(9, "other", "root", 0, others))
    assert driver.engine.roster.graph.children == {"me/a": ("root/x",)}
    assert driver.play(HOUR) == ["a", "x"]
    driver.step(RunRequested("me/a", 7, downstream=True))
    assert driver.play(60) == ["a"]
    due = next(run for run in driver.runs("a") if run.by is None)
    driver.step(RerunRequested(due.id, 7, downstream=True))
    assert driver.play(60) == ["a"]
