"""What a start is told of its parents, within the bounds of the wire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crond.core.memory import Memory
from crond.core.surroundings import variables
from crond.model.codec import decode, encode
from crond.model.crontab import parse_crontab
from crond.model.job import Job
from crond.model.messages import DATA_LIMIT, DATA_MOST, Pairs, Start
from crond.model.run import Attempt, Outcome, Parent, Run, State, Trigger
from crond.zones import zone_named
from tests.core.driving import Driver

PARENT = "p" * 64


def told(*left: Pairs) -> dict[str, str]:
    """Return what a child is given whose parents left `left`, after it has crossed the wire."""
    memory = Memory()
    parents = []
    for number, data in enumerate(left):
        name = f"me/{PARENT[: 64 - number]}"
        run = Run(id=f"p{number}", job=name, instant=60.0, ordinal=0, trigger=Trigger.SCHEDULE)
        memory.runs[run.id] = replace(run, state=State.FINISHED, attempts=(Attempt(number=1, data=data),))
        parents.append(Parent(name, run.id, Outcome.SUCCESS, 0))
    entry = parse_crontab("#: name=child\n* * * * * true\n", extensions=True).entries[0]
    job = Job(id="me/child", owner="me", uid=7, origin="/a", version=1, index=0, entry=entry)
    run = Run(id="r", job=job.id, instant=60.0, ordinal=0, trigger=Trigger.SCHEDULE, parents=tuple(parents))
    given = variables(run, job, 1, memory=memory, zone=zone_named("UTC"), zone_named=zone_named)
    start = Start(1, 0, "command", "child", "r", 1, given)
    assert decode(encode(start), Start) == start
    return {name: value for name, value in given if name.startswith("OUT_")}


def test_what_parents_left_is_given() -> None:
    """Name and key in upper case."""
    assert told((("LOSS", "0.1"), ("b", "x y"))) == {
        f"OUT_{PARENT.upper()}_LOSS": "0.1",
        f"OUT_{PARENT.upper()}_B": "x y",
    }


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        (((("K" * 120, "1"), ("A", "2")),), 1),
        ((tuple((f"K{number}", "1") for number in range(DATA_MOST)),) * 5, 1569),
        (((("A", "x" * DATA_LIMIT),),) * 60, 1),
    ],
    ids=["a long key", "many keys", "large values"],
)
def test_what_parents_leave_stops_no_other_job(left: tuple[Pairs, ...], kept: int) -> None:
    """A job left a key of 120 letters, and its child's start broke the wire to the launcher each time that it
    was sent: all jobs of the host stood still.
    """
    assert len(told(*left)) == kept


def test_a_parent_that_never_ran_leaves_nothing() -> None:
    driver = Driver(wall=1_772_366_400.0)
    driver.begin(
        "#: name=p enabled=no\n0 * * * * p\n#: name=a depends_on=p trigger_rule=all_done\n0 * * * * a\n"
    )
    driver.go(3600)
    (start,) = driver.starts()
    assert not any(name.startswith("OUT_") for name, _ in start.environment)
