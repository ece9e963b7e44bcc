"""`python3 -m bench.starts`: how late crond, Debian's cron and busybox crond start jobs, in one run.

Owns the course of the measurement: which peers at which minute with how many jobs. Needs root, for the
namespaces in which the daemons live. docs/reference/benchmarks.md says what the columns mean.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import pathlib
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from bench.cage import USER, Cage, CageError
from bench.job import Job, make_job, read_notes
from bench.peers import PEERS, ROOT, Missing, Peer
from bench.results import Boundary, aims, as_json, boundary, rows, table

#: Up to so many jobs all peers are measured at the same minute: they do not disturb each other.
TOGETHER = 10
#: The part of a second at which daemons are started. Debian's cron and busybox sleep whole seconds, so they
#: stay late by that part; this serves them best, as time(2) may be a tick behind and cost a second more.
PHASE = 0.03
#: Seconds that a daemon gets to come up before its first minute.
_LEAD = 8.0
#: A peer that has not started everything so many seconds into the minute has lost it.
_PATIENCE = 45.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if a peer lost a job or ran one twice, 2 if it cannot be measured here."""
    options = _parser().parse_args(arguments)
    if os.geteuid() != 0:
        print("bench: needs root: each daemon runs in namespaces of its own", file=sys.stderr)
        return 2
    try:
        measured, machine = _measure_all(options)
    except (Missing, CageError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    found = rows(measured)
    print("\n{cpu}, {cores} cores, Linux {kernel}, {owner}'s jobs ({job})".format(**machine))
    print("ms after the full minute, medians over the minutes; :D is the ratio to Debian's cron\n")
    print(table(found, {peer.name: peer.title for peer in PEERS}))
    print("", *aims(found), sep="\n")
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(measured, machine), indent=1) + "\n", encoding="utf-8")
    return 1 if any(row.lost or row.twice for row in found) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description="How late crond, Debian's cron and busybox crond start jobs. Needs root.",
    )
    names = [peer.name for peer in PEERS]
    parser.add_argument(
        "--jobs", type=_numbers, default=(1, 100, 1000), metavar="N,N", help="default: 1,100,1000"
    )
    parser.add_argument(
        "--minutes", type=int, default=2, metavar="N", help="minutes measured of each; default: 2"
    )
    parser.add_argument("--peers", nargs="+", choices=names, default=names, help="default: all")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all figures to FILE too")
    parser.add_argument("--user", action="store_true", help="the jobs are those of a user, not root's")
    parser.add_argument(
        "--keep", action="store_true", help="keep the folders of the daemons, with their logs"
    )
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    found = tuple(int(part) for part in text.split(","))
    if min(found) < 1 or max(found) > 5000:
        raise argparse.ArgumentTypeError("from 1 to 5000 jobs can be measured")
    return found


def _measure_all(options: argparse.Namespace) -> tuple[list[Boundary], dict[str, Any]]:
    peers = [peer for peer in PEERS if peer.name in options.peers]
    measured: list[Boundary] = []
    with ExitStack() as opened:
        # Outputs go to a disk, as on a host; the notes to memory, so that they cost the jobs little.
        folder = _folder(opened, "/var/tmp", keep=options.keep)
        notes = _folder(opened, "/dev/shm" if os.path.isdir("/dev/shm") else None, keep=options.keep)
        notes.chmod(0o1777)
        owner = USER if options.user else "root"
        job = make_job(notes)
        for peer in peers:
            trial = folder / peer.name
            trial.mkdir(mode=0o755)
            peer.command(trial)
        for turn, count in enumerate(options.jobs):
            order = peers[turn % len(peers) :] + peers[: turn % len(peers)]
            groups = [order] if count <= TOGETHER else [[peer] for peer in order]
            for group in groups:
                measured += Measurement(folder, notes, job, owner, group, count).run(options.minutes)
    return measured, {**_machine(job), "owner": owner}


