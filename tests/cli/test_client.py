"""The client's end of the wire: which daemon, and what a bad answer comes to."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from pathlib import Path

import pytest

from crond.cli import client as client_module
from crond.cli.client import SCHEDULER, Connection, find_place
from crond.model.codec import encode
from crond.model.frames import LARGE_FRAME, frame
from crond.model.messages import Answer, Heartbeat
from tests.cli.conftest import Client
from tests.cli.fake_daemon import FakeDaemon, Hang, WithFile, no, yes

STATUS = {"now": "2026-11-21T03:00:00Z", "running": [], "next": [], "failed": [], "problems": []}


def test_state_option_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """--state names the daemon; without it CRONTABX_STATE does; an empty one is none."""
    monkeypatch.setenv("CRONTABX_STATE", "/b")
    assert find_place("/a").run == "/a/run"
    assert find_place(None).run == "/b/run"
    monkeypatch.setenv("CRONTABX_STATE", "")
    monkeypatch.setattr(client_module, "HOST_RUN", "/nowhere/at/all")
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    assert find_place(None).run == "/x/crontabx/run"


def test_the_host_daemon_comes_before_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the host's run folder exists it is meant."""
    monkeypatch.delenv("CRONTABX_STATE", raising=False)
    monkeypatch.setattr(client_module, "HOST_RUN", str(tmp_path))
    assert find_place(None).run == str(tmp_path)


def test_the_users_own_daemon_is_found_on_a_host_whose_cron_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With crontabx installed but not running, `crontabx status` beside `crond my.crontab` said that no
    daemon answers at /run/crontabx.
    """
    host, own = tmp_path / "host", tmp_path / "crontabx" / "run"
    host.mkdir()
    own.mkdir(parents=True)
    monkeypatch.delenv("CRONTABX_STATE", raising=False)
    monkeypatch.setattr(client_module, "HOST_RUN", str(host))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert find_place(None).run == str(host)
    (own / "launcher.sock").touch()
    assert find_place(None).run == str(own)
    (host / "launcher.sock").touch()
    assert find_place(None).run == str(host)


def test_own_state_is_found_without_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without XDG_STATE_HOME (or with a relative one, which the rules ignore) it is below ~/.local/state."""
    monkeypatch.delenv("CRONTABX_STATE", raising=False)
    monkeypatch.setattr(client_module, "HOST_RUN", "/nowhere/at/all")
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert find_place(None).run == "/home/u/.local/state/crontabx/run"


def test_no_daemon_says_which_socket_and_how_to_start(client: Client, tmp_path: Path) -> None:
    """Exit status 3, the socket and the cure."""
    result = client("--state", str(tmp_path), "status")
    assert result.exit_code == 3
    assert f"{tmp_path}/run/scheduler.sock" in result.stderr
    assert f"crond --state {tmp_path} FILE" in result.stderr


def test_a_socket_nobody_listens_on(client: Client, tmp_path: Path) -> None:
    """What a killed daemon leaves behind is told as a daemon that is not there."""
    (tmp_path / "run").mkdir()
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "run" / "scheduler.sock"))
    left.close()
    result = client("--state", str(tmp_path), "status")
    assert result.exit_code == 3
    assert "Connection refused" in result.stderr


def test_a_socket_that_is_not_for_us(client: Client, daemon: FakeDaemon) -> None:
    """Somebody else's daemon is told as such, not as one that is down."""

    def refuse(_sock: socket.socket, _path: str) -> None:
        raise PermissionError(13, "Permission denied")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client_module, "_connect", refuse)
        result = client("--state", str(daemon.state), "status")
    assert result.exit_code == 3
    assert "you may not talk to this daemon: Permission denied" in result.stderr


def test_a_state_folder_deeper_than_a_socket_name(client: Client, tmp_path: Path) -> None:
    """A socket's path may be longer than the 108 bytes of sockaddr_un."""
    deep = tmp_path / ("d" * 90) / ("e" * 90)
    with FakeDaemon(deep) as daemon:
        daemon.answers("status", yes(STATUS))
        result = client("--state", str(deep), "status")
    assert result.exit_code == 0, result.stderr


