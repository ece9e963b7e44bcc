"""The dues that were planned and have no run yet, in turns between owners. Pure; part of the engine's
memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from crond.core.turns import Turns, owner_of
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
        self._turns: Turns[Waiting] = Turns()
        self._of_job: dict[str, list[Waiting]] = {}

    def __len__(self) -> int:
        return len(self._turns)

    def __bool__(self) -> bool:
        return bool(self._turns)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._turns)

    def holds(self, job: str) -> bool:
        """True while a due of `job` waits."""
        return job in self._of_job

    def dues_of(self, job: str) -> Sequence[Waiting]:
        """Return the dues of `job` that wait, in their order."""
        return self._of_job.get(job, ())

    def extend(self, dues: Iterable[Waiting]) -> None:
        """Add `dues`, each behind those of its owner."""
        add, of_job = self._turns.add, self._of_job
        for due in dues:
            add(owner_of(due.job), due)
            of_job.setdefault(due.job, []).append(due)

    def first(self) -> Waiting:
        """Return the due whose turn it is. Raises StopIteration if none waits."""
        return self._turns.first()

    def take(self, due: Waiting) -> None:
        """Remove `due` if it waits; its owner's next turn comes after everybody else's."""
        # Asked at every change of a run: most have left the queue long ago.
        of_job = self._of_job.get(due.job)
        if of_job is None or due not in of_job:
            return
        of_job.remove(due)
        if not of_job:
            del self._of_job[due.job]
        self._turns.take(owner_of(due.job), due)
