"""A launcher that is killed and started again knows which jobs of its earlier life run on."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crond.launcher.attempts import Attempt, Attempts
from crond.launcher.config import Config
from crond.launcher.log import Log
from crond.launcher.loop import Loop
from crond.launcher.outlet import Outlet
from crond.launcher.register import Line, Register
from crond.launcher.stopping import Stopping
from crond.launcher.survivors import Survivors, line_of
from crond.model.codec import decode, encode
from crond.model.frames import LARGE_FRAME, FrameReader, frame
from crond.model.messages import (
    Ack,
    Answer,
    Ask,
    Exited,
    Forget,
    NotStarted,
    Start,
    Started,
    Stop,
    Survived,
    TablesComplete,
    Vanished,
)
from tests.launcher.daemon import (
    DEADLINE,
    Daemon,
    Runner,
    Wire,
    alive,
    files_config,
    output_of,
    until,
)
from tests.launcher.escaping import as_user, escaped, escaping
from tests.launcher.test_register import largest_file

UID = os.geteuid()
BOOT = "boot.1"
Begin = Callable[..., Daemon]


# --- the parts -------------------------------------------------------------------------------------


@pytest.fixture
def children() -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts processes that live until they are told otherwise."""
    made: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        made.append(subprocess.Popen(["sleep", "1000"], start_new_session=True))
        return made[-1]

    yield start
    for child in made:
        child.kill()
        child.wait()


class Heard(Outlet):
    """Keeps in `said` what is written."""

    def __init__(self, said: list[str], loop: Loop) -> None:
        super().__init__(2, loop)
        self._said = said

    def write(self, text: str) -> None:
        self._said.append(text)


class Life:
    """The part of a launcher's life that knows survivors, over the file at `path`."""

    def __init__(self, path: Path) -> None:
        self.loop = Loop()
        self.attempts = Attempts()
        self.said: list[str] = []
        self.log = Log(
            errors=Heard(self.said, self.loop), lines=None, syslog=None, as_json=False, dialect="cronie"
        )
        self.register = Register(str(path), BOOT)
        self.survivors = Survivors(self.register, loop=self.loop, log=self.log, attempts=self.attempts)
        self.gone: list[str] = []
        self.survivors.on_gone = self._gone

    def _gone(self, attempt: Attempt) -> None:
        self.attempts.vanished(attempt.key)
        self.gone.append(attempt.key)

    def start(self, key: str, pid: int) -> None:
        """Have started `pid` for attempt `key`."""
        line = line_of(key, pid, f"job {key}", 0, "root", 1.0)
        self.survivors.keep([line])
        self.attempts.add(attempt_of(key, pid))

    def turn_until(self, true: Callable[[], object]) -> None:
        def nothing() -> None:  # but the loop turns
            self.loop.after(0.01, nothing)

        def turned() -> object:
            self.loop.turn()
            return true()

        nothing()
        until(turned)


def attempt_of(key: str, pid: int, **more: Any) -> Attempt:
    return Attempt(
        key=key,
        job=f"job {key}",
        uid=0,
        user="root",
        pid=pid,
        started_at=1.0,
        began=1.0,
        command="",
        program=None,
        captured=True,
        logged=False,
        assigned={},
        mail_when_failed=False,
        of_pam=frozenset(),
        **more,
    )


@pytest.fixture
def life(tmp_path: Path) -> Callable[[], Life]:
    """Begins lives of a launcher, one after the other, over the same file."""
    return lambda: Life(tmp_path / "processes")


Lives = Callable[[], Life]
Children = Callable[[], "subprocess.Popen[bytes]"]


def test_who_lives_is_found(life: Lives, children: Children) -> None:
    """Of two that were started, the one that lives; the log names it."""
    first = life()
    lives, ended = children(), children()
    first.start("lives.1", lives.pid)
    first.start("ended.1", ended.pid)
    ended.kill()
    ended.wait()
    second = life()
    (survivor,) = second.survivors.find()
    assert (survivor.key, survivor.pid, survivor.running) == ("lives.1", lives.pid, True)
    assert f"running since before: job lives.1 (pid {lives.pid})" in second.said[0]
    assert [line.key for line in life().register.read()] == ["lives.1"]


