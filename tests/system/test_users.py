"""Jobs of three users at once, as root: each is that user and nobody else, in cron's own surroundings."""

from __future__ import annotations

import os
import pwd
import re
import resource
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crond.cli.client import LAUNCHER, Connection, Place, Refused
from tests.system.conftest import StartHost
from tests.system.daemon import Crond, as_user, host_crond, install, wait_for
from tests.system.ground import Ground, People

#: Matches no day, so a job with it starts only when it is asked for.
NEVER = "0 0 31 2 *"

PROBE = """
id -u; id -g; id -G; pwd; umask; ulimit -n; ulimit -c
cut -d' ' -f6 /proc/self/stat
ps -o sid= -p $$ | tr -d ' '; echo $$
""".strip().replace("\n", "; ")


def crontab(settings: str = "") -> str:
    return (
        f"{settings}"
        f"#: name=who\n{NEVER} {PROBE}\n"
        f"#Ansible: env\n{NEVER} cat /proc/$$/environ; true\n"
        f"#: name=told\n{NEVER} cat /proc/$$/environ; true; true\n"
        f"#: name=fds\n{NEVER} ls -l /proc/self/fd\n"
        f"#: name=signals\n{NEVER} exec grep ^Sig /proc/self/status\n"
        f'#: name=beside\n@every 1s echo "$LOGNAME" at "$PWD"\n'
    )


def run_and_read(crond: Crond, job: str) -> list[str]:
    run = crond.run_now(job)
    assert run["outcome"] == "success", run
    return crond.output(run["attempt"]).decode().splitlines()


@pytest.fixture(scope="module")
def three(ground: Ground, people: People) -> Iterator[Crond]:
    """A cronie that serves three users; no test here changes it."""
    crond, folder = host_crond(
        ground,
        people,
        environment={"LANG": "C.UTF-8", "LC_TIME": "de_DE.UTF-8", "SECRET": "x", "SHELL": "/bin/bash"},
        umask=0o027,
    )
    for user in people.users:
        install(folder, user, crontab())
    crond.up()
    wait_for(lambda: len(crond.jobs()) == 18, "all tables are loaded")
    yield crond
    crond.close()


def test_each_job_has_the_numbers_of_its_user(three: Crond, people: People) -> None:
    """A job runs with the uid, gid and all groups of its crontab's owner, and with no other's."""
    for user in people.users:
        uid, gid, groups, *_ = run_and_read(three, f"{user.pw_name}/who")
        assert (int(uid), int(gid)) == (user.pw_uid, user.pw_gid)
        expected = {user.pw_gid} | ({people.extra} if user is people.ben else set())
        assert {int(word) for word in groups.split()} == expected


