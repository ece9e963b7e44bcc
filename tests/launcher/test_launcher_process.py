"""A real launcher in mode "files"; the test is its scheduler. What a job is, and how each end is told."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crond.model.codec import decode, encode
from crond.model.frames import LARGE_FRAME, FrameReader, frame
from crond.model.messages import (
    Ack,
    Answer,
    Ask,
    Exited,
    Forget,
    Heartbeat,
    Hello,
    NotStarted,
    Start,
    Started,
    Stop,
    TableGone,
    TablesComplete,
    TableText,
)
from tests.launcher.daemon import DEADLINE, Daemon, Runner, alive, files_config, output_of, until

pytestmark = pytest.mark.system
UID = os.geteuid()


class Spine:
    """A daemon on one crontab, and a runner of its entries."""

    def __init__(self, daemon: Daemon, path: Path) -> None:
        self.daemon = daemon
        self.wire = daemon.wire()
        self.runner = Runner(self.wire)
        self.path = path

    @property
    def table(self) -> TableText:
        return self.runner.table(self.path)

    def run(self, entry: int = 0, **more: Any) -> tuple[Exited | NotStarted, bytes]:
        key = self.runner.start(self.table, entry, **more)
        result = self.runner.result(key)
        return result, self.output(key)

    def output(self, key: str) -> bytes:
        try:
            return output_of(self.daemon.config, UID, key)
        except FileNotFoundError:
            return b""


Begin = Callable[..., Spine]


@pytest.fixture
def begin(folder: Path, daemon: Callable[..., Daemon]) -> Begin:
    """Starts a launcher on a crontab with these lines."""

    def start(*lines: str, env: dict[str, str] | None = None, popen: Any = None, **more: Any) -> Spine:
        path = folder / "crontab"
        path.write_text("".join(f"{line}\n" for line in lines))
        return Spine(daemon(files_config(folder, path, **more), env=env, **(popen or {})), path)

    return start


def code(result: Exited | NotStarted) -> int:
    assert isinstance(result, Exited), result
    return os.waitstatus_to_exitcode(result.status)


def test_a_connection_begins_with_all_that_is_known(begin: Begin) -> None:
    """Hello, the tables as they are, then TablesComplete."""
    spine = begin("* * * * * x", env={"CRONTABX_SEED": "7"})
    hello, table, complete = spine.wire.facts
    assert isinstance(hello, Hello)
    assert (hello.seed, hello.reboot, hello.dialect) == (7, True, "cronie")
    assert isinstance(table, TableText)
    assert (table.text, table.system, table.uid) == (b"* * * * * x\n", False, UID)
    assert 0 <= table.seed < 2**53
    assert isinstance(complete, TablesComplete)


def test_an_exit_is_told_with_status_and_output(begin: Begin) -> None:
    """Status, rusage and size of the output; stdout and stderr go to one file, 0600, ours."""
    spine = begin("* * * * * echo out; echo err >&2; exit 3")
    result, output = spine.run()
    assert code(result) == 3
    assert isinstance(result, Exited)
    assert (output, result.output_size) == (b"out\nerr\n", 8)
    assert result.cpu_user >= 0
    file = Path(spine.daemon.config.state) / "outputs" / str(UID) / result.attempt
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.parent.stat().st_mode) == 0o700


def test_a_silent_job_leaves_no_file(begin: Begin) -> None:
    """An empty output is removed when its job ends."""
    spine = begin("* * * * * :")
    result, _ = spine.run()
    spine.wire.send(Heartbeat())
    spine.run()
    assert not (Path(spine.daemon.config.state) / "outputs" / str(UID) / result.attempt).exists()


def test_stdin(begin: Begin) -> None:
    """The text after % is all that the job reads; without one stdin is at its end; any length fits."""
    long = "x" * 100_000
    spine = begin("* * * * * cat%a%b", "* * * * * cat; echo end", f"* * * * * wc -c%{long}")
    assert spine.run(0)[1] == b"a\nb\n"
    assert spine.run(1)[1] == b"end\n"
    assert spine.run(2)[1].strip() == b"100001"


def test_what_a_job_is_made_of(begin: Begin, folder: Path) -> None:
    """Own session, home as folder, only descriptors 0, 1, 2, default signals, our umask and limits."""
    spine = begin(
        f"HOME={folder}",
        "* * * * * pwd; umask; ulimit -Sn; ulimit -Hn; ls /proc/self/fd | wc -l; "
        "ps -o pid=,sid= $$; grep -E '^Sig(Blk|Ign)' /proc/self/status",
        env={"HOME": "/"},
        popen={"umask": 0o027, "preexec_fn": _low_limit},
    )
    lines = spine.run()[1].decode().split("\n")
    assert lines[:4] == [str(folder), "0027", "200", "300"]
    assert lines[4] == "4"  # ls opens the folder itself
    pid, session = lines[5].split()
    assert pid == session
    blocked, ignored = (int(line.split()[1], 16) for line in lines[6:8])
    # 32 and 33 are the C library's own: its posix_spawn ignores them in the child.
    assert (blocked, ignored & ~(3 << 31)) == (0, 0)


def _low_limit() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))


def test_the_shell_is_executed_under_its_full_name(begin: Begin) -> None:
    """argv[0] is SHELL as it stands, then -c and the command."""
    spine = begin("* * * * * tr '\\0' '|' < /proc/$$/cmdline")
    assert spine.run()[1] == b"/bin/sh|-c|tr '\\0' '|' < /proc/$$/cmdline|"


@pytest.mark.parametrize("clean", [True, False])
def test_environment(begin: Begin, clean: bool) -> None:
    """The daemon's environment, or cron's with --clean-env; the scheduler's additions come last."""
    env = {
        "FOO": "daemon",
        "NOTIFY_SOCKET": "/nowhere",
        "LISTEN_FDS": "0",
        "LANG": "C",
        "SHELL": "/bin/false",
    }
    spine = begin("BAR=crontab", "* * * * * env", env=env, clean_env=clean)
    _, output = spine.run(environment=(("CRONTABX_RUN", "r1"),))
    seen = dict(line.split("=", 1) for line in output.decode().splitlines())
    assert seen["BAR"] == "crontab"
    assert seen["SHELL"] == "/bin/sh"
    assert seen["CRONTABX_RUN"] == "r1"
    assert seen["LANG"] == "C"
    assert ("FOO" in seen) is not clean
    assert seen["PATH"] == ("/usr/bin:/bin:/usr/sbin:/sbin" if clean else "/usr/bin:/bin")
    assert not {"NOTIFY_SOCKET", "LISTEN_FDS"} & seen.keys()


