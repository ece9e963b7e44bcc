"""A real launcher as the host's cron: it becomes users, keeps files apart, refuses what cron refuses."""

from __future__ import annotations

import json
import os
import pwd
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from crond.launcher.config import Config
from crond.model.codec import decode, encode
from crond.model.frames import HEADER, frame
from crond.model.messages import Answer, Ask, Exited, Hello, NotStarted, TableRefused, TableText
from tests.launcher.daemon import DEADLINE, Daemon, Runner, alive, output_of, until

pytestmark = [
    pytest.mark.root,
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="becoming users needs root"),
]
USERS = ("root", "daemon", "nobody")

Make = Callable[..., Config]
Begin = Callable[..., Daemon]


def write(path: Path, *lines: str, user: str = "root", mode: int = 0o600) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    account = pwd.getpwnam(user)
    os.chown(path, account.pw_uid, account.pw_gid)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("dialect", ["cronie", "debian"])
def test_three_users_at_once(folder: Path, host: Make, daemon: Begin, dialect: str) -> None:
    """Numbers, groups, environment, folder, umask, limits and descriptors of each job are its user's."""
    config = host(dialect=dialect)
    command = (
        "* * * * * id -u; id -g; id -G; pwd; umask; ulimit -Sn; ls /proc/self/fd | wc -l; "
        "grep -E '^(Uid|Gid):' /proc/self/status; tr '\\0' '\\n' < /proc/$$/environ | sort"
    )
    for user in USERS:
        write(folder / "spool" / user, 'HOME="/"', "A=b c", command, user=user)
    running = daemon(config, env={"LANG": "C.UTF-8", "SECRET": "x"}, umask=0o022)
    runner = Runner(running.wire())
    keys = {user: runner.start(runner.table(folder / "spool" / user)) for user in USERS}
    for user, key in keys.items():
        account = pwd.getpwnam(user)
        result = runner.result(key)
        assert isinstance(result, Exited)
        lines = output_of(config, account.pw_uid, key).decode().splitlines()
        assert lines[:2] == [str(account.pw_uid), str(account.pw_gid)]
        assert set(lines[2].split()) == {str(gid) for gid in os.getgrouplist(user, account.pw_gid)}
        assert lines[3:5] == ["/", "0022"]
        assert lines[6] == "4"  # 0, 1, 2 and the folder that ls reads
        assert lines[7].split()[1:] == [str(account.pw_uid)] * 4
        assert lines[8].split()[1:] == [str(account.pw_gid)] * 4
        expected = {"A=b c", "HOME=/", f"LOGNAME={user}", "SHELL=/bin/sh"}
        if dialect == "cronie":
            expected |= {"LANG=C.UTF-8", "PATH=/usr/bin:/bin:/usr/sbin:/sbin", f"USER={user}"}
        else:
            expected |= {"PATH=/usr/bin:/bin"}
        assert set(lines[9:]) == expected | ({"PWD=/"} if "PWD=/" in lines else set())


def test_outputs_are_kept_apart(folder: Path, host: Make, daemon: Begin) -> None:
    """A job can neither list nor read outputs, its own by path included."""
    config = host()
    write(
        folder / "spool" / "nobody",
        "HOME=/",
        f"* * * * * ls {config.state}/outputs 2>&1; id -u",
        user="nobody",
    )
    runner = Runner(daemon(config).wire())
    key = runner.start(runner.table(folder / "spool" / "nobody"))
    runner.result(key)
    uid = pwd.getpwnam("nobody").pw_uid
    output = output_of(config, uid, key).decode()
    assert "Permission denied" in output
    assert output.endswith(f"{uid}\n")
    modes = {
        name: stat.S_IMODE((Path(config.state) / name).stat().st_mode)
        for name in ("", "outputs", "scheduler", f"outputs/{uid}")
    }
    assert modes == {"": 0o711, "outputs": 0o700, "scheduler": 0o700, f"outputs/{uid}": 0o700}
    assert (Path(config.state) / "scheduler").stat().st_uid == pwd.getpwnam("daemon").pw_uid


