"""A real crond in the foreground, for tests: its lines, its sockets, the client beside it.

Starts the very command that people start. Waits are for events, with one deadline for all of them.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from crond.cli.client import LAUNCHER, SCHEDULER, Connection, Place
from tests.system.ground import Ground, People

#: Seconds after which what did not happen will not: a loaded machine is slow.
DEADLINE = 20.0
_PERIOD = 0.02

T = TypeVar("T")

CLIENT = "from crond.cli.main import main; main()"


def wait_for(look: Callable[[], T | None], what: str, *, seconds: float = DEADLINE) -> T:
    """Return the first true value of `look`, tried again and again; fail with `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"did not happen within {seconds:g} s: {what}"
        time.sleep(_PERIOD)


class Crond:
    """One daemon. `lines` and `errors` collect its stdout and stderr; `run` holds its sockets."""

    def __init__(
        self,
        ground: Ground,
        arguments: Sequence[str],
        *,
        state: Path,
        environment: dict[str, str] | None = None,
        wrapper: Sequence[str] = (),
        user: pwd.struct_passwd | None = None,
        **popen: Any,
    ) -> None:
        self.ground = ground
        self.state = state
        self.run = state / "run"
        popen.setdefault("stdout", subprocess.PIPE)
        popen.setdefault("stdin", subprocess.DEVNULL)
        self.process = subprocess.Popen(
            [*wrapper, ground.python, "-m", "crond.cli.daemon", *arguments],
            stderr=subprocess.PIPE,
            env=ground.environment(**(environment or {})),
            cwd="/",
            **as_user(user),
            **popen,
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._collect, args=pair, daemon=True)
            for pair in ((self.process.stdout, self.lines), (self.process.stderr, self.errors))
            if pair[0] is not None
        ]
        for thread in self._threads:
            thread.start()

    def _collect(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            with self._changed:
                lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                self._changed.notify_all()

    @property
    def pid(self) -> int:
        return self.process.pid

    def line(self, text: str, *, count: int = 1, errors: bool = False, seconds: float = DEADLINE) -> str:
        """Return the `count`th line of stdout (stderr) that holds `text`, when it is there."""
        lines = self.errors if errors else self.lines

        def found() -> str | None:
            holding = [line for line in lines if text in line]
            return holding[count - 1] if len(holding) >= count else None

        with self._changed:
            line = self._changed.wait_for(found, seconds)
        assert line is not None, f"no {text!r} ({count}) in {self.lines[-30:]}, {self.errors[-30:]}"
        return line

    def up(self) -> Crond:
        """Wait until it obeys crontabs."""
        self.line("STARTUP", errors=True)
        wait_for(lambda: self.ask("status"), "the scheduler answers")
        return self

    # --- asking ------------------------------------------------------------------------------------------

    def ask(self, verb: str, **arguments: str) -> dict[str, Any]:
        """Return the scheduler's answer to `verb`, asked as ourselves. Raises Refused."""
        with Connection(Place(str(self.run), ""), SCHEDULER) as scheduler:
            return scheduler.ask(verb, **arguments).body

    def output(self, attempt: str) -> bytes:
        """Return what the attempt wrote, as the launcher hands it out to us."""
        with Connection(Place(str(self.run), ""), LAUNCHER) as launcher:
            reply = launcher.ask("logs", attempt=attempt)
            if reply.descriptor is None:
                return b""
            with open(os.dup(reply.descriptor), "rb") as file:
                return file.read()

    def jobs(self) -> list[str]:
        return [job["job"] for job in self.ask("list")["jobs"]]

    def runs(self, job: str | None = None) -> list[dict[str, Any]]:
        """Return the remembered runs, newest first; of `job` (OWNER/NAME or NAME) if one is named."""
        runs = self.ask("runs", count="5000")["runs"]
        return [run for run in runs if job is None or job in (run["job"], run["job"].partition("/")[2])]

    def ended(self, job: str, *, count: int = 1, seconds: float = DEADLINE) -> list[dict[str, Any]]:
        """Return the runs of `job` that have ended, oldest first, when there are `count` of them."""

        def enough() -> list[dict[str, Any]] | None:
            runs = [run for run in self.runs(job) if run["state"] == "finished"]
            return runs[::-1] if len(runs) >= count else None

        return wait_for(enough, f"{count} runs of {job} end", seconds=seconds)

    def run_now(self, job: str, *, seconds: float = 60.0) -> dict[str, Any]:
        """Run `job` beside its schedule; return the run when it has ended."""
        with Connection(Place(str(self.run), ""), SCHEDULER) as scheduler:
            reply = scheduler.ask("run", job=job, wait="yes")
            while not reply.final:
                following = scheduler.poll(seconds)
                assert following is not None, f"the run of {job} did not end within {seconds:g} s"
                reply = following
            run: dict[str, Any] = reply.body["run"]
            return run

    def client(
        self, *arguments: str, user: pwd.struct_passwd | None = None, **popen: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run `crontabx ARGUMENTS` against this daemon, as `user`."""
        return subprocess.run(
            self.client_command(*arguments),
            env=self.ground.environment(TZ="UTC"),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
            **as_user(user),
            **popen,
        )

    def client_command(self, *arguments: str) -> list[str]:
        return [self.ground.python, "-c", CLIENT, "--state", str(self.state), *arguments]

    # --- its processes -------------------------------------------------------------------------------------

    def scheduler_pid(self, *, other_than: int = 0) -> int:
        """Return the pid of its scheduler, when there is one that is not `other_than`."""

        def look() -> int | None:
            for pid in children_of(self.pid):
                if pid != other_than and name_of(pid) == "crond-scheduler":
                    return pid
            return None

        return wait_for(look, "a scheduler runs")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self, *, seconds: float = DEADLINE) -> int:
        """Wait for its end; return its exit status, when all it wrote is collected."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        for thread in self._threads:
            thread.join(DEADLINE)
        return status

    def close(self) -> None:
        """End it whatever it does, with all it started: nothing is to be left by a test that failed."""
        if self.process.poll() is None:
            tree = descendants_of(self.pid)
            # Stopped processes do not end by TERM; and a launcher that dies first would leave its jobs.
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            for pid in tree:
                kill_quietly(pid)
        self.process.wait(DEADLINE)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                for thread in self._threads:
                    thread.join(1.0)
                stream.close()


def host_crond(
    ground: Ground,
    people: People,
    *,
    dialect: str = "cronie",
    flags: Sequence[str] = (),
    environment: dict[str, str] | None = None,
    daemon: str = "",
    folder: Path | None = None,
    mail: bool = False,
    **more: Any,
) -> tuple[Crond, Path]:
    """Start the host's cron with every path in a folder of its own; return both. `daemon`: more settings.
    `mail`: it may mail, since what it finds as sendmail is a test's.

    The folder has `spool`, `cron.d` and `crontab`; one that is given is used as it is.
    """
    if folder is None:
        folder = host_folder(ground, people, dialect=dialect, daemon=daemon)
    crond = Crond(
        ground,
        # The mail of this machine is not for tests.
        ["-f", *([] if mail else ["-m", "off"]), "--settings", str(folder / "settings.toml"), *flags],
        state=folder / "state",
        environment=environment,
        **more,
    )
    return crond, folder


def host_folder(ground: Ground, people: People, *, dialect: str, daemon: str = "") -> Path:
    """Return a folder with empty crontab folders and a settings file that names them."""
    folder = ground.new_folder("host")
    (folder / "spool").mkdir(mode=0o700)
    (folder / "cron.d").mkdir(mode=0o755)
    (folder / "settings.toml").write_text(
        f'[daemon]\ndialect = "{dialect}"\naccount = "{people.scheduler.pw_name}"\n{daemon}\n'
        f'[paths]\nsystem_crontab = "{folder}/crontab"\ncron_d = "{folder}/cron.d"\n'
        f'spool = "{folder}/spool"\nstate = "{folder}/state"\nrun = "{folder}/state/run"\n'
        f'pid_file = "{folder}/crond.pid"\nreboot_marker = "{folder}/cron.reboot"\n'
    )
    return folder


def install(folder: Path, user: pwd.struct_passwd, text: str | bytes) -> Path:
    """Put a crontab into the spool as crontab(1) does: written aside, then renamed."""
    fresh = folder / f"new-{user.pw_name}"
    fresh.write_bytes(text.encode() if isinstance(text, str) else text)
    fresh.chmod(0o600)
    os.chown(fresh, user.pw_uid, user.pw_gid)
    return fresh.rename(folder / "spool" / user.pw_name)


def as_user(user: pwd.struct_passwd | None) -> dict[str, Any]:
    """Return what makes subprocess become `user`; None: stay who we are."""
    if user is None:
        return {}
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": groups}


def children_of(pid: int) -> list[int]:
    """Return the pids of the children of all threads of `pid`."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def descendants_of(pid: int) -> list[int]:
    found = []
    for child in children_of(pid):
        found += [child, *descendants_of(child)]
    return found


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    """True if `pid` exists and is more than a process that nobody has reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def kill_quietly(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
