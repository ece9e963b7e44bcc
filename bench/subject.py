"""The daemon that is put under load, and the account of its starts: proved by jobs, and remembered.

Owns the processes and files of one `crond FILE` and the comparison. Each job writes its name and the pid of
its shell, which the history knows too: so every start is told from every other. Called by bench.faults and
bench.noise.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from crond.cli.client import RECORDER, SCHEDULER, Connection, Place
from crond.cli.failure import Failure

_ROOT = Path(__file__).resolve().parents[1]
#: A recorder that ends soon is replaced ever later, after five minutes at last: fifty kills would take hours.
#: So the launcher, which the daemon's command becomes by exec, is given a shorter pause, and nothing else.
_LAUNCHER = """
import sys
sys.path.insert(0, sys.argv[1])
from crond.launcher import main, worker
main.RECORDER = worker.Role(worker.RECORDER.name, worker.RECORDER.expected, 0.2)
sys.exit(main.main(sys.argv[2]))
"""
_BOOT = f"""
import os
become = os.execve
def become_launcher(path, arguments, environment):
    become(path, [*arguments[:3], "-c", {_LAUNCHER!r}, *arguments[4:]], environment)
os.execve = become_launcher
from crond.cli.daemon import main
main()
"""
_DEADLINE = 30.0
_PERIOD = 0.05
_RUNS = """
SELECT jobs.name, runs.instant, runs.started_at, attempts.pid FROM runs
JOIN jobs ON jobs.id = runs.job
LEFT JOIN attempts ON attempts.feed = runs.feed AND attempts.run = runs.id
"""

T = TypeVar("T")


class SubjectError(Exception):
    """The daemon did not do what it should in time."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """One run of the history; times in microseconds. `pid` is None if it was not started."""

    job: str
    instant: int
    started: int | None
    pid: int | None


@dataclass(frozen=True, slots=True)
class Tally:
    """All that was remembered and all that was proved, up to now."""

    runs: list[Remembered]
    proofs: Counter[tuple[str, int]]

    def started(self) -> Counter[tuple[str, int]]:
        """Return how often each start is in the history."""
        return Counter((run.job, run.pid) for run in self.runs if run.pid is not None)

    def missing(self) -> int:
        """Return how many starts were proved that the history does not have."""
        return (self.proofs - self.started()).total()

    def double(self) -> int:
        """Return how many runs have no proof of their own, or answer an instant that another one answered."""
        instants = Counter((run.job, run.instant) for run in self.runs)
        return (self.started() - self.proofs).total() + instants.total() - len(instants)

    def unanswered(self, jobs: int, since: float) -> int:
        """Return for how many instants since `since`, one a second for each of `jobs`, there is no run."""
        found = {(run.job, run.instant) for run in self.runs if run.instant >= since * 1e6}
        instants = {instant for _job, instant in found}
        if not instants:
            return 0
        return jobs * ((max(instants) - min(instants)) // 1_000_000 + 1) - len(found)

    def lateness(self, since: float, upto: float, *, prefix: str = "") -> list[float]:
        """Return how late (ms) the starts due in [since, upto) were, of jobs whose names begin so."""
        return [
            (run.started - run.instant) / 1000
            for run in self.runs
            if run.started is not None and run.job.startswith(prefix)
            if since * 1e6 <= run.instant < upto * 1e6
        ]


class Daemon:
    """A `crond FLAGS FILE` with its state in `folder`, whose jobs write to `proofs`.

    Raises SubjectError where it does not do in time what is waited for.
    """

    def __init__(self, folder: Path, proofs: Path, *flags: str) -> None:
        self.database = folder / "state" / "history" / "history.db"
        self.outputs = folder / "state" / "outputs"
        self._place = Place(str(folder / "state" / "run"), "")
        self._tab = folder / "tab"
        self._proofs = proofs
        self._proofs.touch()
        self._offset = 0
        self._install("")
        self._errors = folder / "errors"
        with open(self._errors, "wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, *flags, str(self._tab), "--state", str(folder / "state")],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=_ROOT,
                env={"PATH": os.defpath, "PYTHONPATH": str(_ROOT), "LANG": "C.UTF-8"},
            )
        try:
            wait_until(lambda: self._ask(SCHEDULER, "status") is not None, "the scheduler answers")
            wait_until(lambda: self.behind() == 0, "the recorder records")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End it and all its processes."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_DEADLINE)
            except subprocess.TimeoutExpired:
                for pid in self._children():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                self._process.kill()
                self._process.wait()

    def said(self) -> str:
        """Return the last of what it logged."""
        return self._errors.read_text(errors="replace")[-3000:]

    # --- its jobs ----------------------------------------------------------------------------------------

    def start_jobs(
        self, count: int, more: str = "", *, every: str = "1s", head: str = "", then: str = ""
    ) -> None:
        """Have `count` jobs run `every` so often from now on; `more` is the text of other entries.

        `head` is the text before all, `then` what each job does at its end.
        """
        self._offset = self._proofs.stat().st_size
        lines = (f"#: name=j{n}\n@every {every} echo j{n} $$ >>{self._proofs}{then}\n" for n in range(count))
        self._install(head + "".join(lines) + more)

    def run(self, job: str) -> None:
        """Start a run of `job` beside its schedule, as soon as it is known."""
        wait_until(lambda: self._ask(SCHEDULER, "run", job=job) is not None, f"{job} is known")

    def running(self) -> int:
        """Return how many runs have not ended."""
        status = self._ask(SCHEDULER, "status") or {}
        return len(cast("list[object]", status.get("running", [])))

    def stop_jobs(self) -> None:
        """Have none run, and wait until the last has ended."""
        self._install("")
        wait_until(lambda: self._ask(SCHEDULER, "list") == {"jobs": []}, "the crontab is empty")
        wait_until(
            lambda: (self._ask(SCHEDULER, "status") or {}).get("running") == [], "the last job has ended"
        )

    def wait_for_starts(self, count: int) -> None:
        """Wait for `count` starts since `start_jobs`."""

        def enough() -> bool:
            with open(self._proofs, "rb") as file:
                file.seek(self._offset)
                return file.read().count(b"\n") >= count

        wait_until(enough, f"{count} starts", seconds=_DEADLINE + count / 20)

    def _install(self, text: str) -> None:
        fresh = self._tab.with_name("tab.new")
        fresh.write_text(text)
        fresh.rename(self._tab)

    # --- its recorder ------------------------------------------------------------------------------------

    def recorder(self) -> int:
        """Return the recorder's pid, when there is one."""
        return wait_until(
            lambda: next((pid for pid in self._children() if _name_of(pid) == "crond-recorder"), 0),
            "there is a recorder",
        )

    def kill_recorder(self, pid: int) -> None:
        """Kill it and wait until the launcher has seen its end."""
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: pid not in self._children(), "the recorder is reaped")

    def delete_database(self) -> None:
        """Delete SQLite's file and what belongs to it."""
        for end in ("", "-wal", "-shm"):
            self.database.with_name(self.database.name + end).unlink(missing_ok=True)

    def behind(self) -> int | None:
        """Return how many bytes of the journal are not in the history; None if nobody answers."""
        body = self._ask(RECORDER, "db")
        if body is None or body.get("state") != "recording":
            return None
        return int(str(body["behind"]))

    def wait_caught_up(self, patience: float) -> None:
        """Wait until the history holds all that happened."""
        wait_until(lambda: self.behind() == 0, "the history has caught up", seconds=patience)

    def tally(self) -> Tally:
        """Count what is in the history and what the jobs wrote."""
        uri = f"file:{self.database}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_DEADLINE)) as connection:
            runs = [Remembered(*row) for row in connection.execute(_RUNS)]
        words = (line.split() for line in self._proofs.read_text().splitlines())
        return Tally(runs, Counter((job, int(pid)) for job, pid in words))

    def _ask(self, name: str, verb: str, **words: str) -> dict[str, object] | None:
        if self._process.poll() is not None:
            raise SubjectError(f"the daemon ended: {self.said()}")
        try:
            with Connection(self._place, name) as connection:
                return connection.ask(verb, **words).body
        except Failure:
            return None

    def memory(self) -> dict[str, int]:
        """Return the KiB that launcher, scheduler and recorder hold for themselves (USS)."""
        named = {_name_of(pid): pid for pid in self._children()}
        pids = {"launcher": self._process.pid}
        pids |= {
            each: named[f"crond-{each}"] for each in ("scheduler", "recorder") if f"crond-{each}" in named
        }
        return {name: _own_memory(pid) for name, pid in pids.items()}

    def _children(self) -> list[int]:
        path = f"/proc/{self._process.pid}/task/{self._process.pid}/children"
        try:
            return [int(word) for word in Path(path).read_text().split()]
        except OSError:
            return []


def wait_until(look: Callable[[], T], what: str, *, seconds: float = _DEADLINE) -> T:
    """Return the first true value of `look`. Raises SubjectError with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise SubjectError(f"did not happen within {seconds:g} s: {what}")
        time.sleep(_PERIOD)
    return found


def quantile(values: list[float], part: float) -> float:
    """Return the value of sorted `values` below which `part` of them lie; nan if there is none."""
    return values[math.ceil(len(values) * part) - 1] if values else math.nan


def _name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _own_memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
