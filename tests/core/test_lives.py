"""One program ends and comes back, also in the middle of a write: nothing is lost, doubled or left
hanging.
"""

from __future__ import annotations

import pytest

from crond.model.events import PauseRequested
from crond.model.messages import NotStarted, Retire, Start, Survived, TablesComplete, attempt_key
from crond.model.run import Outcome, State, Trigger, Wait
from tests.core.driving import Driver

NOON = 1_772_366_400.0  # 2026-03-01T12:00:00Z
FORBID = "#: name=a concurrency=forbid\n* * * * * c\n"


def driver_of(text: str, wall: float = NOON) -> Driver:
    driver = Driver(wall=wall)
    driver.begin(text)
    return driver


def test_a_scheduler_that_dies_while_it_is_greeted() -> None:
    """The launcher restarted, then the scheduler died before the tables had come: the life was taken as
    known, and what the life before ran was RUNNING for ever, its job never started again.
    """
    driver = driver_of(FORBID)
    driver.go(60)
    driver.started(driver.starts()[0])
    driver.life, driver.began = "second", driver.now.wall
    driver.engine = driver._engine(driver.engine.memory)
    driver.greet()
    driver.restart()
    assert driver.last("a").outcome is Outcome.LOST
    driver.go(60)
    assert len(driver.starts()) == 1


@pytest.mark.parametrize("text", ["@reboot c\n", "#: name=a catchup=all\n*/10 * * * * c\n", FORBID])
def test_a_new_life_whose_records_are_cut_off_anywhere(text: str) -> None:
    """A write that was torn lost the `@reboot` jobs of that boot, or what had to be made up."""

    def come_back(torn: int | None) -> tuple[Driver, int]:
        driver = driver_of(text)
        driver.play(60)
        driver.wishes.clear()
        held = len(driver.records)
        driver.pass_by(3600)
        driver.restart(life="second", boot="second")
        if torn is not None:
            driver.wishes.clear()  # nothing leaves before all of it is written
            driver.restart(torn=held + torn)
        return driver, len(driver.records) - held

    whole, count = come_back(None)
    began = sorted(whole.play(90))
    for torn in range(count):
        driver, _ = come_back(torn)
        assert sorted(driver.play(90)) == began, torn


def test_a_start_whose_launcher_ended_is_tried_again() -> None:
    """`retry_on=lost` with a run that was STARTING when the launcher ended: the scheduler fell over an
    arrow that there is not, at each of its starts.
    """
    driver = driver_of("#: name=a retries=1 retry_on=lost\n* * * * * c\n")
    driver.go(60)
    driver.starts()
    driver.restart(life="second")
    assert driver.last("a").waits is Wait.RETRY
    driver.go(61)
    assert 2 in [start.attempt for start in driver.starts()]


def test_a_process_that_lives_on_is_no_loss() -> None:
    """What the launcher before started is found by the next one, also where its start was never heard of."""
    driver = driver_of(FORBID)
    driver.go(60)
    (start,) = driver.starts()
    driver.engine = driver._engine(driver.engine.memory)
    driver.life, driver.began = "second", driver.now.wall
    driver.greet()
    driver.edit(driver.text)
    driver.step(Survived(attempt_key(start.run, 1), 17))
    driver.step(TablesComplete())
    assert (driver.run(start).state, driver.run(start).attempt.pid) == (State.RUNNING, 17)


def test_a_stale_try_of_a_run_that_has_ended() -> None:
    """A run was stopped while the start of its `wait_for` was on its way and its table changed: the answer
    "stale" ended it a second time, and the scheduler with it.
    """
    driver = driver_of("#: name=a wait_for=w start_deadline=90s\n* * * * * c\n")
    driver.go(60)
    (start,) = driver.starts()
    driver.edit("")
    assert driver.run(start).outcome is Outcome.SKIPPED
    driver.step(NotStarted(1, attempt_key(start.run, start.attempt), driver.now.wall, "stale", ""))
    assert (driver.run(start).outcome, driver.starts()) == (Outcome.SKIPPED, [])


def test_a_pause_that_ended_while_the_daemon_was_down() -> None:
    """Paused until one, down from noon to three: what was due at two is owed."""
    driver = driver_of("#: name=a catchup=all\n0 * * * * c\n")
    driver.step(PauseRequested("me/a", 7, NOON + 3600))
    driver.pass_by(3 * 3600 + 60)
    driver.restart(life="second")
    assert driver.play(60) == ["a", "a", "a"]
    assert [run.instant for run in driver.runs("a")] == [NOON + hours * 3600 for hours in (1, 2, 3)]


def test_two_starts_of_the_daemon_in_a_row() -> None:
    """The parent missed its time in the first outage, and the second one made that be forgotten: the child
    ran on what yesterday's run had left.
    """
    driver = driver_of("#: name=p\n0 13 * * * p\n#: name=c depends_on=p\n0 15 * * * c\n", NOON - 86400)
    assert driver.play(86400) == ["p", "c"]
    driver.pass_by(4000)
    driver.restart(life="second")
    driver.play(600)
    driver.restart(life="third")
    assert driver.play(4 * 3600) == []
    assert driver.last("c").reason == "p: skipped (it missed its time: the daemon was down)"


def test_a_parent_that_the_host_slept_through() -> None:
    """A suspend of hours is an outage, too: the child must not run on yesterday's answer."""
    driver = driver_of("#: name=p\n0 13 * * * p\n#: name=c depends_on=p\n0 17 * * * c\n", NOON - 86400)
    driver.play(86400)
    driver.pass_by(4 * 3600)
    assert driver.play(2 * 3600) == []
    assert "it missed its time: the host slept" in driver.last("c").reason


def test_an_instant_that_is_over_is_retired_again() -> None:
    """The scheduler died between the record of an `@at` job's end and the wish to retire its line, which then
    stayed for ever.
    """
    driver = driver_of("#: name=a\n@at 2026-03-01T12:01 c\n")
    driver.play(120)
    driver.wishes.clear()
    driver.restart()
    assert driver.asked(Retire) == [Retire(driver.version, 0)]
    assert driver.last("a").trigger is Trigger.SCHEDULE
    assert not [wish for wish in driver.wishes if isinstance(wish, Start)]