def _folder(opened: ExitStack, place: str | None, *, keep: bool) -> pathlib.Path:
    made = pathlib.Path(tempfile.mkdtemp(prefix="crontabx-bench-", dir=place))
    made.chmod(0o755)
    if keep:
        print(f"kept: {made}")
    else:
        opened.callback(shutil.rmtree, made, ignore_errors=True)
    return made


class Measurement:
    """One group of peers with `count` jobs each, through some minutes, each daemon in one life."""

    def __init__(
        self,
        folder: pathlib.Path,
        notes: pathlib.Path,
        job: Job,
        owner: str,
        peers: Sequence[Peer],
        count: int,
    ) -> None:
        self._owner = owner
        self._count = count
        self._places = {peer.name: folder / f"{peer.name}-{count}" for peer in peers}
        self._notes = {peer.name: notes / f"{peer.name}-{count}" for peer in peers}
        self._job = job
        self._peers = peers

    def run(self, minutes: int) -> list[Boundary]:
        """Start the daemons, measure `minutes` minutes, end the daemons."""
        found = []
        if time.time() % 60 > 60 - _LEAD:
            _sleep_until(_next_minute() + 3.0)
        with ExitStack() as opened:
            cages = {peer.name: self._start(peer, opened) for peer in self._peers}
            _sleep_until(math.ceil(time.time() + 1.0) + PHASE)
            for cage in cages.values():
                cage.release()
            for _ in range(minutes):
                found += self._minute(cages)
        return found

    def _start(self, peer: Peer, opened: ExitStack) -> Cage:
        place = self._places[peer.name]
        place.mkdir(mode=0o755)
        crontab = self._job.crontab(self._count, self._notes[peer.name], no_mail=peer.no_mail)
        command = peer.command(place)
        cage = Cage(place, owner=self._owner, crontab=crontab, command=command, cwd=ROOT)
        opened.callback(cage.close)
        return cage

    def _minute(self, cages: dict[str, Cage]) -> list[Boundary]:
        minute = _next_minute()
        _sleep_until(minute - 2.0)
        for cage in cages.values():
            cage.require_daemon()
        for path in self._notes.values():
            path.unlink(missing_ok=True)
        idle = {name: len(cage.processes()) for name, cage in cages.items()}
        cpu = {name: -cage.cpu() for name, cage in cages.items()}
        busy, began = -_busy(), time.monotonic()
        _sleep_until(minute + 0.5)
        while time.time() < minute + _PATIENCE and not all(self._done(name, cages, idle) for name in cages):
            time.sleep(0.25)
        time.sleep(0.5)  # what a daemon does about the last end is its cost too
        for name, cage in cages.items():
            cage.require_no_mail()
            cpu[name] += cage.cpu()
        others = (busy + _busy() - sum(cpu.values())) / (time.monotonic() - began)
        found = [
            boundary(
                read_notes(self._notes[name]),
                peer=name,
                jobs=self._count,
                minute=minute,
                cpu=cpu[name] * 1000,
                others=max(0.0, others),
            )
            for name in cages
        ]
        for one in found:
            print(_line(one), flush=True)
        return found

    def _done(self, name: str, cages: dict[str, Cage], idle: dict[str, int]) -> bool:
        """True once all jobs of `name` have begun and none runs any more."""
        if len(read_notes(self._notes[name])) < self._count:
            return False
        return len(cages[name].processes()) <= idle[name]


def _line(one: Boundary) -> str:
    when = time.strftime("%H:%M", time.localtime(one.minute))
    return (
        f"{when}  {one.jobs:5} jobs  {one.peer:8} {one.starts:5} starts,"
        f" first {one.first:.1f}, median {one.median:.1f}, last {one.last:.1f} ms"
    )


def _next_minute() -> int:
    return int(time.time() // 60 + 1) * 60


def _sleep_until(moment: float) -> None:
    while (left := moment - time.time()) > 0:
        time.sleep(left)


def _busy() -> float:
    """Return the CPU seconds that this machine has spent on anything, since it came up."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def _machine(job: Job) -> dict[str, Any]:
    model = "unknown CPU"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "job": job.kind,
        "when": time.strftime("%Y-%m-%d %H:%M"),
    }


if __name__ == "__main__":
    sys.exit(main())
