"""Numbered facts: what happened to attempts, kept until the scheduler has it in its journal.

Owns the numbers and their order. Pure. Used by the launcher, which sends them, and sends all of them
again on a new connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from crond.model.codec import encode
from crond.model.messages import NumberedFact

#: A scheduler that leaves so many unacknowledged does not work any more.
LIMIT = 100_000


class Facts:
    """Facts that wait for an Ack, as the payloads they are sent as."""

    def __init__(self) -> None:
        self._made = 0
        self._waiting: deque[tuple[int, bytes]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def next_number(self) -> int:
        """Return the number that the next fact must bear."""
        return self._made + 1

    def add(self, fact: NumberedFact) -> bytes:
        """Keep `fact`, whose number is `next_number()`; return its payload."""
        self._made = fact.number
        payload = encode(fact)
        self._waiting.append((fact.number, payload))
        return payload

    def acknowledge(self, number: int) -> None:
        """Drop the facts up to and including `number`."""
        while self._waiting and self._waiting[0][0] <= number:
            self._waiting.popleft()

    def waiting(self) -> Iterator[bytes]:
        """Yield the payloads of all that wait, oldest first."""
        for _number, payload in self._waiting:
            yield payload
