"""The dues that were planned and have no run yet: first come, first served within an owner, in turns
between them.

Without the turns one owner with thousands of lines would make everybody else's jobs late. Pure; part of
the engine's memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from crond.model.run import Trigger


class Waiting(NamedTuple):
    """A due that was planned and has no run yet; a tuple, as the first start waits for a thousand of
    them.
    """

    job: str
    instant: float
    ordinal: int
    trigger: Trigger


class Queue:
    """Dues that wait. Iterating gives each owner's dues in their order."""

    def __init__(self) -> None:
        #: By owner; the first owner's first due is next. Owners without dues are left out.
        self._turns: dict[str, deque[Waiting]] = {}
        self._of_job: dict[str, list[Waiting]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._turns.values()))

    def __bool__(self) -> bool:
        return bool(self._turns)  # owners without dues are left out

    def __iter__(self) -> Iterator[Waiting]:
        for dues in self._turns.values():
            yield from dues

    def holds(self, job: str) -> bool:
        """True while a due of `job` waits."""
        return job in self._of_job

    def dues_of(self, job: str) -> Sequence[Waiting]:
        """Return the dues of `job` that wait, in their order."""
        return self._of_job.get(job, ())

    def extend(self, dues: Iterable[Waiting]) -> None:
        """Add `dues`, each behind those of its owner."""
        turns, of_job = self._turns, self._of_job
        for due in dues:
            job = due.job
            owner = job.partition("/")[0]
            if owner not in turns:
                turns[owner] = deque()
            turns[owner].append(due)
            of_job.setdefault(job, []).append(due)

    def first(self) -> Waiting:
        """Return the due whose turn it is. Raises StopIteration if none waits."""
        return next(iter(self._turns.values()))[0]

    def take(self, due: Waiting) -> None:
        """Remove `due` if it waits; its owner's next turn comes after everybody else's."""
        # Asked at every change of a run: most have left the queue long ago.
        of_job = self._of_job.get(due.job)
        if of_job is None or due not in of_job:
            return
        of_job.remove(due)
        if not of_job:
            del self._of_job[due.job]
        owner = due.job.partition("/")[0]
        dues = self._turns[owner]
        dues.remove(due)
        del self._turns[owner]
        if dues:
            self._turns[owner] = dues
