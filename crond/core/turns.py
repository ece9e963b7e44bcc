"""Things that wait: first come, first served within an owner, in turns between owners.

Without the turns one owner with thousands of them would make everybody else's wait. Pure; what waits is
planned dues (`queue`) and runs that are to be looked at (`runs`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Iterating gives each owner's things in their order."""

    def __init__(self) -> None:
        #: By owner; the first owner's first thing is next. Owners for whom nothing waits are left out.
        self._lines: dict[str, deque[T]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __bool__(self) -> bool:
        return bool(self._lines)

    def __iter__(self) -> Iterator[T]:
        for line in self._lines.values():
            yield from line

    def add(self, owner: str, one: T) -> None:
        """Add `one` behind what waits for `owner`."""
        line = self._lines.get(owner)
        if line is None:
            line = self._lines[owner] = deque()
        line.append(one)

    def first(self) -> T:
        """Return whose turn it is. Raises StopIteration if nothing waits."""
        return next(iter(self._lines.values()))[0]

    def take(self, owner: str, one: T) -> None:
        """Remove `one`, which waits; its owner's next turn comes after everybody else's."""
        line = self._lines.pop(owner)
        line.remove(one)
        if line:
            self._lines[owner] = line

    def pop(self) -> T:
        """Remove and return whose turn it is. Raises StopIteration if nothing waits."""
        owner, line = next(iter(self._lines.items()))
        one = line.popleft()
        del self._lines[owner]
        if line:
            self._lines[owner] = line
        return one


def owner_of(job: str) -> str:
    """Return whose turns those of `job` (OWNER/NAME) are."""
    return job.partition("/")[0]