def test_system_tables_run_as_the_user_they_name(folder: Path, host: Make, daemon: Begin) -> None:
    """The user column decides; an unknown user costs that job alone."""
    write(folder / "crontab", "* * * * * daemon id -un", "* * * * * nosuchuser x")
    write(folder / "cron.d" / "pack.age", "HOME=/", "* * * * * nobody id -un")
    write(folder / "cron.d" / "old.rpmsave", "* * * * * root id -un")
    running = daemon(host())
    runner = Runner(running.wire())
    tables = [fact for fact in runner.wire.facts if isinstance(fact, TableText)]
    assert {table.origin for table in tables} == {
        str(folder / "crontab"),
        str(folder / "cron.d" / "pack.age"),
    }
    assert all(table.system and table.privileged and table.uid == 0 for table in tables)
    for table, user in ((folder / "crontab", b"daemon\n"), (folder / "cron.d" / "pack.age", b"nobody\n")):
        key = runner.start(runner.table(table))
        runner.result(key)
        assert output_of(running.config, 0, key) == user
    refused = runner.run(runner.table(folder / "crontab"), 1)
    assert isinstance(refused, NotStarted)
    assert refused.reason == "user"
    running.wait_for(running.errors, "ERROR (getpwnam() failed - user unknown)")


def test_the_spool_is_refused_in_crons_words(folder: Path, host: Make, daemon: Begin) -> None:
    """Symlink, hard link, FIFO, owner, mode and unknown user; what is mended is obeyed without a restart."""
    spool = folder / "spool"
    write(spool / "daemon", "* * * * * x", user="nobody")
    write(spool / "nobody", "* * * * * x", user="nobody", mode=0o622)
    write(spool / "nosuchuser", "* * * * * x")
    write(folder / "elsewhere", "* * * * * x", user="sys")
    (spool / "sys").symlink_to(folder / "elsewhere")
    os.mkfifo(spool / "bin", 0o600)
    write(spool / "root", "* * * * * x")
    os.link(spool / "root", folder / "second")
    running = daemon(host())
    wire = running.wire()
    reasons = {Path(fact.origin).name: fact.reason for fact in wire.facts if isinstance(fact, TableRefused)}
    assert reasons == {
        "daemon": "WRONG FILE OWNER",
        "nobody": "BAD FILE MODE",
        "nosuchuser": "ORPHAN (no passwd entry)",
        "sys": "NOT REGULAR",
        "bin": "NOT REGULAR",
        "root": "BAD LINK COUNT",
    }
    running.wait_for(running.errors, f"(daemon) WRONG FILE OWNER ({spool}/daemon)")
    running.wait_for(running.errors, "(nosuchuser) ORPHAN (no passwd entry)")
    (spool / "nobody").chmod(0o600)
    wire.read_until(lambda fact: isinstance(fact, TableText) and fact.owner == "nobody")


def test_a_client_reads_its_own_outputs_only(folder: Path, host: Make, daemon: Begin) -> None:
    """Another's attempt and one that never was get the same answer; root reads all."""
    write(folder / "spool" / "nobody", "HOME=/", "* * * * * echo private", user="nobody")
    running = daemon(host())
    runner = Runner(running.wire())
    key = runner.start(runner.table(folder / "spool" / "nobody"))
    runner.result(key)
    answers = {user: _ask_as(user, running.config, key) for user in USERS}
    assert answers["nobody"][1] == answers["root"][1] == "private\n"
    missing = _ask_as("daemon", running.config, "none.1")
    assert answers["daemon"][0].replace(key, "none.1") == missing[0]
    assert json.loads(missing[0])["code"] == "unknown"
    assert answers["daemon"][1] == ""


_ASK = """
import os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[2])
sock.sendall(bytes.fromhex(sys.argv[3]))
data, fds, _, _ = socket.recv_fds(sock, 65536, 4)
print(data.hex())
for fd in fds:
    try:
        os.write(fd, b"x")
    except OSError:
        pass
    try:
        os.open(f"/proc/self/fd/{fd}", os.O_WRONLY)
        if os.getuid():
            print("writable")
    except OSError:
        pass
    print(os.read(fd, 1000).decode(), end="")
"""


def _ask_as(user: str, config: Config, key: str) -> tuple[str, str]:
    payload = frame(encode(Ask("logs", (("attempt", key),))))
    uid = pwd.getpwnam(user).pw_uid
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-S", "-c", _ASK, str(uid), f"{config.run}/launcher.sock", payload.hex()],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    first, _, rest = done.stdout.partition("\n")
    return decode(bytes.fromhex(first)[HEADER:], Answer).body, rest


def test_the_scheduler_is_its_account(folder: Path, host: Make, daemon: Begin) -> None:
    """It runs as the account, in its own session, with nothing but its five descriptors and few variables."""
    running = daemon(host(), env={"SECRET": "x", "LANG": "C.UTF-8", "TZ": "Asia/Tokyo", "CRONTABX_X": "1"})
    pid = running.wire().pid
    status = Path(f"/proc/{pid}/status").read_text()
    account = pwd.getpwnam("daemon")
    assert f"Uid:\t{account.pw_uid}\t{account.pw_uid}\t{account.pw_uid}\t{account.pw_uid}" in status
    names = {item.split(b"=")[0] for item in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if item}
    assert names == {b"PATH", b"LANG", b"TZ", b"CRONTABX_X"}
    # 3 was passed on and closed; 5 is the stub's own connection to the test.
    assert {fd.name for fd in Path(f"/proc/{pid}/fd").iterdir()} <= {"0", "1", "2", "3", "4", "5"}
    assert os.getsid(pid) == pid


