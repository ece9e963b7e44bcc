"""A real launcher and the host's real PAM, with service files and accounts of the test's own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crond.launcher.config import Config
from crond.model.messages import Exited, NotStarted, Started, Stop
from tests.launcher.daemon import Daemon, Runner, alive, output_of, surroundings, until

pytestmark = [
    pytest.mark.root,
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="becoming users needs root"),
    pytest.mark.skipif(not Path("/etc/pam.d").is_dir(), reason="no PAM here"),
]

SERVICES = {"debian": "cron", "cronie": "crond"}
#: Accounts that exist in the test's /etc alone.
UIDS = {"pamann": 64801, "pamben": 64802}
_ENTER = 'mount --bind "$1/etc" /etc; shift; exec "$@"'
#: Does as the file named after the account in its folder says, in place of a module.
_CHECK = '#!/bin/sh\nset -e\ncd "$(dirname "$0")"\n[ ! -e "$PAM_USER" ] || . "./$PAM_USER"\n'


class Host:
    """A host with a copy of /etc: `service` writes its PAM file, `begin` starts the launcher in it."""

    def __init__(self, folder: Path, make: Callable[..., Config], daemon: Callable[..., Daemon]) -> None:
        self.folder = folder
        self.etc = folder / "etc"
        self._make = make
        self._daemon = daemon
        # Somebody else may be making an account meanwhile, whose files come and go.
        subprocess.run(["cp", "-a", "/etc", folder], stderr=subprocess.DEVNULL, check=False)
        self.accounts("")
        check = folder / "check" / "check"
        check.parent.mkdir(mode=0o755)
        check.write_text(_CHECK)
        check.chmod(0o755)

    def accounts(self, expires: str, user: str = "pamann") -> None:
        """Write the accounts; `user` expires on that day of the epoch."""
        for file, line in (
            ("passwd", "{user}:x:{uid}:{uid}::/:/bin/sh\n"),
            ("group", "{user}:x:{uid}:\n"),
            ("shadow", "{user}:*:20000:0:99999:7::{expires}:\n"),
        ):
            text = Path("/etc", file).read_text()
            for name, uid in UIDS.items():
                text += line.format(user=name, uid=uid, expires=expires if name == user else "")
            (self.etc / file).write_text(text)

    def service(self, dialect: str, *lines: str) -> None:
        (self.etc / "pam.d" / SERVICES[dialect]).write_text("".join(f"{line}\n" for line in lines))

    def checks(self, dialect: str) -> None:
        """Let the script beside the accounts' files decide, which each test says."""
        self.service(
            dialect,
            f"account required pam_exec.so {self.folder}/check/check",
            "session required pam_permit.so",
            "auth required pam_permit.so",
        )

    def says(self, user: str, what: str) -> None:
        (self.folder / "check" / user).write_text(f"{what}\n")

    def crontab(self, user: str, *lines: str) -> Path:
        path = self.folder / "spool" / user
        path.write_text("".join(f"{line}\n" for line in lines))
        os.chown(path, UIDS.get(user, 0), UIDS.get(user, 0))
        path.chmod(0o600)
        return path

    def begin(self, dialect: str, **more: Any) -> Daemon:
        config = self._make(dialect=dialect, pam=SERVICES[dialect], **more)
        return self._daemon(
            config, wrapper=("unshare", "--mount", "sh", "-ec", _ENTER, "sh", str(self.folder))
        )


@pytest.fixture
def pam(folder: Path, host: Callable[..., Config], daemon: Callable[..., Daemon]) -> Host:
    return Host(folder, host, daemon)


def run(runner: Runner, path: Path, entry: int = 0) -> Exited | NotStarted:
    """Run an entry of the crontab as it is now; after a HUP that has another version."""
    while True:
        ended = runner.run(runner.table(path), entry)
        if not isinstance(ended, NotStarted) or ended.reason != "stale":
            return ended


def output(daemon: Daemon, runner: Runner, path: Path) -> str:
    """Run the first entry to its good end; return what it wrote."""
    ended = run(runner, path)
    assert isinstance(ended, Exited), ended
    assert ended.status == 0
    return output_of(daemon.config, path.stat().st_uid, ended.attempt).decode()


def refused(runner: Runner, path: Path, entry: int = 0) -> str:
    """Run an entry that PAM refuses; return the reason."""
    ended = run(runner, path, entry)
    assert isinstance(ended, NotStarted), ended
    assert ended.reason == "permission"
    return ended.detail


