"""What stands between a run and its next process, gate by gate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crond.core.spread import spread
from crond.model.calendar import BadCalendar
from crond.model.events import MarkRequested, RerunRequested, RunRequested, StopRequested
from crond.model.messages import Exited, Forget, NotStarted, Start, Stop, attempt_key
from crond.model.run import Outcome, State, Wait
from tests.core.driving import Driver

NOON = 1_772_366_400.0
HOUR = 3600.0
FAILED = 0x0100


def driver_of(text: str) -> Driver:
    driver = Driver(wall=NOON)
    driver.begin(text)
    return driver


# --- jitter, deadline -----------------------------------------------------------------------------


def test_jitter_moves_the_start_and_not_the_instant() -> None:
    """The same for a job on a host, whatever the day; a wish does not wait for it."""
    driver = driver_of("#: name=a jitter=10m\n0 * * * * c\n")
    most = spread(600, "", "me/a")
    driver.play(2 * HOUR + 601)
    late = [(run.attempt.started_at or 0) - run.instant for run in driver.runs("a")]
    assert late == [most, most]
    driver.step(RunRequested("me/a", 7))
    assert len(driver.starts()) == 1


@pytest.mark.parametrize(
    ("keys", "waited"),
    [
        ("depends_on=p", "the jobs it depends on"),
        ("wait_for=w wait_interval=7s", "its wait_for"),
        ("jitter=40m", "its jitter"),
        ("concurrency=queue", "another run of it"),
        ("pool=one", "its pool"),
    ],
)
def test_a_run_that_cannot_start_in_time(keys: str, waited: str) -> None:
    """All waits count; the reason says which it was."""
    driver = driver_of(
        f"#: pool one=1\n#: name=p pool=one\n0 * * * * p\n#: name=a start_deadline=5m {keys}\n0 * * * * c\n"
    )
    if "queue" in keys:
        driver.step(RunRequested("me/a", 7))
        driver.started(driver.starts()[0])
    driver.go(HOUR)
    for start in driver.starts():
        driver.end(start, FAILED) if start.part == "wait_for" else driver.started(start)
    driver.go(299)
    assert driver.runs("a")[-1 if "queue" not in keys else 1].outcome is None
    driver.go(2)
    run = next(run for run in driver.runs("a") if run.by is None)
    assert (run.outcome, run.reason) == (
        Outcome.SKIPPED,
        f"it could not start in time; it waited for {waited}",
    )


def test_a_retry_knows_no_deadline() -> None:
    """It counts for the first start alone."""
    driver = driver_of("#: name=a start_deadline=1m retries=1 retry_delay=5m\n0 * * * * c\n")
    assert driver.play(HOUR + 301, a=FAILED) == ["a", "a"]


# --- the job's own past ---------------------------------------------------------------------------

PAST = "#: name=a depends_on_past\n*/10 * * * * c\n"


def test_the_first_run_has_no_past() -> None:
    """It passes; so does each after a success, or a skip."""
    driver = driver_of(PAST.replace("past", "past skip_codes=3"))
    assert driver.play(601) == ["a"]
    assert driver.play(600, a=0x0300) == ["a"]
    assert driver.play(600) == ["a"]


def test_a_failure_stops_all_that_come_after() -> None:
    """Until somebody marks the last of them."""
    driver = driver_of(PAST)
    driver.play(601, a=FAILED)
    assert driver.play(1200) == []
    assert [run.reason for run in driver.runs("a")[1:]] == [
        "its previous run ended as failed",
        "its previous run ended as upstream_failed",
    ]
    driver.step(MarkRequested(driver.last("a").id, 7, Outcome.SUCCESS))
    assert driver.play(600) == ["a"]


def test_a_past_that_goes_on() -> None:
    """It is waited for, at most as long as for parents."""
    driver = driver_of(PAST.replace("past", "past depends_timeout=15m"))
    driver.go(601)
    key = driver.started(driver.starts()[0])
    driver.go(600)
    assert driver.last("a").waits is Wait.PAST
    driver.exited(key)
    assert len(driver.starts()) == 1
    driver.go(1600)
    assert driver.runs("a")[2].reason == "its previous run had not ended in time"


# --- sensor ---------------------------------------------------------------------------------------


def test_a_sensor_is_tried_until_it_succeeds() -> None:
    """At its interval, from start to start, holding nothing in between; then the command starts at once."""
    driver = driver_of("#: name=a wait_for=w wait_interval=90s\n0 * * * * c\n")
    driver.go(HOUR)
    begun = []
    for _ in range(3):
        (start,) = driver.starts()
        begun.append((start.part, start.attempt, driver.now.wall - NOON - HOUR))
        driver.end(start, FAILED, seconds=10)
        driver.go(80)
    assert begun == [("wait_for", -1, 0.0), ("wait_for", -2, 90.0), ("wait_for", -3, 180.0)]
    (start,) = driver.starts()
    assert not driver.run(start).is_active
    driver.end(start)
    (start,) = driver.starts()
    assert (start.part, start.attempt) == ("command", 1)


@pytest.mark.parametrize("in_flight", [True, False])
def test_a_sensor_that_never_succeeds(in_flight: bool) -> None:
    """After `wait_timeout` the run failed; a try that still runs is ended."""
    driver = driver_of("#: name=a wait_for=w wait_timeout=5m wait_interval=10m\n0 * * * * c\n")
    driver.go(HOUR)
    (start,) = driver.starts()
    key = driver.started(start)
    if not in_flight:
        driver.exited(key, FAILED)
    driver.go(301)
    assert driver.run(start).outcome is Outcome.FAILED
    assert driver.run(start).reason == "what it waits for (wait_for) did not come in time"
    assert driver.asked(Stop) == ([Stop(key)] if in_flight else [])
    if in_flight:
        driver.exited(key, 15)
        assert driver.run(start).attempt.ended_at == driver.now.wall


def test_a_sensor_that_cannot_start_is_tried_again() -> None:
    """No shell, no memory: it is a try that did not succeed."""
    driver = driver_of("#: name=a wait_for=w wait_interval=1m\n0 * * * * c\n")
    driver.go(HOUR)
    (start,) = driver.starts()
    driver.step(NotStarted(1, attempt_key(start.run, -1), driver.now.wall, "exec", ""))
    driver.go(61)
    assert [start.attempt for start in driver.starts()] == [-2]


def test_a_scheduler_that_comes_back_while_a_sensor_is_tried() -> None:
    """Under a living launcher it asks again for the try that it may never have sent, and for no other."""
    driver = driver_of("#: name=a wait_for=w\n0 * * * * c\n")
    driver.go(HOUR)
    (start,) = driver.starts()
    driver.restart()
    (again,) = driver.starts()
    assert (again.run, again.attempt) == (start.run, start.attempt)
    driver.started(again)
    driver.restart()
    assert driver.starts() == []
    driver.restart(life="second")
    driver.go(61)
    assert [start.attempt for start in driver.starts()] == [-2]


# --- condition ------------------------------------------------------------------------------------

CONDITION = "#: name=a condition=go retries=1 retry_delay=1m pool=p\n0 * * * * c\n"


def asked() -> tuple[Driver, Start]:
    driver = driver_of("#: pool p=1\n" + CONDITION)
    driver.go(HOUR)
    (start,) = driver.starts()
    assert (start.part, start.attempt, driver.run(start).slots) == ("condition", 0, (0,))
    return driver, start


def test_a_condition_is_asked_once() -> None:
    """After everything else was granted, and not again before a retry; by who runs it again it is."""
    driver, start = asked()
    driver.end(start)
    (start,) = driver.starts()
    assert (start.part, start.attempt) == ("command", 1)
    driver.end(start, FAILED)
    assert driver.play(61) == ["a"]
    assert driver.run(start).outcome is Outcome.SUCCESS
    driver.step(RerunRequested(start.run, 7))
    (start,) = driver.starts()
    assert (start.part, start.attempt) == ("condition", -1)
    driver.end(start)
    (start,) = driver.starts()
    assert (start.part, start.attempt) == ("command", 3)


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (0x0100, Outcome.SKIPPED, "its condition was not met"),
        (0x0200, Outcome.FAILED, "its condition exited with 2"),
        (9, Outcome.FAILED, "its condition was ended by signal 9"),
    ],
)
def test_a_condition_that_is_not_met(status: int, outcome: Outcome, reason: str) -> None:
    """1 skips the run, anything else fails it; neither is tried again, and the slots are free."""
    driver, start = asked()
    driver.end(start, status)
    run = driver.run(start)
    assert (run.outcome, run.reason, run.slots) == (outcome, reason, ())


def test_a_condition_that_takes_too_long() -> None:
    """A minute is what it has."""
    driver, start = asked()
    key = driver.started(start)
    driver.go(61)
    assert driver.asked(Stop) == [Stop(key)]
    driver.exited(key, 15)
    assert driver.run(start).reason == "its condition took longer than 1 minute"


def test_a_condition_that_is_stopped_lost_or_orphaned() -> None:
    """Each ends the run as it would in its command."""
    driver, start = asked()
    key = driver.started(start)
    driver.step(StopRequested(start.run, 7))
    driver.exited(key, 15)
    assert driver.run(start).outcome is Outcome.STOPPED
    driver, start = asked()
    driver.started(start)
    driver.restart(life="second")
    assert (driver.run(start).outcome, driver.run(start).reason) == (Outcome.LOST, "the daemon ended first")
    driver, start = asked()
    key = driver.started(start)
    driver.edit("")
    driver.exited(key)
    assert (driver.run(start).outcome, driver.run(start).reason) == (Outcome.SKIPPED, "gone")


# --- days off, and who is held ---------------------------------------------------------------------


def test_days_off() -> None:
    """Left out on the day as the entry's zone has it; a calendar that cannot be read holds the job."""
    driver = driver_of("#: name=a skip_on=KR timezone=Asia/Seoul\n0 1,23 * * * c\n")

    def day_off(source: str, day: object) -> str | None:
        if source != "KR":
            raise BadCalendar("no such calendar")
        return "a feast" if str(day) == "2026-03-02" else None

    driver.engine.days.days_off = day_off
    driver.play(12 * HOUR)
    assert [run.reason for run in driver.runs("a")] == ["", "2026-03-02 is a day off (KR: a feast)"]
    driver.edit(driver.text.replace("KR", "XX"))
    driver.play(24 * HOUR)
    assert driver.last("a").reason == "held: no such calendar"


