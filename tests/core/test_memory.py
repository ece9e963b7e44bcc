"""What is remembered comes back as it was, and what is no longer needed goes."""

from __future__ import annotations

import pytest

from crond.core.keeping import KEPT_AFTER_GONE
from crond.core.memory import KEPT_OUTAGES, Memory
from crond.core.surroundings import LEFT_LIMIT
from crond.core.waits import Waits
from crond.model.codec import encode
from crond.model.events import PauseRequested, ResumeRequested, RunRequested
from crond.model.frames import SMALL_FRAME
from crond.model.messages import DATA_LIMIT, Exited
from crond.model.run import Attempt, Run, State, Trigger, Wait
from tests.core.driving import Driver, contents, rebuilt

NOON = 1_772_366_400.0
DAY = 86400.0
EVERYTHING = (
    "#: pool p=1\n#: name=a pool=p catchup=latest retries=1\n*/7 * * * * c\n"
    "#: name=b depends_on=a pool=p\n@after c\n"
    "#: name=w wait_for=x\n*/5 * * * * c\n#: name=o jitter=5m condition=y\n*/9 * * * * c\n"
)


def test_a_memory_that_is_written_anew_is_the_same() -> None:
    """All that an annotated day leaves: waits, slots, parents, pauses, outages, successes."""
    driver = Driver(wall=NOON)
    driver.begin(EVERYTHING)
    driver.play(3600, a=256)
    driver.step(PauseRequested("me/o", 7, None, "why"))
    driver.pass_by(7200)
    driver.restart(life="second")
    driver.play(1800)
    driver.go(400)
    memory = driver.engine.memory
    assert memory.outages
    assert memory.seen
    assert memory.successes
    assert memory.pauses
    assert contents(rebuilt(list(memory.records()))) == contents(memory)
    assert contents(rebuilt(driver.records)) == contents(memory)
    twice = [record for record in driver.records for _ in range(2)]
    assert contents(rebuilt(twice)) == contents(memory)


def test_outages_are_few() -> None:
    """The latest ones, each once."""
    memory = Memory()
    assert memory.outages == []
    for number in range(20):
        memory.apply(["outage", float(number), number + 0.5])
        memory.apply(["outage", float(number), number + 0.5])
    assert [one.began for one in memory.outages] == [float(n) for n in range(20 - KEPT_OUTAGES, 20)]


def test_a_job_that_was_never_due_is_forgotten() -> None:
    """Pauses, successes and first sights of jobs whose names somebody keeps changing stayed for ever."""
    driver = Driver(wall=NOON)
    driver.begin("* * * * * c\n")
    for number in range(5):
        driver.edit(f"* * * * * c\n#: name=a{number} catchup=all\n0 0 1 1 * c\n")
        driver.step(PauseRequested(f"me/a{number}", 7))
        driver.step(ResumeRequested(f"me/a{number}", 7))
        driver.step(RunRequested(f"me/a{number}", 7))
        driver.play(1)
    driver.edit("* * * * * c\n")
    driver.play(KEPT_AFTER_GONE + 7300)
    memory = driver.engine.memory
    assert (memory.pauses, memory.seen) == ({}, {})
    assert list(memory.successes) == list(memory.answered) == list(driver.engine.jobs)


def test_a_week_of_everything_stays_small() -> None:
    """What is held does not grow with time: runs, timers, lines of pools, children."""
    driver = Driver(wall=NOON)
    driver.begin(EVERYTHING.replace("retries=1", "retries=1 timeout=3d max_load=5"))
    sizes = []
    for _ in range(3):
        driver.play(DAY / 2)
        waits = driver.engine._ledger.waits
        sizes.append((len(driver.engine.memory.runs), len(waits._timers), len(waits._children)))
        assert len(waits.waiting) <= 1  # for its jitter
    assert max(runs for runs, _, _ in sizes) <= 45
    assert max(timers for _, timers, _ in sizes) <= 400
    assert sizes[-1][2] <= 4


