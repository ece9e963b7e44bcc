"""Whatever is written to the daemons' sockets, by whomever: refused, said in the log, nothing moved."""

from __future__ import annotations

import os
import random
import socket
import struct
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from crond.model.codec import Message, encode
from crond.model.frames import frame
from crond.model.messages import Ack, Answer, Ask, Forget, Heartbeat, Start, Stop
from tests.system.conftest import StartHost
from tests.system.daemon import Crond, install, wait_for
from tests.system.ground import People

SOCKETS = ("scheduler.sock", "launcher.sock")
CONNECTIONS = 200
PATIENCE = 20.0

TABLE = """
#: name=beat
@every 1s echo beat
#: name=quick
0 0 31 2 * echo quick; exit 3
#: name=long
0 0 31 2 * exec sleep 60
"""


def hostile(seed: int) -> list[bytes]:
    """Return payloads that no client of ours sends: random, oversized, truncated, out of order."""
    dice = random.Random(seed)
    ask = encode(Ask("status"))
    wishes: list[Message] = [
        Start(1, 0, "command", "x", "run", 1),
        Stop("run.1"),
        Forget("run.1"),
        Ack(2**52),
        Heartbeat(),
        Answer(ok=True, final=True, body="{}"),
    ]
    return [
        *(dice.randbytes(dice.randrange(1, 5000)) for _ in range(20)),
        b"\0" * 4096,
        b"\xff" * 4096,
        b"GET / HTTP/1.0\r\n\r\n",
        struct.pack(">I", 2**31) + b"x" * 100,
        struct.pack(">I", 2**32 - 1),
        frame(ask)[:-1],
        frame(ask)[:3],
        frame(b"[" * 10000),
        frame(b"[]"),
        frame(b"null"),
        frame(b'["ask"]'),
        frame(b'["ask","status",[["a","b","c"]]]'),
        frame(b'["ask",true,[]]'),
        frame(b'["ask","' + b"s" * 40 + b'",[]]'),
        frame(ask) + frame(ask),
        frame(ask) + dice.randbytes(100),
        frame(encode(Ask("nosuchverb"))),
        frame(encode(Ask("run", (("job", "../../etc/passwd"), ("wait", "yes"))))),
        frame(encode(Ask("stop", (("target", "*"),)))),
        frame(encode(Ask("runs", (("count", "-1"),)))),
        frame(encode(Ask("runs", (("count", "٣"),)))),
        frame(encode(Ask("logs", (("attempt", "../../../etc/shadow.1"),)))),
        frame(encode(Ask("logs", (("attempt", "..1"),)))),
        *(frame(encode(wish)) for wish in wishes),
    ]