def test_what_cannot_be_executed_is_told(begin: Begin) -> None:
    """A shell or a home that is not there: the reason, and the path in words; the daemon goes on."""
    spine = begin(
        "SHELL=/no/shell",
        "* * * * * x",
        "SHELL=/etc/passwd",
        "* * * * * x",
        "SHELL=/bin/sh",
        "HOME=/no/home",
        "* * * * * x",
    )
    results = [spine.run(entry)[0] for entry in range(3)]
    assert [result.reason for result in results if isinstance(result, NotStarted)] == [
        "exec",
        "exec",
        "chdir",
    ]
    details = [result.detail for result in results if isinstance(result, NotStarted)]
    assert "/no/shell: No such file" in details[0]
    assert "/etc/passwd: Permission denied" in details[1]
    assert "/no/home: No such file" in details[2]


def test_debian_ignores_a_home_that_is_not_there(begin: Begin) -> None:
    """Debian's cron stays where it is and runs the job."""
    spine = begin('HOME="/no/home"', "* * * * * echo ran", dialect="debian")
    assert spine.run()[1] == b"ran\n"


def test_a_grandchild_that_holds_stdout_delays_nothing(begin: Begin, folder: Path) -> None:
    """Completion is process exit, never end of file."""
    fifo = folder / "go"
    os.mkfifo(fifo)
    spine = begin(f"* * * * * echo main; (read x < {fifo}; echo late) & exit 4")
    key = spine.runner.start(spine.table)
    assert code(spine.runner.result(key)) == 4
    assert spine.output(key) == b"main\n"
    fifo.write_text("go\n")
    until(lambda: spine.output(key) == b"main\nlate\n")