def test_term_leaves_jobs_alone(folder: Path, host: Make, daemon: Begin) -> None:
    """A host's cron that ends lets its jobs run on, removes its pid file, and ends with 0."""
    write(folder / "spool" / "root", f"* * * * * echo $$ > {folder}/p; exec sleep 1000")
    running = daemon(host())
    wire = running.wire()
    assert (folder / "crond.pid").read_text() == f"{running.process.pid}\n"
    runner = Runner(wire)
    key = runner.start(runner.table(folder / "spool" / "root"))
    pid = runner.started(key).pid
    running.process.send_signal(signal.SIGTERM)
    running.wait_for(running.errors, "Shutting down")
    running.leave()
    try:
        assert running.wait() == 0
        assert not (folder / "crond.pid").exists()
        os.kill(pid, 0)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_second_cron_is_refused(folder: Path, host: Make, daemon: Begin) -> None:
    """The lock and the words are those of other crons."""
    config = host()
    first = daemon(config)
    first.wire()
    second = daemon(config)
    assert second.wait() == 1
    assert second.errors[-1] == (
        f"crond: can't lock {folder}/crond.pid, otherpid may be {first.process.pid}: "
        "Resource temporarily unavailable"
    )


def test_reboot_only_once(folder: Path, host: Make, daemon: Begin) -> None:
    """The first start of a boot may run @reboot, the next finds the marker."""
    for expected in (True, False):
        running = daemon(host())
        wire = running.wire()
        hello = wire.facts[0]
        assert isinstance(hello, Hello)
        assert hello.reboot is expected
        running.leave()
        running.process.send_signal(signal.SIGTERM)
        assert running.wait() == 0


def test_background(folder: Path, host: Make, daemon: Begin) -> None:
    """Without -f the shell waits until the daemon holds its lock; a failure is told and ends with 1."""
    config = host(foreground=False)
    running = daemon(config)
    assert running.wait() == 0
    pid = int((folder / "crond.pid").read_text())
    try:
        running.wire()
        assert os.getsid(pid) == pid
        assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)} == {"/dev/null"}
        again = daemon(config)
        assert again.wait() == 1
        assert f"otherpid may be {pid}" in again.errors[-1]
        running.leave()
    finally:
        os.kill(pid, signal.SIGTERM)
        until(lambda: not alive(pid))


def test_a_fifo_for_the_host_of_a_cluster(folder: Path, host: Make, daemon: Begin) -> None:
    """The daemon waited for ever for somebody to write into it."""
    os.mkfifo(folder / "spool" / ".cron.hostname")
    daemon(host(cluster=True)).wire()


def test_cluster(folder: Path, host: Make, daemon: Begin) -> None:
    """-c: users' tables only where the spool's .cron.hostname names this host."""
    write(folder / "spool" / "root", "* * * * * x")
    write(folder / "crontab", "* * * * * root x")
    for name, expected in ((None, 1), ("elsewhere", 1), (os.uname().nodename, 2)):
        if name is not None:
            (folder / "spool" / ".cron.hostname").write_text(f"{name}\n")
        running = daemon(host(cluster=True))
        wire = running.wire()
        assert sum(isinstance(fact, TableText) for fact in wire.facts) == expected
        running.leave()
        running.process.send_signal(signal.SIGTERM)
        assert running.wait() == 0


def test_a_folder_of_somebody_else_is_not_used(folder: Path, host: Make, daemon: Begin) -> None:
    """A state that belongs to another user is an error that names it."""
    (folder / "state").mkdir()
    os.chown(folder / "state", 1, 1)
    running = daemon(host())
    assert running.wait() == 1
    assert f"{folder}/state belongs to uid 1" in running.errors[-1]


def test_a_folder_that_others_write_is_not_used(folder: Path, host: Make, daemon: Begin) -> None:
    """A state like /tmp is refused, and its mode is left as it was."""
    (folder / "state").mkdir()
    (folder / "state").chmod(0o1777)
    running = daemon(host())
    assert running.wait() == 1
    assert f"{folder}/state can be written by others" in running.errors[-1]
    assert stat.S_IMODE((folder / "state").stat().st_mode) == 0o1777
