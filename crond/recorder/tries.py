"""Tries: which messages are made and sent now, and what their results mean, step by step in the outbox.

A try is leased before anybody is asked for it, and its result kept before anybody is thanked, so that at
each step this process may die. Which news go together is `crond.alerts.grouping`'s, how long is tried
`patience`'s, the words `wording`'s. Knows no clock. Called by the delivery's thread.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from crond.alerts import grouping, patience
from crond.alerts.wording import Place, message_of, title_of
from crond.model.alert import Addressee, Event, Flip, flip_id, flip_of
from crond.model.orders import IN_HAND, Notified, Notify
from crond.recorder.outbox import Outbox
from crond.recorder.records import clean

#: Messages of one owner that may be in hand, so that others find room.
EACH = IN_HAND // 4
#: A next try that is further off is that of a clock that was set back.
_FARTHEST = 2 * max(patience.LONGEST, *patience.UNSURE)
_DAY = 86400
_LONGEST_ERROR = 1000
_MOST_PARTS = 64  #: as the wire takes them

_EXPIRE = """
UPDATE deliveries SET state = 'failed', error = 'too old to be told', ended = ?
WHERE ended IS NULL AND state = 'pending' AND head IS NULL AND ping AND kept < ?
"""
#: Whoever takes nothing now gets it together, later; but one that may have taken a message holds up no other.
_WAITING = """
SELECT id, channel, event, kept, job, pipeline, instant, cooldown FROM deliveries
WHERE ended IS NULL AND state = 'pending' AND head IS NULL AND (ping OR channel NOT IN (
    SELECT channel FROM deliveries WHERE ended IS NULL AND head = id
        AND state IN ('pending', 'sending') AND result != 'unsure' AND NOT ping))
ORDER BY id
"""
_BUSY = """
SELECT DISTINCT channel, job FROM deliveries
WHERE ended IS NULL AND head = id AND state IN ('pending', 'sending') AND ping
"""
_TOLD = "SELECT MAX(made) FROM deliveries WHERE channel = ? AND job = ? AND state != 'failed'"
_MAKE = "UPDATE deliveries SET message = ?, title = ?, attempt = ?, next = ? WHERE id = ?"
_SENDING = """
SELECT uid, COUNT(*) FROM deliveries WHERE ended IS NULL AND state = 'sending' AND head = id GROUP BY uid
"""
_DUE = """
SELECT id, uid FROM deliveries
WHERE ended IS NULL AND state = 'pending' AND head = id AND (next <= ? OR next > ?)
ORDER BY next, id
"""
_SOONEST = """
SELECT MIN(next) FROM deliveries WHERE ended IS NULL AND state = 'pending' AND head = id AND next > ?
"""
_ASKED_FOR = "SELECT id, tries FROM deliveries WHERE ended IS NULL AND state = 'sending' AND head = id"
_TRY = "UPDATE deliveries SET tries = tries + 1, first = COALESCE(first, ?) WHERE id = ?"
_ORDER = "SELECT tries, target, attempt, flip, message, done FROM deliveries WHERE id = ?"
_TRIED = """
SELECT id, tries, state, again, unsure, ping, kept, first, done FROM deliveries
WHERE id = ? AND head = id AND state IN ('pending', 'sending')
"""
_RESULT = """
UPDATE deliveries SET again = ?, unsure = ?, result = ?, error = ?, done = ?, next = ? WHERE id = ?
"""
_END = "UPDATE deliveries SET state = ?, ended = ?, next = NULL WHERE head = ?"
#: Nobody will say it again: of a hundred thousand only the titles need room.
_EMPTY = "UPDATE deliveries SET flip = '', message = NULL, result = 'sent' WHERE head = ?"
_GIVEN_UP = "SELECT label, title, error, tries, channel, target FROM deliveries WHERE id = ?"
_REASONS = {
    "again": "it was not taken",
    "unsure": "nobody said whether it was taken",
    "never": "it was refused",
    "gone": "no longer named",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How it is told: seconds of the settings `settle` and `give_up`, their `link`, who hears of trouble."""

    settle: float = 3.0
    give_up: float = 86400.0
    link: str = ""
    trouble: tuple[Addressee, ...] = ()


class Lease(NamedTuple):
    """What is to be said now, and when to look again, None: not before there is news."""

    orders: list[Notify]
    wake: float | None