def test_stop_ends_a_tree_that_ignores_term(begin: Begin, folder: Path) -> None:
    """TERM to the whole tree; KILL for what remains, also in another session; its main status is told."""
    spine = begin(
        f"* * * * * trap '' TERM; (trap '' TERM; setsid sleep 1000 & echo $! > {folder}/p; wait) & "
        "echo ready; while :; do sleep 1000; done",
        kill_timeout=0.5,
    )
    key = spine.runner.start(spine.table)
    until(
        lambda: (
            b"ready" in spine.output(key) and (folder / "p").exists() and (folder / "p").read_text().strip()
        )
    )
    # `setsid` forks where it must; the sleep in the new session is found by its parent, or by its session.
    spine.wire.send(Stop(key))
    assert code(spine.runner.result(key)) == -signal.SIGKILL
    until(lambda: not alive(int((folder / "p").read_text())))


def test_stop_ends_what_outlives_its_main_process(begin: Begin, folder: Path) -> None:
    """The main process heeds TERM, a child does not: KILL still comes for the child."""
    spine = begin(
        f"* * * * * (trap '' TERM; sh -c 'echo $PPID' > {folder}/p; while :; do sleep 100; done) & wait",
        kill_timeout=0.5,
    )
    key = spine.runner.start(spine.table)
    until(lambda: (folder / "p").exists() and (folder / "p").read_text().strip())
    spine.wire.send(Stop(key))
    assert code(spine.runner.result(key)) == -signal.SIGTERM
    until(lambda: not alive(int((folder / "p").read_text())))


def test_a_large_output(begin: Begin) -> None:
    """200 MB: counted to the byte, the disk holds max_size, and the daemon answers meanwhile."""
    spine = begin("* * * * * head -c 200000000 /dev/zero", "* * * * * echo meanwhile")
    big = spine.runner.start(spine.table, 0)
    assert spine.run(1)[1] == b"meanwhile\n"
    result = spine.runner.result(big)
    assert isinstance(result, Exited)
    assert result.output_size == 200_000_000
    spine.wire.send(Forget(big))
    file = Path(spine.daemon.config.state) / "outputs" / str(UID) / big
    until(lambda: file.stat().st_blocks * 512 <= spine.daemon.config.max_size + 8192)
    assert file.stat().st_size == 200_000_000


def test_a_start_is_done_once(begin: Begin) -> None:
    """A second start of an attempt is refused, in the same batch, while it runs, and after its end."""
    spine = begin("* * * * * echo once")
    start = Start(spine.table.version, 0, "command", "j", "same", 1)
    spine.wire.send(start, start)
    refused = spine.wire.read_until(lambda fact: isinstance(fact, NotStarted))
    assert refused.reason == "duplicate"
    spine.wire.read_until(lambda fact: isinstance(fact, Exited))
    again, output = spine.run(run="same")
    assert output == b"once\n"
    assert sum(isinstance(fact, Started) for fact in spine.wire.facts) == 1
    del again


@pytest.mark.parametrize(("version", "entry", "reason"), [(1, 5, "unknown"), (99, 0, "stale")])
def test_what_is_in_no_table_is_refused(begin: Begin, version: int, entry: int, reason: str) -> None:
    """The scheduler can only name an entry of a table that the launcher holds now."""
    spine = begin("* * * * * x")
    spine.wire.send(Start(version, entry, "command", "j", "r", 1))
    assert spine.wire.read_until(lambda fact: isinstance(fact, NotStarted)).reason == reason


def test_edits_are_told(begin: Begin) -> None:
    """An edit makes a new version at once, the old one is stale; a removed file is gone; HUP reads again."""
    spine = begin("* * * * * echo old")
    old = spine.table
    spine.path.with_suffix(".new").write_text("* * * * * echo new\n")
    spine.path.with_suffix(".new").rename(spine.path)
    spine.wire.read_until(lambda fact: isinstance(fact, TableText) and b"new" in fact.text)
    spine.daemon.wait_for(spine.daemon.errors, "RELOAD")
    assert spine.run()[1] == b"new\n"
    stale = spine.runner.run(old)
    assert isinstance(stale, NotStarted)
    assert stale.reason == "stale"
    version = spine.table.version
    spine.daemon.process.send_signal(signal.SIGHUP)
    spine.wire.read_until(lambda fact: isinstance(fact, TableText) and fact.version > version)
    spine.path.unlink()
    assert spine.wire.read_until(lambda fact: isinstance(fact, TableGone)).origin == str(spine.path)


