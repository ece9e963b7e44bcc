"""The control socket: each verb, who may see what, and bytes that mean harm."""

from __future__ import annotations

import os
import random
import socket
import struct
import time
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from crond.model.codec import encode
from crond.model.frames import SMALL_FRAME, frame
from crond.model.messages import Ask, Exited, Start, Started, Stop, attempt_key
from tests.scheduler.process import DEADLINE, Scheduler, answers

TABLE = "#: name=backup\n0 3 * * * backup --all\n#: name=books\n30 4 1 * * books\nbad line\n"
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def served(scheduler: Scheduler) -> Scheduler:
    """Two jobs and a bad line of root's, one job of uid 1234's."""
    scheduler.greet(
        scheduler.table(TABLE), scheduler.table("#: name=theirs\n5 5 * * * c\n", owner="other", uid=1234)
    )
    return scheduler


def names(body: dict[str, list[dict[str, str]]], key: str = "jobs") -> list[str]:
    return [one["job"] for one in body[key]]


# --- verbs ---------------------------------------------------------------------------------------------


def test_list(served: Scheduler) -> None:
    """Every job, in the order of the tables, with its line, schedule and next instant."""
    body = served.ask("list")
    assert names(body) == ["root/backup", "root/books", "other/theirs"]
    job = body["jobs"][0]
    assert (job["line"], job["schedule"], job["command"], job["user"]) == (
        2,
        "0 3 * * *",
        "backup --all",
        "root",
    )
    assert job["next"] > "2026"
    assert (job["running"], job["last"]) == ([], None)


def test_many_problems_are_told_in_part(scheduler: Scheduler) -> None:
    """Thousands of keys without effect must not hide an error, nor fill an answer."""
    scheduler.greet(
        scheduler.table("#: retry_delay=9 wait_timeout=9\n* * * * * c\n" * 600 + "#: nmae=x\n* * * * * d\n")
    )
    problems = scheduler.ask("status")["problems"]
    assert len(problems) == 1000
    assert (problems[0]["line"], problems[0]["message"]) == (1201, "unknown key 'nmae'")
    jobs = scheduler.ask("list")["jobs"]
    assert [len(job["problems"]) for job in (jobs[0], jobs[-1])] == [2, 1]


def test_status(served: Scheduler) -> None:
    """What runs, what is next, what is wrong."""
    body = served.ask("status")
    assert (body["running"], body["failed"]) == ([], [])
    assert {one["job"] for one in body["next"]} == {"root/backup", "root/books", "other/theirs"}
    assert [(one["line"], one["message"]) for one in body["problems"]] == [(5, "bad minute")]
    assert body["now"] >= body["started_at"]


def test_next(served: Scheduler) -> None:
    """Of one job as many as asked for, or the next of each job, the soonest first."""
    body = served.ask("next", job="backup", count="3")
    assert names(body, "next") == ["root/backup"] * 3
    moments = [one["instant"] for one in served.ask("next")["next"]]
    assert (len(moments), moments) == (3, sorted(moments))
    assert len(served.ask("next", count="2")["next"]) == 2


def test_next_after_a_moment(served: Scheduler) -> None:
    """What was due in the past is told too, as the schedule of today has it: for `why`."""
    then = served.ask("next", job="backup", after="1795143600", count="1")["next"]
    again = served.ask("next", job="backup", after="1795143600", count="1")["next"]
    assert then == again
    assert "2026-11-20T03:00:00Z" < then[0]["instant"] <= "2026-11-21T03:00:00Z"
    assert served.ask("next", after="yesterday")["code"] == "bad_request"