@pytest.mark.parametrize("kind", ["timers", "pool"])
def test_heaps_are_swept(kind: str) -> None:
    """What no longer means anything was kept until it came to the top, which may be never."""
    run = Run(id="r", job="me/a", instant=0.0, ordinal=0, trigger=Trigger.SCHEDULE)
    run = run.but(state=State.WAITING, waits=Wait.POOL, pool="p", until=1e12)
    runs = {"r": run, "low": run.but(id="low", until=None)}
    waits = Waits(runs)
    for number in range(5000):
        if kind == "timers":
            before, runs["r"] = runs["r"], run.but(until=1e12 - number)
            waits.changed(before, runs["r"])
        else:
            waits.enter("p", (0, float(number), 0, "r"))
            waits.enter("p", (0, 0.0, 0, "low"))
    assert len(waits._timers) + len(waits._pools.get("p", [])) < 6000 if kind == "pool" else 600
    assert waits.next_moment() is not None
    if kind == "timers":
        assert len(waits._timers) < 600
        assert waits.next_moment() == 1e12 - 4999


# --- what a job is told -----------------------------------------------------------------------------


def leave(driver: Driver, data: tuple[tuple[str, str], ...], count: int) -> None:
    for start in driver.starts()[:count]:
        key = driver.started(start)
        driver.step(Exited(driver.number(), key, driver.now.wall, 0, 0.0, 0.0, 0, 0, 0, 0, data))


def test_what_parents_left() -> None:
    """Each direct parent's values under its own name, of its last attempt; plain jobs are told nothing."""
    driver = Driver(wall=NOON)
    driver.begin(
        "#: name=my-p.x\n0 * * * * p\n* * * * * plain\n"
        "#: name=c depends_on=my-p.x timezone=Asia/Seoul\n@after c\n"
    )
    driver.go(60)
    assert driver.starts()[0].environment == ()
    driver.play(3480)
    driver.go(60)
    leave(driver, (("ROWS", "12"), ("x", "a b")), 1)
    (start,) = (start for start in driver.starts() if start.job == "c")
    given = dict(start.environment)
    assert (given["OUT_MY_P_X_ROWS"], given["OUT_MY_P_X_X"]) == ("12", "a b")
    assert given["CRONTABX_SCHEDULED_AT"] == "2026-03-01T22:00:00+09:00"
    assert "CRONTABX_PREVIOUS_SUCCESS_AT" not in given
    driver.end(start)
    driver.step(RunRequested("me/c", 7))
    (again,) = (start for start in driver.starts() if start.job == "c")
    assert dict(again.environment)["CRONTABX_PREVIOUS_SUCCESS_AT"] == "2026-03-01T22:00:00+09:00"


def test_many_parents_that_left_much() -> None:
    """Six of them left all they may: the wish was longer than a frame, the launcher hung up on the
    scheduler, and so it went at each start of it, for everybody's jobs.
    """
    names = [f"p{number}" for number in range(6)]
    driver = Driver(wall=NOON)
    driver.begin(
        "".join(f"#: name={name}\n0 * * * * p\n" for name in names)
        + f"#: name=c depends_on={','.join(names)}\n@after c\n"
    )
    driver.go(3600)
    leave(driver, (("A", "\N{SNOWMAN}" * (DATA_LIMIT // 4)), ("B", "b" * 1000), ("C", "c" * 60_000)), 6)
    (start,) = driver.starts()
    assert len(encode(start)) < SMALL_FRAME
    left = [name for name, _ in start.environment if name.startswith("OUT_")]
    assert left[:3] == ["OUT_P0_A", "OUT_P0_B", "OUT_P1_B"]
    assert sum(len(value) for _, value in start.environment) <= LEFT_LIMIT


def test_an_attempt_is_a_value() -> None:
    """`but` changes what it is told to, and nothing else; a name that there is not is an error."""
    one = Attempt(number=1)
    assert one.but(pid=3) == Attempt(number=1, pid=3)
    assert one.pid is None
    with pytest.raises(AttributeError):
        one.but(nonsense=1)