def test_a_mounted_configmap_is_followed(folder: Path, daemon: Callable[..., Daemon]) -> None:
    """The crontab is a link through `..data`, which is swapped: the folder is watched, the change is seen."""
    for version in ("one", "two"):
        (folder / version).mkdir()
        (folder / version / "tab").write_text(f"* * * * * echo {version}\n")
    (folder / "..data").symlink_to("one")
    (folder / "tab").symlink_to("..data/tab")
    running = daemon(files_config(folder, folder / "tab"))
    wire = running.wire()
    (folder / "..swap").symlink_to("two")
    (folder / "..swap").rename(folder / "..data")
    wire.read_until(lambda fact: isinstance(fact, TableText) and b"two" in fact.text)


def test_standard_input_is_read_once(folder: Path, daemon: Callable[..., Daemon]) -> None:
    """`crond -`: the crontab is what stdin holds."""
    reading, writing = os.pipe()
    os.write(writing, b"* * * * * echo piped\n")
    os.close(writing)
    running = daemon(dataclasses.replace(files_config(folder), files=("-",)), stdin=reading)
    os.close(reading)
    wire = running.wire()
    runner = Runner(wire)
    key = runner.start(runner.table("-"))
    runner.result(key)
    assert output_of(running.config, UID, key) == b"piped\n"


def test_facts_are_sent_again_until_acknowledged(begin: Begin) -> None:
    """After a scheduler died the next one is told all that was not acknowledged, in order."""
    spine = begin("* * * * * echo a", "* * * * * sleep 0.3; echo b")
    first = spine.runner.start(spine.table, 0)
    spine.runner.result(first)  # acknowledges
    second = spine.runner.start(spine.table, 1)
    spine.runner.started(second)
    os.kill(spine.wire.pid, signal.SIGKILL)
    wire = spine.daemon.wire()
    wire.read_until(lambda fact: isinstance(fact, Exited) and fact.attempt == second)
    numbered = [fact for fact in wire.facts if isinstance(fact, Started | Exited)]
    assert [(type(fact), fact.attempt) for fact in numbered] == [(Started, second), (Exited, second)]
    assert [type(fact) for fact in wire.facts[:3]] == [Hello, TableText, TablesComplete]
    assert wire.facts[0] == spine.wire.facts[0]


def test_a_silent_scheduler_is_replaced(begin: Begin) -> None:
    """No heartbeat for too long: it is killed, another is started; a job does not notice."""
    spine = begin("* * * * * sleep 1.5; echo done", heartbeat_timeout=0.5)
    key = spine.runner.start(spine.table)
    spine.runner.started(key)
    spine.daemon.wait_for(spine.daemon.errors, "not heard for")
    assert spine.daemon.wire().pid != spine.wire.pid
    until(lambda: spine.output(key) == b"done\n")


def test_hostile_bytes_from_the_scheduler(begin: Begin) -> None:
    """Garbage, oversized and foreign messages break the wire, are logged, and move nothing."""
    spine = begin("* * * * * echo alive")
    foreign = frame(encode(Hello(1, "l", "b", True, 0, "cronie", 0.0)))
    wire = spine.wire
    for hostile in (frame(b"\xff\x00"), b"\xff" * 64, foreign):
        wire.sock.sendall(hostile)
        assert wire.is_closed()
        wire = spine.daemon.wire()
    assert sum("; it is replaced" in line for line in spine.daemon.errors) == 3
    assert Runner(wire).run(spine.table).attempt


def test_scheduler_cannot_set_what_it_likes(begin: Begin) -> None:
    """LD_PRELOAD and the like are no variables that the scheduler may add."""
    spine = begin("* * * * * x")
    payload = json.dumps(["start", 1, 0, "command", "j", "r", 1, [["LD_PRELOAD", "/x"]]]).encode()
    spine.wire.sock.sendall(frame(payload))
    assert spine.wire.is_closed()
    spine.daemon.wait_for(spine.daemon.errors, "LD_PRELOAD")


