"""The recorder as the launcher keeps it: started, replaced, without it no harm, and the last to go."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.launcher.daemon import Daemon, Runner, alive, files_config, until

#: In the place of the package that the launcher is told of: says who it is, and lives as its folder says.
_STUB = """
import json, os, socket, sys, time
sys.path.insert(0, {package!r})
from crond.model.frames import frame
from crond.model.codec import encode
from crond.model.messages import (Heartbeat)

def main(config):
    told = json.loads(config)
    with open({notes!r}, "a") as file:
        file.write(json.dumps([os.getpid(), told, os.getsid(0)]) + "\\n")
    wire = socket.socket(fileno=3)
    wire.sendall(frame(encode(Heartbeat())))
    while wire.recv(65536):
        pass
    with open({notes!r}, "a") as file:
        file.write(json.dumps("farewell") + "\\n")
    return 0
"""


def told(notes: Path) -> list[Any]:
    """Return what recorders have noted so far."""
    return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []


def _has(notes: Path, count: int) -> bool:
    return len(told(notes)) == count


def with_recorder(daemon: Callable[..., Daemon], folder: Path, **more: object) -> tuple[Daemon, Path]:
    """Start a launcher whose recorder is the stub."""
    notes = folder / "notes"
    package = folder / "package"
    recorder = package / "crond" / "recorder"
    recorder.mkdir(parents=True)
    root = str(Path(__file__).resolve().parents[2])
    (package / "crond" / "__init__.py").write_text(f"__path__.append({root + '/crond'!r})\n")
    (recorder / "__init__.py").write_text("")
    (recorder / "main.py").write_text(_STUB.format(package=root, notes=str(notes)))
    table = folder / "tab"
    table.write_text("* * * * * true\n")
    config = files_config(folder, table, recorder=True, package=str(package), settings="/etc/x.toml", **more)
    return daemon(config), notes


def test_it_is_told_where_things_are(daemon: Callable[..., Daemon], folder: Path) -> None:
    """Folders, the path of the settings, the heartbeat; its socket is there; no secret is in an argument."""
    one, notes = with_recorder(daemon, folder)
    one.wire()
    until(lambda: told(notes))
    pid, config, session = told(notes)[0]
    state = folder / "state"
    assert config == {
        "journal": str(state / "scheduler"),
        "history": str(state / "history"),
        "settings": "/etc/x.toml",
        "heartbeat": 60.0,
    }
    assert session == pid
    assert (state / "history").stat().st_mode & 0o7777 == 0o700
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(state / "run" / "recorder.sock"))


def test_a_killed_one_is_replaced_and_jobs_do_not_notice(daemon: Callable[..., Daemon], folder: Path) -> None:
    """Killed again and again: another follows, the scheduler's wire stays, a job starts and ends."""
    one, notes = with_recorder(daemon, folder)
    wire = one.wire()
    runner = Runner(wire)
    for count in range(1, 3):
        until(partial(_has, notes, count))
        os.kill(told(notes)[-1][0], signal.SIGKILL)
        runner.run(runner.table(folder / "tab"))
    one.wait_for(one.errors, "recorder: ended, killed by SIGKILL; starting another")
    until(lambda: len(told(notes)) == 3)


def test_a_silent_one_is_replaced(daemon: Callable[..., Daemon], folder: Path) -> None:
    """One heartbeat at its start is not enough."""
    one, notes = with_recorder(daemon, folder, heartbeat_timeout=1.0)
    one.wire(complete=False)
    one.wait_for(one.errors, "recorder: not heard for 1 s; it is replaced")
    until(lambda: len(told(notes)) == 2)


def test_it_goes_after_the_scheduler(daemon: Callable[..., Daemon], folder: Path) -> None:
    """At the end it is dismissed only when no scheduler writes any more, and ends by itself."""
    one, notes = with_recorder(daemon, folder)
    wire = one.wire()
    until(lambda: told(notes))
    one.process.send_signal(signal.SIGTERM)
    assert wire.is_closed()
    assert told(notes)[-1] != "farewell"
    pid: int = told(notes)[0][0]
    assert alive(pid)
    one.leave()
    assert one.wait() == 0
    assert told(notes)[-1] == "farewell"
    assert not alive(pid)


def test_without_a_recorder(daemon: Callable[..., Daemon], folder: Path) -> None:
    """`--no-recorder`: no folder, no socket, no process."""
    table = folder / "tab"
    table.write_text("* * * * * true\n")
    one = daemon(files_config(folder, table))
    one.wire()
    assert not (folder / "state" / "history").exists()
    assert not (folder / "state" / "run" / "recorder.sock").exists()