def test_run_and_its_end(served: Scheduler) -> None:
    """A manual run starts at once; with `wait` a second answer comes when it has ended, and then the end: the
    scheduler kept the connection, and the place among its clients, until the client hung up.
    """
    with served.connect() as client:
        client.sendall(frame(encode(Ask("run", (("job", "books"), ("wait", "yes"))))))
        start = served.next_start()
        assert start.job == "books"
        key = attempt_key(start.run, 1)
        served.tell(Started(served.numbered(), key, 11, time.time()))
        served.tell(Exited(served.numbered(), key, time.time(), 0x0500, 0.0, 0.0, 0, 0))
        first, last = answers(client)
    assert (first["run"]["state"], first["run"]["trigger"], first["run"]["by"]) == (
        "starting",
        "manual",
        os.geteuid(),
    )
    assert (last["run"]["outcome"], last["run"]["exit_code"]) == ("failed", 5)
    assert served.ask("runs", job="books")["runs"][0]["id"] == start.run
    assert [run["id"] for run in served.ask("status")["failed"]] == [start.run]


def test_run_without_waiting(served: Scheduler) -> None:
    """One answer, at once."""
    assert served.ask("run", job="books")["run"]["state"] == "starting"


def test_stop(served: Scheduler) -> None:
    """By the job or by the run; the launcher is told."""
    run = served.ask("run", job="books")["run"]["id"]
    served.tell(Started(served.numbered(), f"{run}.1", 11, time.time()))
    body = served.ask("stop", target="books")
    assert [one["id"] for one in body["stopping"]] == [run]
    assert served.read_until(lambda wish: isinstance(wish, Stop)) == Stop(f"{run}.1")
    assert served.ask("stop", target=run)["stopping"][0]["state"] == "stopping"


@pytest.mark.parametrize(
    ("verb", "arguments", "code"),
    [
        ("nonsense", {}, "bad_request"),
        ("next", {"count": "x"}, "bad_request"),
        ("next", {"count": "-1"}, "bad_request"),
        ("next", {"count": "²"}, "bad_request"),
        ("next", {"count": "999999"}, "bad_request"),
        ("next", {"job": "nobody"}, "unknown"),
        ("runs", {"run": "nosuchrun"}, "unknown"),
        ("run", {}, "unknown"),
        ("run", {"job": ""}, "unknown"),
        ("stop", {"target": "nobody"}, "unknown"),
        ("run", {"job": "b"}, "ambiguous"),
    ],
)
def test_what_cannot_be_met(served: Scheduler, verb: str, arguments: dict[str, str], code: str) -> None:
    """A word that programs know, and a text for people."""
    body = served.ask(verb, **arguments)
    assert body["code"] == code
    assert body["error"]


def test_an_ambiguous_name_lists_what_it_may_be(served: Scheduler) -> None:
    """So that one can choose."""
    assert served.ask("run", job="b")["candidates"] == ["root/backup", "root/books"]


# --- pipelines, pauses, wishes about runs ----------------------------------------------------------------

PIPELINE = """\
#: name=fetch params=DAY
0 3 * * * fetch
#: name=join depends_on=fetch
0 3 * * * join
#: name=mail schedule=@after depends_on=join,fetch:done pipeline=night
0 3 * * * mail
#: name=lonely depends_on=nobody
0 3 * * * lonely
#: name=off enabled=no
* * * * * off
"""


@pytest.fixture
def piped(scheduler: Scheduler) -> Scheduler:
    """A pipeline of root's, a job that is held, one that is not enabled."""
    scheduler.greet(scheduler.table(PIPELINE))
    return scheduler


def end(scheduler: Scheduler, key: str, status: int = 0) -> None:
    """Let the launcher say that an attempt began and ended."""
    scheduler.tell(Started(scheduler.numbered(), key, 11, time.time()))
    scheduler.tell(Exited(scheduler.numbered(), key, time.time(), status, 0.0, 0.0, 0, 0))


def played(scheduler: Scheduler, verb: str, *statuses: int, **arguments: str) -> list[dict[str, Any]]:
    """Ask with `wait`; end each start that comes, in order, with a wait status. Return all answers."""
    with scheduler.connect() as client:
        client.sendall(frame(encode(Ask(verb, (*arguments.items(), ("wait", "yes"))))))
        for status in statuses:
            start = scheduler.next_start()
            end(scheduler, attempt_key(start.run, start.attempt), status)
        return answers(client)