HOSTILE = {
    "closed at once": [],
    "half a header": [b"\0\0"],
    "half a frame": [b"\0\0\0\x10[]"],
    "a frame beyond the limit": [(LARGE_FRAME + 1).to_bytes(4, "big")],
    "no JSON": [frame(b"\xff\xfe{")],
    "JSON nested beyond reason": [frame(b"[" * 100_000)],
    "another message": [frame(encode(Heartbeat()))],
    "an unknown message": [frame(b'["bye"]')],
    "a body that is no JSON": [Answer(True, True, "]")],
    "a body that is no object": [Answer(True, True, "[]")],
    "a refusal without words": [Answer(False, True, "{}")],
    "wrong shapes": [Answer(True, True, json.dumps({**STATUS, "running": 5}))],
    "wrong shapes within": [Answer(True, True, json.dumps({**STATUS, "running": [{"id": 1}]}))],
    "a number for a time": [Answer(True, True, json.dumps({**STATUS, "now": 5}))],
    "a time without a zone": [Answer(True, True, json.dumps({**STATUS, "now": "2026-11-21T03:00:00"}))],
    "nothing in it": [Answer(True, True, "{}")],
}


@pytest.mark.parametrize("steps", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_hostile_answers(ask: Client, daemon: FakeDaemon, steps: list, form: list) -> None:
    """Whatever a socket says, the client ends with status 3 and one clear line, printing nothing else."""
    daemon.answers("status", *steps)
    result = ask("status", *form)
    assert result.exit_code == 3
    assert result.stderr.startswith("crontabx: the daemon")
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_a_silent_daemon(ask: Client, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that does not answer is not waited for without end."""
    monkeypatch.setattr(client_module, "PATIENCE", 0.2)
    daemon.answers("status", Hang())
    result = ask("status")
    assert result.exit_code == 3
    assert "did not answer within 0.2 seconds" in result.stderr


def test_a_dripping_daemon(ask: Client, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte now and then does not begin the time limit anew."""
    monkeypatch.setattr(client_module, "PATIENCE", 0.3)
    pause = threading.Event()
    drip: list = [b"\0", lambda: pause.wait(0.15)]
    daemon.answers("status", *drip * 4, Hang())
    result = ask("status")
    assert result.exit_code == 3
    assert "did not answer" in result.stderr


def test_an_answer_in_pieces(ask: Client, daemon: FakeDaemon) -> None:
    """A frame may arrive byte by byte."""
    daemon.answers("status", *(bytes([b]) for b in frame(encode(yes(STATUS)))))
    assert ask("status").exit_code == 0


@pytest.mark.parametrize(
    ("code", "status"),
    [("unknown", 4), ("ambiguous", 4), ("forbidden", 1), ("bad_request", 1), ("closing", 3), ("new-one", 1)],
)
def test_refusals(ask: Client, daemon: FakeDaemon, code: str, status: int) -> None:
    """The daemon's words reach the user, and each code has its exit status."""
    daemon.answers("status", no(code, "because \x1b[31m"))
    result = ask("status")
    assert result.exit_code == status
    assert result.stderr == "crontabx: because ^[[31m\n"


def test_candidates_are_named(ask: Client, daemon: FakeDaemon) -> None:
    """Where a name fits several jobs, the user sees which."""
    daemon.answers("run", no("ambiguous", "'b' fits more than one job", candidates=["a/b1", "a/b2\x07"]))
    result = ask("run", "b")
    assert result.exit_code == 4
    assert result.stderr == "crontabx: 'b' fits more than one job: a/b1, a/b2^G\n"


def test_an_argument_beyond_the_wire(ask: Client, daemon: FakeDaemon) -> None:
    """What no daemon would take is not sent."""
    result = ask("run", "x" * 5000)
    assert result.exit_code == 2
    assert daemon.asked == []


def test_descriptors_are_closed_with_the_connection(daemon: FakeDaemon, tmp_path: Path) -> None:
    """What a daemon sends along is readable while we talk, and never outlives the connection."""
    (tmp_path / "output").write_text("hello")
    daemon.answers("status", WithFile(yes(STATUS), tmp_path / "output"))
    with Connection(find_place(str(daemon.state)), SCHEDULER) as connection:
        held = connection.ask("status").descriptor
        assert held is not None
        assert os.pread(held, 100, 0) == b"hello"
        inode = os.fstat(held).st_ino
    with contextlib.suppress(OSError):
        assert os.fstat(held).st_ino != inode