def test_half_a_character_from_the_scheduler_costs_its_own_start_alone(begin: Begin) -> None:
    """A job's name that no log line could hold kept all that was asked for with it from starting."""
    spine = begin("* * * * * echo alive")
    start = ["start", spine.table.version, 0, "command", "j", "good", 1, []]
    bad = ["start", spine.table.version, 99, "command", "\ud800", "bad", 1, []]
    spine.wire.sock.sendall(b"".join(frame(json.dumps(wish).encode()) for wish in (bad, start)))
    assert isinstance(spine.runner.result("bad.1"), NotStarted)
    assert isinstance(spine.runner.result("good.1"), Exited)


def ask(daemon: Daemon, key: str) -> tuple[list[Answer], list[bytes]]:
    data, fds = daemon.ask(frame(encode(Ask("logs", (("attempt", key),)))))
    answers = [decode(payload, Answer) for payload in FrameReader(LARGE_FRAME).feed(data)]
    outputs = []
    for fd in fds:
        with open(fd, "rb") as file:
            outputs.append(file.read())
    return answers, outputs


def test_a_client_is_given_the_output(begin: Begin) -> None:
    """A read-only descriptor of what was written; while it runs, a last answer comes at the end."""
    spine = begin("* * * * * echo x; exit 2", "* * * * * echo y; sleep 0.5")
    result, _ = spine.run()
    (answer,), (output,) = ask(spine.daemon, result.attempt)
    assert (answer.ok, answer.final, output) == (True, True, b"x\n")
    assert json.loads(answer.body) == {"attempt": result.attempt, "running": False, "size": 2, "exit": 512}
    key = spine.runner.start(spine.table, 1)
    spine.runner.started(key)
    (first, last), _outputs = ask(spine.daemon, key)
    assert (first.final, last.final) == (False, True)
    assert json.loads(last.body) == {"attempt": key, "running": False, "size": 2, "exit": 0}
    (unknown,), _ = ask(spine.daemon, "nobody.1")
    assert not unknown.ok
    assert json.loads(unknown.body)["code"] == "unknown"


@pytest.mark.parametrize("key", ["../../lock.1", "a/b.1", ".1", "", "x" * 200 + ".1", "a.b"])
def test_a_client_names_no_path(begin: Begin, key: str) -> None:
    """What is no key of an attempt is refused before a file is touched."""
    (answer,), fds = ask(begin("* * * * * x").daemon, key)
    assert not answer.ok
    assert not fds
    assert json.loads(answer.body)["code"] == "bad_request"


def test_hostile_bytes_from_clients(begin: Begin) -> None:
    """Random bytes, huge frames, foreign messages, silence: hung up; the next client is served."""
    spine = begin("* * * * * echo x")
    result, _ = spine.run()
    draw = random.Random(1)
    hostile = [draw.randbytes(draw.randrange(1, 3000)) for _ in range(30)]
    hostile += [b"\xff\xff\xff\xff", frame(b"{}"), frame(encode(Heartbeat())), frame(encode(Ack(1)))]
    hostile.append(frame(encode(Ask("logs", (("attempt", "a.1"),)))) * 2)
    for data in hostile:
        # A length that was announced and never comes is waited for, for a while.
        if len(data) >= 4 and int.from_bytes(data[:4], "big") + 4 > len(data) and data[:2] == b"\0\0":
            continue
        spine.daemon.ask(data)
    (answer,), _ = ask(spine.daemon, result.attempt)
    assert answer.ok
    assert sum("client of uid" in line for line in spine.daemon.errors) <= 2


def test_many_connections_do_not_stop_it(begin: Begin) -> None:
    """The 65th connection is refused; when some leave there is room again."""
    spine = begin("* * * * * echo x")
    result, _ = spine.run()
    path = os.path.join(spine.daemon.config.run, "launcher.sock")
    crowd = []
    for _ in range(80):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        crowd.append(sock)
    spine.daemon.wait_for(spine.daemon.errors, "too many connections")
    for sock in crowd:
        sock.close()
    until(lambda: bool(ask(spine.daemon, result.attempt)[0]))


