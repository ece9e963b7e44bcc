"""The control socket: each verb, who may see what, and bytes that mean harm."""

from __future__ import annotations

import os
import random
import socket
import struct
import time
from contextlib import ExitStack, suppress

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
        client.sendall(frame(encode(Ask("next", (("count", "20000"),)))))
        assert still_serves(served)
        assert served.ask("run", job="books")["run"]["state"] == "starting"
        assert served.next_start().job == "books"
