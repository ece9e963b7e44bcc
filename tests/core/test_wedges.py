"""Nothing can wedge: each way in which a job of a peer never ran again, and what becomes of it here.

The lock is a process that lives, or a retry that waits. What is only written somewhere locks nothing.
"""

from __future__ import annotations

from typing import Any

import pytest

from crond.core.runs import AGENDA_BATCH
from crond.model.messages import NotStarted, Survived, TablesComplete, Vanished
from crond.model.run import Outcome, Run, State
from tests.core.driving import Driver

NOON = 1_772_366_400.0
FORBID = "#: name=job concurrency=forbid\n* * * * * work\n"


def driver_of(text: str) -> Driver:
    driver = Driver(wall=NOON)
    driver.begin(text)
    return driver


def next_start(driver: Driver) -> Any:
    """Let a minute begin; return the only start that it brings."""
    driver.go(60)
    (start,) = driver.starts()
    return start


def ended(driver: Driver) -> list[Run]:
    return [run for run in driver.engine.memory.runs.values() if run.state is State.FINISHED]


def test_forbid_and_a_daemon_that_was_killed() -> None:
    """`forbid` and a restart: the row said running, and the job never ran again."""
    driver = driver_of(FORBID)
    driver.started(next_start(driver))
    driver.restart(life="another")
    assert [run.outcome for run in ended(driver)] == [Outcome.LOST]
    next_start(driver)


def test_forbid_and_a_scheduler_that_was_killed_before_anything_started() -> None:
    """A start was on its way when the scheduler died: asked for again, not held for ever."""
    driver = driver_of(FORBID)
    lost = next_start(driver)
    driver.restart()
    (again,) = driver.starts()
    assert (again.run, again.attempt) == (lost.run, lost.attempt)
    driver.exited(driver.started(again))
    next_start(driver)


def test_forbid_and_a_process_that_lives_on() -> None:
    """It is alive, so it still keeps others out; once it is gone, whatever its status was, they run."""
    driver = driver_of(FORBID)
    key = driver.started(next_start(driver))
    driver.engine = driver._engine(driver.engine.memory)
    driver.life, driver.began = "another", driver.now.wall
    driver.greet()
    driver.edit(FORBID)
    driver.step(Survived(key, 99))
    driver.step(TablesComplete())
    driver.go(60)
    assert driver.starts() == []
    assert [run.reason for run in ended(driver)] == ["the run before it was still alive"]
    driver.step(Vanished(driver.number(), key, driver.now.wall))
    next_start(driver)


@pytest.mark.parametrize("reason", ["exec", "resources", "user", "permission", "chdir", "unknown"])
def test_forbid_and_a_start_that_failed(reason: str) -> None:
    """What never became a process locks nothing."""
    driver = driver_of(FORBID)
    start = next_start(driver)
    driver.step(NotStarted(driver.number(), f"{start.run}.1", driver.now.wall, reason, "no"))
    next_start(driver)


def test_every_skip_says_why() -> None:
    """A job was skipped for days, and nobody could find out what it waited for."""
    driver = driver_of(FORBID)
    driver.started(next_start(driver))
    driver.go(300)
    skipped = ended(driver)
    assert len(skipped) == 5
    assert {run.reason for run in skipped} == {"the run before it was still alive"}


def test_forbid_and_a_retry_that_waits() -> None:
    """The waiting retry counts; once its job left the crontab for a while, the lock is gone."""
    text = FORBID.replace("forbid", "forbid retries=1 retry_delay=90s")
    driver = driver_of(text)
    driver.exited(driver.started(next_start(driver)), 256)
    driver.go(60)
    assert driver.starts() == []
    assert ended(driver)[-1].reason == "the run before it waits to be tried again"
    driver.edit("")
    assert {run.outcome for run in ended(driver)} == {Outcome.SKIPPED}
    driver.edit(text)
    next_start(driver)