def test_pause_and_resume(piped: Scheduler) -> None:
    """A paused job is not due; each answer says how it stands and stood."""
    body = piped.ask("pause", job="fetch", seconds="7200", note="the source is down")
    assert (body["job"], body["before"]) == ("root/fetch", None)
    pause = body["paused"]
    assert (pause["by"], pause["note"]) == (os.geteuid(), "the source is down")
    assert pause["until"] > pause["since"]
    assert [one["job"] for one in piped.ask("status")["paused"]] == ["root/fetch"]
    assert piped.ask("list", job="fetch")["jobs"][0]["paused"] == pause
    assert piped.ask("list", job="fetch")["jobs"][0]["next"] >= pause["until"]
    body = piped.ask("pause", job="fetch")
    assert (body["paused"]["until"], body["before"]) == (None, pause)
    assert piped.ask("list", job="fetch")["jobs"][0]["next"] is None
    assert piped.ask("next", job="fetch")["next"] == []
    body = piped.ask("resume", job="fetch")
    assert (body["paused"], body["before"]["until"]) == (None, None)
    assert piped.ask("resume", job="fetch")["before"] is None
    assert piped.ask("next", job="fetch")["next"] != []


def test_mute_and_unmute(piped: Scheduler) -> None:
    """News of a muted job is not sent; each answer says how it stands and stood."""
    body = piped.ask("mute", job="fetch", seconds="7200", note="we know")
    assert (body["job"], body["before"]) == ("root/fetch", None)
    mute = body["muted"]
    assert (mute["by"], mute["note"]) == (os.geteuid(), "we know")
    assert mute["until"] > mute["since"]
    assert [one["job"] for one in piped.ask("status")["muted"]] == ["root/fetch"]
    job = piped.ask("list", job="fetch")["jobs"][0]
    assert (job["muted"], job["paused"]) == (mute, None)
    assert job["next"] is not None
    body = piped.ask("mute", job="fetch")
    assert (body["muted"]["since"], body["muted"]["until"]) == (mute["since"], None)
    assert piped.ask("unmute", job="fetch")["muted"] is None
    assert piped.ask("unmute", job="fetch")["before"] is None
    assert piped.ask("mute", job="fetch", seconds="soon")["code"] == "bad_request"


def test_what_follows_has_the_instants_of_whom_it_follows(piped: Scheduler) -> None:
    """An @after job is shown when it will come: with its parent, as long as that comes."""
    dues = piped.ask("next", job="mail", count="2")["next"]
    assert [one["instant"] for one in dues] == [
        one["instant"] for one in piped.ask("next", job="join", count="2")["next"]
    ]
    assert dues[0]["after"] == ["root/join", "root/fetch"]
    piped.ask("pause", job="join")
    assert piped.ask("next", job="mail")["next"] == []


def test_a_long_chain_is_listed_at_once(scheduler: Scheduler) -> None:
    """`list` of a thousand jobs after each other took a minute, in which nobody's jobs were started."""
    lines = (f"#: name=c{n} depends_on=c{n - 1}\n@after c{n}\n" for n in range(1, 1000))
    scheduler.greet(scheduler.table("#: name=c0\n0 3 * * * c0\n" + "".join(lines)))
    jobs = scheduler.ask("list")["jobs"]
    assert len(jobs) == 1000
    assert {one["next"] for one in jobs} == {jobs[0]["next"]}
    assert scheduler.ask("pause", job="c500")["paused"] is not None
    assert [one["job"] for one in scheduler.ask("list")["jobs"] if one["next"]][-1] == "root/c499"


def test_what_is_not_enabled_or_held(piped: Scheduler) -> None:
    """The one is never due; the other is due, and is told why it will not run."""
    off, lonely = (piped.ask("list", job=job)["jobs"][0] for job in ("off", "lonely"))
    assert (off["enabled"], off["next"]) == (False, None)
    assert lonely["held"] == "there is no job 'nobody'"
    assert piped.ask("status")["held"] == [{"job": "root/lonely", "reason": "there is no job 'nobody'"}]


