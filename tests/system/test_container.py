"""crond as process 1 of a container, and under a service manager."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import StartFiles, StartHost
from tests.system.daemon import Crond, children_of, host_folder, install, is_alive, name_of, wait_for
from tests.system.ground import Ground, People

#: A pid namespace whose end is the end of all in it.
UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


def can_unshare() -> bool:
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def folder(ground: Ground) -> Path:
    if os.geteuid() != 0 or not can_unshare():
        pytest.skip("no new pid namespace can be made here")
    return ground.new_folder("container")


def first_process(crond: Crond) -> int:
    """Return the pid, as seen from here, of process 1 in the namespace."""
    return wait_for(lambda: (children_of(crond.pid) or [0])[0], "process 1 runs")


def start(
    start_files: StartFiles, folder: Path, table: str, *flags: str, **options: Any
) -> tuple[Crond, int]:
    tab = folder / "tab"
    tab.write_text(table)
    crond = start_files(folder, str(tab), *flags, wrapper=UNSHARE, **options).up()
    return crond, first_process(crond)


def test_process_1_reaps_orphans(start_files: StartFiles, folder: Path) -> None:
    """Daemons that jobs leave behind become its children; their ends leave no zombies."""
    crond, init = start(
        start_files,
        folder,
        "#: name=orphans\n@every 1s for i in 1 2 3; do (setsid sleep 0.2 &) ; done; echo ok\n"
        "#: name=me\n@every 1s echo $PPID\n",
    )
    crond.line("me | 1")
    crond.line("orphans: ended, exit status 0", count=3)

    def zombies() -> list[int]:
        return [pid for pid in children_of(init) if not is_alive(pid)]

    wait_for(lambda: not zombies(), "all orphans are reaped")
    wait_for(lambda: "sleep" not in {name_of(pid) for pid in children_of(init)}, "none is left running")
    assert crond.run_now("orphans")["outcome"] == "success"


def test_term_drains_process_1(start_files: StartFiles, folder: Path) -> None:
    """`docker stop`: running jobs finish within shutdown_grace, then the container ends with 0."""
    gate = folder / "gate"
    crond, init = start(
        start_files,
        folder,
        f"#: name=long\n0 0 31 2 * while [ ! -e {gate} ]; do sleep 0.1; done; echo finished\n",
    )
    crond.ask("run", job="long")
    crond.line("long: started")
    os.kill(init, signal.SIGTERM)
    crond.line("waiting up to 30 s for long", errors=True)
    gate.touch()
    assert crond.wait() == 0
    assert "long | finished" in crond.lines
    assert "long: ended, exit status 0" in crond.lines[-1]


def test_jobs_that_do_not_finish_are_ended(start_files: StartFiles, folder: Path) -> None:
    """After shutdown_grace TERM, after kill_timeout KILL: the container ends before its own deadline."""
    settings = folder / "settings.toml"
    settings.write_text("[daemon]\nshutdown_grace = 0.5\nkill_timeout = 0.5\n")
    crond, init = start(
        start_files,
        folder,
        "#: name=stubborn\n"
        "0 0 31 2 * trap '' TERM; (trap '' TERM; setsid sleep 300) & while :; do sleep 1; done\n",
        "--settings",
        str(settings),
    )
    crond.ask("run", job="stubborn")
    crond.line("stubborn: started")
    began = time.monotonic()
    os.kill(init, signal.SIGTERM)
    assert crond.wait() == 0
    assert time.monotonic() - began < 8
    assert "killed by SIGKILL" in crond.line("stubborn: ended")


def test_the_hosts_cron_as_process_1(start_host: StartHost, people: People, ground: Ground) -> None:
    """`crond` as the command of an image that has users: stays in the foreground, drains, reaps."""
    if not can_unshare():
        pytest.skip("no new pid namespace can be made here")
    crond, folder = start_host(wrapper=UNSHARE)
    install(
        folder, people.ann, "#: name=who\n@every 1s id -un\n#: name=long\n0 0 31 2 * sleep 1; echo done\n"
    )
    crond.up()
    run = crond.ended("who")[0]
    assert crond.output(run["attempt"]) == f"{people.ann.pw_name}\n".encode()
    crond.ask("run", job="long")
    crond.line("long: started")
    os.kill(first_process(crond), signal.SIGTERM)
    assert crond.wait() == 0
    assert any("long: ended, exit status 0" in line for line in crond.lines)
    assert not (folder / "crond.pid").exists()


def test_reboot_jobs_run_again_in_a_new_container(start_files: StartFiles, folder: Path) -> None:
    """A container that is started again has booted again, though the kernel has not."""
    proof = folder / "proof"
    for count in (1, 2):
        crond, init = start(start_files, folder, f"#: name=boot\n@reboot echo up >> {proof}\n")
        crond.line("boot: ended, exit status 0")
        assert proof.read_text() == "up\n" * count
        os.kill(init, signal.SIGTERM)
        assert crond.wait() == 0
        # The start of process 1 is counted in hundredths of a second.
        time.sleep(0.02)


# --- the host's cron, as a service ------------------------------------------------------------------------


class Manager:
    """The socket of a service manager; collects what is said to it."""

    def __init__(self, path: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("\0" + path[1:] if path.startswith("@") else path)
        self.sock.settimeout(20.0)
        self.heard: list[str] = []

    def until(self, wanted: Callable[[list[str]], bool]) -> list[str]:
        while not wanted(self.heard):
            self.heard += self.sock.recv(4096).decode().splitlines()
        return self.heard


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_the_service_manager_is_told(
    start_host: StartHost, people: People, ground: Ground, abstract: bool
) -> None:
    """READY=1 when crontabs are obeyed, WATCHDOG=1 while the loop turns, STOPPING=1 at the end."""
    path = f"@crontabx-{os.getpid()}" if abstract else str(ground.new_folder("manager") / "notify")
    manager = Manager(path)
    with manager.sock:
        crond, folder = start_host(environment={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
        install(folder, people.ann, "#: name=env\n0 0 31 2 * env\n")
        assert manager.until(lambda heard: "READY=1" in heard)[0] == "READY=1"
        manager.until(lambda heard: heard.count("WATCHDOG=1") >= 3)
        wait_for(crond.jobs, "the table is loaded")
        run = crond.run_now("env")
        assert b"NOTIFY_SOCKET" not in crond.output(run["attempt"])
        assert b"WATCHDOG" not in crond.output(run["attempt"])
        # A launcher that hangs does not pet the watchdog.
        os.kill(crond.pid, signal.SIGSTOP)
        manager.sock.settimeout(0.8)
        with pytest.raises(TimeoutError):
            manager.until(lambda _heard: False)
        os.kill(crond.pid, signal.SIGCONT)
        manager.sock.settimeout(20.0)
        crond.process.send_signal(signal.SIGTERM)
        manager.until(lambda heard: "STOPPING=1" in heard)
        assert crond.wait() == 0


def test_the_end_of_the_hosts_cron_leaves_jobs_alone(start_host: StartHost, people: People) -> None:
    """TERM ends the daemon at once, as cron's: its jobs run on, and the pid file is gone."""
    crond, folder = start_host()
    proof, gate = folder / "proof", folder / "gate"
    proof.touch()
    proof.chmod(0o666)
    install(
        folder,
        people.ann,
        f"#: name=long\n0 0 31 2 * while [ ! -e {gate} ]; do sleep 0.05; done; echo finished > {proof}\n",
    )
    crond.up()
    wait_for(crond.jobs, "the table is loaded")
    assert (folder / "crond.pid").read_text() == f"{crond.pid}\n"
    crond.ask("run", job="long")
    pid = wait_for(lambda: crond.runs("long")[0]["pid"], "the job runs")
    assert crond.end() == 0
    assert is_alive(pid)
    assert not (folder / "crond.pid").exists()
    gate.touch()
    wait_for(lambda: proof.read_text() == "finished\n", "the job finishes")

    again, _ = start_host(folder=folder)
    again.up()
    (run,) = again.ended("long")
    assert (run["outcome"], run["exit_code"]) == ("lost", None)
    assert again.end() == 0


