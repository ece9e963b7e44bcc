"""A launcher that delivers, receivers that may be away, and a delivery that may be killed at each step.

All of it in virtual time. For tests of what is told how often.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from crond.model.alert import Flip
from crond.model.message import Message
from crond.model.orders import InHand, Noted, Notified, Notify, Order, Report
from crond.recorder import outbox as outbox_module
from crond.recorder.delivery import Delivery
from crond.recorder.feed import Feed
from crond.recorder.tries import Manner
from tests.alerts.news import DUE
from tests.recorder.journal import run, write


class Killed(BaseException):
    """The process ends here."""


class Launcher:
    """Delivers what it is asked for, once; keeps what became of it until that is noted. In memory only."""

    def __init__(self) -> None:
        self.in_hand: dict[str, Notify] = {}
        self.results: dict[str, Notified] = {}

    def tells_first(self) -> list[Report]:
        """What a new life of the recorder is told."""
        return [InHand((*self.in_hand, *self.results)), *self.results.values()]

    def hear(self, order: Order) -> None:
        if isinstance(order, Notify):
            assert order.delivery not in self.in_hand, "asked for twice"
            self.in_hand[order.delivery] = order
        elif isinstance(order, Noted):
            self.results.pop(order.delivery, None)


class Post:
    """A journal, an outbox, a launcher and receivers. `result` says what becomes of an order at a time."""

    def __init__(self, folder: Path, *, manner: Manner | None = None) -> None:
        self.folder = folder
        self.path = folder / "outbox.db"
        self.manner = manner or Manner()
        self.now = DUE
        self.launcher = Launcher()
        self.arrived: list[tuple[float, str, Message]] = []
        self.orders: list[Notify] = []  #: that were tried
        self.log: list[str] = []
        self.result: Callable[[Notify], str] = lambda _order: "sent"
        self.launcher_dies = False  #: whose death Killed is
        self.parts: tuple[str, ...] = ()  #: of a target, that have the message after a try
        #: Called at each step; may raise Killed.
        self.step: Callable[[], None] = lambda: None
        self.delivery: Delivery | None = None

    def journal(self, *flips: Flip, segment: int = 1) -> None:
        """Let each flip stand in the record of a run."""
        for number, one in enumerate(flips):
            record = [*run(number), {"flips": [one.values()], "health": None}]
            write(self.folder, segment, record)

    def start(self) -> Delivery:
        """A new life of the recorder."""
        feed = Feed(str(self.folder), kept=0, readers=("outbox",))
        delivery = Delivery(
            feed, str(self.path), host="vm", manner=lambda: self.manner, log=self.log.append,
            clock=lambda: self.now,
        )  # fmt: skip
        delivery._say = self._say
        for report in self.launcher.tells_first():
            delivery.heard(report)
        self.delivery = delivery
        return delivery

    def kill(self) -> None:
        """End this life: what was not committed is lost."""
        if self.delivery is not None:
            self.delivery._close()
            self.delivery = None

    def die(self) -> None:
        """End the launcher, and with it the recorder."""
        self.kill()
        self.launcher = Launcher()

    def turn(self) -> float:
        """Let everybody do what they can; return for how many seconds nobody has anything to do."""
        delivery = self.delivery or self.start()
        wait = delivery.turn()
        self._work()
        return 0.0 if delivery._reports else wait

    def _work(self) -> None:
        dead: Killed | None = None
        for name, order in list(self.launcher.in_hand.items()):
            try:
                self._deliver(name, order)
            except Killed as killed:
                if self.launcher_dies:
                    raise
                # Only the recorder is dead: who delivers goes on.
                dead = killed
                self._deliver(name, order)
        if dead is not None:
            raise dead

    def _deliver(self, name: str, order: Notify) -> None:
        self.step()
        if name in self.launcher.in_hand:
            result = self.result(order)
            self.orders.append(order)
            if result in ("sent", "unsure!"):
                self.arrived.append((self.now, order.target, Message.from_json(order.message)))
            detail = "" if result == "sent" else f"it said {result}"
            notified = Notified(name, result.rstrip("!"), detail, self.parts)
            if self.launcher_dies:
                self.step()
            del self.launcher.in_hand[name]
            self.launcher.results[name] = notified
            self.step()
        if self.delivery is not None:
            self.delivery.heard(self.launcher.results[name])

    def _say(self, order: Order) -> None:
        self.step()
        self.launcher.hear(order)
        self.step()

    def until(self, end: float, *, each: Callable[[], Any] | None = None) -> None:
        """Let time pass until `end`; `each` is called before each turn."""
        for _ in range(20_000):
            if each is not None:
                each()
            wait = self.turn()
            if self.now >= end:
                return
            self.now = min(end, self.now + wait)
        raise AssertionError("time does not pass")

    def rows(self, *columns: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute(f"SELECT {', '.join(columns)} FROM deliveries ORDER BY id").fetchall()
        finally:
            connection.close()

    def states(self) -> dict[str, int]:
        """How many rows are in each state."""
        return dict(Counter(state for (state,) in self.rows("state")))

    def keys(self) -> Counter[tuple[str, str]]:
        """How often each message arrived at its target."""
        return Counter((target, message.key) for _, target, message in self.arrived)


@contextmanager
def in_memory() -> Iterator[Path]:
    """A folder with no disk below, where there is such a place: a thousand commits to one are slow."""
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="post-", dir=shared) as folder:
        yield Path(folder)


@contextmanager
def steps_counted(post: Post, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make each begin and commit of the outbox a step of `post`, too."""
    real = outbox_module.transaction

    @contextmanager
    def stepped(connection: sqlite3.Connection) -> Iterator[None]:
        post.step()
        with real(connection):
            yield
            post.step()
        post.step()

    with monkeypatch.context() as patch:
        patch.setattr(outbox_module, "transaction", stepped)
        yield
