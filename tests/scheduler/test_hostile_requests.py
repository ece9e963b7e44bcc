"""No request ends the scheduler, or holds up the jobs of others: each of these once did."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from crond.model.codec import encode
from crond.model.frames import frame
from crond.model.messages import Ask, Exited, Started, attempt_key
from tests.scheduler.process import Scheduler, answers

TABLE = """\
#: name=job params=DAY
0 3 * * * job
#: name=later starts_at=2100-01-01
@every 1s later
#: name=often
@every 5m often
#: name=away skip_on=/no/such/file
@every 1s away
"""


@pytest.fixture
def served(scheduler: Scheduler) -> Scheduler:
    scheduler.greet(scheduler.table(TABLE))
    return scheduler


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("pause", {"job": "job", "seconds": "0" * 11 + "9" * 389}),
        ("pause", {"job": "job", "seconds": "0"}),
        ("pause", {"job": "job", "seconds": "٣"}),
        ("run", {"job": "job", "environment": "[" * 4090}),
        ("run", {"job": "job", "environment": '{"DAY":' * 500}),
        ("run", {"job": "job", "environment": '{"DAY": "\\ud800"}'}),
        ("run", {"job": "job", "environment": "9" * 4090}),
        ("pause", {"job": "job", "note": "\ud800"}),
        ("next", {"job": "often", "count": "99999"}),
        ("next", {"job": "often", "count": "10001"}),
    ],
)
def test_each_is_refused(served: Scheduler, verb: str, arguments: dict[str, str]) -> None:
    """An argument of one user ended the scheduler, and with it everybody's."""
    assert served.ask(verb, **arguments)["code"] == "bad_request"
    assert served.process.poll() is None
    assert served.ask("list", job="job")["jobs"][0]["paused"] is None


@pytest.mark.parametrize("text", ["1_0", "٣", " 5 ", "+5", "-0", "1e5", "nan", "inf", "0x1", "1.", ".5", ""])
def test_a_moment_is_digits(served: Scheduler, text: str) -> None:
    """What Python reads as a number is more than the protocol says."""
    for verb, name in (("backfill", "instant"), ("standing", "instant"), ("mark", "upto")):
        arguments = {"job": "job", "run": "job", name: text}
        assert "epoch seconds" in served.ask(verb, **arguments)["error"], verb


def test_how_many_may_be_asked_for_is_said(served: Scheduler) -> None:
    """Ten thousand are answered; who asks for more is told."""
    assert len(served.ask("next", job="often", count="10000")["next"]) == 10_000
    assert "at most 10000" in served.ask("next", job="often", count="10001")["error"]


def test_instants_before_a_job_begins(served: Scheduler) -> None:
    """Every second since 1970 was looked at for a job that begins in 2100, and nobody's jobs started."""
    assert served.ask("instants", **{"job": "later", "from": "0", "to": "99999999999"})["instants"] == []


def test_instants_that_are_all_left_out(served: Scheduler) -> None:
    """Of a job that is held on every day none is found, however long one looks: the search has an end."""
    body = served.ask("instants", **{"job": "away", "from": "0", "to": "99999999999"})
    assert (body["code"], "more than 10000 instants" in body["error"]) == ("bad_request", True)
    now = time.time()
    edges = {"from": f"{now - 60:.0f}", "to": f"{now:.0f}"}
    assert served.ask("instants", job="away", **edges)["instants"] == []


def test_a_request_for_too_many_runs(scheduler: Scheduler) -> None:
    """One wish for all of a chain of thousands held up everybody: it makes none of them, and says why."""
    chain = (f"#: name=c{n} depends_on=c{n - 1}\n@after c{n}\n" for n in range(1, 1001))
    scheduler.greet(scheduler.table("#: name=c0\n0 3 * * * c0\n" + "".join(chain)))
    body = scheduler.ask("run", job="c0", downstream="yes")
    assert (body["code"], "asks for 1001 more" in body["error"]) == ("too_many", True)
    assert scheduler.ask("runs")["runs"] == []
    assert len(scheduler.ask("run", job="c1", downstream="yes")["runs"]) == 1000


def test_a_rerun_of_what_is_in_no_table(served: Scheduler) -> None:
    """There was nothing to run, and nothing to tell of: the answer broke, and the scheduler with it."""
    run = served.ask("run", job="job")["run"]["id"]
    start = served.next_start()
    key = attempt_key(start.run, 1)
    served.tell(
        Started(served.numbered(), key, 11, time.time()),
        Exited(served.numbered(), key, time.time(), 0, 0.0, 0.0, 0, 0),
    )
    served.tell(served.table("5 5 * * * other\n"))
    assert served.ask("rerun", run=run)["code"] == "unknown"


def test_a_slip_of_ours_is_a_refusal(served: Scheduler) -> None:
    """Whatever a question does to us, only who asked hears of it; the log says what it was."""
    served.kill()
    served.start(broken="crond.scheduler.views:Views.status")
    served.greet(served.table(TABLE))
    body = served.ask("status")
    assert (body["code"], "log" in body["error"]) == ("internal", True)
    assert len(served.ask("list")["jobs"]) == 4
    served.kill()
    assert "'status', asked by uid" in served.wait()[1]


def test_a_step_that_broke_off_is_the_end_of_this_life(served: Scheduler) -> None:
    """The engine may have done half of it: nothing goes on with that; the next life has what was written."""
    served.ask("pause", job="job", note="first")
    served.kill()
    served.start(broken="crond.core.requests:Requests.pause")
    served.greet(served.table(TABLE))
    with suppress(ConnectionResetError), served.connect() as client:
        client.sendall(frame(encode(Ask("pause", (("job", "job"), ("note", "second"))))))
        assert answers(client) == []
    status, said = served.wait()
    assert (status != 0, "ZeroDivisionError" in said) == (True, True)
    served.wire.close()
    served.start()
    served.greet(served.table(TABLE))
    assert served.ask("list", job="job")["jobs"][0]["paused"]["note"] == "first"
