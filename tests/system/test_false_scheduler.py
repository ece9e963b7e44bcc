"""A scheduler gone bad, played by the test: it can ask only for what a table holds.

Privilege lies with the launcher alone, so this is what a scheduler that was taken over could do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crond.launcher.config import Config
from crond.model.codec import encode
from crond.model.frames import LARGE_FRAME, frame
from crond.model.messages import Ack, Ask, Exited, Forget, NotStarted, Start, Stop, TableText
from tests.launcher.daemon import PACKAGE, Daemon, Wire
from tests.system.daemon import host_folder, install
from tests.system.ground import Ground, People


class Stage:
    """A launcher as root with one table of ann's, and the folders that belong to it."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon = daemon
        self.folder = folder
        self.wire = daemon.wire()
        self.table = next(fact for fact in self.wire.facts if isinstance(fact, TableText))

    def answer(self, wish: Start) -> NotStarted | Exited:
        self.wire.send(wish)
        key = f"{wish.run}.{wish.attempt}"
        fact: NotStarted | Exited = self.wire.read_until(
            lambda fact: isinstance(fact, (NotStarted, Exited)) and fact.attempt == key
        )
        return fact

    def outputs(self) -> list[str]:
        return sorted(str(path) for path in (self.folder / "state" / "outputs").rglob("*") if path.is_file())


@pytest.fixture
def stage(ground: Ground, people: People) -> Iterator[Stage]:
    folder = host_folder(ground, people, dialect="cronie")
    install(folder, people.ann, "0 0 31 2 * id -un\n")
    config = Config(
        mode="host",
        mail="off",
        package=PACKAGE,
        state=str(folder / "state"),
        run=str(folder / "state" / "run"),
        system_crontab=str(folder / "crontab"),
        cron_d=str(folder / "cron.d"),
        spool=str(folder / "spool"),
        account=people.scheduler.pw_name,
        pid_file=str(folder / "crond.pid"),
        reboot_marker=str(folder / "cron.reboot"),
    )
    meeting = ground.new_folder("meeting")
    daemon = Daemon(config, meeting)
    try:
        yield Stage(daemon, folder)
    finally:
        daemon.close()


def test_only_what_a_table_holds_is_started(stage: Stage, people: People) -> None:
    """No entry of that number, no table of that version, no such part of it: refused with the reason, and no
    process is made.
    """
    table = stage.table
    refused = {
        "entry": Start(table.version, 1, "command", "x", "entry", 1),
        "last": Start(table.version, 2**31 - 1, "command", "x", "last", 1),
        "version": Start(table.version + 1, 0, "command", "x", "version", 1),
        "none": Start(0, 0, "command", "x", "none", 1),
        "condition": Start(table.version, 0, "condition", "x", "condition", 0),
        "sensor": Start(table.version, 0, "wait_for", "x", "sensor", -1),
        "number": Start(table.version, 0, "condition", "x", "number", 1),
    }
    reasons = {}
    for name, wish in refused.items():
        fact = stage.answer(wish)
        assert isinstance(fact, NotStarted)
        reasons[name] = fact.reason
    stale = {"version", "none"}
    assert reasons == {name: "stale" if name in stale else "unknown" for name in refused}
    assert stage.outputs() == []

    held = stage.answer(Start(table.version, 0, "command", "root", "held", 1))
    assert isinstance(held, Exited)
    (output,) = stage.outputs()
    assert Path(output).read_text() == f"{people.ann.pw_name}\n"


def test_no_attempt_is_started_twice(stage: Stage) -> None:
    """An attempt that ran is not run again, whether its end was acknowledged or not."""
    wish = Start(stage.table.version, 0, "command", "x", "once", 1)
    ended = stage.answer(wish)
    assert isinstance(ended, Exited)
    for acknowledge in (False, True):
        if acknowledge:
            stage.wire.send(Ack(ended.number))
        stage.wire.facts.clear()
        again = stage.answer(wish)
        assert isinstance(again, NotStarted)
        assert again.reason == "duplicate"