def test_the_socket_of_a_deep_folder(begin: Begin, folder: Path) -> None:
    """A state so deep that its sockets' names do not fit works all the same."""
    deep = folder / ("d" * 90) / ("e" * 60)
    spine = begin("* * * * * x", state=str(deep), run=str(deep / "run"))
    assert (deep / "run" / "launcher.sock").is_socket()
    assert (deep / "run" / "scheduler.sock").is_socket()
    spine.daemon.leave()
    assert spine.daemon.end() == 0


def test_a_second_daemon_on_one_state_is_refused(
    begin: Begin, folder: Path, daemon: Callable[..., Daemon]
) -> None:
    """It says which pid holds which state, and ends with 1."""
    spine = begin("* * * * * x")
    second = daemon(spine.daemon.config)
    assert second.wait() == 1
    [said] = second.errors
    assert said.startswith(
        f"crond: {folder}/state is in use by the crond with pid {spine.daemon.process.pid};"
    )
    assert "--state" in said
    spine.daemon.leave()
    assert spine.daemon.end() == 0


def test_a_missing_file_is_an_error_at_start(folder: Path, daemon: Callable[..., Daemon]) -> None:
    """A crontab that somebody named and that is not there, or is none, is named in the error."""
    for name, word in (("nothing", "No such file"), ("fifo", "NOT REGULAR")):
        if name == "fifo":
            os.mkfifo(folder / name)
        refused = daemon(files_config(folder, folder / name))
        assert refused.wait() == 1
        assert len(refused.errors) >= 1
        assert f"{folder}/{name}: {word}" in refused.errors[-1]


def test_drain_lets_jobs_finish(begin: Begin) -> None:
    """TERM: no new start, running jobs may finish, their ends are told, then exit 0."""
    spine = begin("* * * * * echo begun; sleep 0.5; echo end", shutdown_grace=20.0)
    key = spine.runner.start(spine.table)
    spine.runner.started(key)
    spine.daemon.process.send_signal(signal.SIGTERM)
    spine.daemon.wait_for(spine.daemon.errors, "waiting up to 20 s for job0")
    refused = spine.runner.run(spine.table)
    assert isinstance(refused, NotStarted)
    assert refused.reason == "closing"
    assert code(spine.runner.result(key)) == 0
    spine.daemon.leave()
    assert spine.daemon.wait() == 0
    assert not (Path(spine.daemon.config.state) / "lock").exists()


def test_a_second_term_skips_the_grace(begin: Begin) -> None:
    """The second signal ends the jobs at once."""
    spine = begin("* * * * * exec sleep 1000", shutdown_grace=1000.0)
    key = spine.runner.start(spine.table)
    spine.runner.started(key)
    spine.daemon.process.send_signal(signal.SIGTERM)
    spine.daemon.wait_for(spine.daemon.errors, "waiting up to")
    spine.daemon.process.send_signal(signal.SIGINT)
    assert code(spine.runner.result(key)) == -signal.SIGTERM
    spine.daemon.leave()
    assert spine.daemon.wait() == 0


def test_output_is_repeated_before_the_end_is_told(begin: Begin) -> None:
    """Lines whole and under the job's name, the last one without its newline too, then the ended line."""
    spine = begin("* * * * * printf 'one\\ntwo\\377\\033[2J'; exit 2", echo=True)
    result, _ = spine.run()
    spine.daemon.wait_for(spine.daemon.lines, "ended")
    started, one, two, ended = spine.daemon.lines
    assert f"job0: started (pid {_started(spine, result).pid}, run {result.attempt})" in started
    assert (one, two) == ("job0 | one", "job0 | two\\xff^[[2J")
    assert "job0: ended, exit status 2, after 0." in ended
    assert ended.endswith(" s, 12 bytes of output")