def send(path: Path, payload: bytes, *, hang_up: bool = False) -> bytes:
    """Write `payload` to the socket; return all that comes until the daemon hangs up."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(str(path))
        answer = b""
        with suppress(ConnectionError):
            sock.sendall(payload)
            if not hang_up:
                sock.shutdown(socket.SHUT_WR)
            while not hang_up and (part := sock.recv(65536)):
                answer += part
        return answer


@pytest.fixture
def beaten(start_host: StartHost, people: People) -> Crond:
    """A daemon with a job that must not notice anything."""
    crond, folder = start_host(dialect="cronie")
    install(folder, people.ann, TABLE)
    crond.up()
    wait_for(lambda: len(crond.jobs()) == 3, "the table is loaded")
    return crond


def unmoved(crond: Crond, before: tuple[int, int]) -> None:
    """Check that both processes are the same ones, still do their work, and that every verb answers."""
    assert crond.process.poll() is None
    assert (crond.pid, crond.scheduler_pid()) == before
    assert not [line for line in crond.errors if "Traceback" in line or "replaced" in line]
    beats = {run["id"] for run in crond.runs("beat")}
    wait_for(lambda: {run["id"] for run in crond.runs("beat")} - beats, "jobs still start")
    every_verb_works(crond)


def every_verb_works(crond: Crond) -> None:
    for verb in (("list",), ("status",), ("next",), ("logs", "beat")):
        done = crond.client(*verb)
        assert done.returncode == 0, (verb, done.stderr)
        assert "beat" in done.stdout, verb
    assert crond.client("run", "--wait", "quick").returncode == 3
    assert crond.client("run", "long").returncode == 0
    wait_for(lambda: crond.runs("long")[0]["state"] == "running", "the long job runs")
    assert crond.client("stop", "long").returncode == 0
    wait_for(lambda: crond.runs("long")[0]["outcome"] == "stopped", "the long job is stopped")


def processes(crond: Crond) -> tuple[int, int]:
    return crond.pid, crond.scheduler_pid()


def test_bytes_that_are_no_request(beaten: Crond) -> None:
    """Random, oversized, truncated, out of order: refused or hung up on; nothing starts or stops by it."""
    before = processes(beaten)
    named = {run["id"] for run in beaten.runs() if run["job"].endswith(("quick", "long"))}
    for name in SOCKETS:
        for payload in hostile(seed=1):
            answer = send(beaten.run / name, payload)
            assert not answer or b'"answer"' in answer, (name, payload)
            send(beaten.run / name, payload, hang_up=True)
    beaten.line("client of uid 0", errors=True)
    assert {run["id"] for run in beaten.runs() if run["job"].endswith(("quick", "long"))} == named
    unmoved(beaten, before)


def test_a_wish_of_the_scheduler_is_nothing_that_a_client_may_say(beaten: Crond) -> None:
    """Start, Stop, Forget and Ack belong to the wire: on the sockets they are no messages at all."""
    before = processes(beaten)
    for name in SOCKETS:
        for wish in (Start(1, 1, "command", "x", "run", 1), Stop("run.1"), Forget("run.1"), Ack(2**52)):
            assert send(beaten.run / name, frame(encode(wish))) == b""
    unmoved(beaten, before)


@pytest.mark.parametrize("name", SOCKETS)
def test_two_hundred_connections(beaten: Crond, name: str) -> None:
    """Silent connections cost the silent ones: those above the limit are closed, the rest time out."""
    before = processes(beaten)
    with ExitStack() as opened:
        for _ in range(CONNECTIONS):
            sock = opened.enter_context(socket.socket(socket.AF_UNIX))
            sock.settimeout(PATIENCE)
            with suppress(BlockingIOError):
                sock.connect(str(beaten.run / name))
        beats = {run["id"] for run in beaten.runs("beat")} if name != "scheduler.sock" else None
        if beats is not None:
            wait_for(lambda: {run["id"] for run in beaten.runs("beat")} - beats, "jobs start meanwhile")
        else:
            count = len([line for line in beaten.lines if "beat: started" in line])
            beaten.line("beat: started", count=count + 1)
        open_files = len(os.listdir(f"/proc/{beaten.pid}/fd"))
        assert open_files < CONNECTIONS
    unmoved(beaten, before)


@pytest.mark.parametrize("name", SOCKETS)
def test_one_that_never_reads_its_answer(beaten: Crond, name: str) -> None:
    """Clients that ask and do not read hold nobody up."""
    before = processes(beaten)
    ask = Ask("list") if name == "scheduler.sock" else Ask("logs", (("attempt", newest(beaten)),))
    with ExitStack() as opened:
        for _ in range(20):
            sock = opened.enter_context(socket.socket(socket.AF_UNIX))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            sock.connect(str(beaten.run / name))
            sock.sendall(frame(encode(ask)))
        unmoved(beaten, before)


def newest(crond: Crond) -> str:
    return str(crond.ended("beat")[-1]["attempt"])


def test_a_request_that_comes_byte_by_byte(beaten: Crond) -> None:
    """A slow client is served: a frame may arrive in any pieces."""
    for name, ask in (
        ("scheduler.sock", Ask("list")),
        ("launcher.sock", Ask("logs", (("attempt", newest(beaten)),))),
    ):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(str(beaten.run / name))
            for byte in frame(encode(ask)):
                sock.send(bytes([byte]))
            assert b'"answer",true' in sock.recv(65536)


def test_descriptors_that_a_client_sends_are_not_kept(beaten: Crond) -> None:
    """A client may attach descriptors to what it says; they must not pile up in the daemon."""
    before = processes(beaten)
    counts: list[int] = []
    for _ in range(2):
        for name in SOCKETS:
            for _ in range(50):
                with socket.socket(socket.AF_UNIX) as sock:
                    sock.connect(str(beaten.run / name))
                    # Linux 6.16 lets us refuse them.
                    with open("/dev/null", "rb") as null, suppress(PermissionError):
                        socket.send_fds(sock, [b"x"], [null.fileno()] * 10)
        wait_for(lambda: beaten.ask("status"), "it answers")
        counts.append(max(len(os.listdir(f"/proc/{pid}/fd")) for pid in before))
    assert counts[1] < 300, counts
    unmoved(beaten, before)


def hammer(seed: int) -> Callable[[Path], None]:
    def strike(path: Path) -> None:
        for payload in hostile(seed):
            with suppress(OSError):
                send(path, payload, hang_up=True)

    return strike


def test_a_user_can_do_no_more_than_root(beaten: Crond, people: People) -> None:
    """The same bytes from an account without rights leave the daemon as it was, for everybody else."""
    before = processes(beaten)
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(people.ben.pw_gid)
            os.setuid(people.ben.pw_uid)
            for name in SOCKETS:
                hammer(2)(beaten.run / name)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    unmoved(beaten, before)


def test_one_user_cannot_keep_the_others_out(beaten: Crond, people: People) -> None:
    """A user who held sixty-four connections to the scheduler kept everybody, root included, from asking."""
    before = processes(beaten)
    ready, told = os.pipe()
    leave, left = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(people.ben.pw_gid)
            os.setuid(people.ben.pw_uid)
            held = [socket.socket(socket.AF_UNIX) for _ in range(100)]
            for sock in held:
                sock.setblocking(False)
                with suppress(BlockingIOError):
                    sock.connect(str(beaten.run / "scheduler.sock"))
            os.write(told, b"x")
            os.read(leave, 1)
        finally:
            os._exit(0)
    try:
        os.read(ready, 1)
        for user in (None, people.ann):
            done = beaten.client("list", user=user)
            assert (done.returncode, done.stderr) == (0, "")
    finally:
        os.write(left, b"x")
        os.waitpid(child, 0)
        for fd in (ready, told, leave, left):
            os.close(fd)
    unmoved(beaten, before)


def test_many_users_cannot_keep_root_out(beaten: Crond) -> None:
    """Somebody with many uids of their own held all connections to the launcher, and root got none."""
    ready, told = os.pipe()
    leave, left = os.pipe()
    children = []
    for uid in range(70001, 70006):
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
                held = [socket.socket(socket.AF_UNIX) for _ in range(16)]
                for sock in held:
                    with suppress(OSError):
                        sock.connect(str(beaten.run / "launcher.sock"))
                os.write(told, b"x")
                os.read(leave, 1)
            finally:
                os._exit(0)
        children.append(child)
    try:
        for _ in children:
            os.read(ready, 1)
        done = beaten.client("versions")
        # 3 is the client's word for a daemon that does not answer.
        assert done.returncode != 3, done.stderr
    finally:
        os.write(left, b"x" * len(children))
        for child in children:
            os.waitpid(child, 0)
        for fd in (ready, told, leave, left):
            os.close(fd)


def test_a_silent_client_is_hung_up_on_in_time(beaten: Crond) -> None:
    """A client that never asked was held for half a minute, a heartbeat, and not for five seconds."""
    with ExitStack() as opened:
        silent = [opened.enter_context(socket.socket(socket.AF_UNIX)) for _ in SOCKETS]
        for sock, name in zip(silent, SOCKETS, strict=True):
            sock.settimeout(10.0)
            sock.connect(str(beaten.run / name))
        assert [sock.recv(1) for sock in silent] == [b"", b""]
