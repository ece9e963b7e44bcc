"""What the processes of a job use: the tree below its main process, through psutil.

Owns the difference between two looks, since a share of the processor is one. Knows no daemon: pids come from
the caller, and one that is not there, or not ours to see, has no figures. Called by top.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tree uses: processors (1.0 is one of them), resident bytes, and how many processes it has."""

    cpu: float
    memory: int
    processes: int


class Trees:
    """Looks at trees again and again."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._spent: dict[tuple[int, float], float] = {}

    def look(self, roots: Iterable[int]) -> dict[int, Usage]:
        """Return what each tree used since the last look, by the pid of its root, if that is there."""
        now = time.monotonic()
        seconds = max(now - self._at, 0.001)
        children = _children()
        spent: dict[tuple[int, float], float] = {}
        found = {}
        for root in roots:
            usage = self._tree(root, children, spent, seconds)
            if usage is not None:
                found[root] = usage
        self._at, self._spent = now, spent
        return found

    def _tree(
        self,
        root: int,
        children: dict[int, list[int]],
        spent: dict[tuple[int, float], float],
        seconds: float,
    ) -> Usage | None:
        cpu, memory, count = 0.0, 0, 0
        pids = [root]
        while pids:
            pid = pids.pop()
            pids += children.get(pid, ())
            try:
                process = psutil.Process(pid)
                with process.oneshot():
                    times = process.cpu_times()
                    key = (pid, process.create_time())
                    memory += process.memory_info().rss
            except psutil.Error:
                continue
            count += 1
            spent[key] = times.user + times.system
            # One that was not there at the last look began since then, or this is the first look of all.
            cpu += spent[key] - self._spent.get(key, spent[key] if not self._spent else 0.0)
        return Usage(max(cpu, 0.0) / seconds, memory, count) if count else None


def _children() -> dict[int, list[int]]:
    """Return the pids of the children of each process, from one walk through all of them."""
    children: dict[int, list[int]] = {}
    for process in psutil.process_iter(["ppid"]):
        children.setdefault(process.info["ppid"] or 0, []).append(process.pid)
    return children
