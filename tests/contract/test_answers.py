"""What tests of the client play is what the real scheduler says: every key of the one is one of the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.fake_daemon import run_body
from tests.cli.test_graph import NET, node
from tests.cli.test_jobs import job_body, status_body
from tests.cli.test_pauses import PAUSE
from tests.cli.test_why import DETAIL, standing_body
from tests.scheduler.process import Scheduler

TABLE = """\
#: pool gpu=1
#: name=a pool=gpu
0 3 * * * a
#: name=b depends_on=a pool=gpu
0 3 * * * b
"""


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    made = Scheduler()
    try:
        made.greet(made.table(TABLE))
        yield made
    finally:
        made.close()


def is_like(played: Any, real: Any) -> bool:
    """True if every key of `played` is in `real`."""
    return set(played) <= set(real)


def test_what_is_played_is_what_is_said(scheduler: Scheduler) -> None:
    """A key that the scheduler does not say would let a test of the client pass and the client fail."""
    runs = scheduler.ask("run", job="a", downstream="yes")["runs"]
    assert is_like(run_body(), runs[0])
    assert is_like(("awaits", "waits", "pool", "follows", "until"), runs[1])
    paused = scheduler.ask("pause", job="a", note="x")
    assert is_like(PAUSE, paused["paused"])
    assert is_like(job_body(paused=PAUSE, held="", enabled=True, zone=None), scheduler.ask("list")["jobs"][0])
    # The name of the daemon's zone is not told yet.
    assert is_like(set(status_body(paused=[], held=[])) - {"zone"}, scheduler.ask("status"))
    due = scheduler.ask("next", job="b")
    assert is_like(("next", "waiting", "paused"), due)
    assert is_like(("job", "instant", "schedule", "after", "jitter", "held"), due["next"][0])
    graph = scheduler.ask("graph")
    assert is_like(node("a"), graph["jobs"][0])
    assert is_like(NET["links"][0], graph["links"][0])
    standing = scheduler.ask("standing", job="b")
    assert is_like(standing_body(), standing)
    detail = standing["runs"][0]
    assert is_like(DETAIL, detail)
    assert is_like(("job", "run", "outcome", "reason", "state"), detail["parents"][0])
    scheduler.ask("run", job="b")
    held = scheduler.ask("standing", job="b")["runs"][0]["pool_held"]
    assert is_like(("name", "size", "taken", "holders"), held)