def test_a_zombie_has_ended(life: Lives, children: Children) -> None:
    """In a container nobody may wait for an orphan: it is there for good, and runs no more."""
    first = life()
    child = children()
    first.start("z.1", child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert life().survivors.find() == []


def test_a_number_used_again_is_no_survivor(life: Lives, children: Children) -> None:
    """The same pid, started at another time."""
    first = life()
    child = children()
    line = line_of("x.1", child.pid, "x", 0, "root", 1.0)
    assert line is not None
    first.register.add([line._replace(ticks=line.ticks - 1)])
    assert life().survivors.find() == []
    life().register.add([line])
    assert len(life().survivors.find()) == 1


@pytest.mark.parametrize("refusal", [None, errno.ENOSYS, errno.EPERM, errno.EMFILE])
def test_its_end_is_seen(
    life: Lives, children: Children, monkeypatch: pytest.MonkeyPatch, refusal: int | None
) -> None:
    """By a pidfd, or by looking where that is refused."""

    def refused(_pid: int) -> int:
        raise OSError(refusal, "refused")

    monkeypatch.setattr("crond.launcher.survivors._LOOK", 0.01)
    if refusal is not None:
        monkeypatch.setattr(os, "pidfd_open", refused)
    first = life()
    staying, going = children(), children()
    first.start("staying.1", staying.pid)
    first.start("going.1", going.pid)
    second = life()
    assert len(second.survivors.find()) == 2
    going.kill()
    second.turn_until(lambda: second.gone)
    assert second.gone == ["going.1"]
    assert [attempt.key for attempt in second.attempts.running()] == ["staying.1"]
    assert not second.attempts.runs("going.1")
    assert second.attempts.get("going.1") is not None  # until it is forgotten
    assert f"pid {going.pid}, running since before, is gone" in second.said[-1]


def test_many_without_a_descriptor(life: Lives, children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than are looked at in one turn: each end is seen."""
    monkeypatch.setattr("crond.launcher.survivors._LOOK", 0.01)
    monkeypatch.setattr("crond.launcher.survivors._TOGETHER", 2)
    monkeypatch.setattr("crond.launcher.survivors._HANDLES", 1)
    first = life()
    each = [children() for _ in range(6)]
    for number, child in enumerate(each):
        first.start(f"n{number}.1", child.pid)
    second = life()
    assert len(second.survivors.find()) == 6
    for number in (5, 0, 3):
        each[number].kill()
    second.turn_until(lambda: len(second.gone) == 3)
    assert sorted(second.gone) == ["n0.1", "n3.1", "n5.1"]


def test_a_stop_leaves_who_has_the_number_now(
    life: Lives, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A survivor is nobody's child: its number may be another's before its end is seen."""
    first = life()
    stranger = children()
    stopping = Stopping(loop=first.loop, log=first.log, kill_timeout=0.0)
    line = line_of("x.1", stranger.pid, "x", 0, "root", 1.0)
    assert line is not None
    gone = attempt_of("x.1", stranger.pid, ticks=line.ticks - 1)
    first.attempts.adopt(gone)
    stopping.stop(gone)
    first.loop.after(0.0, lambda: first.attempts.vanished("x.1"))
    first.turn_until(lambda: not stopping.busy)
    assert stranger.poll() is None


def test_the_file_stays_small(life: Lives, children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of what has ended go when they outnumber what runs."""
    monkeypatch.setattr("crond.launcher.survivors._SPARE", 10)
    first = life()
    first.survivors.find()
    child = children()
    first.start("long.1", child.pid)
    for number in range(100):
        first.survivors.keep([Line(f"short{number}.1", 1, 1, "short", 0, "root", 1.0)])
        first.turn_until(lambda: True)
    kept = [line.key for line in life().register.read()]
    assert len(kept) <= 13
    assert kept[0] == "long.1"
    first.survivors.close()
    assert [line.key for line in life().register.read()] == ["long.1"]


def test_a_full_disk_is_made_up_for(life: Lives, children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said once; as soon as there is room again all that runs is written."""
    monkeypatch.setattr("crond.launcher.survivors._PATIENCE", 0.01)
    first = life()
    first.survivors.find()
    with largest_file(0):
        for number in range(3):
            first.start(f"n{number}.1", children().pid)
    assert life().register.read() == []
    first.turn_until(life().register.read)
    assert {line.key for line in life().register.read()} == {"n0.1", "n1.1", "n2.1"}
    assert ["cannot be written down" in line for line in first.said] == [True]


def test_a_file_that_cannot_be_read_is_replaced(life: Lives, tmp_path: Path, children: Children) -> None:
    """Whose file it is, nobody knows: nothing in it is believed, and the next life has one of ours."""
    first = life()
    first.start("x.1", children().pid)
    (tmp_path / "processes").chmod(0o666)
    second = life()
    assert second.survivors.find() == []
    assert f"not known: {tmp_path}/processes: not a file of crond's own" in second.said[0]
    second.start("y.1", children().pid)
    assert [survivor.key for survivor in life().survivors.find()] == ["y.1"]


# --- a real launcher -------------------------------------------------------------------------------


class Lived:
    """A daemon on one crontab in mode "files", which is killed and started again."""

    def __init__(self, begin: Begin, folder: Path, *lines: str, **more: Any) -> None:
        self._begin = begin
        self.path = folder / "crontab"
        self.path.write_text("".join(f"{line}\n" for line in lines))
        self.config: Config = files_config(folder, self.path, **more)
        self._live()

    def _live(self) -> None:
        self.daemon = self._begin(self.config)
        self.wire = self.daemon.wire()
        self.runner = Runner(self.wire)

    def start(self, entry: int = 0) -> tuple[str, int]:
        """Start an entry; return the attempt's key and its pid."""
        key = self.runner.start(self.runner.table(self.path), entry)
        return key, self.runner.started(key).pid

    def die(self) -> None:
        self.daemon.process.kill()
        self.daemon.wait()
        self.daemon.leave()

    def die_and_live(self) -> None:
        """Be killed as by the kernel, and start again over the same state."""
        self.die()
        self._live()

    def vanished(self, wire: Wire | None = None) -> Vanished:
        fact = (wire or self.wire).read_until(lambda fact: isinstance(fact, Vanished))
        assert isinstance(fact, Vanished)
        return fact


@pytest.fixture
def lived(folder: Path, daemon: Begin) -> Callable[..., Lived]:
    return lambda *lines, **more: Lived(daemon, folder, *lines, **more)


def survivors_in(wire: Wire) -> list[Survived]:
    """Return those told before TablesComplete, as all must be."""
    told = [type(fact) for fact in wire.facts]
    assert Survived not in told[told.index(TablesComplete) :]
    return [fact for fact in wire.facts if isinstance(fact, Survived)]


def test_a_killed_launcher_knows_its_jobs_again(lived: Callable[..., Lived], folder: Path) -> None:
    """Each that runs on is told, on each connection; its end is told until it is acknowledged."""
    fifo = folder / "go"
    os.mkfifo(fifo)
    life = lived(f"* * * * * echo begun; read x < {fifo}; echo done", "* * * * * echo short")
    key, pid = life.start()
    short = life.runner.run(life.runner.table(life.path), 1)
    assert isinstance(short, Exited)
    until(lambda: output_of(life.config, UID, key))
    life.die_and_live()
    assert survivors_in(life.wire) == [Survived(key, pid)]
    os.kill(life.wire.pid, signal.SIGKILL)
    again = life.daemon.wire()
    assert survivors_in(again) == [Survived(key, pid)]
    fifo.write_text("go\n")
    told = life.vanished(again)
    assert told.attempt == key
    assert output_of(life.config, UID, key) == b"begun\ndone\n"
    os.kill(again.pid, signal.SIGKILL)
    third = life.daemon.wire()
    assert life.vanished(third) == told
    assert survivors_in(third) == []
    third.send(Ack(told.number), Forget(key))
    life.die_and_live()
    assert survivors_in(life.wire) == []


def test_a_second_restart_finds_it_still(lived: Callable[..., Lived]) -> None:
    """What a life has found it leaves to the next one."""
    life = lived("* * * * * exec sleep 1000")
    key, pid = life.start()
    life.die_and_live()
    other, other_pid = life.start()
    life.die_and_live()
    assert survivors_in(life.wire) == [Survived(key, pid), Survived(other, other_pid)]


def test_a_survivor_is_stopped_with_its_tree(lived: Callable[..., Lived], folder: Path) -> None:
    """Its session and descendants, also those that ignore TERM."""
    life = lived(
        f"* * * * * (trap '' TERM; sleep 1000 & echo $! > {folder}/a; wait) & "
        f"setsid sleep 1000 & echo $! > {folder}/b; wait",
        kill_timeout=0.5,
    )
    key, pid = life.start()
    files = [folder / "a", folder / "b"]
    until(lambda: all(file.exists() and file.read_text().strip() for file in files))
    life.die_and_live()
    life.wire.send(Stop(key))
    assert life.vanished().attempt == key
    tree = [pid, *(int(file.read_text()) for file in files)]
    until(lambda: not any(alive(each) for each in tree))


@pytest.mark.parametrize("user", [None, "nobody"])
def test_a_survivor_is_stopped_with_all_that_it_made(daemon: Begin, folder: Path, user: str | None) -> None:
    """A child that had left its session and its parent before the restart went on for good: a later life
    finds the cgroup of an annotated job again, or its mark.
    """
    begin = daemon
    if user is not None:
        # Nobody gives a user a cgroup.
        begin = as_user(user, daemon, folder)
    life = Lived(begin, folder, "HOME=/", "#: timeout=1h", f"* * * * * {escaping(folder)}", kill_timeout=0.5)
    key, pid = life.start()
    child = escaped(folder)
    life.die_and_live()
    life.wire.send(Stop(key))
    assert life.vanished().attempt == key
    until(lambda: not alive(pid) and not alive(child))


def test_what_a_survivor_leaves_is_not_told_and_not_kept(lived: Callable[..., Lived], folder: Path) -> None:
    """Its path stays as long as it runs, or the job would fail on it; nobody can say how it ended."""
    fifo = folder / "go"
    os.mkfifo(fifo)
    life = lived(
        "#: name=j",
        f"* * * * * echo A=1 > $CRONTABX_OUTPUT; read x < {fifo}; echo B=2 >> $CRONTABX_OUTPUT && echo ok",
    )
    key, _ = life.start()
    data = Path(life.config.state) / "data" / key
    until(lambda: data.exists() and data.read_text())
    (data.parent / "old.1").write_text("A=1\n")
    life.die_and_live()
    assert os.listdir(data.parent) == [key]
    fifo.write_text("go\n")
    life.vanished()
    assert output_of(life.config, UID, key) == b"ok\n"
    until(lambda: not data.exists())


def test_a_survivor_is_not_started_again(lived: Callable[..., Lived]) -> None:
    """Neither while it runs, whatever was forgotten, nor after its end until it is forgotten."""
    life = lived("* * * * * exec sleep 1000")
    key, pid = life.start()
    life.die_and_live()
    run = key.rpartition(".")[0]
    table = life.runner.table(life.path)
    start = Start(table.version, 0, "command", "job0", run, 1)
    life.wire.send(Forget(key), start)
    refused = life.wire.read_until(lambda fact: isinstance(fact, NotStarted))
    assert (refused.attempt, refused.reason) == (key, "duplicate")
    os.kill(pid, signal.SIGKILL)
    life.vanished()
    life.wire.send(start, Forget(key))
    until(lambda: sum(isinstance(fact, NotStarted) for fact in _more(life.wire)) == 2)
    assert not any(isinstance(fact, Started) for fact in life.wire.facts)


def end(daemon: Daemon) -> int:
    """Tell `daemon` to end, and let its scheduler do so; return the exit status."""
    daemon.process.terminate()
    daemon.leave()
    return daemon.wait()


def _more(wire: Wire) -> list[Any]:
    """Return the facts of `wire` after one more came."""
    count = len(wire.facts)
    wire.read_until(lambda _fact: len(wire.facts) > count)
    return wire.facts


def test_the_output_of_a_survivor_is_followed(lived: Callable[..., Lived], folder: Path) -> None:
    """`crontabx logs` is answered as for every job that runs; how it ended stays open."""
    fifo = folder / "go"
    os.mkfifo(fifo)
    life = lived(f"* * * * * echo begun; read x < {fifo}")
    key, _pid = life.start()
    until(lambda: output_of(life.config, UID, key))
    life.die_and_live()
    fifo_end = os.open(fifo, os.O_RDWR)
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(DEADLINE)
            client.connect(os.path.join(life.config.run, "launcher.sock"))
            client.sendall(frame(encode(Ask("logs", (("attempt", key),)))))
            reader = FrameReader(LARGE_FRAME)
            data, descriptors, _, _ = socket.recv_fds(client, 65536, 1)
            answers = [decode(payload, Answer) for payload in reader.feed(data)]
            with open(descriptors[0], "rb") as output:
                assert output.read() == b"begun\n"
            os.write(fifo_end, b"go\n")
            while data := client.recv(65536):
                answers += [decode(payload, Answer) for payload in reader.feed(data)]
    finally:
        os.close(fifo_end)
    assert [(answer.final, json.loads(answer.body)) for answer in answers] == [
        (False, {"attempt": key, "running": True, "size": 6, "exit": None}),
        (True, {"attempt": key, "running": False, "size": 6, "exit": None}),
    ]


def test_a_large_output_of_a_survivor_is_held_to_its_size(lived: Callable[..., Lived], folder: Path) -> None:
    """It writes on after the restart, and the disk holds no more than it may."""
    fifo = folder / "go"
    os.mkfifo(fifo)
    life = lived(f"* * * * * read x < {fifo}; head -c 50000000 /dev/zero; sleep 1000", max_size=1_000_000)
    key, _pid = life.start()
    life.die_and_live()
    fifo.write_text("go\n")
    file = Path(life.config.state) / "outputs" / str(UID) / key
    # Who looks at it as it grows also says whose it is; a sweep, which would cut it too, does not.
    until(lambda: os.path.lexists(f"{file}.job"))
    until(lambda: file.stat().st_size == 50_000_000 and file.stat().st_blocks * 512 <= 1_000_000 + 8192)


def test_a_drained_daemon_leaves_no_survivor(lived: Callable[..., Lived]) -> None:
    """`crond FILE` ends what it runs before it ends, survivors too, and leaves nothing to be found."""
    life = lived("* * * * * exec sleep 1000", shutdown_grace=0.1)
    _key, pid = life.start()
    life.die_and_live()
    _other, other = life.start()
    assert end(life.daemon) == 0
    assert not alive(pid)
    assert not alive(other)
    assert (Path(life.config.state) / "processes").read_bytes() == b""


@pytest.mark.root
@pytest.mark.skipif(UID != 0, reason="a host's daemon is root")
def test_a_host_restarts_and_knows_its_jobs(folder: Path, host: Callable[..., Config], daemon: Begin) -> None:
    """TERM leaves jobs alone; the next daemon tells and stops them, whoever they run as."""
    config = host()
    path = folder / "cron.d" / "jobs"
    path.write_text("HOME=/\n* * * * * nobody exec sleep 1000\n")
    path.chmod(0o644)
    first = daemon(config)
    runner = Runner(first.wire())
    key = runner.start(runner.table(path))
    pid = runner.started(key).pid
    try:
        assert end(first) == 0
        assert alive(pid)
        register = Path(config.state) / "processes"
        assert (register.stat().st_uid, register.stat().st_mode & 0o777) == (0, 0o600)
        second = daemon(config)
        wire = second.wire()
        assert survivors_in(wire) == [Survived(key, pid)]
        second.wait_for(second.errors, f"running since before: job0 (pid {pid})")
        wire.send(Stop(key))
        assert wire.read_until(lambda fact: isinstance(fact, Vanished)).attempt == key
        assert not alive(pid)
    finally:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
