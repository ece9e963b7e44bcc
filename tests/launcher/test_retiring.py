"""A real launcher keeps one-shots: who may, what the scheduler is told, and what a Retire takes away."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crond.launcher.config import Config
from crond.model.edits import Fetch, ListAt, PutAt, RemoveAt
from crond.model.messages import Retire, TableGone, TableText
from tests.launcher.client import NOBODY, as_nobody, ask, install, put_at
from tests.launcher.daemon import Daemon, Wire, files_config, until

pytestmark = [
    pytest.mark.root,
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="becoming users needs root"),
]

Make = Callable[..., Config]
Begin = Callable[..., Daemon]
LATER = float(int(time.time()) + 86400)


@pytest.fixture
def launcher(host: Make, daemon: Begin) -> tuple[Daemon, Wire]:
    running = daemon(host(dialect="debian"))
    return running, running.wire()


def table_with(wire: Wire, *names: str) -> TableText:
    """Return the table of one-shots that holds exactly these, when the scheduler is told of it."""

    def holds(fact: Any) -> bool:
        return (
            isinstance(fact, TableText)
            and os.path.basename(os.path.dirname(fact.origin)) == "at"
            and fact.text.count(b"\n@at ") == len(names)
            and all(name.encode() in fact.text for name in names)
        )

    found: TableText = wire.read_until(holds)
    return found


def names(daemon: Daemon, user: str = "nobody") -> list[str]:
    return [job["name"] for job in ask(daemon, ListAt(user))["jobs"]]


def put(daemon: Daemon, command: bytes = b"make", user: str = "nobody") -> str:
    told = put_at(daemon, LATER, command, user=user)
    assert told["ok"], told
    name: str = told["name"]
    return name


def test_the_scheduler_is_told(launcher: tuple[Daemon, Wire], folder: Path) -> None:
    """A table of the owner's, at once; cron's log has a line for each change; removed, it is gone."""
    daemon, wire = launcher
    name = put(daemon, b"date +%H")
    table = table_with(wire, name)
    assert (table.owner, table.uid, table.system) == ("nobody", NOBODY.pw_uid, False)
    assert table.text.endswith(b" date +\\%H\n")
    (job,) = ask(daemon, ListAt("nobody"))["jobs"]
    assert (job["at"], job["command"], job["umask"]) == (LATER, "date +%H", "027")
    daemon.wait_for(daemon.errors, f"(root) AT (nobody {name} ")
    assert ask(daemon, RemoveAt("nobody", name))["ok"]
    assert wire.read_until(lambda fact: isinstance(fact, TableGone)).origin == table.origin
    daemon.wait_for(daemon.errors, f"(root) AT REMOVE (nobody {name})")
    assert ask(daemon, RemoveAt("nobody", name))["code"] == "unknown"
    assert ask(daemon, Fetch("nobody", 0, "list"))["code"] == "none", "the crontab is another file"


def test_users_have_their_own(launcher: tuple[Daemon, Wire]) -> None:
    """A user puts, sees and removes nothing of root's, whatever name the message has."""
    daemon, _ = launcher
    name = put(daemon, user="root")
    for message in (PutAt("root", LATER, "/", 0o022, 1), RemoveAt("root", name), ListAt("root")):
        assert as_nobody(daemon, message)["code"] == "permission"
    assert as_nobody(daemon, RemoveAt("", name))["code"] == "unknown"
    assert as_nobody(daemon, ListAt(""))["jobs"] == []
    assert names(daemon, "root") == [name]


def test_cron_deny(launcher: tuple[Daemon, Wire], folder: Path) -> None:
    """Who may not edit crontabs may not put one-shots either."""
    daemon, _ = launcher
    (folder / "cron.deny").write_text("nobody\n")
    for message in (PutAt("", LATER, "/", 0o022, 1), RemoveAt("", "at-a"), ListAt("")):
        assert as_nobody(daemon, message)["code"] == "not_allowed"
    assert put(daemon, user="nobody"), "root may, for others too"


def test_they_survive_the_launcher(host: Make, daemon: Begin) -> None:
    """What was put before a restart is told after it."""
    config = host()
    first = daemon(config)
    first.wire()
    name = put(first)
    first.end()
    table_with(daemon(config).wire(), name)


def test_retire(launcher: tuple[Daemon, Wire]) -> None:
    """Many of one text at once, while others are put: those that are meant go, and the rest stays."""
    daemon, wire = launcher
    put_names = [put(daemon, b"%d" % number) for number in range(5)]
    table = table_with(wire, *put_names)
    late = put(daemon, b"late")
    wire.send(*(Retire(table.version, number) for number in (0, 2, 4)), Retire(table.version, 99))
    left = table_with(wire, put_names[1], put_names[3], late)
    # The text is another by now, the wish still speaks of the former one; what is gone may be named again.
    wire.send(Retire(table.version, 0), Retire(table.version, 3))
    table_with(wire, put_names[1], late)
    wire.send(Retire(left.version, 0), Retire(left.version, 2))
    wire.read_until(lambda fact: isinstance(fact, TableGone) and fact.origin == table.origin)
    assert names(daemon) == []


def test_retire_touches_no_crontab(launcher: tuple[Daemon, Wire], folder: Path) -> None:
    """A wish that names a crontab, or a version that never was, changes nothing; the launcher goes on."""
    daemon, wire = launcher
    text = b"#: name=at-abc234\n@at 2100-01-01T00:00:00+00:00 x\n"
    install(daemon, text, user="nobody")
    crontab = wire.read_until(lambda fact: isinstance(fact, TableText) and fact.text == text)
    name = put(daemon)
    table = table_with(wire, name)
    wire.send(Retire(crontab.version, 0), Retire(4711, 0), Retire(table.version, 0))
    wire.read_until(lambda fact: isinstance(fact, TableGone) and fact.origin == table.origin)
    assert (folder / "spool" / "nobody").read_bytes() == text


def test_retire_that_fails_is_told(launcher: tuple[Daemon, Wire], folder: Path) -> None:
    """A file that cannot be changed stays, the log says so, and the next wish is served."""
    daemon, wire = launcher
    name = put(daemon)
    table = table_with(wire, name)
    (folder / "state" / "at").chmod(0o777)
    wire.send(Retire(table.version, 0))
    daemon.wait_for(daemon.errors, "one-shots that are done stay in")
    (folder / "state" / "at").chmod(0o700)
    wire.send(Retire(table.version, 0))
    wire.read_until(lambda fact: isinstance(fact, TableGone))


def test_beside_a_file(folder: Path, daemon: Begin) -> None:
    """`crond FILE` keeps one-shots of whoever runs it, in its state folder; of nobody else."""
    (folder / "file").write_text("1 2 3 4 5 x\n")
    running = daemon(files_config(folder, folder / "file"))
    wire = running.wire()
    told = put_at(running, LATER, b"make")
    table = table_with(wire, told["name"])
    assert os.path.dirname(table.origin) == str(Path(running.config.state) / "at")
    assert put_at(running, LATER, b"make", user="nobody")["code"] == "permission"
    assert ask(running, Fetch("", 0, "list"))["code"] == "files"
    wire.send(Retire(table.version, 0))
    until(lambda: names(running, "") == [])
