"""What processes use: memory, CPU time and wake-ups, as /proc tells it.

Knows nothing of daemons. Called by the sections that look at them.
"""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

#: What our processes are, by the names that a process list shows; the launcher is what is left.
_PARTS = {"crond-scheduler": "scheduler", "crond-recorder": "recorder"}


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process, or of several together.

    `rss` and `pss` in KiB; `cpu` in ms and `wakes`, how often it gave up the CPU by itself, since its start.
    """

    processes: int = 0
    threads: int = 0
    rss: int = 0
    pss: int = 0
    cpu: float = 0.0
    wakes: int = 0

    def __add__(self, other: Self) -> Usage:
        return Usage(
            self.processes + other.processes,
            self.threads + other.threads,
            self.rss + other.rss,
            self.pss + other.pss,
            self.cpu + other.cpu,
            self.wakes + other.wakes,
        )


def usage(pid: int) -> Usage:
    """Return what `pid` uses; nothing if there is no such process any more."""
    folder = pathlib.Path("/proc", str(pid))
    with contextlib.suppress(OSError):
        memory = _numbers(folder / "smaps_rollup", ("Rss", "Pss"))
        tasks = list((folder / "task").iterdir())
        wakes = sum(_numbers(task / "status", ("voluntary_ctxt_switches",))[0] for task in tasks)
        cpu = sum(int((task / "schedstat").read_text(encoding="ascii").split()[0]) for task in tasks)
        return Usage(1, len(tasks), memory[0], memory[1], cpu / 1e6, wakes)
    return Usage()


def together(pids: Iterable[int]) -> Usage:
    """Return what all `pids` use."""
    return sum(map(usage, pids), Usage())


def parts(pids: Iterable[int]) -> dict[str, Usage]:
    """Return what the parts of crond use: launcher, scheduler, recorder."""
    found: dict[str, Usage] = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            name = pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
            part = _PARTS.get(name, "launcher")
            found[part] = found.get(part, Usage()) + usage(pid)
    return found


def _numbers(path: pathlib.Path, names: tuple[str, ...]) -> list[int]:
    """Return the numbers that stand behind `names`, each with a colon, in `path`."""
    found = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        name, colon, value = line.partition(":")
        if colon and name in names:
            found[name] = int(value.split()[0])
    return [found.get(name, 0) for name in names]
