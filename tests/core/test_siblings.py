"""What the runs of a job are to one another: told of each change, and the same as if counted anew."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from crond.core.keeping import superseded
from crond.core.siblings import Siblings
from crond.model.events import BackfillRequested, MarkRequested, RerunRequested, RunRequested, StopRequested
from crond.model.messages import Start
from crond.model.run import Outcome, Run, State, Trigger, Wait
from tests.core.driving import Driver

NOON = 1_772_366_400.0
FAILED = 0x0100
TABLE = "".join(
    f"#: name={policy} concurrency={policy} catchup=all retries=1 retry_delay=30s {more}\n* * * * * c\n"
    for policy, more in (
        ("allow", ""),
        ("forbid", "depends_on=allow"),
        ("queue", "depends_on_past depends_on=allow"),
        ("replace", "max_instances=2"),
    )
)
JOBS = [f"me/{name}" for name in ("allow", "forbid", "queue", "replace")]


def by_instant(run: Run) -> tuple[float, int, str]:
    return run.instant, run.ordinal, run.id


def check(driver: Driver) -> None:
    """Compare each answer with one that is found by looking at all runs."""
    memory, kept = driver.engine.memory, driver.engine._ledger.siblings
    rebuilt = Siblings(memory.runs)
    assert (kept._kinds, +kept._asked) == (rebuilt._kinds, +rebuilt._asked)
    unfinished = [run for run in memory.runs.values() if run.state is not State.FINISHED]
    asked = [run for run in unfinished if run.by is not None]
    assert kept.asked_of("me") == len(asked)
    alike = Counter((run.job, run.instant, run.trigger) for run in asked)
    assert {one: kept.asked_for(*one) for one in alike} == alike
    for job in JOBS:
        runs = memory.runs_of(job)
        assert kept.active_of(job) == sorted((run for run in runs if run.is_active), key=by_instant)
        made_up = [run for run in runs if run.trigger is Trigger.CATCHUP and run.state is not State.FINISHED]
        assert kept.first_made_up_of(job) == min(made_up, key=by_instant, default=None)
        waiting = [run for run in runs if run.waits in (Wait.OVERLAP, Wait.PAST)]
        assert {run.id for run in kept.first_waiting_of(job)} == {
            min((one for one in waiting if (one.waits, one.trigger) == line), key=by_instant).id
            for line in {(run.waits, run.trigger) for run in waiting}
        }
        assert list(memory.scheduled_of(job)) == [run for run in runs if run.is_scheduled]
        finished = [run for run in runs if run.state is State.FINISHED]
        assert sorted(memory.finished_of(job), key=by_instant) == sorted(finished, key=by_instant)
        assert superseded(memory, job) == finished[:-10]


@pytest.mark.parametrize("seed", range(3))
def test_it_is_always_what_the_runs_are(seed: int) -> None:
    """Dues, wishes of people, ends of every kind, a restart and an outage, in any order."""
    draw = random.Random(seed)
    driver = Driver(wall=NOON)
    driver.begin(TABLE)
    running: list[Start] = []
    seen: set[str] = set()
    for turn in range(150):
        driver.go(draw.choice([0, 20, 60]))
        running += driver.starts()
        for start in draw.sample(running, draw.randint(0, min(len(running), 3))):
            running.remove(start)
            driver.end(start, draw.choice([0, FAILED]))
        job, by = draw.choice(JOBS), draw.choice([0, 7])
        run = draw.choice([*driver.engine.memory.runs, "none"])
        driver.step(
            draw.choice(
                [
                    RunRequested(job, by, downstream=draw.random() < 0.3),
                    BackfillRequested(job, by, NOON - 60 * draw.randint(1, 5)),
                    RerunRequested(run, by, downstream=draw.random() < 0.5),
                    StopRequested(run, by),
                    MarkRequested(run, by, driver.engine.memory.runs[run].outcome or Outcome.FAILED)
                    if run != "none"
                    else StopRequested(run, by),
                ]
            )
        )
        check(driver)
        seen |= {str(kind) for _, kind in driver.engine._ledger.siblings._kinds}
        if turn == 70:
            driver.pass_by(600)
            driver.restart(life="another")
            running = driver.starts()
            check(driver)
    assert len(seen) > 10, "there was something to count"