def test_a_job_in_a_cycle_is_held_alone() -> None:
    """Its instants are skipped with the reason; who asks for it gets it."""
    driver = driver_of(
        "#: name=a depends_on=b\n0 * * * * a\n#: name=b depends_on=a\n0 * * * * b\n0 * * * * c\n"
    )
    assert len(driver.play(HOUR)) == 1
    assert driver.last("a").reason.startswith("held: these wait for each other: ")
    driver.step(RunRequested("me/a", 7))
    assert [start.job for start in driver.starts()] == ["a"]


def test_reasons_name_who_failed_first() -> None:
    """Along a chain it is told once; of many it is a few."""
    lines = "".join(f"#: name=p{n}\n0 * * * * c\n" for n in range(5))
    driver = driver_of(
        lines + "#: name=c depends_on=p0,p1,p2,p3,p4 trigger_rule=none_failed\n@after c\n"
        "#: name=d depends_on=c\n@after d\n"
        "#: name=e depends_on=p0 trigger_rule=one_success\n@after e\n"
    )
    driver.play(HOUR, **{f"p{n}": FAILED for n in range(5)})
    assert driver.last("d").reason == driver.last("c").reason
    assert driver.last("e").reason == "p0: failed"
    driver.edit(driver.text.replace("one_success", "all_skipped"))
    driver.play(HOUR)
    assert driver.last("e").reason == "the rule all_skipped is not met: p0: success"