def test_graph(piped: Scheduler) -> None:
    """The jobs that hang together, their links and what each wants, under the pipeline's name."""
    body = piped.ask("graph", job="join")
    assert names(body) == ["root/fetch", "root/join", "root/mail"]
    assert {one["pipeline"] for one in body["jobs"]} == {"night"}
    assert body["links"] == [
        {"parent": "root/fetch", "child": "root/join", "want": "success"},
        {"parent": "root/join", "child": "root/mail", "want": "success"},
        {"parent": "root/fetch", "child": "root/mail", "want": "done"},
    ]
    held = [one for one in piped.ask("graph")["jobs"] if one["held"]]
    assert [one["job"] for one in held] == ["root/lonely"]
    assert names(piped.ask("graph", job="off")) == ["root/off"]


def test_run_with_downstream_waits_for_all(piped: Scheduler) -> None:
    """The answer comes when the last of them has ended, with all of them."""
    first, last = played(piped, "run", 0, 0, 0, job="fetch", downstream="yes")
    assert [run["job"] for run in first["runs"]] == ["root/fetch", "root/join", "root/mail"]
    assert first["runs"][1]["awaits"] == ["root/fetch"]
    assert first["runs"][1]["follows"] == first["run"]["id"]
    assert [run["outcome"] for run in last["runs"]] == ["success"] * 3


def test_run_with_variables(piped: Scheduler) -> None:
    """Those that params= names, and no others."""
    piped.ask("run", job="fetch", environment='{"DAY": "friday"}')
    assert ("DAY", "friday") in piped.next_start().environment
    body = piped.ask("run", job="fetch", environment='{"PATH": "/tmp"}')
    assert body["code"] == "bad_request"
    assert "its params= names DAY" in body["error"]
    assert piped.ask("run", job="join", environment='{"DAY": "x"}')["error"].endswith("it has no params=")
    for wrong in ("no JSON", "[]", '{"DAY": 1}', '{"DAY": "a\\u0000b"}'):
        assert piped.ask("run", job="fetch", environment=wrong)["code"] == "bad_request", wrong


def test_rerun(piped: Scheduler) -> None:
    """The same run again, its attempts counting on; by its id, or as the newest of its job."""
    run = played(piped, "run", 0x0100, job="fetch")[-1]["run"]
    assert (run["outcome"], run["attempts"]) == ("failed", 1)
    again = played(piped, "rerun", 0, run="fetch")[-1]["run"]
    assert (again["id"], again["outcome"], again["attempts"]) == (run["id"], "success", 2)
    assert piped.ask("rerun", run=run["id"])["run"]["state"] == "starting"
    assert piped.ask("rerun", run=run["id"])["code"] == "not_finished"


def test_rerun_with_what_follows(piped: Scheduler) -> None:
    """Those whose parent it was run after it, the root first; with `failed` only what did not succeed."""
    runs = played(piped, "run", 0x0100, job="fetch", downstream="yes")[-1]["runs"]
    assert [run["outcome"] for run in runs] == ["failed", "upstream_failed", "upstream_failed"]
    again = played(piped, "rerun", 0, 0, 0, run=runs[0]["id"], downstream="yes", failed="yes")[-1]
    assert [run["id"] for run in again["runs"]] == [run["id"] for run in runs]
    assert [run["outcome"] for run in again["runs"]] == ["success"] * 3


def test_mark(piped: Scheduler) -> None:
    """An outcome that somebody says, with who said it; a rerun of another time is not found."""
    run = played(piped, "run", 0x0100, job="fetch")[-1]["run"]
    body = piped.ask("mark", run=run["id"], outcome="success")
    assert (body["before"]["outcome"], body["run"]["outcome"]) == ("failed", "success")
    assert body["run"]["reason"] == f"marked by uid {os.geteuid()}"
    assert piped.ask("mark", run=run["id"], outcome="lost")["code"] == "bad_request"
    assert (
        piped.ask("mark", run="fetch", instant="1000", upto="1060", outcome="failed")["code"] == "forgotten"
    )
    assert piped.ask("mark", run="join", outcome="failed")["code"] == "forgotten"
    assert piped.ask("mark", run="0123456789", outcome="failed")["code"] == "unknown"