class Tries:
    """The tries of what is in `outbox`. Its methods raise sqlite3.Error."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def recover(self, in_hand: Iterable[str], now: float) -> None:
        """Let wait again what was asked for and is not among those `in_hand`: it never came there."""
        known = set(in_hand)
        with self._outbox.transaction():
            for number, tries in self._outbox.all(_ASKED_FOR):
                if self._token(number, tries) not in known:
                    waiting = "UPDATE deliveries SET state = 'pending', next = ? WHERE head = ?"
                    self._outbox.do(waiting, now, number)

    # --- sending -----------------------------------------------------------------------------------------

    def lease(self, manner: Manner, now: float) -> Lease:
        """Make messages of the news that may go now, and begin tries of those whose time has come."""
        with self._outbox.transaction():
            # Pings that waited too long for older ones would say what is no longer so.
            self._outbox.do(_EXPIRE, now, now - patience.PING_LIMIT)
            wakes = [self._group(manner, now)]
            orders = [self._try(number, now) for number in self._due(now)]
            # A message that is due and found no room is woken by another's end.
            wakes += self._outbox.one(_SOONEST, now)
        return Lease(orders, min((wake for wake in wakes if wake is not None), default=None))

    def _group(self, manner: Manner, now: float) -> float | None:
        rows = self._outbox.all(_WAITING)
        if not rows:
            return None
        waiting = [
            grouping.Waiting(
                id=row[0], channel=row[1], event=Event(row[2]), kept=row[3], job=row[4], pipeline=row[5],
                instant=row[6], cooldown=row[7],
            )
            for row in rows
        ]  # fmt: skip
        quiet = {(one.channel, one.job): one.cooldown for one in waiting if one.cooldown}
        told = {pair: self._outbox.one(_TOLD, *pair)[0] for pair in quiet}
        planned = grouping.plan(
            waiting,
            now=now,
            settle=manner.settle,
            busy={(channel, job) for channel, job in self._outbox.all(_BUSY)},
            told={pair: made for pair, made in told.items() if made is not None},
        )
        for ids in planned.messages:
            self._make(ids, manner, now)
        return planned.wake

    def _make(self, ids: Sequence[int], manner: Manner, now: float) -> None:
        """Make one message of the rows `ids`; the oldest stands for it."""
        bodies = [self._outbox.one("SELECT flip FROM deliveries WHERE id = ?", number)[0] for number in ids]
        flips = [flip_of(json.loads(body)) for body in bodies]
        for number in ids:
            self._outbox.do("UPDATE deliveries SET head = ?, made = ? WHERE id = ?", ids[0], now, number)
        message = message_of(flips, Place(host=self._outbox.host, link=manner.link))
        title = message.title or title_of(flips[0], self._outbox.host)
        attempt = "" if message.lines else next((flip.attempt for flip in flips if flip.attempt), "")
        self._outbox.do(_MAKE, message.to_json(), title, attempt, now, ids[0])

    def _due(self, now: float) -> list[int]:
        """Return the messages to try now, the longest due first, as many as there is room for."""
        sending: dict[int, int] = dict(self._outbox.all(_SENDING))
        chosen = []
        for number, uid in self._outbox.all(_DUE, now, now + _FARTHEST):
            if sum(sending.values()) < IN_HAND and sending.get(uid, 0) < EACH:
                sending[uid] = sending.get(uid, 0) + 1
                chosen.append(number)
        return chosen

    def _try(self, number: int, now: float) -> Notify:
        self._outbox.do(_TRY, now, number)
        self._outbox.do("UPDATE deliveries SET state = 'sending' WHERE head = ?", number)
        tries, target, attempt, flip, message, done = self._outbox.one(_ORDER, number)
        origin = json.loads(flip)["origin"]
        return Notify(self._token(number, tries), origin, target, attempt, message, tuple(json.loads(done)))

    # --- what became of it -------------------------------------------------------------------------------

    def note(self, report: Notified, manner: Manner, now: float) -> str:
        """Keep what became of a try, once; return what is worth a line in the log, or nothing."""
        number, tries = self._read(report.delivery)
        with self._outbox.transaction():
            rows = self._outbox.all(_TRIED, number)
            if not rows:
                return ""
            if report.result == "sent":
                # What arrived has arrived, whichever try it was.
                self._end(number, "sent", "", now)
                return ""
            # Of a try that was given up for lost nothing else matters.
            current = rows[0][1:3] == (tries, "sending")
            return self._later(report, rows[0], manner, now) if current else ""

    def _later(self, report: Notified, row: tuple[Any, ...], manner: Manner, now: float) -> str:
        number, _, _, again, unsure, ping, kept, first, done = row
        again += report.result == "again"
        unsure += report.result == "unsure"
        error = clean(report.detail, _LONGEST_ERROR) or _REASONS[report.result]
        later = patience.next_try(
            report.result,
            again=again,
            unsure=unsure,
            since=kept if ping else first,
            now=now,
            limit=patience.PING_LIMIT if ping else manner.give_up,
        )
        parts = json.dumps(list(dict.fromkeys((*json.loads(done), *report.done)))[:_MOST_PARTS])
        self._outbox.do(_RESULT, again, unsure, report.result, error, parts, later, number)
        if later is not None:
            self._outbox.do("UPDATE deliveries SET state = 'pending' WHERE head = ?", number)
            return ""
        self._end(number, "failed", error, now)
        return self._given_up(number, report.result, manner, now)

    def _end(self, number: int, state: str, error: str, now: float) -> None:
        self._outbox.do(_END, state, now, number)
        self._outbox.do("UPDATE deliveries SET error = ? WHERE id = ?", error, number)
        if state == "sent":
            self._outbox.do(_EMPTY, number)

    def _given_up(self, number: int, result: str, manner: Manner, now: float) -> str:
        """Tell others that a target does not take what it is told, once a day."""
        label, title, error, tries, channel, target = self._outbox.one(_GIVEN_UP, number)
        others = tuple(one for one in manner.trouble if one.digest != target)
        if others and result != "gone":
            reason = f"alerts to {label} are not delivered: {error}; which ones: crontabx alerts"
            told = flip_id(Event.TROUBLE, "undelivered", channel, int(now // _DAY))
            trouble = Flip(
                id=told, event=Event.TROUBLE, at=now, origin="", uid=0, addressees=others, reason=reason
            )
            self._outbox.keep(trouble, now)
        times = "once" if tries == 1 else f"{tries} times"
        return f"alert {number} to {label} was tried {times} and is given up: {error} ({title})"

    # --- names of tries ----------------------------------------------------------------------------------

    def _token(self, number: int, tries: int) -> str:
        return f"{self._outbox.mark}-{number}.{tries}"

    def _read(self, delivery: str) -> tuple[int, int]:
        """Return the row and the try that `delivery` names, (-1, 0) if it is none of this file."""
        mark, _, rest = delivery.partition("-")
        number, _, tries = rest.partition(".")
        if mark != self._outbox.mark or not (number.isdigit() and tries.isdigit() and len(rest) < 30):
            return -1, 0
        return min(int(number), 2**62), int(tries)