@pytest.mark.parametrize("dialect", ["debian", "cronie"])
def test_jobs_get_what_pam_gives(pam: Host, dialect: str) -> None:
    """Variables below cron's own, limits, nice and umask; `env` tells the same. Others get none of it."""
    (pam.folder / "auth.env").write_text("AUTH=from the credentials\nPATH=/pam\nHOME=/tmp\nMINE=pam\n")
    (pam.folder / "limits.conf").write_text(
        "pamann soft nofile 222\npamann hard nofile 333\npamann - nproc 77\npamann - priority 3\n"
    )
    (pam.etc / "default/locale").write_text("LANG=C.UTF-8\n")
    pam.service(
        dialect,
        f"auth required pam_env.so readenv=1 envfile={pam.folder}/auth.env",
        "account required pam_unix.so",
        "session required pam_env.so readenv=1 envfile=/etc/default/locale",
        f"session required pam_limits.so conf={pam.folder}/limits.conf",
        "session [success=1 default=ignore] pam_succeed_if.so quiet user != pamann",
        "session required pam_umask.so umask=0037",
    )
    command = "env; umask; nice; cat /proc/self/limits"
    ann, ben = [pam.crontab(user, "MINE=crontab", f"* * * * * {command}") for user in UIDS]
    daemon = pam.begin(dialect)
    runner = Runner(daemon.wire())
    lines = output(daemon, runner, ann).splitlines()
    variables = dict(line.split("=", 1) for line in lines if "=" in line)
    assert variables["AUTH"] == "from the credentials"
    assert (variables["MINE"], variables["HOME"]) == ("crontab", "/")
    assert variables["PATH"].startswith("/usr/bin:/bin")
    # cronie takes the variables before it opens the session.
    assert variables.get("LANG") == ("C.UTF-8" if dialect == "debian" else None)
    assert {"0037", "3"} <= set(lines)
    limits = {line[:25].strip(): line[25:].split()[:2] for line in lines if line.startswith("Max ")}
    assert limits["Max open files"] == ["222", "333"]
    assert limits["Max processes"] == ["77", "77"]

    told = surroundings(daemon, runner.table(ann))
    assert told["environment"]["AUTH"] == "from the credentials"
    assert (told["open_files"], told["limits"]) == ([222, 333], {"nproc": [77, 77]})
    assert (told["umask"], told["nice"]) == (0o037, 3)

    assert "Max processes             77" not in output(daemon, runner, ben)
    told = surroundings(daemon, runner.table(ben))
    assert (told["limits"], told["nice"]) == ({}, os.getpriority(os.PRIO_PROCESS, 0))


def test_root_has_limits_too(pam: Host) -> None:
    """Root's own jobs are started another way, which must not lose them; others keep what the daemon has."""
    (pam.folder / "limits.conf").write_text("root - nofile 321\n")
    pam.service(
        "debian",
        "account required pam_permit.so",
        "auth required pam_permit.so",
        f"session required pam_limits.so conf={pam.folder}/limits.conf",
    )
    path = pam.crontab("root", "* * * * * ulimit -n; id -u; id -G")
    daemon = pam.begin("debian")
    runner = Runner(daemon.wire())
    files, uid, groups = output(daemon, runner, path).splitlines()
    assert (files, uid) == ("321", "0")
    assert {int(gid) for gid in groups.split()} == set(os.getgrouplist("root", 0))


@pytest.mark.parametrize("dialect", ["debian", "cronie"])
def test_an_expired_account_runs_nothing_until_it_is_good_again(pam: Host, dialect: str) -> None:
    """Refused by pam_unix in cron's words; other accounts run. A change of the account holds from then on."""
    pam.service(
        dialect,
        "auth required pam_permit.so",
        "account required pam_unix.so",
        "session required pam_permit.so",
    )
    ann, ben = [pam.crontab(user, "* * * * * echo ran") for user in UIDS]
    pam.accounts("1")
    daemon = pam.begin(dialect)
    runner = Runner(daemon.wire())
    assert refused(runner, ann) == "PAM refuses pamann: User account has expired"
    daemon.wait_for(daemon.errors, "(pamann) FAILED to authorize user with PAM (User account has expired)")
    assert output(daemon, runner, ben) == "ran\n"
    pam.accounts("1", user="pamben")
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: isinstance(run(runner, ann), Exited) and isinstance(run(runner, ben), NotStarted))
    assert refused(runner, ben) == "PAM refuses pamben: User account has expired"


@pytest.mark.parametrize("dialect", ["debian", "cronie"])
def test_whom_cronie_does_not_ask_about(pam: Host, dialect: str) -> None:
    """Root's lines of system crontabs: cronie trusts them, Debian's cron asks. Of others both ask."""
    pam.service(dialect, "account required pam_deny.so")
    system = pam.folder / "crontab"
    system.write_text("* * * * * root echo ran\n* * * * * pamann echo ran\n")
    own = pam.crontab("root", "* * * * * echo ran")
    daemon = pam.begin(dialect)
    runner = Runner(daemon.wire())
    if dialect == "cronie":
        assert output(daemon, runner, system) == "ran\n"
    else:
        assert "Authentication failure" in refused(runner, system)
    assert "Authentication failure" in refused(runner, system, 1)
    assert "Authentication failure" in refused(runner, own)