# --- clocks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [-7200.0, 7200.0])
def test_a_clock_that_is_set_changes_no_length_of_time(step: float) -> None:
    """A retry's delay, and the time of an attempt, last as long as they do."""
    driver = driver_of("#: name=a retries=1 retry_delay=10m timeout=20m\n0 12 1 4 * c\n")
    driver.step(RunRequested("me/a", 7))
    driver.end(driver.starts()[0], FAILED)
    driver.go(300)
    driver.set_clock(step)
    driver.wake()
    driver.go(290)
    assert driver.starts() == []
    driver.go(20)
    (start,) = driver.starts()
    driver.started(start)
    driver.set_clock(-step)
    driver.wake()
    driver.go(1190)
    assert driver.run(start).state is State.RUNNING
    driver.go(20)
    assert driver.run(start).state is State.STOPPING


def test_a_sleep_of_the_host_is_no_time_of_an_attempt() -> None:
    """The process slept as well; what waits for a moment goes by the wall clock."""
    driver = driver_of(
        "#: name=a timeout=20m\n0 * * * * c\n#: name=b retries=1 retry_delay=30m\n0 * * * * c\n"
    )
    driver.go(HOUR)
    first, second = driver.starts()
    driver.started(first)
    driver.end(second, FAILED)
    driver.now = replace(driver.now, wall=driver.now.wall + 1800, boot=driver.now.boot + 1800)
    driver.wake()
    assert driver.run(first).state is State.RUNNING
    assert [start.attempt for start in driver.starts()] == [2]
    driver.go(1201)
    assert driver.run(first).state is State.STOPPING


def test_an_end_that_came_in_time() -> None:
    """It exited by itself while the wish to end it was on its way: that is no time-out."""
    driver = driver_of("#: name=a timeout=10s fail_on_output\n0 * * * * c\n")
    driver.go(HOUR)
    (start,) = driver.starts()
    key = driver.started(start)
    driver.go(11)
    driver.step(Exited(9, key, driver.now.wall - 2, 0, 0.0, 0.0, 0, 4))
    assert (driver.run(start).outcome, driver.run(start).reason) == (Outcome.FAILED, "it wrote something")
    driver.go(HOUR)
    (start,) = driver.starts()
    key = driver.started(start)
    driver.go(11)
    driver.exited(key, 15)
    assert (driver.run(start).outcome, driver.run(start).reason) == (
        Outcome.TIMED_OUT,
        "it ran longer than 10 seconds",
    )
    assert not driver.asked(Forget)
