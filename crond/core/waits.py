"""Who waits for what: the runs that wait for a parent, a pool or a moment, and who holds which slots.

Nothing of it is remembered: it follows from the runs in the engine's memory, is told of each of their
changes, and is built anew when the memory was read back. Pure; owned by the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush

from crond.model.run import Run, State, Wait

#: (priority, the larger first as a negative number; instant; ordinal; id of the run)
Rank = tuple[int, float, int, str]
#: So many entries may be left in a heap that mean nothing any longer, before they are swept out.
_STALE = 256
_WAITING = (State.WAITING, State.DUE)


class Waits:
    """The waits of the runs in `runs`, by id."""

    def __init__(self, runs: Mapping[str, Run]) -> None:
        self._runs = runs
        self._timers: list[tuple[float, str]] = []
        self._children: dict[str, dict[str, None]] = {}
        self._pools: dict[str, list[Rank]] = {}
        self._holders: dict[str, dict[str, tuple[int, ...]]] = {}
        self.waiting: dict[str, None] = {}  #: the ids of all runs that are WAITING, or DUE until their turn
        for run in runs.values():
            self.changed(None, run)

    def changed(self, before: Run | None, run: Run) -> None:
        """Take note of `run`, which was `before`."""
        if run.until is not None and (before is None or before.until != run.until):
            self._set_timer(run.until, run.id)
        if run.state in _WAITING:
            self.waiting[run.id] = None
        elif before is None or before.state in _WAITING:
            self.waiting.pop(run.id, None)
        if run.pool:
            self._changed_pool(run)
        if run.parents:
            self._changed_parents(before, run)

    def _set_timer(self, until: float, identity: str) -> None:
        # Most attempts end long before their time is over: what is left of them must not pile up.
        if len(self._timers) > _STALE + 2 * len(self._runs):
            self._timers = [one for one in self._timers if self._is_current(*one)]
            heapify(self._timers)
        heappush(self._timers, (until, identity))

    def _changed_pool(self, run: Run) -> None:
        if run.slots:
            self._holders.setdefault(run.pool, {})[run.id] = run.slots
        else:
            self._holders.get(run.pool, {}).pop(run.id, None)

    def _changed_parents(self, before: Run | None, run: Run) -> None:
        if run.state is State.FINISHED:
            for parent in run.parents:
                held = self._children.get(parent.run)
                if held is not None:
                    held.pop(run.id, None)
                    if not held:
                        del self._children[parent.run]
        elif before is None or before.parents != run.parents or before.state is State.FINISHED:
            for parent in run.parents:
                if parent.run:
                    self._children.setdefault(parent.run, {})[run.id] = None

    # --- parents -------------------------------------------------------------------------------------

    def children_of(self, run: str) -> list[str]:
        """Return the unfinished runs that `run` answers for."""
        return list(self._children.get(run, ()))

    def is_needed(self, run: str) -> bool:
        """True while a child that `run` answers for has not ended: what it left may be asked for."""
        return run in self._children

    # --- pools ---------------------------------------------------------------------------------------

    def leave_pools(self) -> None:
        """Let nobody wait for a pool; who does is to enter again, by the newest priorities."""
        self._pools.clear()

    def enter(self, pool: str, rank: Rank) -> None:
        """Let a run wait for slots of `pool`."""
        ranks = self._pools.setdefault(pool, [])
        if len(ranks) > _STALE + 2 * len(self.waiting):
            ranks[:] = {one for one in ranks if self._waits_for(pool, one[3])}
            heapify(ranks)
        heappush(ranks, rank)

    def first_in(self, pool: str) -> Rank | None:
        """Return who of those that wait for `pool` goes next."""
        ranks = self._pools.get(pool, [])
        while ranks and not self._waits_for(pool, ranks[0][3]):
            heappop(ranks)
        return ranks[0] if ranks else None

    def _waits_for(self, pool: str, identity: str) -> bool:
        run = self._runs.get(identity)
        return run is not None and run.waits is Wait.POOL and run.pool == pool

    def free_in(self, pool: str, size: int) -> list[int]:
        """Return the numbers of the slots of `pool` that nobody holds, of `size` that there are."""
        held = {slot for slots in self._holders.get(pool, {}).values() for slot in slots}
        free = [slot for slot in range(size) if slot not in held]
        # Of a pool that was made smaller, those may be held that it no longer has.
        return free[: max(0, size - len(held))]

    # --- moments -------------------------------------------------------------------------------------

    def next_moment(self) -> float | None:
        """Return the earliest moment at which a wait, or the time of an attempt, is over."""
        while self._timers and not self._is_current(*self._timers[0]):
            heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def over(self, wall: float) -> Iterable[str]:
        """Yield the ids of the runs whose moment has come, each once."""
        while True:
            moment = self.next_moment()
            if moment is None or moment > wall:
                return
            yield heappop(self._timers)[1]

    def _is_current(self, moment: float, identity: str) -> bool:
        run = self._runs.get(identity)
        return run is not None and run.until == moment and run.state is not State.FINISHED