def test_two_crons_never_run_beside_each_other(start_host: StartHost, people: People) -> None:
    """The pid file is locked as crons lock it: the second says cron's words and ends with 1."""
    crond, folder = start_host()
    crond.up()
    second, _ = start_host(folder=folder)
    assert second.wait() == 1
    assert second.errors == [
        f"crond: can't lock {folder}/crond.pid, otherpid may be {crond.pid}: Resource temporarily unavailable"
    ]
    held = subprocess.run(["flock", "-n", folder / "crond.pid", "true"], check=False)
    assert held.returncode == 1
    assert crond.end() == 0


def test_without_foreground_the_start_returns_when_it_is_up(ground: Ground, people: People) -> None:
    """`crond` goes to the background: its first process ends with 0 once the lock is held, not before."""
    folder = host_folder(ground, people, dialect="cronie")
    done = subprocess.run(
        [ground.python, "-m", "crond.cli.daemon", "--settings", str(folder / "settings.toml")],
        env=ground.environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    pid = int((folder / "crond.pid").read_text())
    try:
        assert os.getsid(pid) != os.getsid(0)
        assert {os.readlink(f"/proc/{pid}/fd/{number}") for number in (0, 1, 2)} == {"/dev/null"}
        assert name_of(pid) == "crond"
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not is_alive(pid), "it ends")
    assert not (folder / "crond.pid").exists()