def test_a_job_stands_in_its_home_with_the_daemons_umask_and_limits(three: Crond, people: People) -> None:
    """Cwd is HOME; umask and limits are those that the daemon was started with, as cron leaves them."""
    for user in people.users:
        _, _, _, cwd, umask, files, core, *_ = run_and_read(three, f"{user.pw_name}/who")
        assert (cwd, umask) == (user.pw_dir, "0027")
        assert files == str(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        assert core in ("0", "unlimited") or int(core) >= 0


def test_a_job_leads_a_session_of_its_own(three: Crond, people: People) -> None:
    """Cron calls setsid: the shell is the leader of its session."""
    *_, session, shell = run_and_read(three, f"{people.ann.pw_name}/who")
    assert session == shell


def test_the_environment_is_cronies_byte_for_byte(three: Crond, people: People) -> None:
    """Locale variables of the daemon, cron's own five, nothing else: no SECRET, not the daemon's SHELL."""
    for user in people.users:
        assert environment_of(three, f"{user.pw_name}/env") == sorted(
            [
                "LANG=C.UTF-8",
                "LC_TIME=de_DE.UTF-8",
                "SHELL=/bin/sh",
                f"HOME={user.pw_dir}",
                "PATH=/usr/bin:/bin:/usr/sbin:/sbin",
                f"LOGNAME={user.pw_name}",
                f"USER={user.pw_name}",
            ]
        )


def test_a_job_with_annotations_is_told_of_its_run(three: Crond, people: People) -> None:
    """And one without is not: a name from a configuration manager's comment changes nothing."""
    user = people.ann
    pairs = dict(line.split("=", 1) for line in environment_of(three, f"{user.pw_name}/told"))
    told = {name: value for name, value in pairs.items() if name.startswith("CRONTABX_")}
    output = told.pop("CRONTABX_OUTPUT")
    assert told.keys() == {
        "CRONTABX_JOB", "CRONTABX_RUN_ID", "CRONTABX_ATTEMPT", "CRONTABX_TRIGGER", "CRONTABX_SCHEDULED_AT"
    }  # fmt: skip
    assert (told["CRONTABX_JOB"], told["CRONTABX_ATTEMPT"]) == ("told", "1")
    assert output.endswith(f"/{told['CRONTABX_RUN_ID']}.1")
    assert len(pairs) == len(environment_of(three, f"{user.pw_name}/env")) + 6


def environment_of(crond: Crond, job: str) -> list[str]:
    """Return what the shell of `job` was executed with, not what it made of it."""
    (text,) = run_and_read(crond, job)
    assert text.endswith("\0")
    return sorted(text[:-1].split("\0"))


def test_the_environment_is_debians_byte_for_byte(start_host: StartHost, people: People) -> None:
    """Debian's cron imports nothing and sets no USER; assignments of the table win, but not over LOGNAME."""
    crond, folder = start_host(dialect="debian", environment={"LANG": "C.UTF-8", "SECRET": "x"})
    settings = 'A = " two words "\nLOGNAME=root\nB=""\nPATH=/opt/bin:/usr/bin:/bin\n'
    install(folder, people.cat, crontab(settings))
    crond.up()
    wait_for(lambda: len(crond.jobs()) == 6, "the table is loaded")
    assert environment_of(crond, "env") == sorted(
        [
            "A= two words ",
            "B=",
            "SHELL=/bin/sh",
            f"HOME={people.cat.pw_dir}",
            "PATH=/opt/bin:/usr/bin:/bin",
            f"LOGNAME={people.cat.pw_name}",
        ]
    )


def test_no_descriptor_is_inherited(three: Crond, people: People) -> None:
    """A job has stdin (a pipe at its end), stdout and stderr (one file), and nothing of the daemon."""
    lines = run_and_read(three, f"{people.ann.pw_name}/fds")
    shown = dict(re.findall(r"(\d+) -> (\S+)", "\n".join(lines)))
    # 3 is the folder that ls itself reads.
    assert sorted(shown) == ["0", "1", "2", "3"]
    assert shown["0"].startswith("pipe:")
    assert shown["1"] == shown["2"]
    assert "/outputs/" in shown["1"]
    assert shown["3"].startswith("/proc/")


def test_no_signal_is_blocked_or_ignored(three: Crond, people: People) -> None:
    """SIGPIPE is at its default, else a job's `yes | head` would complain; nothing is blocked."""
    masks = dict(line.split(":\t") for line in run_and_read(three, f"{people.ben.pw_name}/signals"))
    assert int(masks["SigBlk"], 16) == 0
    assert int(masks["SigIgn"], 16) == 0


def test_three_users_run_at_once(three: Crond, people: People) -> None:
    """All three users' jobs start in the same second, and each writes to its own output."""
    for user in people.users:
        run = three.ended(f"{user.pw_name}/beside", count=2)[0]
        assert three.output(run["attempt"]) == f"{user.pw_name} at {user.pw_dir}\n".encode()


def test_a_user_cannot_reach_anothers_output(three: Crond, people: People, ground: Ground) -> None:
    """Neither by its path, nor by the client, nor by asking the launcher itself; root can."""
    run = three.ended(f"{people.ben.pw_name}/beside")[0]
    key = run["attempt"]
    path = three.state / "outputs" / str(people.ben.pw_uid) / key
    assert path.exists()
    for command in (["cat", str(path)], ["ls", str(path.parent)], ["ls", str(path.parent.parent)]):
        done = subprocess.run(command, check=False, capture_output=True, **as_user(people.ann))
        assert b"Permission denied" in done.stderr, command

    refused = three.client("logs", key, user=people.ann)
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "no " in refused.stderr
    missing = three.client("logs", "nosuchrun.1", user=people.ann)
    assert missing.returncode == refused.returncode
    assert missing.stderr.replace("nosuchrun.1", key) == refused.stderr

    own = three.client("logs", key, user=people.ben)
    assert (own.returncode, own.stdout) == (0, f"{people.ben.pw_name} at {people.ben.pw_dir}\n")
    assert three.client("logs", key).stdout == own.stdout
    assert asked_as(people.ann, three, key) == "unknown"
    assert asked_as(people.ben, three, key) == "ok"


def asked_as(user: pwd.struct_passwd, crond: Crond, key: str) -> str:
    """Ask the launcher's socket for `key` as `user`, without the client's looking up; return its word."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            with Connection(Place(str(crond.run), ""), LAUNCHER) as launcher:
                try:
                    launcher.ask("logs", attempt=key)
                    word = "ok"
                except Refused as refused:
                    word = refused.code
            os.write(writing, word.encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        word = answer.read().decode()
    os.waitpid(child, 0)
    return word


def test_a_user_sees_and_touches_only_own_jobs(three: Crond, people: People) -> None:
    """list, runs, run and stop of another user's job answer as if there were none."""
    seen = three.client("list", "--json", user=people.ann)
    assert seen.returncode == 0
    assert people.ben.pw_name not in seen.stdout
    assert f"{people.ann.pw_name}/who" in seen.stdout
    for verb in ("run", "stop", "logs"):
        done = three.client(verb, f"{people.ben.pw_name}/beside", user=people.ann)
        assert done.returncode == 4, (verb, done)
    assert f"{people.ben.pw_name}/who" in three.client("list", "--json").stdout


def test_the_folders_of_the_daemon_are_closed(three: Crond, people: People) -> None:
    """Outputs are root's alone, the journal the scheduler's alone; the sockets are for everybody."""
    modes = {name: (three.state / name).stat() for name in (".", "outputs", "scheduler", "run")}
    assert {name: (oct(found.st_mode & 0o7777), found.st_uid) for name, found in modes.items()} == {
        ".": ("0o711", 0),
        "outputs": ("0o700", 0),
        "scheduler": ("0o700", people.scheduler.pw_uid),
        "run": ("0o755", 0),
    }
    for path in (three.state / "outputs").rglob("*"):
        found = path.lstat()
        # A link beside an output names its job, and leads nowhere.
        assert found.st_uid == 0, path
        assert path.is_symlink() or found.st_mode & 0o077 == 0, path


def test_the_scheduler_has_no_privilege(three: Crond, people: People) -> None:
    """The process that decides runs as its account, without root's groups, capabilities or descriptors."""
    pid = three.scheduler_pid()
    status = Path(f"/proc/{pid}/status").read_text()
    values: dict[str, Any] = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert values["Uid"].split() == [str(people.scheduler.pw_uid)] * 4
    assert values["Gid"].split() == [str(people.scheduler.pw_gid)] * 4
    assert int(values["CapEff"], 16) == int(values["CapPrm"], 16) == 0
    paths = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
    assert not [path for path in paths if "outputs" in path or "spool" in path]


def test_sockets_say_who_may_connect(three: Crond, people: People) -> None:
    """Every user can connect to both sockets: who they are is asked of the kernel, not of the file's mode."""
    for name in ("scheduler.sock", "launcher.sock"):
        assert (three.run / name).stat().st_mode & 0o777 == 0o666
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(three.run / name))