def test_repeated_lines_do_not_mix(begin: Begin) -> None:
    """Two jobs that write pieces of lines at the same time: every line shown is a whole line of one."""
    piece = "for i in 1 2 3 4 5 6 7 8 9; do printf aaaa; printf 'bbbb\\n'; done"
    spine = begin(*[f"* * * * * {piece}"] * 4, echo=True)
    keys = [spine.runner.start(spine.table, entry) for entry in range(4)]
    for key in keys:
        spine.runner.result(key)
    for entry in range(4):
        spine.daemon.wait_for(spine.daemon.lines, f"job{entry}: ended")
    shown = [line for line in spine.daemon.lines if " | " in line]
    assert sorted(shown) == sorted(f"job{entry} | aaaabbbb" for entry in range(4) for _ in range(9))


def test_json_lines(begin: Begin) -> None:
    """--log-format json: one object per line, on stdout and stderr."""
    spine = begin("* * * * * echo x; exit 2", echo=True, log_format="json")
    result, _ = spine.run()
    spine.daemon.wait_for(spine.daemon.lines, '"ended"')
    events = [json.loads(line) for line in spine.daemon.lines]
    assert [event["event"] for event in events] == ["started", "output", "ended"]
    assert events[1]["text"] == "x"
    assert (events[2]["exit_code"], events[2]["attempt"]) == (2, result.attempt)
    assert all(json.loads(line)["message"] for line in spine.daemon.errors)


def test_nobody_reads_our_stdout(folder: Path, daemon: Callable[..., Daemon]) -> None:
    """A full pipe on stdout stops no job, no fact and no end of the daemon."""
    path = folder / "crontab"
    path.write_text("* * * * * head -c 3000000 /dev/zero | tr '\\0' '\\n'\n")
    running = daemon(files_config(folder, path, echo=True))
    assert running.process.stdout is not None
    wire = running.wire()
    runner = Runner(wire)
    running.pause_reading.set()
    assert all(isinstance(runner.run(runner.table(path)), Exited) for _ in range(3))
    running.process.send_signal(signal.SIGTERM)
    running.leave()
    running.process.wait(DEADLINE)
    running.pause_reading.clear()


def test_test_mode_executes_nothing(begin: Begin) -> None:
    """-x test: everything but the command itself, which ends with 0."""
    spine = begin("* * * * * echo no; exit 1", "HOME=/no/home", "* * * * * x", execute=False)
    result, output = spine.run()
    assert (code(result), output) == (0, b"")
    refused, _ = spine.run(1)
    assert isinstance(refused, NotStarted)
    assert refused.reason == "chdir"


def test_orphans_are_adopted_and_reaped(begin: Begin) -> None:
    """A daemon that a job leaves behind becomes our child, and no zombie when it ends."""
    spine = begin("* * * * * (setsid sh -c 'echo $$; read x' < /dev/null &) ; sleep 0.2")
    _, output = spine.run()
    orphan = int(output)
    until(lambda: not Path(f"/proc/{orphan}").exists())


def test_ready_is_told(folder: Path, daemon: Callable[..., Daemon]) -> None:
    """The service manager hears READY, the watchdog's beat, and STOPPING."""
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(folder / "notify"))
    manager.settimeout(DEADLINE)
    (folder / "tab").write_text("")
    env = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "200000"}
    running = daemon(files_config(folder, folder / "tab"), env=env)
    heard = [manager.recv(100) for _ in range(3)]
    assert heard == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    running.wire()
    running.process.send_signal(signal.SIGTERM)
    while manager.recv(100) != b"STOPPING=1":
        pass
    running.leave()
    assert running.wait() == 0
    manager.close()


def test_a_broken_config_is_an_error() -> None:
    """Main says so and ends with 1."""
    from crond.launcher.main import main

    assert main("{}") == 1
    assert main("nonsense") == 1


def _started(spine: Spine, result: Exited | NotStarted) -> Started:
    return spine.runner.started(result.attempt)


def test_the_memory_of_a_job_is_not_ours(begin: Begin) -> None:
    """History said that every `true` had used 17 MB, which was what crond itself used."""
    spine = begin(
        "* * * * * true",
        "* * * * * x=$(head -c 100000000 /dev/zero | tr '\\0' x); exit 0",
    )
    small = spine.runner.result(spine.runner.start(spine.table, 0))
    large = spine.runner.result(spine.runner.start(spine.table, 1))
    assert isinstance(small, Exited)
    assert isinstance(large, Exited)
    assert small.max_rss == 0
    assert large.max_rss > 90_000
