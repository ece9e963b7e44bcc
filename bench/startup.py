"""From a daemon's start until it is ready, with one entry and with many: time, CPU, memory.

Owns the course. docs/benchmarks.md says what the columns mean. Called by `python -m bench`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from bench.ground import Choice, Ground, idle_entries, median, startup
from bench.job import read_notes
from bench.peers import ALONE, CROND, Peer
from bench.processes import Usage, parts, together
from bench.report import Findings, Sheet
from bench.tables import Entry

#: Up to so many entries a start is repeated.
_OFTEN, _REPEATS = 10_000, 5
#: Seconds after which we give up; with more entries a peer that took longer is left out.
_PATIENCE = 90.0


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds and what the processes used when all was quiet. `first`: of the first job."""

    first: float | None
    quiet: float
    cpu: float
    usage: Usage
    parts: dict[str, Usage]


def seconds(choice: Choice) -> float:
    """Return how long `measure` takes, about."""
    each = [(_REPEATS if count <= _OFTEN else 1) * (1.5 + count / 20_000) for count in choice.startups]
    slow = 100.0 * sum(not peer.users for peer in choice.peers)
    return sum(each) * (len(choice.peers) + 1) + slow


def measure(ground: Ground) -> Findings:
    """Start each peer with each number of entries."""
    sheet = Sheet(
        "Start-up: from exec on; medians",
        ("entries", "peer", "first job ms", "quiet ms", "CPU ms", "processes", "RSS MiB", "PSS MiB"),
    )
    given_up: set[Peer] = set()
    peers = [*ground.choice.peers]
    if CROND in peers:
        peers.insert(peers.index(CROND) + 1, ALONE)
    for count in ground.choice.startups:
        repeats = range(_REPEATS if count <= _OFTEN else 1)
        found: dict[Peer, list[Start]] = {peer: [] for peer in peers}
        for repeat in repeats:
            for peer in peers:
                if peer not in given_up:
                    start = _start(ground, peer, count, repeat)
                    if start is None:
                        given_up.add(peer)
                    else:
                        found[peer].append(start)
        for peer in peers:
            _report(sheet, peer, count, found[peer])
    sheet.remarks.append(f"-: not there, or not ready within {_PATIENCE:g} s")
    return sheet.findings()


def _start(ground: Ground, peer: Peer, count: int, repeat: int) -> Start | None:
    notes = ground.notes / f"{peer.name}-startup"
    notes.unlink(missing_ok=True)
    entries = idle_entries(count)
    if peer.reboot:
        entries[0] = Entry("@reboot", f"{ground.job.program} 0 {notes}")
    with ExitStack() as opened:
        cage = ground.cage(opened, peer, f"startup-{count}-{repeat}", entries, many=True)
        cage.wait_made()
        released = time.time()
        found = startup(cage, _PATIENCE)
        if found is None:
            return None
        cage.require_daemon()
        noted = read_notes(notes)
        first = noted[0].at / 1e9 - released if noted else None
        pids = cage.daemons()
        return Start(first, *found, together(pids), parts(pids))


def _report(sheet: Sheet, peer: Peer, count: int, starts: list[Start]) -> None:
    def middle(values: Iterator[float | None], unit: float) -> float | None:
        found = median([value for value in values if value is not None])
        return None if found is None else found * unit

    def memory(usages: list[Usage]) -> tuple[float | None, ...]:
        return (
            max((one.processes for one in usages), default=None),
            middle((one.rss for one in usages), 1 / 1024),
            middle((one.pss for one in usages), 1 / 1024),
        )

    sheet.add(
        count,
        peer.title,
        middle((one.first for one in starts), 1000),
        middle((one.quiet for one in starts), 1000),
        middle((one.cpu for one in starts), 1000),
        *memory([one.usage for one in starts]),
    )
    if peer is CROND and starts:
        for name in starts[0].parts:
            of = [one.parts[name] for one in starts if name in one.parts]
            sheet.add(count, f"  {name}", None, None, middle((one.cpu for one in of), 1), *memory(of))
