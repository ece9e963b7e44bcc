"""What daemons use while nothing is due, and what each running job adds: CPU, wake-ups, memory.

Owns the course. docs/benchmarks.md says what the columns mean. Called by `python -m bench`.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import ExitStack

from bench.cage import Cage
from bench.ground import Choice, Ground, idle_entries, next_minute, release, sleep_until, wait_quiet
from bench.peers import CROND
from bench.processes import Usage, parts, together
from bench.report import Findings, Sheet
from bench.tables import Entry

ENTRIES = 1000
RUNNING = 100
#: Seconds that a job runs: longer than all peers need to start theirs.
_SLEEP = 50
_LOOK = 40.0
_COMING_UP = 60.0
#: No part of a minute that has jobs or a look at the clock in it.
_AFTER = 5.0


def seconds(choice: Choice) -> float:
    """Return how long `measure` takes, about."""
    return (choice.idle_minutes + 1.5) * 60.0


def measure(ground: Ground) -> Findings:
    """Measure all peers in the same minutes."""
    minutes = ground.choice.idle_minutes
    sheet = Sheet(
        f"Idle: {ENTRIES} entries that are not due, {minutes} minutes",
        ("peer", "processes", "threads", "CPU ms/min", "wake-ups/s", "RSS MiB", "PSS MiB"),
    )
    with ExitStack() as opened:
        cages = {
            peer: ground.cage(opened, peer, "idle", idle_entries(ENTRIES)) for peer in ground.choice.peers
        }
        _release(cages.values())
        # The first minute may be unlike those after it.
        sleep_until(next_minute() + _AFTER)
        before = {peer: (cage.cpu(), *_used(cage)) for peer, cage in cages.items()}
        sleep_until(time.time() + minutes * 60.0)
        for peer, cage in cages.items():
            cage.require_daemon()
            cpu, whole, each = before[peer]
            used, now = cage.cpu() - cpu, _used(cage)
            _add(sheet, peer.title, now[0], used * 1000 / minutes, now[0].wakes - whole.wakes, minutes)
            if peer is CROND:
                for name, part in now[1].items():
                    was = each.get(name, Usage())
                    _add(
                        sheet,
                        f"  {name}",
                        part,
                        (part.cpu - was.cpu) / minutes,
                        part.wakes - was.wakes,
                        minutes,
                    )
    return sheet.findings()


def seconds_of_running(_choice: Choice) -> float:
    """Return how long `measure_running` takes, about."""
    return 2.5 * 60.0


def measure_running(ground: Ground) -> Findings:
    """Measure what `RUNNING` jobs that sleep add to each peer, all in the same minute."""
    sheet = Sheet(
        f"While {RUNNING} jobs sleep: what each adds, its shell and itself among it",
        ("peer", "processes", "processes/job", "PSS MiB", "PSS KiB/job"),
    )
    entries = [Entry("* * * * *", f"/bin/sleep {_SLEEP} # {number}") for number in range(RUNNING)]
    with ExitStack() as opened:
        if time.time() % 60 > 40.0:
            sleep_until(next_minute() + 1.0)
        cages = {peer: ground.cage(opened, peer, "running", entries) for peer in ground.choice.peers}
        _release(cages.values())
        minute = next_minute()
        sleep_until(minute - 2.0)
        before = {peer: together(cage.daemons()) for peer, cage in cages.items()}
        sleep_until(minute + _LOOK)
        for peer, cage in cages.items():
            cage.require_daemon()
            idle, now = before[peer], together(cage.daemons())
            sheet.add(
                peer.title,
                now.processes,
                (now.processes - idle.processes) / RUNNING,
                now.pss / 1024,
                (now.pss - idle.pss) / RUNNING,
            )
    return sheet.findings()


def _release(cages: Collection[Cage]) -> None:
    release(cages)
    wait_quiet(cages, _COMING_UP)


def _used(cage: Cage) -> tuple[Usage, dict[str, Usage]]:
    pids = cage.daemons()
    return together(pids), parts(pids)


def _add(sheet: Sheet, name: str, usage: Usage, cpu: float, wakes: int, minutes: int) -> None:
    sheet.add(
        name, usage.processes, usage.threads, cpu, wakes / minutes / 60.0, usage.rss / 1024, usage.pss / 1024
    )