def test_backfill(piped: Scheduler) -> None:
    """The instants that were, one run for each of those that are asked for; none for what is to come."""
    body = piped.ask("instants", **{"job": "join", "from": "1795143600", "to": "1795402799"})
    assert [moment[:10] for moment in body["instants"]] == ["2026-11-20", "2026-11-21", "2026-11-22"]
    last = played(piped, "backfill", 0, job="join", instant="1795143600")[-1]["run"]
    assert (last["trigger"], last["instant"], last["outcome"]) == (
        "backfill",
        "2026-11-20T03:00:00Z",
        "success",
    )
    assert piped.ask("backfill", job="join")["code"] == "bad_request"
    assert piped.ask("backfill", job="join", instant=str(time.time() + 99))["code"] == "bad_request"
    assert piped.ask("instants", job="join")["code"] == "bad_request"
    assert piped.ask("instants", **{"job": "off", "from": "0", "to": "1795402800"})["code"] == "bad_request"


def test_standing(piped: Scheduler) -> None:
    """All that `why` asks of now: what a run waits for, and what keeps a job from running."""
    piped.ask("run", job="fetch", downstream="yes")
    seen = piped.ask("standing", job="mail")["runs"][0]
    assert (seen["waits"], seen["awaits"]) == ("dependencies", ["root/join", "root/fetch"])
    assert [(one["job"], one["state"]) for one in seen["parents"]] == [
        ("root/join", "waiting"),
        ("root/fetch", "starting"),
    ]
    assert [run["job"] for run in piped.ask("next", job="mail")["waiting"]] == ["root/mail"]
    assert piped.ask("standing", job="off")["enabled"] is False
    assert piped.ask("standing", job="lonely")["held"] == "there is no job 'nobody'"


def test_a_pool_says_who_holds_it(scheduler: Scheduler) -> None:
    """Whoever waits for a pool is told of those that have its slots."""
    scheduler.greet(
        scheduler.table("#: pool gpu=1\n#: name=a pool=gpu\n0 3 * * * a\n#: name=b pool=gpu\n0 3 * * * b\n")
    )
    holder = scheduler.ask("run", job="a")["run"]
    waiting = scheduler.ask("run", job="b")["run"]
    assert (waiting["waits"], waiting["pool"]) == ("pool", "root/gpu")
    seen = scheduler.ask("standing", job="b")["runs"][0]["pool_held"]
    assert (seen["name"], seen["size"], seen["taken"]) == ("root/gpu", 1, 1)
    assert seen["holders"] == [{"job": "root/a", "run": holder["id"], "slots": [0]}]


@root
def test_nobody_starts_what_is_not_theirs_by_what_it_depends_on(scheduler: Scheduler) -> None:
    """Jobs of root may depend on a user's; `run --downstream` and `rerun --downstream` of that user leave it
    alone.
    """
    scheduler.greet(
        scheduler.table("#: name=theirs\n5 5 * * * c\n", owner="other", uid=1234),
        scheduler.table("#: name=ours depends_on=other/theirs\n5 5 * * * c\n"),
    )
    runs = scheduler.ask_as(1234, "run", job="theirs", downstream="yes")["runs"]
    assert [run["job"] for run in runs] == ["other/theirs"]
    graph = scheduler.ask_as(1234, "graph", job="theirs")
    assert [(one["job"], one["pipeline"]) for one in graph["jobs"]] == [("other/theirs", "")]
    assert scheduler.ask("graph", job="theirs")["jobs"][0]["pipeline"] == "ours"
    assert len(scheduler.ask("run", job="theirs", downstream="yes")["runs"]) == 2


# --- who may what ----------------------------------------------------------------------------------------


