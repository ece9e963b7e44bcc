"""Where a measurement takes place: its folders, its job and its cages, all gone when it ends.

Owns the waiting for full minutes and for quiet. Called by the sections; knows none of them.
"""

from __future__ import annotations

import math
import os
import pathlib
import shutil
import statistics
import tempfile
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench.cage import Cage
from bench.job import Job, make_job
from bench.peers import ROOT, Peer
from bench.tables import Entry, Tables

#: The part of a second at which daemons are started. Debian's cron and busybox sleep whole seconds, so they
#: stay late by that part; this serves them best, as time(2) may be a tick behind and cost a second more.
PHASE = 0.03
#: A daemon that used less CPU (seconds) in so many seconds is quiet.
_STILL = 1.0
_MS = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is measured: by whom, how long."""

    peers: Sequence[Peer]
    owner: str
    jobs: Sequence[int]
    minutes: int
    idle_minutes: int
    turns: int
    runs: int
    startups: Sequence[int]
    airflow: bool


class Ground:
    """Folders and a job for the measurements of `choice`, until `opened` closes."""

    def __init__(self, opened: ExitStack, choice: Choice, *, keep: bool = False) -> None:
        # Outputs go to a disk, as on a host; the notes to memory, so that they cost the jobs little.
        self._folder = _folder(opened, "/var/tmp", keep=keep)
        self.notes = _folder(opened, "/dev/shm" if os.path.isdir("/dev/shm") else None, keep=keep)
        self.notes.chmod(0o1777)
        self.job: Job = make_job(self.notes)
        self.choice = choice

    def place(self, name: str) -> pathlib.Path:
        """Return a new folder for what is called `name`."""
        place = self._folder / name
        place.mkdir(mode=0o755)
        return place

    def cage(
        self, opened: ExitStack, peer: Peer, label: str, entries: Sequence[Entry], *, many: bool = False
    ) -> Cage:
        """Return a cage of `peer`, not released yet, that closes with `opened`."""
        form = peer.many if many else peer.one
        return self.cage_of(opened, peer, label, form(entries, self.choice.owner, peer.no_mail))

    def cage_of(self, opened: ExitStack, peer: Peer, label: str, tables: Tables) -> Cage:
        """Return a cage of `peer` with `tables`, not released yet, that closes with `opened`."""
        place = self.place(f"{peer.name}-{label}")
        owner = self.choice.owner
        command = peer.command(place, owner)
        cage = Cage(place, owner=owner, tables=tables, command=command, cwd=ROOT)
        opened.callback(cage.close)
        return cage


def _folder(opened: ExitStack, place: str | None, *, keep: bool) -> pathlib.Path:
    made = pathlib.Path(tempfile.mkdtemp(prefix="crontabx-bench-", dir=place))
    made.chmod(0o755)
    if keep:
        print(f"kept: {made}")
    else:
        opened.callback(shutil.rmtree, made, ignore_errors=True)
    return made


def never(now: float) -> str:
    """Return a schedule that is not due before half a year has passed."""
    then = time.localtime(now + 180 * 86400)
    return f"59 23 {then.tm_mday} {then.tm_mon} *"


def idle_entries(count: int) -> list[Entry]:
    """Return `count` entries that are not due for half a year."""
    schedule = never(time.time())
    return [Entry(schedule, f"/bin/true {number}") for number in range(count)]


def next_minute() -> int:
    """Return when the next minute begins."""
    return int(time.time() // 60 + 1) * 60


def sleep_until(moment: float) -> None:
    """Sleep until `moment`, of the wall clock."""
    while (left := moment - time.time()) > 0:
        time.sleep(left)


def release(cages: Collection[Cage]) -> None:
    """Let the daemons in `cages` start, at a moment that serves them best."""
    for cage in cages:
        cage.wait_made()
    sleep_until(math.ceil(time.time() + 1.0) + PHASE)
    for cage in cages:
        cage.release()


def wait_quiet(cages: Iterable[Cage], patience: float) -> None:
    """Wait until the daemons in `cages` do nothing for a second, at most `patience` seconds."""
    deadline = time.monotonic() + patience
    waiting = [(cage, cage.cpu()) for cage in cages]
    while waiting and time.monotonic() < deadline:
        time.sleep(_STILL)
        waiting = [(cage, used) for cage, before in waiting if (used := cage.cpu()) - before > _MS]


def startup(cage: Cage, patience: float) -> tuple[float, float] | None:
    """Release `cage`; return the seconds until it was quiet and its CPU seconds, None if not in time."""
    cage.wait_made()
    before, began = cage.cpu(), time.monotonic()
    cage.release()
    seen = [(0.0, 0.0)]
    while (now := time.monotonic() - began) < patience:
        used = cage.cpu() - before
        if used - seen[-1][1] > 0:
            seen.append((now, used))
        calm = [was for at, was in seen if at <= now - _STILL]
        if calm and len(seen) > 1 and used - calm[-1] <= _MS:
            return next(at for at, was in seen if used - was <= min(_MS, used / 100)), used
        time.sleep(0.005)
    return None


def median(values: Sequence[float]) -> float | None:
    """Return the median of `values`, None if there are none."""
    return statistics.median(values) if values else None