@pytest.mark.parametrize(
    "payload",
    [
        ["start", 1, 0, "command", "x", "run", 1, [["LD_PRELOAD", "/tmp/evil.so"]]],
        ["start", 1, 0, "command", "x", "run", 1, [["PATH", "/tmp"]]],
        ["start", 1, 0, "shell", "x", "run", 1, []],
        ["start", 1, 0, "command", "x", "../../../etc/cron.d/evil", 1, []],
        ["start", 1, 0, "command", "x", "/etc/passwd", 1, []],
        ["start", 1, 0, "command", "x", "run", -(10**7), []],
        ["start", 1, -1, "command", "x", "run", 1, []],
        ["start", "1", 0, "command", "x", "run", 1, []],
        ["start", 1, 0, "command", "x", "run", 1, [], "sh -c id"],
        ["stop", "../../1"],
        ["stop", "1"],
        ["forget", "../../../../etc/passwd.1"],
        ["forget", ".1"],
        ["execute", "id"],
        ["mail", "root"],
        ["ack", -1],
        ["ack", True],
        ["retire", 1],
        ["hello", 1, "life", "boot", True, 0, "cronie", 0.0, [], []],
        [],
        {},
    ],
    ids=str,
)
def test_what_is_no_wish_costs_the_scheduler_its_life(stage: Stage, payload: Any) -> None:
    """A message that is none, or outside its bounds: the scheduler is replaced; nothing else happens."""
    import json

    stage.wire.sock.sendall(frame(json.dumps(payload).encode()))
    assert stage.wire.is_closed()
    stage.daemon.wait_for(stage.daemon.errors, "it is replaced")
    assert stage.outputs() == []
    assert Path("/etc/passwd").exists()
    assert stage.daemon.process.poll() is None


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 64,
        b"\0\0\0\0",
        (LARGE_FRAME + 1).to_bytes(4, "big") + b"x" * 1000,
        os.urandom(4096),
        frame(encode(Ask("status"))),
    ],
    ids=["ones", "empty", "oversized", "random", "ask"],
)
def test_bytes_that_are_no_frame(stage: Stage, data: bytes) -> None:
    """The same for bytes that are no frame, and for a message that belongs to another wire."""
    stage.wire.sock.sendall(data + b"\0" * 4)
    assert stage.wire.is_closed()
    stage.daemon.wait_for(stage.daemon.errors, "it is replaced")
    following = stage.daemon.wire()
    assert following.pid != stage.wire.pid
    assert stage.outputs() == []


def test_strangers_attempts_cannot_be_stopped_or_forgotten(stage: Stage) -> None:
    """Stop and Forget name attempts of this launcher; other names move nothing, and are no error."""
    mark = stage.folder / "state" / "outputs" / "precious"
    mark.write_text("x")
    stage.wire.send(Stop("nobody.1"), Forget("nobody.1"), Forget("precious.1"), Ack(2**53))
    held = stage.answer(Start(stage.table.version, 0, "command", "x", "after", 1))
    assert isinstance(held, Exited)
    assert mark.exists()


def test_a_false_scheduler_has_the_rights_of_its_account_only(stage: Stage, people: People) -> None:
    """The process that speaks on the wire cannot become anybody else."""
    status = Path(f"/proc/{stage.wire.pid}/status").read_text()
    assert f"Uid:\t{people.scheduler.pw_uid}\t{people.scheduler.pw_uid}" in status
    assert "CapEff:\t0000000000000000" in status


def test_facts_come_again_until_they_are_acknowledged(stage: Stage) -> None:
    """A scheduler that never acknowledges is told everything again; one that does is not."""
    ended = stage.answer(Start(stage.table.version, 0, "command", "x", "told", 1))
    os.kill(stage.wire.pid, 9)
    following: Wire = stage.daemon.wire()
    again = following.read_until(lambda fact: isinstance(fact, Exited))
    assert again == ended
    following.send(Ack(again.number))
    # An answer that comes after the acknowledgement shows that it was taken.
    following.send(Start(0, 0, "command", "x", "behind", 1))
    behind = following.read_until(lambda fact: isinstance(fact, NotStarted))
    following.send(Ack(behind.number))
    os.kill(following.pid, 9)
    third = stage.daemon.wire()
    assert not [fact for fact in third.facts if isinstance(fact, Exited)]
