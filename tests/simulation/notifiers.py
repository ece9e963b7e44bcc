"""A launcher that tells, and its notifiers: they start nothing, and die as the real ones do.

What became of an order is kept until the recorder has noted it, and told to each of its lives. A notifier
says when it begins with a message and what became of it; so the launcher knows what a dead one may have sent.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from crond.model.orders import IN_HAND, InHand, Noted, Notified, Notify, Order, Report
from tests.simulation.clock import Clock
from tests.simulation.launcher import Broken
from tests.simulation.listener import Listener
from tests.simulation.receivers import Receivers

#: How likely a notifier dies with one message, at each place.
_DIES = 0.02


class Notifiers:
    """One life of the launcher after the other. `tell` takes what is for the recorder, if there is one."""

    def __init__(
        self, source: random.Random, clock: Clock, listener: Listener, tell: Callable[[Report], None]
    ) -> None:
        self._random = source
        self._clock = clock
        self._listener = listener
        self._tell = tell
        self.receivers = Receivers(source)
        self.named: set[str] = set()  #: the targets in the crontab as it is now
        self._life = 0
        self._in_hand: dict[str, Notify] = {}
        self._results: dict[str, tuple[Notify, Notified]] = {}

    def tells_first(self) -> list[Report]:
        """What a new life of the recorder is told."""
        results = [result for _, result in self._results.values()]
        return [InHand((*self._in_hand, *self._results)), *results]

    def hear(self, order: Order) -> None:
        """Do what the recorder says."""
        if isinstance(order, Notify):
            if order.delivery in self._in_hand or order.delivery in self._results:
                raise Broken(f"asked for again while in hand: {order}")
            self._in_hand[order.delivery] = order
            if len(self._in_hand) + len(self._results) > IN_HAND:
                raise Broken("more in hand than there may be")
            self._listener.asked(order)
            self._soon(self._random.choice((0.05, 0.5, 3.0, 10.0)), order, self._begin)
        elif isinstance(order, Noted):
            notify, _ = self._results.pop(order.delivery)
            self._listener.noted(notify)

    def die(self, *, is_heard: Callable[[str], bool]) -> None:
        """Another life begins, which knows of nothing. `is_heard` says of which orders it is kept what became
        of them.
        """
        self._life += 1
        for order in self._in_hand.values():
            self._listener.unheard(order, answered=False)
        for order, _ in self._results.values():
            if not is_heard(order.delivery):
                self._listener.unheard(order, answered=True)
        self._in_hand, self._results = {}, {}

    # --- a message -------------------------------------------------------------------------------------

    def _soon(self, seconds: float, order: Notify, act: Callable[[Notify], None]) -> None:
        """Go on with `order`, unless the launcher dies before."""
        life = self._life

        def alive() -> None:
            if life == self._life:
                act(order)

        self._clock.later(seconds, alive)

    def _begin(self, order: Notify) -> None:
        if order.origin and order.target not in self.named:
            self._end(order, "gone")
        elif self._dies("before its first message"):
            self._end(order, "again")  # it never said that it tries
        elif self._dies("before it sends"):
            self._end(order, "unsure")
        else:
            self._send(order)

    def _send(self, order: Notify) -> None:
        name, answer = self.receivers.receive(order.target, self._clock.mono)
        self._listener.figures[f"receiver {name}"] += 1
        if answer.taken:
            self._listener.arrived(order)
        result = answer.result
        if self._dies(
            "after the receiver took it, unsaid" if answer.taken else "before it says that it failed"
        ):
            result = "unsure"
        else:
            self._dies("after it said so")  # of which nothing follows
        self._soon(answer.seconds, order, lambda order: self._end(order, result))

    def _dies(self, place: str) -> bool:
        if self.receivers.calm or self._random.random() >= _DIES:
            return False
        self._listener.figures[f"killed: notifier {place}"] += 1
        self._listener.note(f"the notifier dies {place}")
        return True

    def _end(self, order: Notify, result: str) -> None:
        self._listener.answered(order, result)
        del self._in_hand[order.delivery]
        notified = Notified(order.delivery, result, "" if result == "sent" else f"it is {result}")
        self._results[order.delivery] = (order, notified)
        self._tell(notified)
