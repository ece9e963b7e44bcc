"""How a world's news is told: by the real recorder's delivery, in virtual time, that dies at any step.

Reads the journal that the world's scheduler writes, keeps the real outbox beside it, and plays the wire to a
launcher with notifiers. What is right is the listener's. Owned by the world, which lends it its clock.
"""

from __future__ import annotations

import os
import random
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any
from unittest.mock import patch

from crond.core.clockwork import Reading
from crond.core.memory import Memory
from crond.model.actions import Record
from crond.model.alert import Addressee, target_digest
from crond.model.job import Job
from crond.model.orders import InHand, Order, Report
from crond.recorder import delivery as delivery_module
from crond.recorder.delivery import LOOK, Delivery
from crond.recorder.feed import Feed
from crond.recorder.outbox import BadOutbox, Outbox
from crond.recorder.tries import Manner, Tries
from crond.scheduler.journal import FileJournal
from tests.core.driving import flips_in
from tests.simulation.clock import Clock
from tests.simulation.keeping import Keeper
from tests.simulation.listener import Listener, Row
from tests.simulation.notifiers import Notifiers

_DAY = 86400.0
#: How likely the recorder dies at one of its steps, or while it talks, and its disk is full from one turn on.
_DIES, _DIES_TALKING, _FILLS = 0.006, 0.03, 0.002
#: Between two looks into what is over, in seconds and in messages: the outbox keeps it for thirty days.
_AUDIT, _MANY = 5 * _DAY, 200
_TROUBLE = Addressee(target_digest("root@example.com"), "root@example.com")
_OVER = """
SELECT d.flip_id, d.target, h.id, d.state, h.error, d.event, d.ended - d.kept
FROM deliveries d JOIN deliveries h ON h.id = COALESCE(d.head, d.id) WHERE d.ended IS NOT NULL
"""
_KEYS = ("on_failure", "on_retry", "on_success", "on_recovery", "on_skip", "on_late", "ping")


class Killed(BaseException):
    """The recorder ends here."""


class Stepped(Outbox):
    """An outbox each of whose transactions has a step before it, before its commit, and after it."""

    def __init__(self, step: Callable[[str], None], *values: Any, **keys: Any) -> None:
        self._step = step
        super().__init__(*values, **keys)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._step("before")
        with super().transaction():
            yield
            self._step("before the commit of")
        self._step("after")


class Recorder(Delivery):
    """One life of the recorder, as far as it delivers. It is turned from outside instead of by its thread;
    `step` is called at each step with its name.
    """

    def __init__(self, feed: Feed, path: str, step: Callable[[str], None], **keys: Any) -> None:
        super().__init__(feed, path, host="vm", **keys)
        self._at_step = step
        self._doing = "its opening"
        self.wakes_at: float | None = None
        self.pause = 0.0

    def lost(self, error: Exception) -> None:
        """Let go of the outbox for a while, as the thread does."""
        self._lost(str(error), damaged=False)

    def _opened(self, now: float) -> Outbox:
        if self._outbox is not None:
            return super()._opened(now)
        self._doing = "its opening"
        with patch.object(delivery_module, "Outbox", self._stepped):
            return super()._opened(now)

    def _stepped(self, *values: Any, **keys: Any) -> Stepped:
        return Stepped(lambda place: self._at_step(f"{place} {self._doing}"), *values, **keys)

    def _follow(self, outbox: Outbox, now: float) -> None:
        self._doing = "keeping news"
        super()._follow(outbox, now)

    def _hear(self, report: Report, tries: Tries, now: float) -> None:
        self._doing = "the look at what is in hand" if isinstance(report, InHand) else "the mark"
        super()._hear(report, tries, now)

    def _send(self, tries: Tries, now: float) -> float | None:
        self._doing = "the lease"
        self.wakes_at = super()._send(tries, now)
        self._doing = "the pruning"
        return self.wakes_at

    def _rest(self, wait: float, *, hasten: bool) -> None:
        self.pause = wait


