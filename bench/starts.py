"""How late each cron starts the jobs that are due at a full minute: one, many, and with or without a history.

Owns the course of the measurement: which peers at which minute with how many jobs. docs/benchmarks.md says
what the columns mean. Called by `python -m bench`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack

from bench.cage import Cage
from bench.ground import Choice, Ground, next_minute, release, sleep_until
from bench.job import read_notes
from bench.peers import ALONE, CROND, PEERS, Peer
from bench.report import Findings
from bench.results import Boundary, aims, as_json, boundary, cost, rows, table

#: Up to so many jobs all peers are measured at the same minute: they do not disturb each other.
TOGETHER = 10
#: Jobs of which the start is compared with and without a history.
RECORDED = 1000
#: A peer that has not started everything so many seconds into the minute has lost it.
_PATIENCE = 50.0
_TITLES = {peer.name: peer.title for peer in (*PEERS, ALONE)}


def seconds(choice: Choice) -> float:
    """Return how long `measure` takes, about."""
    groups = [1 if count <= TOGETHER else len(choice.peers) for count in choice.jobs]
    return sum(groups) * (choice.minutes + 0.7) * 60.0


def measure(ground: Ground) -> Findings:
    """Measure all peers with all numbers of jobs, in turn."""
    peers, found = list(ground.choice.peers), []
    for turn, count in enumerate(ground.choice.jobs):
        order = peers[turn % len(peers) :] + peers[: turn % len(peers)]
        groups = [order] if count <= TOGETHER else [[peer] for peer in order]
        for group in groups:
            found += Measurement(ground, group, count).run(ground.choice.minutes)
    made = rows(found)
    return Findings(
        title="Starts: ms after the full minute, medians over the minutes; :D is the ratio to Debian's cron",
        text="\n".join([table(made, _TITLES), "", *aims(made)]),
        data=as_json(found),
        lost=any(row.lost or row.twice for row in made),
    )


def seconds_with_history(choice: Choice) -> float:
    """Return how long `measure_with_history` takes, about."""
    return (2 * choice.turns + 1) * 60.0


def measure_with_history(ground: Ground) -> Findings:
    """Measure crond with and without a history in turn, a minute each, both alive all the time."""
    found = Measurement(ground, [CROND, ALONE], RECORDED, turns=True).run(2 * ground.choice.turns)
    made = rows(found)
    return Findings(
        title="Starts with a history and without: ms after the full minute, medians over alternating minutes",
        text="\n".join([table(made, _TITLES), "", cost(made)]),
        data=as_json(found),
        lost=any(row.lost or row.twice for row in made),
    )


class Measurement:
    """One group of peers with `count` jobs each, through some minutes, each daemon in one life.

    With `turns` the jobs of each peer are due in minutes of its own.
    """

    def __init__(self, ground: Ground, peers: Sequence[Peer], count: int, *, turns: bool = False) -> None:
        self._ground = ground
        self._count = count
        self._turns = len(peers) if turns else 1
        self._label = f"turns-{count}" if turns else str(count)
        self._notes = {peer.name: ground.notes / f"{peer.name}-{self._label}" for peer in peers}
        self._peers = peers

    def run(self, minutes: int) -> list[Boundary]:
        """Start the daemons, measure `minutes` minutes, end the daemons."""
        found = []
        # A peer that reads YAML needs milliseconds for each entry.
        lead = 8.0 + 0.01 * self._count
        with ExitStack() as opened:
            cages = {peer.name: self._cage(opened, peer, turn) for turn, peer in enumerate(self._peers)}
            if time.time() % 60 > 60 - lead:
                sleep_until(next_minute() + 3.0)
            release(cages.values())
            for _ in range(minutes):
                found += self._minute(cages)
        return found

    def _cage(self, opened: ExitStack, peer: Peer, turn: int) -> Cage:
        schedule = "* * * * *" if self._turns == 1 else f"{turn}-59/{self._turns} * * * *"
        entries = self._ground.job.entries(self._count, self._notes[peer.name], schedule)
        return self._ground.cage(opened, peer, self._label, entries)

    def _due(self, minute: int) -> list[str]:
        """Return the names of the peers whose jobs are due at `minute`."""
        names = list(self._notes)
        return names if self._turns == 1 else [names[minute // 60 % 60 % self._turns]]

    def _minute(self, cages: dict[str, Cage]) -> list[Boundary]:
        minute = next_minute()
        sleep_until(minute - 2.0)
        for cage in cages.values():
            cage.require_daemon()
        for path in self._notes.values():
            path.unlink(missing_ok=True)
        due = self._due(minute)
        idle = {name: len(cage.processes()) for name, cage in cages.items()}
        cpu = {name: -cage.cpu() for name, cage in cages.items()}
        busy, began = -_busy(), time.monotonic()
        sleep_until(minute + 0.5)
        while time.time() < minute + _PATIENCE and not all(self._done(name, cages, idle) for name in due):
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
            for name in due
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
        f"{when}  {one.jobs:5} jobs  {one.peer:11} {one.starts:5} starts,"
        f" first {one.first:.1f}, median {one.median:.1f}, last {one.last:.1f} ms"
    )


def _busy() -> float:
    """Return the CPU seconds that this machine has spent on anything, since it came up."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")
