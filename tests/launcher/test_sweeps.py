"""A real launcher that is asked to prune: who may, what is answered, and what it logs."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crond.model.codec import decode, encode
from crond.model.frames import LARGE_FRAME, FrameReader, frame
from crond.model.messages import Answer, Ask
from tests.launcher.daemon import Daemon, files_config, until

pytestmark = pytest.mark.system
UID = os.geteuid()


def asked(daemon: Daemon, **arguments: str) -> list[Answer]:
    """Return the answers to `prune`."""
    data, fds = daemon.ask(frame(encode(Ask("prune", tuple(arguments.items())))))
    assert fds == []
    return [decode(payload, Answer) for payload in FrameReader(LARGE_FRAME).feed(data)]


def body(answers: list[Answer]) -> dict[str, Any]:
    assert answers[-1].final
    found = json.loads(answers[-1].body)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def outputs(folder: Path) -> Path:
    """Three outputs of one job, each a day older than the one before, in the state of a daemon to come."""
    place = folder / "state" / "outputs" / str(UID)
    place.mkdir(parents=True, mode=0o700)
    (folder / "state" / "outputs").chmod(0o700)
    for number in range(3):
        file = place / f"r{number}.1"
        file.write_bytes(b"x" * 5000)
        then = time.time() - 86400 * (number + 0.5)
        os.utime(file, times=(then, then))
        file.with_name(file.name + ".job").symlink_to("backup")
    return place


@pytest.fixture
def launcher(folder: Path, outputs: Path, daemon: Callable[..., Daemon]) -> Daemon:
    path = folder / "crontab"
    path.write_text("* * * * * :\n")
    started = daemon(files_config(folder, path, keep_runs=2))
    started.wire()
    return started


def test_a_client_prunes(launcher: Daemon, outputs: Path) -> None:
    """Figures come back, files and their labels go, and the log says it."""
    dry = body(asked(launcher, dry_run="yes"))
    assert (dry["removed"], dry["kept"], dry["dry_run"]) == (1, 2, True)
    assert dry["oldest"].endswith("Z")
    assert (outputs / "r2.1").exists()
    wet = body(asked(launcher))
    assert wet == {**dry, "dry_run": False}
    assert sorted(os.listdir(outputs)) == ["r0.1", "r0.1.job", "r1.1", "r1.1.job"]
    launcher.wait_for(launcher.errors, f"outputs, for uid {UID}: 1 removed")


def test_limits_for_this_once(launcher: Daemon, outputs: Path) -> None:
    """A client may want other limits; the daemon's own are as they were."""
    assert body(asked(launcher, dry_run="yes", keep_runs="1"))["removed"] == 2
    assert body(asked(launcher, dry_run="yes", keep_runs="0", keep_days="2.1"))["removed"] == 1
    assert body(asked(launcher, dry_run="yes", keep_runs="0", total_size="5000"))["removed"] == 2
    assert body(asked(launcher, dry_run="yes"))["removed"] == 1


@pytest.mark.parametrize(
    "arguments", [{"keep_runs": "x"}, {"keep_days": "nan"}, {"keep_days": "-1"}, {"total_size": "1e300"}]
)
def test_limits_that_are_none(launcher: Daemon, arguments: dict[str, str]) -> None:
    """Refused before anything is looked at."""
    assert body(asked(launcher, **arguments))["code"] == "bad_request"


def test_a_client_that_goes_leaves_no_process(launcher: Daemon, outputs: Path) -> None:
    """Whoever hangs up at once loses nothing, and may ask again."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(os.path.join(launcher.config.run, "launcher.sock"))
        sock.sendall(frame(encode(Ask("prune", (("dry_run", "yes"),)))))

    def answered() -> bool:
        return "removed" in body(asked(launcher, dry_run="yes"))

    until(answered)


def test_two_at_once_of_one_user(launcher: Daemon) -> None:
    """The second is told to wait: one user's prunes must not fill the machine."""
    socks = []
    for _ in range(2):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(os.path.join(launcher.config.run, "launcher.sock"))
        sock.sendall(frame(encode(Ask("prune", (("dry_run", "yes"),)))))
        socks.append(sock)
    answers = []
    for sock in socks:
        sock.settimeout(20)
        data = b""
        while part := sock.recv(65536):
            data += part
        sock.close()
        answers.append(json.loads(decode(FrameReader(LARGE_FRAME).feed(data)[-1], Answer).body))
    assert "removed" in answers[0]
    assert answers[1]["code"] == "busy"
