"""Limits: other runs of the job, pools, and the load of the host."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest

from crond.model.events import RunRequested, StopRequested
from crond.model.messages import Start
from crond.model.run import Outcome, Run, State, Wait
from tests.core.driving import Driver

NOON = 1_772_366_400.0
FAILED = 0x0100


def driver_of(text: str) -> Driver:
    driver = Driver(wall=NOON)
    driver.begin(text)
    return driver


# --- overlap --------------------------------------------------------------------------------------


def _started(driver: Driver, start: Start) -> None:
    driver.started(start)


def _stopping(driver: Driver, start: Start) -> None:
    driver.started(start)
    driver.step(StopRequested(start.run, 7))


def _retrying(driver: Driver, start: Start) -> None:
    driver.end(start, FAILED)


def _asked(_driver: Driver, _start: Start) -> None:
    """Its start is on its way."""


def _ended(driver: Driver, start: Start) -> None:
    driver.end(start)


ACTIVE = [_asked, _started, _stopping, _retrying]


@pytest.mark.parametrize("most", [1, 2])
@pytest.mark.parametrize("brought", [*ACTIVE, _ended])
@pytest.mark.parametrize("policy", ["allow", "forbid", "replace", "queue"])
def test_one_more_run(policy: str, most: int, brought: object) -> None:
    """What the next due does while as many as may are in each state of being active."""
    driver = driver_of(
        f"#: name=a concurrency={policy} max_instances={most} retries=1 retry_delay=1h\n* * * * * c\n"
    )
    for _ in range(most):
        driver.go(60)
        (start,) = driver.starts()
        brought(driver, start)  # type: ignore[operator]
    driver.go(60)
    new, others = driver.last("a"), driver.runs("a")[:-1]
    goes = policy == "allow" or brought is _ended or (policy == "replace" and brought is _retrying)
    if goes:
        assert new.state is State.STARTING
    elif policy == "forbid":
        assert new.outcome is Outcome.SKIPPED
    else:
        assert (new.state, new.waits) == (State.WAITING, Wait.OVERLAP)
    if policy == "replace" and brought is not _ended:
        gone = others[0]
        assert gone.outcome is Outcome.STOPPED if brought is _retrying else gone.state is State.STOPPING
        assert [run.state for run in others[1:]] != [State.FINISHED]
    elif brought in (_asked, _started, _retrying):
        assert {run.outcome for run in others} == {None}


@pytest.mark.parametrize("policy", ["queue", "replace"])
def test_the_newest_takes_the_place_of_who_waits(policy: str) -> None:
    """One waits; the loser is skipped, and says why."""
    driver = driver_of(f"#: name=a concurrency={policy}\n* * * * * c\n")
    driver.go(60)
    key = driver.started(driver.starts()[0])
    driver.go(180)
    assert [run.reason for run in driver.runs("a")[1:]] == ["a newer run took its place"] * 2 + [""]
    driver.exited(key, 0 if policy == "queue" else 15)
    assert [driver.run(start) for start in driver.starts()] == [driver.last("a")]


def test_what_somebody_asked_for_keeps_its_place() -> None:
    """A manual run waits in the queue however many dues come after it."""
    driver = driver_of("#: name=a concurrency=queue\n* * * * * c\n")
    driver.go(60)
    key = driver.started(driver.starts()[0])
    driver.step(RunRequested("me/a", 7))
    driver.go(120)
    driver.exited(key)
    (start,) = driver.starts()
    assert driver.run(start).by == 7
    driver.end(start)
    assert driver.run(driver.starts()[0]).by is None


@pytest.mark.parametrize(
    ("most", "how", "reason"),
    [
        (1, _started, "the run before it was still alive"),
        (1, _retrying, "the run before it waits to be tried again"),
        (2, _started, "2 runs before it had not ended"),
    ],
)
def test_why_one_is_left_out(most: int, how: object, reason: str) -> None:
    """The reason says what stood in the way."""
    driver = driver_of(
        f"#: name=a concurrency=forbid max_instances={most} retries=1 retry_delay=1h\n* * * * * c\n"
    )
    for _ in range(most):
        driver.go(60)
        how(driver, driver.starts()[0])  # type: ignore[operator]
    driver.go(60)
    assert driver.last("a").reason == reason


# --- pools ----------------------------------------------------------------------------------------


def test_slots_have_numbers() -> None:
    """The lowest that are free, told to the job; none is held twice."""
    lines = "".join(f"#: name=a{n} pool=gpu pool_slots={1 + n % 2}\n1 12 * * * c\n" for n in range(4))
    driver = driver_of("#: pool gpu=3\n" + lines)
    driver.go(60)
    first = driver.starts()
    assert [dict(start.environment)["CRONTABX_POOL_SLOTS"] for start in first] == ["0", "1,2"]
    driver.end(first[1])
    assert [dict(start.environment)["CRONTABX_POOL_SLOTS"] for start in driver.starts()] == ["1"]


def test_small_ones_never_keep_a_large_one_out() -> None:
    """It needs all slots, and two small ones a minute always held one of them."""
    driver = driver_of(
        "#: pool p=2\n#: name=big pool=p pool_slots=2\n3 12 * * * big\n"
        "#: name=a pool=p\n* * * * * a\n#: name=b pool=p\n* * * * * b\n"
    )
    running: list[Start] = []
    order: list[str] = []
    for _ in range(8):
        driver.go(60)
        for start in running:
            driver.end(start)
        driver.wake()
        running = driver.starts()
        order += [start.job for start in running]
    assert "big" in order[:9]


def test_who_goes_first() -> None:
    """The higher priority, then the earlier instant."""
    lines = "".join(f"#: name={name} pool=p priority={n}\n{m} 12 * * * c\n" for name, n, m in WANTING)
    driver = driver_of("#: pool p=1\n#: name=x pool=p\n1 12 * * * x\n" + lines)
    driver.go(300)
    order: list[str] = []
    while starts := driver.starts():
        (start,) = starts
        order.append(start.job)
        driver.end(start)
        driver.wake()
    assert order == ["x", "high", "early", "late", "low"]


WANTING = [("low", -1, 2), ("late", 0, 3), ("early", 0, 2), ("high", 5, 4)]


def test_a_pool_that_was_made_smaller() -> None:
    """Its slots 1 and 2 are held, and it has one left: nothing more starts before they are free."""
    lines = "".join(f"#: name=a{n} pool=p\n{1 + n // 3} 12 * * * c\n" for n in range(4))
    driver = driver_of("#: pool p=3\n" + lines)
    driver.go(60)
    first = driver.starts()
    driver.end(first[0])
    driver.edit("#: pool p=1\n" + lines)
    driver.go(60)
    assert driver.starts() == []
    driver.end(first[1])
    assert driver.starts() == []
    driver.end(first[2])
    assert [start.job for start in driver.starts()] == ["a3"]


def test_a_retry_gives_its_slots_away_while_it_waits() -> None:
    """And stands in line again when its delay is over."""
    driver = driver_of(
        "#: pool p=1\n#: name=a pool=p retries=1\n1 12 * * * a\n#: name=b pool=p\n1 12 * * * b\n"
    )
    driver.go(60)
    driver.end(driver.starts()[0], FAILED)
    (other,) = driver.starts()
    assert other.job == "b"
    driver.go(90)
    assert driver.last("a").waits is Wait.POOL
    driver.end(other)
    (again,) = driver.starts()
    assert (again.job, again.attempt) == ("a", 2)


@pytest.mark.parametrize(
    ("pool", "reason"),
    [("", "there is no pool 'p'"), ("#: pool p=1\n", "it takes 2 slots, and the pool '/p' has 1")],
)
def test_a_pool_that_can_never_serve(pool: str, reason: str) -> None:
    """Held, also when somebody asks for it: it would wait for ever."""
    driver = driver_of(pool + "#: name=a pool=p pool_slots=2\n* * * * * c\n")
    driver.go(60)
    driver.step(RunRequested("me/a", 7))
    assert {run.reason.replace("me/p", "/p") for run in driver.runs("a")} == {f"held: {reason}"}


@pytest.mark.parametrize("seed", range(6))
def test_slots_are_never_doubled_nor_lost(seed: int) -> None:
    """Whatever comes and goes in whatever order: sums are kept, and in the end all is free and all has
    run.
    """
    draw = random.Random(seed)
    names = [f"a{n}" for n in range(8)]
    lines = "".join(
        f"#: name={name} pool=p pool_slots={draw.randint(1, 3)} priority={draw.randint(0, 2)} "
        f"retries={draw.randint(0, 2)} retry_delay={draw.randint(1, 90)}s "
        f"concurrency={draw.choice(['forbid', 'queue', 'replace', 'allow'])}\n"
        f"*/{draw.randint(1, 3)} * * * * c\n"
        for name in names
    )
    driver = driver_of("#: pool p=4\n" + lines)
    running: list[Start] = []
    for turn in range(120):
        driver.go(draw.choice([5, 20, 60]))
        running += driver.starts()
        for start in draw.sample(running, min(len(running), draw.randint(0, 3))):
            running.remove(start)
            driver.end(start, draw.choice([0, FAILED]))
        if turn == 60:
            driver.restart()
            running = list({one.run: one for one in running + driver.starts()}.values())
        held = [slot for run in driver.engine.memory.runs.values() for slot in run.slots]
        assert sorted(held) == sorted(set(held))
        assert all(0 <= slot < 4 for slot in held)
    driver.edit("#: pool p=4\n" + lines.replace("*/", "1-1/"))
    for _ in range(400):
        for start in [*running, *driver.starts()]:
            if driver.run(start).state in (State.STARTING, State.RUNNING, State.STOPPING):
                driver.end(start)
        running = []
        driver.go(30)
    assert not [run for run in driver.engine.memory.runs.values() if run.waits is Wait.POOL]


# --- load -----------------------------------------------------------------------------------------


def test_a_busy_host_is_waited_for() -> None:
    """Looked at each ten seconds; a start_deadline bounds it."""
    driver = driver_of(
        "#: name=a max_load=2 start_deadline=5m\n0 * * * * c\n#: name=b max_load=9\n0 * * * * c\n"
    )
    driver.now = replace(driver.now, load=2.0)
    driver.go(3600)
    assert [start.job for start in driver.starts()] == ["b"]
    driver.go(60)
    assert driver.last("a").waits is Wait.LOAD
    driver.now = replace(driver.now, load=1.9)
    driver.go(10)
    assert [start.job for start in driver.starts()] == ["a"]
    driver.now = replace(driver.now, load=3.0)
    driver.go(3600)
    driver.go(300)
    assert driver.last("a").reason == "it could not start in time; it waited for a lower load"


def test_no_two_are_started_for_one_due() -> None:
    """Looking again and again at what waits changes nothing: the same run, one start."""
    driver = driver_of("#: name=a concurrency=queue\n* * * * * c\n")
    driver.go(60)
    key = driver.started(driver.starts()[0])
    driver.go(60)
    for _ in range(5):
        driver.edit(driver.text)
        driver.wake()
    driver.exited(key)
    driver.wake()
    driver.edit(driver.text)
    starts: list[Start] = driver.starts()
    assert len(starts) == 1
    runs: list[Run] = driver.runs("a")
    assert all(one.instant < two.instant for one, two in pairwise(runs))
