"""Deliveries that wait for a notifier, and whose turn it is: nobody waits for another user's receiver.

Owns the order and the bounds. Must not know how one is sent. Called by sending.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from crond.launcher.senders import Sender
from crond.launcher.targets import Target
from crond.model.orders import Notified

#: Accounts that send at once, each with one notifier.
ACCOUNTS = 4
#: Deliveries that one notifier is given, and the seconds that it may take for them if none is taken.
BATCH, BATCH_TIME = 32, 120.0


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of an output, and how many bytes of it stand before."""

    data: bytes = b""
    left_out: int = 0


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One message, JSON that is not read here, on its way to one target. `told` hears once what became of it.

    `name` is what answers call it; `done` are digests of parts of the target that have it already.
    """

    name: str
    target: Target
    message: str
    sender: Sender
    told: Callable[[Notified], None]
    done: tuple[str, ...] = ()
    tail: Tail = field(default_factory=Tail)


class Deliveries:
    """Deliveries by sender. `limit` is the seconds that each may take."""

    def __init__(self, limit: float) -> None:
        self._batch = max(1, min(BATCH, int(BATCH_TIME // limit)))
        self._queues: dict[Sender, deque[Delivery]] = {}
        self._sending: set[str] = set()

    def add(self, delivery: Delivery) -> None:
        """Take `delivery`, at the end of its sender's."""
        self._queues.setdefault(delivery.sender, deque()).append(delivery)

    def take(self) -> list[Delivery]:
        """Return those whose turn it is, all of one sender, who is then busy until `returned`."""
        if len(self._sending) >= ACCOUNTS:
            return []
        for sender, queue in self._queues.items():
            if sender.account not in self._sending:
                batch = [queue.popleft() for _ in range(min(self._batch, len(queue)))]
                # Behind the others: users take turns.
                del self._queues[sender]
                if queue:
                    self._queues[sender] = queue
                self._sending.add(sender.account)
                return batch
        return []

    def returned(self, sender: Sender) -> None:
        """The notifier of `sender` has ended."""
        self._sending.discard(sender.account)