@root
def test_others_see_and_touch_only_what_is_theirs(served: Scheduler) -> None:
    """By the kernel's word on who connects; what is not theirs is as if it were not there."""
    run = served.ask("run", job="books")["run"]["id"]
    assert names(served.ask_as(1234, "list")) == ["other/theirs"]
    assert served.ask_as(1234, "status")["problems"] == []
    assert served.ask_as(1234, "status")["running"] == []
    assert served.ask_as(1234, "runs")["runs"] == []
    for verb, arguments in (
        ("run", {"job": "root/books"}),
        ("stop", {"target": run}),
        ("stop", {"target": "books"}),
        ("runs", {"run": run}),
        ("next", {"job": "root/backup"}),
        ("pause", {"job": "root/backup"}),
        ("mute", {"job": "root/backup"}),
        ("unmute", {"job": "root/backup"}),
        ("backfill", {"job": "root/backup", "instant": "1"}),
        ("rerun", {"run": run}),
        ("mark", {"run": run, "outcome": "failed"}),
        ("graph", {"job": "root/backup"}),
        ("standing", {"job": "root/backup"}),
    ):
        assert served.ask_as(1234, verb, **arguments)["code"] == "unknown", verb
    assert served.ask_as(1234, "run", job="theirs")["run"]["by"] == 1234
    assert names(served.ask_as(4321, "list")) == []


# --- bytes that mean harm ----------------------------------------------------------------------------------


def still_serves(scheduler: Scheduler) -> bool:
    return len(scheduler.ask("list")["jobs"]) == 3


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff",
        struct.pack(">I", SMALL_FRAME + 1),
        frame(b""),
        frame(b"nonsense"),
        frame(b"[" * 10_000),
        frame(b'["ask","list",[["a","b","c"]]]'),
        frame(encode(Start(1, 0, "command", "j", "r", 1))),
        frame(encode(Ask("list"))) + frame(encode(Ask("list"))),
        frame(b'["ask","' + b"x" * 33 + b'",[]]'),
    ],
    ids=[
        "huge",
        "over",
        "empty",
        "no JSON",
        "deep",
        "bad pair",
        "not for clients",
        "two requests",
        "long verb",
    ],
)
def test_nonsense_is_hung_up_on(served: Scheduler, data: bytes) -> None:
    """At once, without an answer that could be taken for one; everybody else is served."""
    with served.connect() as client:
        client.sendall(data)
        with suppress(ConnectionResetError):
            assert len(answers(client)) <= 1
    assert still_serves(served)


def test_random_bytes_do_no_harm(served: Scheduler) -> None:
    """A thousand connections of noise, from a seed."""
    noise = random.Random(1)
    for _ in range(300):
        with served.connect() as client, suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(noise.randbytes(noise.randrange(1, 300)))
    assert still_serves(served)


def test_a_truncated_request_holds_nobody_up(served: Scheduler) -> None:
    """Half a request waits; the client is served when the rest comes."""
    whole = frame(encode(Ask("list")))
    with served.connect() as client:
        client.sendall(whole[:7])
        assert still_serves(served)
        client.sendall(whole[7:])
        assert len(answers(client)[0]["jobs"]) == 3


def test_silent_clients_are_shown_out(served: Scheduler) -> None:
    """Seventy that say nothing fill every place; after a few seconds the places are free again."""
    with ExitStack() as stack:
        silent = [stack.enter_context(served.connect()) for _ in range(70)]
        for client in silent[-6:]:
            assert client.recv(1) == b""
        deadline = time.monotonic() + DEADLINE
        body = None
        while body is None and time.monotonic() < deadline:
            with suppress(OSError, IndexError):
                body = served.ask("list")
        assert body is not None


def test_a_client_that_never_reads_holds_nobody_up(served: Scheduler) -> None:
    """Its answer waits in memory, the loop does not."""
    with served.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.sendall(frame(encode(Ask("next", (("count", "10000"),)))))
        assert still_serves(served)
        assert served.ask("run", job="books")["run"]["state"] == "starting"
        assert served.next_start().job == "books"
