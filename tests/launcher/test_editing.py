"""A real launcher serves edits: by whom, of whose crontab, and what a hostile client gets out of it."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crond.launcher.config import Config
from crond.model.codec import encode
from crond.model.edits import (
    PIECE,
    TEXT_LIMIT,
    ClusterHost,
    Fetch,
    Install,
    ListVersions,
    Piece,
    Remove,
    Restore,
)
from crond.model.frames import frame
from crond.model.messages import Answer, TableGone, TableText
from tests.launcher.client import NOBODY, Client, as_nobody, ask, install
from tests.launcher.daemon import DEADLINE, Daemon, Wire, alive, files_config, until

pytestmark = [
    pytest.mark.root,
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="becoming users needs root"),
]

Make = Callable[..., Config]
Begin = Callable[..., Daemon]
ONE = b"1 * * * * one\n"


@pytest.fixture
def launcher(host: Make, daemon: Begin) -> tuple[Daemon, Wire]:
    running = daemon(host(dialect="debian"))
    return running, running.wire()


@pytest.fixture
def _no_child_left(launcher: tuple[Daemon, Wire]) -> Iterator[None]:
    """Every process that served an edit has ended when the test has."""
    yield
    until(lambda: not [pid for pid in children(launcher[0].process.pid) if "crond-edit" in name_of(pid)])


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


@pytest.mark.usefixtures("_no_child_left")
def test_an_installed_crontab_is_told_at_once(launcher: tuple[Daemon, Wire], folder: Path) -> None:
    """The scheduler hears of each change; owner and mode are the user's; cron's events are logged."""
    daemon, wire = launcher
    told = install(daemon, ONE, user="nobody")
    assert (told["ok"], told["version"], told["problems"]) == (True, 1, [])
    table = wire.read_until(lambda fact: isinstance(fact, TableText))
    assert (table.owner, table.uid, table.text) == ("nobody", NOBODY.pw_uid, ONE)
    found = (folder / "spool" / "nobody").stat()
    assert (found.st_uid, found.st_mode & 0o7777) == (NOBODY.pw_uid, 0o600)
    daemon.wait_for(daemon.errors, "(root) REPLACE (nobody)")
    assert ask(daemon, Remove("nobody"))["undo"] == 1
    wire.read_until(lambda fact: isinstance(fact, TableGone))
    daemon.wait_for(daemon.errors, "(root) DELETE (nobody)")
    assert ask(daemon, Restore("nobody", 1))["version"] == 3
    wire.read_until(lambda fact: isinstance(fact, TableText) and fact.version != table.version)


def test_it_is_told_without_inotify(host: Make, daemon: Begin) -> None:
    """Who does not watch folders hears it from the one who changed them."""
    running = daemon(host(watch=False))
    wire = running.wire()
    install(running, ONE, user="nobody")
    assert wire.read_until(lambda fact: isinstance(fact, TableText)).text == ONE


@pytest.mark.parametrize(
    "text", [b"", b"# \xff\x01\r\n", b"".join(b"# %d\n%d * * * * a\n" % (i, i % 60) for i in range(4900))]
)
def test_the_very_bytes_come_back(launcher: tuple[Daemon, Wire], text: bytes) -> None:
    """Whatever is installed is what Fetch gives, in as many pieces as it takes; so with a kept version."""
    daemon, _ = launcher
    assert install(daemon, text, user="nobody")["ok"]
    for version in (0, 1):
        client = Client(daemon)
        with contextlib.closing(client.sock):
            client.send(Fetch("nobody", version, "list"))
            assert client.body()["size"] == len(text)
            found = b""
            while (piece := client.next()) is not None:
                found += piece.data
            assert found == text


def test_users_have_their_own(launcher: tuple[Daemon, Wire]) -> None:
    """A user reads and changes nothing of root's or others', whatever name the message has."""
    daemon, _ = launcher
    install(daemon, ONE, user="root")
    for message in (
        Fetch("root", 0, "list"),
        Fetch("root", 1, "list"),
        Install("daemon", "x", "", 3),
        Remove("root"),
        Restore("root", 1),
        ListVersions("root"),
    ):
        told = as_nobody(daemon, message)
        assert (told["ok"], told["error"]) == (False, "must be privileged to use -u"), message
    assert as_nobody(daemon, Fetch("", 0, "list"))["error"] == "no crontab for nobody"
    assert as_nobody(daemon, Fetch("", 1, "list"))["code"] == "unknown"
    assert as_nobody(daemon, ListVersions("nobody"))["versions"] == []


@pytest.mark.parametrize("name", ["../etc/passwd", "/etc/passwd", ".", "..", "nosuch", "nobody/", "x\udcff"])
def test_a_name_is_no_path(launcher: tuple[Daemon, Wire], folder: Path, name: str) -> None:
    """What is no account is no file either, even for root."""
    daemon, _ = launcher
    told = install(daemon, ONE, user=name)
    assert (told["ok"], told["code"]) == (False, "no_user")
    assert list((folder / "spool").iterdir()) == []


def test_who_chooses_the_host_of_a_cluster(host: Make, daemon: Begin) -> None:
    """Root says which; everybody may ask, and is shown no other file through a link."""
    running = daemon(host(dialect="debian"))
    running.wire()
    chosen = Path(running.config.spool, ".cron.hostname")
    assert as_nobody(running, ClusterHost("mine"))["code"] == "permission"
    assert as_nobody(running, ClusterHost(""))["code"] == "no_host"
    assert ask(running, ClusterHost("a\nb"))["code"] == "bad_request"
    assert ask(running, ClusterHost("one"))["host"] == "one"
    assert chosen.read_bytes() == b"one\n"
    assert as_nobody(running, ClusterHost(""))["host"] == "one"
    secret = chosen.with_name(".secret")
    secret.write_text("secret")
    for link in (os.link, os.symlink):
        chosen.unlink()
        link(secret, chosen)
        answer = as_nobody(running, ClusterHost(""))
        assert not answer["ok"]
        assert "host" not in answer
    assert ask(running, ClusterHost("two"))["host"] == "two"
    assert secret.read_text() == "secret"


def test_cron_deny(host: Make, daemon: Begin, folder: Path) -> None:
    """Who is listed is refused, with a line in the log; root still may, also for them."""
    (folder / "cron.deny").write_text("nobody\n")
    running = daemon(host(dialect="debian"))
    running.wire()
    assert as_nobody(running, Fetch("", 0, "list"))["code"] == "not_allowed"
    running.wait_for(running.errors, "(nobody) AUTH (crontab command not allowed)")
    assert install(running, ONE, user="nobody")["ok"]


def test_files_mode_says_which_file(folder: Path, daemon: Begin) -> None:
    """A daemon that runs a FILE has no crontab to install; the answer names the file."""
    file = folder / "my.crontab"
    file.write_bytes(ONE)
    running = daemon(files_config(folder, file))
    running.wire()
    told = ask(running, Fetch("", 0, "edit"))
    assert (told["ok"], told["code"]) == (False, "files")
    assert str(file) in told["error"]


@pytest.mark.parametrize(
    "pieces",
    [
        [Piece(b"x" * 99)],
        [Piece(b"x"), Fetch("", 0, "list")],
        [Piece(ONE + b"more")],
        [Answer(True, True, "{}")],
    ],
    ids=["too much", "another request", "a little too much", "an answer"],
)
@pytest.mark.usefixtures("_no_child_left")
def test_what_is_no_text(launcher: tuple[Daemon, Wire], pieces: list[Any]) -> None:
    """More than was announced, or other messages: refused, and nothing is installed."""
    daemon, _ = launcher
    client = Client(daemon)
    client.send(Install("", "x", "", len(ONE)))
    assert client.body()["ok"]
    client.send(*pieces)
    assert client.body()["code"] == "bad_request"
    assert client.next() is None
    client.sock.close()
    assert ask(daemon, Fetch("", 0, "list"))["code"] == "none"


@pytest.mark.usefixtures("_no_child_left")
def test_a_connection_that_is_cut(launcher: tuple[Daemon, Wire]) -> None:
    """Half a text, then nothing: the crontab is what it was."""
    daemon, _ = launcher
    install(daemon, ONE)
    for sent in (b"", frame(encode(Piece(b"2 * * * *"))), frame(encode(Piece(b"2")))[:-2]):
        client = Client(daemon)
        client.send(Install("", "x", "", 50))
        client.body()
        client.sock.sendall(sent)
        client.sock.close()
    until(lambda: not [pid for pid in children(daemon.process.pid) if "crond-edit" in name_of(pid)])
    assert ask(daemon, Fetch("", 0, "list"))["size"] == len(ONE)


def test_the_loop_does_not_wait_for_a_parse(launcher: tuple[Daemon, Wire]) -> None:
    """While a text that takes seconds is checked others are answered at once; at last it is refused."""
    daemon, _ = launcher
    text = b"x\n" * 200_000
    client = Client(daemon)
    client.send(Install("", "x", "", len(text)))
    client.body()
    client.send(*(Piece(text[at : at + PIECE]) for at in range(0, len(text), PIECE)))
    began = time.monotonic()
    assert ask(daemon, Fetch("", 0, "list"))["code"] == "none"
    assert time.monotonic() - began < 1.0
    told = client.body()
    client.sock.close()
    assert told["code"] == "invalid"
    assert told["count"] >= 10_000


def test_a_text_beyond_the_limit(launcher: tuple[Daemon, Wire]) -> None:
    """Announcing more than the limit is no message at all: the connection is closed."""
    daemon, _ = launcher
    client = Client(daemon)
    payload = json.dumps(["install", "", "x", "", TEXT_LIMIT + 1]).encode()
    client.sock.sendall(struct.pack(">I", len(payload)) + payload)
    assert client.next() is None
    client.sock.close()
    daemon.wait_for(daemon.errors, "install: ")


@pytest.mark.usefixtures("_no_child_left")
def test_each_user_has_so_many_connections(launcher: tuple[Daemon, Wire]) -> None:
    """Edits that are being served count: one user cannot take all of them."""
    daemon, _ = launcher
    path = os.path.join(daemon.config.run, "launcher.sock")
    program = (
        "import socket, sys\n"
        "held = []\n"
        "for _ in range(30):\n"
        "    s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1])\n"
        "    try:\n"
        "        s.sendall(bytes.fromhex(sys.argv[2])); got = s.recv(9999)\n"
        "    except OSError:\n"
        "        got = b''\n"
        "    if got: held.append(s)\n"
        "print(len(held))\n"
    )
    done = subprocess.run(
        ["/usr/bin/python3", "-c", program, path, frame(encode(Install("", "x", "", 9))).hex()],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        user=NOBODY.pw_uid,
        cwd="/",
        check=True,
    )
    assert done.stdout == "16\n"
    assert install(daemon, ONE)["ok"]


def test_a_child_holds_nothing_of_the_daemons(launcher: tuple[Daemon, Wire]) -> None:
    """The process that serves an edit has its connection and its report: no lock, socket or wire."""
    daemon, _ = launcher
    client = Client(daemon)
    client.send(Install("", "x", "", 9))
    client.body()
    pid = next(pid for pid in children(daemon.process.pid) if "crond-edit" in name_of(pid))
    held = sorted(int(fd.name) for fd in Path(f"/proc/{pid}/fd").iterdir())
    kinds = [os.readlink(f"/proc/{pid}/fd/{fd}").partition(":")[0] for fd in held if fd > 2]
    assert sorted(kinds) == ["pipe", "socket"]
    client.sock.close()


def test_the_launcher_does_without(host: Make, daemon: Begin) -> None:
    """Ended amid an edit, a launcher leaves a child that holds nothing of it and ends by itself."""
    running = daemon(host())
    running.wire()
    client = Client(running)
    client.send(Install("", "x", "", 9))
    client.body()
    pid = next(pid for pid in children(running.process.pid) if "crond-edit" in name_of(pid))
    running.leave()
    began = time.monotonic()
    assert running.end() == 0
    assert time.monotonic() - began < 5.0, "who reads the daemon's output waits for the child"
    client.sock.close()
    until(lambda: not alive(pid))
