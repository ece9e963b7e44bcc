"""`python -m bench.faults`: how late jobs start while the recorder is in trouble, and what it then remembers.

Owns the course: a real `crond FILE` under 100 jobs a second, its recorder killed, its database locked, its
disk full or its file deleted, and the rows that come of it. Only root can have a small disk to fill.
docs/benchmarks.md says what the columns mean.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.subject import Daemon, SubjectError, quantile

JOBS = 100
#: Room for the history where its disk is to be full.
_SMALL = "64m"
_CATCH_UP = 180.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is done."""

    starts: int  #: at least, beside each fault
    kills: int
    life: float  #: seconds between a recorder's start and its kill, at most
    lock_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of the starts beside one fault. Lateness is in ms.

    `behind`: bytes of the journal that the history did not have when the fault ended; "?" if nobody knew.
    """

    fault: str
    lateness: list[float]
    missing: int
    double: int
    behind: str
    seconds: float  #: from the end of the fault until the history held all


# --- the faults ------------------------------------------------------------------------------------------


def nothing(_daemon: Daemon, _limits: Limits) -> None:
    """Do no harm."""


def kill(daemon: Daemon, limits: Limits) -> None:
    """Kill the recorder with SIGKILL, again and again, each a random while after it came up."""
    for _ in range(limits.kills):
        pid = daemon.recorder()
        time.sleep(random.uniform(0.0, limits.life))
        daemon.kill_recorder(pid)


def lock(daemon: Daemon, limits: Limits) -> None:
    """Hold the database's lock for writing."""
    holder = sqlite3.connect(daemon.database, timeout=30, isolation_level=None)
    with contextlib.closing(holder):
        holder.execute("BEGIN EXCLUSIVE")
        time.sleep(limits.lock_seconds)
        holder.execute("ROLLBACK")


def fill(daemon: Daemon, limits: Limits) -> None:
    """Leave no byte free on the disk of the history."""
    ballast = daemon.database.with_name("ballast")
    with open(ballast, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    daemon.wait_for_starts(limits.starts)
    ballast.unlink()


def delete(daemon: Daemon, limits: Limits) -> None:
    """Delete the database under a living recorder."""
    daemon.wait_for_starts(limits.starts // 2)
    daemon.delete_database()
    daemon.wait_for_starts(limits.starts)


def delete_unseen(daemon: Daemon, limits: Limits) -> None:
    """Delete the database while no recorder lives."""
    daemon.wait_for_starts(limits.starts // 2)
    daemon.kill_recorder(daemon.recorder())
    daemon.delete_database()
    daemon.wait_for_starts(limits.starts)


Fault = Callable[[Daemon, Limits], None]
#: What one daemon lives through, in this order.
FAULTS: dict[str, Fault] = {"killed": kill, "locked": lock, "deleted": delete}
#: As well, with the history on a small disk of its own.
ON_SMALL_DISK: dict[str, Fault] = {"deleted-unseen": delete_unseen, "full": fill}


# --- the course ------------------------------------------------------------------------------------------


def beside(daemon: Daemon, name: str, fault: Fault, limits: Limits) -> Row:
    """Start jobs, do what `fault` does, stop them, and compare."""
    before, began = daemon.tally(), time.time()
    daemon.start_jobs(JOBS)
    daemon.wait_for_starts(1)
    fault(daemon, limits)
    ended = time.time()
    # Where there is no recorder the question itself waits for one.
    behind = daemon.behind()
    daemon.wait_caught_up(_CATCH_UP)
    seconds = time.time() - ended
    daemon.wait_for_starts(limits.starts)
    upto = time.time() if fault is nothing else ended
    daemon.stop_jobs()
    daemon.wait_caught_up(_CATCH_UP)
    found = daemon.tally()
    return Row(
        fault=name,
        lateness=found.lateness(began, upto),
        missing=found.missing() - before.missing() + found.unanswered(JOBS, began),
        double=found.double() - before.double(),
        behind="?" if behind is None else str(behind),
        seconds=seconds,
    )


def course(faults: dict[str, Fault], limits: Limits, *, small: bool) -> Iterator[Row]:
    """Yield what became of the starts without a fault, beside each of `faults`, and without one again."""
    # Not in a file system of memory, which /tmp may be; the proofs should cost no disk.
    with (
        tempfile.TemporaryDirectory(prefix="crontabx-faults-", dir="/var/tmp") as folder,
        tempfile.TemporaryDirectory(prefix="crontabx-faults-", dir="/dev/shm") as memory,
        contextlib.ExitStack() as ends,
    ):
        if small:
            history = Path(folder) / "state" / "history"
            history.mkdir(mode=0o700, parents=True)
            Path(folder, "state").chmod(0o700)
            options = f"size={_SMALL},mode=0700"
            subprocess.check_call(["mount", "-t", "tmpfs", "-o", options, "history", history])
            ends.callback(subprocess.check_call, ["umount", history])
        daemon = Daemon(Path(folder), Path(memory, "proofs"))
        ends.callback(daemon.close)
        try:
            for name, fault in [("none", nothing), *faults.items(), ("none", nothing)]:
                yield beside(daemon, name, fault, limits)
        except SubjectError as error:
            raise SubjectError(f"{error}\n{daemon.said()}") from None


_HEAD = (
    f"{'fault':<15}{'starts':>7}{'median':>9}{'p99':>9}{'max':>9}"
    f"{'missing':>9}{'double':>8}{'behind':>10}{'caught up':>11}"
)


def line(row: Row) -> str:
    """Return `row` as text to read."""
    late = sorted(row.lateness)
    shown = "".join(f"{quantile(late, part):9.1f}" for part in (0.5, 0.99, 1.0))
    return (
        f"{row.fault:<15}{len(row.lateness):>7}{shown}"
        f"{row.missing:>9}{row.double:>8}{row.behind:>10}{row.seconds:>9.1f} s"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the course; return the exit status."""
    options = argparse.ArgumentParser(prog="bench.faults", description=__doc__)
    options.add_argument("--starts", type=int, default=1000, help="at least so many beside each fault")
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--life", type=float, default=2.0, help="seconds that a recorder lives at most")
    options.add_argument("--lock-seconds", type=float, default=120.0)
    options.add_argument("faults", nargs="*", help=f"{', '.join([*FAULTS, *ON_SMALL_DISK])}; else all")
    given = options.parse_args(arguments)
    chosen = given.faults or [*FAULTS, *ON_SMALL_DISK]
    unknown = set(chosen) - {*FAULTS, *ON_SMALL_DISK}
    if unknown:
        options.error(f"no fault {', '.join(sorted(unknown))}")
    limits = Limits(given.starts, given.kills, given.life, given.lock_seconds)
    wrong = 0
    print(_HEAD, flush=True)
    for group, small in ((FAULTS, False), (ON_SMALL_DISK, True)):
        wanted = {name: fault for name, fault in group.items() if name in chosen}
        if wanted and small and os.geteuid() != 0:
            print(f"{', '.join(wanted)}: only root can make a small disk; left out")
            continue
        for row in course(wanted, limits, small=small) if wanted else ():
            print(line(row), flush=True)
            wrong += abs(row.missing) + abs(row.double)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SubjectError as failed:
        sys.exit(f"bench.faults: {failed}")