class Telling:
    """Tells what it is given to keep, as `keeper` keeps it: whoever writes to that does so through this."""

    def __init__(self, source: random.Random, now: Reading, keeper: Keeper, figures: Counter[str]) -> None:
        self._random = source
        self._keeper = keeper
        self._clock = Clock(now)
        self._manner = Manner(
            settle=source.choice((0.0, 3.0)), give_up=source.choice((3600.0, 4 * 3600.0)), trouble=(_TROUBLE,)
        )
        self._listener = Listener(self._clock, self._manner.give_up, figures)
        self._notifiers = Notifiers(source, self._clock, self._listener, self._heard)
        self._folder = tempfile.TemporaryDirectory(prefix="telling-", dir=_memory())
        self._path = os.path.join(self._folder.name, "outbox.db")
        #: Where records go to memory only, those with news go to a journal all the same.
        self._journal = None if keeper.feed is not None else FileJournal(self._folder.name, recorded=True)
        self.feed = keeper.feed or Feed(self._folder.name, kept=0, readers=("outbox",))
        self._recorder: Recorder | None = None
        self._turn_at: float | None = None
        self._full_until = 0.0
        self._ended = 0
        self._clock.later(0.0, self._revive)
        self._clock.later(_AUDIT, self._audit_often)

    # --- what the world says ---------------------------------------------------------------------------

    def upto(self, now: Reading) -> None:
        """Time has passed until `now`; before that the clock may have been set."""
        if self._clock.set(now):
            self._look(self._random.uniform(0, LOOK))  # as it looks at any time
        self._clock.upto(now.mono)

    def news(self) -> None:
        """The scheduler says that there is news."""
        self._look(0.01)

    def tables(self, jobs: Iterable[Job]) -> None:
        """These are all `jobs` of the crontab as the launcher reads it."""
        policies = [job.entry.policy for job in jobs]
        targets = {target for one in policies for key in _KEYS for target in getattr(one, key)}
        self._notifiers.named = set(map(target_digest, targets))

    def lose_launcher(self) -> None:
        """The launcher dies, and its notifiers and the recorder with it."""
        self._kill("launcher", self._random.choice((0, 1, 30)))
        self._notifiers.die(is_heard=self._is_heard)

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self._notifiers.receivers.calm = True

    def rests(self) -> None:
        """Nothing more comes from the world; what waits is told."""
        end = self._clock.mono + 2 * self._manner.give_up + _DAY
        while self._is_busy() and self._clock.mono < end:
            self._clock.upto(min(end, self._clock.mono + 3600))
        self._audit()
        self._listener.ends()

    def close(self) -> None:
        """Leave nothing behind."""
        self._keeper.close()
        if self._recorder is not None:
            self._recorder._close()
        if self._journal is not None:
            self._journal.close()
        self._folder.cleanup()

    # --- the keeper of the world's records ---------------------------------------------------------------

    def write(self, records: list[Record], *, torn: bool = False) -> None:
        self._keeper.write(records, torn=torn)
        news = [record for record in records if flips_in(record)]
        if self._journal is not None and news:
            self._journal.append(news)
        if self._journal is not None and torn:
            self._tear(self._journal)
        if news:
            self._listener.journalled(news)
            self._look(self._random.uniform(0, LOOK))  # if nobody says so it looks all the same

    def turn(self, memory: Memory) -> None:
        self._keeper.turn(memory)

    def rebuilt(self) -> Memory:
        if self._journal is not None:
            self._journal.close()
            self._journal = FileJournal(self._folder.name, recorded=True)
            self._journal.load()
            self._journal.rewrite(())
        return self._keeper.rebuilt()

    def check(self, memory: Memory) -> None:
        self._keeper.check(memory)

    def compare(self, ends: dict[str, tuple[Any, int]]) -> None:
        self._keeper.compare(ends)

    def _tear(self, journal: FileJournal) -> None:
        journal.close()
        newest = max(self.feed.segments(), default=1)
        with open(os.path.join(self._folder.name, f"journal.{newest:06d}"), "ab") as file:
            file.write(b'["run",{"id":"torn"},{"flips":[{"id":"00aa"')

    # --- the recorder's lives ----------------------------------------------------------------------------

    def _revive(self) -> None:
        if self._recorder is not None:
            return
        recorder = Recorder(
            self.feed, self._path, self._at_step, manner=lambda: self._manner, log=self._listener.note,
            clock=lambda: self._clock.wall,
        )  # fmt: skip
        recorder._say = self._say
        for report in self._notifiers.tells_first():
            recorder.heard(report)
        self._recorder = recorder
        self._listener.note("the recorder begins")
        self._look(0.0)

    def _look(self, seconds: float) -> None:
        """Have the recorder look in so many seconds, if it does not so before."""
        at = self._clock.mono + seconds
        if self._turn_at is None or at < self._turn_at:
            self._turn_at = at
            self._clock.later(seconds, self._turn_if_due)

    def _turn_if_due(self) -> None:
        if self._turn_at is not None and self._turn_at <= self._clock.mono:
            self._turn_at = None
            self._turn()

    def _turn(self) -> None:
        recorder = self._recorder
        if recorder is None:
            return
        if self._has(_FILLS):
            self._listener.figures["disk full for a while"] += 1
            self._full_until = self._clock.mono + self._random.choice((20, 300, 1200))
        try:
            recorder.turn()
        except Killed:
            self._kill("recorder", self._random.choice((0, 0, 1, 30, 4000)))
        except (sqlite3.Error, OSError, BadOutbox) as error:
            recorder.lost(error)
            self._look(recorder.pause)
        else:
            self._listener.opened()
            if recorder.wakes_at is not None:
                self._look(max(0.05, recorder.wakes_at - self._clock.wall))

    def _kill(self, who: str, away: float) -> None:
        """End this life: what was not committed is lost."""
        self._listener.note(f"the {who} dies")
        if self._recorder is not None:
            self._recorder._close()
            self._recorder = None
        self._clock.later(away, self._revive)

    def _at_step(self, place: str, chance: float = _DIES) -> None:
        if self._clock.mono < self._full_until and place.startswith("before the commit"):
            raise sqlite3.OperationalError("database or disk is full")
        if self._has(chance):
            self._listener.figures[f"killed: recorder {place}"] += 1
            self._listener.note(f"killed {place}")
            raise Killed

    def _has(self, chance: float) -> bool:
        return not self._notifiers.receivers.calm and self._random.random() < chance

    # --- the wire ----------------------------------------------------------------------------------------

    def _say(self, order: Order) -> None:
        what = type(order).__name__
        self._at_step(f"before it says {what}", _DIES_TALKING)
        self._notifiers.hear(order)
        self._at_step(f"after it says {what}", _DIES_TALKING)

    def _heard(self, report: Report) -> None:
        self._ended += 1
        if self._recorder is not None:
            self._recorder.heard(report)
            self._look(0.01)
        if self._ended % _MANY == 0:
            self._audit()

    # --- what the outbox says ------------------------------------------------------------------------------

    def _audit_often(self) -> None:
        self._audit()
        self._clock.later(_AUDIT, self._audit_often)

    def _audit(self) -> None:
        with self._read() as database:
            (mark,) = database.execute("SELECT mark FROM place").fetchone()
            rows = database.execute(_OVER).fetchall()
        self._listener.over(Row(flip, target, f"{mark}-{head}", *rest) for flip, target, head, *rest in rows)

    def _is_busy(self) -> bool:
        with self._read() as database:
            waiting = database.execute("SELECT 1 FROM deliveries WHERE ended IS NULL LIMIT 1").fetchone()
        return waiting is not None or self._recorder is None

    def _is_heard(self, delivery: str) -> bool:
        """True if the outbox has what became of a try."""
        number, _, tries = delivery.partition("-")[2].partition(".")
        with self._read() as database:
            asked = "SELECT 1 FROM deliveries WHERE id = ? AND tries = ? AND state = 'sending'"
            return database.execute(asked, (int(number), int(tries))).fetchone() is None

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path)) as database:
            yield database


def _memory() -> str | None:
    """Where files are in memory, if there is such a place."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