def test_a_session_that_is_refused(pam: Host) -> None:
    """It has other words in the log."""
    pam.service(
        "cronie",
        "account required pam_permit.so",
        "auth required pam_permit.so",
        "session required pam_deny.so",
    )
    path = pam.crontab("pamann", "* * * * * echo ran")
    daemon = pam.begin("cronie")
    runner = Runner(daemon.wire())
    reason = refused(runner, path).partition(": ")[2]
    daemon.wait_for(daemon.errors, f"(pamann) FAILED to open PAM security session ({reason})")


def test_nobody_waits_for_a_module_that_hangs(pam: Host) -> None:
    """Its account's jobs do not run; others do at once. What the module started is ended with it."""
    pam.checks("debian")
    pam.says("pamann", "sleep 600 & echo $! > asked; wait")
    ann, ben = [pam.crontab(user, "* * * * * echo ran") for user in UIDS]
    daemon = pam.begin("debian", pam_time_limit=1.0)
    runner = Runner(daemon.wire())
    hanging = runner.start(runner.table(ann))
    assert output(daemon, runner, ben) == "ran\n"
    assert not [fact for fact in runner.wire.facts if getattr(fact, "attempt", "") == hanging]
    ended = runner.result(hanging)
    assert isinstance(ended, NotStarted)
    assert ended.detail == "PAM refuses pamann: no answer within 1 s"
    pid = int((pam.folder / "check/asked").read_text())
    until(lambda: not alive(pid))


def test_a_start_that_waits_for_pam_can_be_stopped(pam: Host) -> None:
    """Nothing of it runs when PAM answers at last."""
    pam.checks("debian")
    pam.says("pamann", "while [ ! -e go ]; do sleep 0.05; done")
    path = pam.crontab("pamann", "* * * * * echo ran")
    daemon = pam.begin("debian")
    runner = Runner(daemon.wire())
    key = runner.start(runner.table(path))
    runner.wire.send(Stop(key))
    ended = runner.result(key)
    assert isinstance(ended, NotStarted)
    assert ended.detail == "stopped before it started"
    (pam.folder / "check/go").touch()
    assert output(daemon, runner, path) == "ran\n"
    assert not [fact for fact in runner.wire.facts if isinstance(fact, Started) and fact.attempt == key]


def test_the_last_answer_holds_while_pam_cannot_be_asked(pam: Host) -> None:
    """A module that crashes later, or a directory that is down: jobs go on, and the log says it once."""
    pam.checks("debian")
    path = pam.crontab("pamann", "* * * * * echo ran")
    daemon = pam.begin("debian")
    runner = Runner(daemon.wire())
    assert output(daemon, runner, path) == "ran\n"
    pam.says("pamann", "kill -SEGV $PPID")
    for _ in range(2):
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for(daemon.errors, "PAM said nothing about pamann: killed by signal 11")
        assert output(daemon, runner, path) == "ran\n"
    assert len([line for line in daemon.errors if "PAM said nothing" in line]) == 1
    # What says no when it can be asked again is believed.
    pam.says("pamann", "exit 1")
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: isinstance(run(runner, path), NotStarted))


def test_a_change_of_the_accounts_is_heard_and_jobs_go_first(pam: Host) -> None:
    """Without a HUP: `chage` changes /etc/shadow. What is asked then gives way to jobs; sessions do not."""
    pam.checks("debian")
    pam.says("pamann", "nice > new; mv new asked")
    path = pam.crontab("pamann", "* * * * * echo ran")
    daemon = pam.begin("debian")
    runner = Runner(daemon.wire())
    assert output(daemon, runner, path) == "ran\n"
    asked = pam.folder / "check/asked"
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert int(asked.read_text()) == ours
    asked.unlink()
    pam.accounts("99999")
    # Each minute, and whenever a crontab changes.
    pam.crontab("pamann", "* * * * * echo ran again")
    until(asked.exists)
    assert int(asked.read_text()) == min(ours + 10, 19)


def test_a_host_whose_logins_are_closed(pam: Host) -> None:
    """pam_nologin, as some hosts have it for cron: jobs run again when the file is gone."""
    pam.service(
        "debian",
        "account required pam_nologin.so file=/etc/closed",
        "account required pam_permit.so",
        "auth required pam_permit.so",
        "session required pam_permit.so",
    )
    (pam.etc / "closed").touch()
    path = pam.crontab("pamann", "* * * * * echo ran")
    daemon = pam.begin("debian")
    runner = Runner(daemon.wire())
    assert "PAM refuses pamann" in refused(runner, path)
    (pam.etc / "closed").unlink()
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: isinstance(run(runner, path), Exited))