def test_slots_of_what_was_lost() -> None:
    """A pool stayed full after a crash: its slots were rows of runs that were no more."""
    text = "#: pool one=1\n#: name=a pool=one\n0 13 * * * a\n#: name=b pool=one\n* * * * * b\n"
    driver = driver_of(text)
    driver.go(3600)
    starts = {start.job: start for start in driver.starts()}
    holder = next(iter(starts.values()))
    driver.started(holder)
    driver.restart(life="another")
    driver.go(1)
    assert driver.starts(), "who waited for the slot has it now"


def test_a_retry_takes_a_slot_as_every_start_does() -> None:
    """Retries went past the limit of a queue."""
    text = (
        "#: pool one=1\n#: defaults pool=one retries=1 retry_delay=1s\n"
        "#: name=a\n* * * * * a\n#: name=b\n* * * * * b\n"
    )
    driver = driver_of(text)
    first = next_start(driver)
    driver.exited(driver.started(first), 256)
    driver.go(0)
    (second,) = driver.starts()
    key = driver.started(second)
    driver.go(5)
    assert driver.starts() == []
    driver.exited(key)
    driver.go(1)
    (retry,) = driver.starts()
    assert (retry.run, retry.attempt) == (first.run, 2)


def test_a_pool_that_nobody_declared() -> None:
    """A job in an unknown pool was queued for ever, in silence."""
    driver = driver_of("#: name=job pool=gpu\n* * * * * work\n")
    driver.go(60)
    assert [run.reason for run in ended(driver)] == ["held: there is no pool 'gpu'"]


def test_a_past_that_failed_ends_each_run_after_it() -> None:
    """`depends_on_past` blocked a task without an end; here each run ends, until it is mended."""
    driver = driver_of("#: name=job depends_on_past\n* * * * * work\n")
    driver.exited(driver.started(next_start(driver)), 256)
    driver.go(120)
    assert driver.starts() == []
    assert [run.outcome for run in ended(driver)] == [
        Outcome.FAILED,
        Outcome.UPSTREAM_FAILED,
        Outcome.UPSTREAM_FAILED,
    ]


def test_a_parent_that_has_failed_is_not_waited_for() -> None:
    """A sensor for another workflow waited until its time-out though that had failed long before."""
    driver = driver_of("#: name=a\n* * * * * a\n#: name=b depends_on=a\n* * * * * b\n")
    driver.exited(driver.started(next_start(driver)), 256)
    assert [run.outcome for run in ended(driver)] == [Outcome.FAILED, Outcome.UPSTREAM_FAILED]


def test_a_parent_that_is_deleted_while_its_child_waits() -> None:
    """An edit of the parent left the child waiting for ever; here it is held at once, and says for whom."""
    driver = driver_of("#: name=a\n* * * * * a\n#: name=b depends_on=a\n* * * * * b\n")
    key = driver.started(next_start(driver))
    driver.edit("#: name=b depends_on=a\n* * * * * b\n")
    assert [(run.job, run.reason) for run in ended(driver)] == [("me/b", "held: there is no job 'a'")]
    driver.exited(key)
    assert len(ended(driver)) == 2


def test_many_facts_at_once() -> None:
    """Hundreds of jobs ended in one turn, and what waited for them was looked at in that turn, all of it: it
    took more than a second, in which nobody's jobs were started.
    """
    lines = (f"#: name=p{n}\n1 12 * * * p\n#: name=c{n} depends_on=p{n}\n1 12 * * * c\n" for n in range(300))
    driver = driver_of("".join(lines))
    driver.go(70)
    keys = [driver.started(start) for start in driver.starts()]
    assert len(keys) == 300
    driver.wake()
    for key in keys:
        driver.exited(key)
    at_once = driver.starts()
    assert 0 < len(at_once) <= AGENDA_BATCH
    assert driver.engine.deadline(driver.now) == 0.0, (
        "the rest is looked at at once, after what is due by then"
    )
    driver.wake()
    assert 0 < len(driver.starts()) <= AGENDA_BATCH
    driver.go(0.0)
    assert {run.state for run in driver.engine.memory.runs.values() if run.job.startswith("me/c")} == {
        State.STARTING
    }
