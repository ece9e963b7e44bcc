"""Who judges what is told: hears the journal, what notifiers do and what arrives, and reads the outbox's end.

It never asks the outbox what it will do. What it knows is the promise of decision 36: each flip arrives at
each of its addressees once, but where whoever sent it could not hear that it did; nothing is told before the
journal has it; pings keep their order; what is muted is not told; and what is given up says why.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from crond.model.alert import Flip, flip_of
from crond.model.message import Message
from crond.model.orders import Notify
from tests.core.driving import flips_in
from tests.simulation.clock import Clock
from tests.simulation.launcher import Broken

_HOUR, _DAY = 3600.0, 86400.0
#: A ping is tried for so long; what may have arrived is tried so often.
_PINGS, _UNSURE = 600.0, 6
_TRAIL = 30


class Known(NamedTuple):
    """A flip that the journal has, which it was in there, and since when (see Clock)."""

    flip: Flip
    number: int
    mono: float
    ahead: float


@dataclass(slots=True)
class Sent:
    """What is known of one message for one target."""

    target: str
    key: str
    answers: list[str] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    windows: int = 0  #: how often it had arrived, and who sent it could not hear so
    noted: float = 0.0  #: when the recorder took note of the last answer, as Clock.ahead


class Row(NamedTuple):
    """A row of the outbox that is over."""

    flip: str
    target: str
    message: str  #: the delivery that it was in, without its try
    state: str
    error: str
    event: str
    lasted: float


class Listener:
    """Judges what is told while `clock` goes, and counts it in `figures`; `give_up` is in seconds. What it
    hears may make it raise Broken.
    """

    def __init__(self, clock: Clock, give_up: float, figures: Counter[str]) -> None:
        self._clock = clock
        self._give_up = give_up
        self.figures = figures
        self.trail: deque[str] = deque(maxlen=_TRAIL)
        self._known: dict[str, Known] = {}
        self._owed: dict[tuple[str, str], None] = {}
        self._sent: dict[str, Sent] = {}
        self._troubles: set[str] = set()
        self._born: float | None = None
        #: The newest ping that arrived, by target and job.
        self._pings: dict[tuple[str, str], int] = defaultdict(int)

    def opened(self) -> None:
        """There is an outbox."""
        if self._born is None:
            self._born = self._clock.mono

    # --- what happens ----------------------------------------------------------------------------------

    def journalled(self, records: Iterable[Any]) -> None:
        """The journal has `records`."""
        for record in records:
            for values in flips_in(record):
                flip = flip_of(values)
                self.figures["flips journalled"] += 1
                if flip.id in self._known:
                    self.figures["flips journalled again"] += 1
                    continue
                self._known[flip.id] = Known(flip, len(self._known) + 1, self._clock.mono, self._clock.ahead)
                self._owed.update(dict.fromkeys((flip.id, one.digest) for one in flip.addressees))
                self.note(f"journalled {flip.event} {flip.id} of {flip.job}, muted: {flip.muted}")

    def asked(self, order: Notify) -> None:
        """The launcher was asked for `order`."""
        message = Message.from_json(order.message)
        sent = self._sent.setdefault(_named(order.delivery), Sent(order.target, message.key))
        self.note(f"asked for {order.delivery} of {message.key} to {order.target}: {message.title}")
        if (sent.target, sent.key) != (order.target, message.key):
            self._wrong(f"{order.delivery} was {sent} and is {order}")

    def arrived(self, order: Notify) -> None:
        """The receiver took `order`."""
        message, sent = Message.from_json(order.message), self._sent[_named(order.delivery)]
        sent.arrivals.append(self._clock.mono)
        self.note(f"arrived {order.delivery}")
        self.figures["messages arrived"] += 1
        if len(sent.arrivals) > 1:
            self.figures["doubles in documented windows"] += 1
            if len(sent.arrivals) > 1 + sent.windows:
                self._wrong(f"{sent.key} arrived {len(sent.arrivals)} times: {sent}")
        known = self._known.get(message.key)
        if known is None:
            # Several flips, or trouble of the outbox's own: see `_over`.
            return
        if known.flip.muted:
            self._wrong(f"muted, and it arrived: {known.flip}")
        if order.target not in {digest for digest, _ in known.flip.addressees}:
            self._wrong(f"told to {order.target}: {known.flip}")
        if message.ping:
            self.figures["pings arrived"] += 1
            pair = (order.target, known.flip.job)
            if known.number < self._pings[pair]:
                self._wrong(f"a newer ping was before it: {known.flip}")
            self._pings[pair] = known.number

    def answered(self, order: Notify, result: str) -> None:
        """Whoever sent `order` says what became of it."""
        sent = self._sent[_named(order.delivery)]
        sent.answers.append(result)
        self.note(f"answered {order.delivery}: {result}")
        if result == "unsure":
            sent.windows += len(sent.arrivals) > sent.windows
            if sent.answers.count("unsure") > _UNSURE:
                self._wrong(f"tried too often: {sent}")

    def noted(self, order: Notify) -> None:
        """The recorder took note of what became of `order`."""
        self._sent[_named(order.delivery)].noted = self._clock.ahead

    def unheard(self, order: Notify, *, answered: bool) -> None:
        """The launcher died, and nobody heard what became of `order`, which may have been `answered`."""
        sent = self._sent[_named(order.delivery)]
        sent.windows += len(sent.arrivals) > sent.windows
        if answered:
            sent.answers.pop()

    def note(self, what: str) -> None:
        """Remember what happened, for whoever reads what broke."""
        self.trail.append(f"{self._clock.mono:.1f} {what}")

    # --- the outbox ------------------------------------------------------------------------------------

    def over(self, rows: Iterable[Row]) -> None:
        """The outbox says that `rows` are over; what is not may not be too old."""
        for row in rows:
            if row.flip not in self._known:
                if row.event != "trouble":
                    self._wrong(f"the journal has no such flip: {row}")
                if row.flip not in self._troubles:
                    self._troubles.add(row.flip)
                    self.figures["troubles of the outbox"] += 1
            elif (row.flip, row.target) in self._owed:
                del self._owed[row.flip, row.target]
                self.figures[f"news {row.state}"] += 1
                self._over(row, self._known[row.flip])
        for flip, target in self._owed:
            known = self._known[flip]
            if self._clock.mono - known.mono > 2 * self._give_up + 2 * _DAY:
                self._wrong(f"never told to {target}: {known}")
            break  # the others are newer

    def ends(self) -> None:
        """Nothing more comes."""
        for flip, target in self._owed:
            self._wrong(f"lost: never told to {target}: {self._known[flip]}")

    def _over(self, row: Row, known: Known) -> None:
        if known.flip.muted != (row.state == "muted"):
            self._wrong(f"{row.state}, and muted is {known.flip.muted}: {known.flip}")
        sent = self._sent.get(row.message)
        if row.state == "sent":
            if sent is None or not sent.arrivals:
                self._wrong(f"the outbox says that it was sent, and it never arrived: {row}")
            elif min(sent.arrivals) < known.mono:
                self._wrong(f"told before the journal had it: {known.flip}")
            elif sent.target != row.target:
                self._wrong(f"arrived elsewhere: {row}, {sent}")
        elif row.state == "failed" and not (row.error and self._is_excused(row, known, sent)):
            self._wrong(f"given up without a reason: {row}, {known}, {sent}")

    def _is_excused(self, row: Row, known: Known, sent: Sent | None) -> bool:
        """True if it was refused, or tried for as long as is promised."""
        limit = _PINGS if known.flip.event.is_ping else self._give_up
        is_before = self._born is not None and known.mono < self._born - _HOUR / 2
        if row.error == "too old to be told" and is_before:
            return True  # nobody lived to begin the outbox when it was journalled
        if sent is None or not sent.answers:
            return known.flip.event.is_ping and row.lasted >= limit
        self.figures[f"news failed: {sent.answers[-1]}"] += 1
        is_over = sent.noted - known.ahead >= limit - 1
        return is_over or sent.answers[-1] in ("never", "gone") or sent.answers.count("unsure") == _UNSURE

    def _wrong(self, text: str) -> None:
        told = "\n".join(f"  {line}" for line in self.trail)
        raise Broken(f"{text}\nthe last of what was told, the newest last:\n{told}")


def _named(delivery: str) -> str:
    """What names the message in the name of a try."""
    return delivery.rpartition(".")[0]
