"""The life of runs: who is looked at again when, and what is asked of the launcher meanwhile."""

from __future__ import annotations

from dataclasses import replace

from crond.model.events import MarkRequested, PauseRequested, RerunRequested, RunRequested, StopRequested
from crond.model.messages import Forget, Mail, NotStarted, Stop, attempt_key
from crond.model.run import Outcome, State, Wait
from tests.core.driving import Driver

NOON = 1_772_366_400.0
FAILED = 0x0100


def driver_of(text: str) -> Driver:
    driver = Driver(wall=NOON)
    driver.begin(text)
    return driver


def test_what_replaces_a_pending_retry_starts_at_once() -> None:
    """`replace` dropped the retry that waited, and then waited itself, with nobody left to wake it."""
    driver = driver_of("#: name=a concurrency=replace retries=1 retry_delay=1h\n* * * * * c\n")
    driver.go(60)
    driver.end(driver.starts()[0], FAILED)
    driver.go(60)
    assert driver.runs("a")[0].outcome is Outcome.STOPPED
    assert driver.last("a").state is State.STARTING


def test_a_timed_out_run_that_is_replaced_is_not_tried_again() -> None:
    """It was being ended for its time when the newer one came, was then tried again, and the newer one waited
    for all its retries.
    """
    driver = driver_of("#: name=a concurrency=replace retries=5 timeout=50s\n* * * * * c\n")
    driver.go(60)
    (start,) = driver.starts()
    key = driver.started(start)
    driver.go(60)
    assert driver.run(start).state is State.STOPPING
    assert driver.last("a").waits is Wait.OVERLAP
    driver.exited(key, 15)
    assert (driver.run(start).outcome, driver.run(start).reason) == (
        Outcome.STOPPED,
        "replaced by a newer run",
    )
    driver.wake()
    assert driver.last("a").state is State.STARTING


def test_who_stops_a_run_that_is_being_timed_out_means_it() -> None:
    """The wish came while its time-out was carried out, and the run was tried again."""
    driver = driver_of("#: name=a retries=5 timeout=10s\n0 * * * * c\n")
    driver.step(RunRequested("me/a", 7))
    (start,) = driver.starts()
    key = driver.started(start)
    driver.go(11)
    driver.step(StopRequested(start.run, 7))
    driver.exited(key, 15)
    assert driver.run(start).outcome is Outcome.STOPPED


def test_a_mark_counts_in_every_state() -> None:
    """A run that was being stopped could not be marked any more; one that had not started was `stopped`."""
    driver = driver_of("#: name=a\n0 * * * * c\n")
    driver.step(RunRequested("me/a", 7))
    (start,) = driver.starts()
    driver.step(StopRequested(start.run, 7))
    driver.step(MarkRequested(start.run, 7, Outcome.SUCCESS))
    driver.step(NotStarted(1, attempt_key(start.run, 1), NOON, "stale", ""))
    assert driver.run(start).outcome is Outcome.SUCCESS
    driver.step(MarkRequested(start.run, 8, Outcome.FAILED))
    assert (driver.run(start).outcome, driver.run(start).by) == (Outcome.FAILED, 8)


def test_tries_of_a_sensor_are_forgotten() -> None:
    """The launcher kept each of a sensor's tries for ever: a run remembers only the latest."""
    driver = driver_of("#: name=a wait_for=w wait_interval=10s\n* * * * * c\n")
    driver.play(100, wait_for=FAILED)
    run = driver.runs("a")[0]
    forgotten = [wish.attempt for wish in driver.asked(Forget)]
    assert forgotten[:3] == [attempt_key(run.id, number) for number in (-1, -2, -3)]
    assert attempt_key(run.id, run.attempt.number) not in forgotten


def test_a_sensor_that_is_no_longer_asked_for() -> None:
    """Its line lost the `wait_for` while a try of it ran: that process went on, and its output was mailed."""
    driver = driver_of("#: name=a wait_for=w\n* * * * * c\n")
    driver.go(60)
    key = driver.started(driver.starts()[0])
    driver.edit("#: name=a\n* * * * * c\n")
    assert driver.last("a").state is State.STARTING
    assert driver.asked(Stop) == [Stop(key)]
    driver.exited(key, 15)
    assert (driver.asked(Mail), driver.asked(Forget)) == ([], [Forget(key)])


def test_a_pool_that_goes_away_while_a_retry_waits() -> None:
    """The pool was taken out of the table, and the retry waited for its slots for ever."""
    driver = driver_of("#: pool p=1\n#: name=a pool=p retries=1\n* * * * * c\n")
    driver.go(60)
    driver.end(driver.starts()[0], FAILED)
    driver.edit("#: name=a pool=p retries=1\n* * * * * c\n")
    assert driver.runs("a")[0].reason == "held: there is no pool 'p'"


def test_a_pool_of_the_host_takes_over() -> None:
    """The crontab's own pool went and the host's of that name came in its place: who waited for the old
    one was in no line, and never looked at again.
    """
    driver = Driver(wall=NOON)
    text = "".join(f"#: name={name} pool=p\n1 12 * * * c\n" for name in "abc")
    driver.pools = (("p", "1"),)
    driver.begin("#: pool p=1\n" + text)
    driver.go(60)
    assert [start.job for start in driver.starts()] == ["a"]
    assert driver.last("b").pool == "me/p"
    driver.edit(text)
    (moved,) = driver.starts()
    assert (moved.job, driver.last("b").pool) == ("b", "/p")
    driver.end(moved)
    assert [start.job for start in driver.starts()] == ["c"]


def test_who_leaves_the_line_of_a_pool_lets_the_next_one_pass() -> None:
    """The first in line was kept back by the load of the host, and with it everybody behind, though slots
    were free.
    """
    driver = driver_of(
        "#: pool p=1\n#: name=h pool=p\n1 12 * * * h\n"
        "#: name=a pool=p priority=9 max_load=2\n2 12 * * * a\n#: name=b pool=p\n2 12 * * * b\n"
    )
    driver.go(60)
    (holder,) = driver.starts()
    driver.go(60)
    driver.now = replace(driver.now, load=5.0)
    driver.end(holder)
    driver.wake()
    assert [start.job for start in driver.starts()] == ["b"]
    assert driver.last("a").waits is Wait.LOAD


def test_a_rerun_of_a_job_that_is_gone() -> None:
    """Nothing can run, and the run that succeeded became one that was skipped."""
    driver = driver_of("#: name=a\n* * * * * c\n")
    driver.play(60)
    run = driver.last("a")
    driver.edit("")
    driver.step(RerunRequested(run.id, 7))
    assert driver.last("a") == run


def test_made_up_runs_wait_for_their_turn_whatever_comes() -> None:
    """`catchup=all` with `concurrency=queue`: the first due in time threw all out that waited to be made
    up.
    """
    driver = driver_of("#: name=a catchup=all concurrency=queue\n*/10 * * * * c\n")
    driver.pass_by(3590)
    driver.restart(life="second")
    (first,) = driver.starts()
    driver.started(first)
    driver.go(30)  # 13:00 is due in time
    assert {run.outcome for run in driver.runs("a")} == {None}


def test_a_paused_time_is_paused_however_late_it_is_served() -> None:
    """Paused until five past, and nobody looked until ten past: the minutes of the pause were made up."""
    driver = driver_of("#: name=a\n* * * * * c\n")
    driver.step(PauseRequested("me/a", 7, NOON + 150))
    driver.pass_by(240)
    assert driver.play(59) == ["a", "a"]
    assert [run.instant for run in driver.runs("a")] == [NOON + 180, NOON + 240]
