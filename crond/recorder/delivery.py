"""The delivery: the one thread that sees to it that news is told, whatever befalls the history.

Owns the outbox while it is open, its place in the journal, and patience with a file that cannot be written.
It reads the journal as the writer does and shares nothing with it. What it says goes over the wire by the
server's loop, which hands over what the launcher reports. Started by main.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from crond.model.alert import Flip
from crond.model.orders import InHand, Noted, Notified, Order, Report
from crond.recorder.feed import Feed, made_token
from crond.recorder.flips import flips_of
from crond.recorder.outbox import BadOutbox, Outbox
from crond.recorder.tries import Manner, Tries

#: Seconds between two looks at the journal when nobody says that there is news, and the least between two.
LOOK, LEAST_LOOK = 60.0, 0.05
_PAUSE, _LONGEST_PAUSE = 0.25, 15.0
_PRUNE_EACH = 3600.0
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Delivery:
    """Delivers what `feed` has for the outbox at `path`, as `manner` says at that moment."""

    def __init__(
        self,
        feed: Feed,
        path: str,
        *,
        host: str,
        manner: Callable[[], Manner],
        log: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._feed = feed
        self._path = path
        self._host = host
        self._read_manner = manner
        self._manner = Manner()
        self._log = log
        self._clock = clock
        self._outbox: Outbox | None = None
        #: What the launcher will tell the end of; None until it has said so.
        self._in_hand: set[str] | None = None
        self._reports: deque[Report] = deque()
        self._say: Callable[[Order], None] = lambda _order: None
        self._trouble = self._wrong = ""
        self._pause = 0.0
        self._prune_at = float("-inf")
        self._stopping = self._wanted = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)

    # --- for other threads -------------------------------------------------------------------------------

    def start(self, say: Callable[[Order], None]) -> None:
        """Begin; `say` takes what is for the launcher."""
        self._say = say
        self._thread.start()

    def stop(self, patience: float) -> None:
        """End, within `patience` seconds; what is under way is taken up by the next life."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(patience)

    def heard(self, report: Report) -> None:
        """Take what the launcher says."""
        self._reports.append(report)
        self.wake()

    def wake(self) -> None:
        """Look now."""
        with self._changed:
            self._wanted = True
            self._changed.notify_all()

    # --- the thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._rest(self.turn(), hasten=True)
            except (sqlite3.Error, OSError, BadOutbox) as error:
                self._lost(_in_words(error), damaged=_is_damage(error))
            except Exception as error:  # noqa: BLE001 - a bug here must end neither thread nor recorder
                self._lost(f"{type(error).__name__}: {error}", damaged=False)
        if self._outbox is not None:
            self._outbox.close()

    def turn(self) -> float:
        """Do all that can be done now; return in how many seconds to look again.

        Raises sqlite3.Error, OSError, BadOutbox.
        """
        now = self._clock()
        outbox = self._opened(now)
        tries = Tries(outbox)
        self._follow(outbox, now)
        self._ask_manner()
        while self._reports:
            self._hear(self._reports[0], tries, now)
            self._reports.popleft()
        wake = self._send(tries, now)
        if outbox.has_grown or not self._prune_at - _PRUNE_EACH <= now < self._prune_at:
            self._prune_at = now + _PRUNE_EACH
            outbox.prune(now)
        if self._trouble:
            self._log("alerts are sent again")
        self._trouble, self._pause = "", 0.0
        return LOOK if wake is None else max(LEAST_LOOK, min(LOOK, wake - now))

    def _opened(self, now: float) -> Outbox:
        """Return the outbox that lies where others look for it."""
        if self._outbox is not None and not self._outbox.is_current():
            self._log("the outbox of alerts was deleted or replaced; another one begins")
            self._close()
        if self._outbox is None:
            self._outbox = Outbox(self._path, made_token(self._feed.folder), host=self._host, now=now)
            if self._in_hand is not None:
                Tries(self._outbox).recover(self._in_hand, now)
        return self._outbox

    def _follow(self, outbox: Outbox, now: float) -> None:
        """Keep what is new in the journal."""
        while (found := self._feed.lines(outbox.position)) is not None:
            data, end = found
            flips: list[Flip] = []
            broken = 0
            for line in data.splitlines():
                some, wrong = flips_of(line)
                flips += some
                broken += wrong
            if broken:
                self._log(f"{broken} pieces of news in the journal make no sense; they are left out")
            if not flips and end.segment == outbox.position.segment:
                # To read it again after a crash costs less than a disk that is written to each minute.
                outbox.position = end
                continue
            for line_of_log in outbox.take(flips, end, now):
                self._log(line_of_log)
        self._feed.drop_read(outbox.position, "outbox")

    def _hear(self, report: Report, tries: Tries, now: float) -> None:
        match report:
            case InHand(deliveries=deliveries):
                self._in_hand = set(deliveries)
                tries.recover(deliveries, now)
            case Notified(delivery=delivery):
                if said := tries.note(report, self._manner, now):
                    self._log(said)
                if self._in_hand is not None:
                    self._in_hand.discard(delivery)
                # Not before it is kept: thereafter nobody tells it again.
                self._say(Noted(delivery))

    def _send(self, tries: Tries, now: float) -> float | None:
        """Have sent what is due; return when to look again."""
        if self._in_hand is None:
            return None  # what an earlier life asked for may be under way
        orders, wake = tries.lease(self._manner, now)
        for order in orders:
            self._in_hand.add(order.delivery)
            self._say(order)
        return wake

    def _ask_manner(self) -> None:
        """Read the settings; while they are wrong, what they said before holds."""
        try:
            self._manner = self._read_manner()
        except ValueError as error:
            wrong = str(error).partition("\n")[0]
            if wrong != self._wrong:
                self._log(f"{wrong}; alerts go on as before")
            self._wrong = wrong
        else:
            self._wrong = ""

    # --- what goes wrong ---------------------------------------------------------------------------------

    def _lost(self, trouble: str, *, damaged: bool) -> None:
        """Let go of the outbox for a while."""
        self._close()
        if trouble != self._trouble:
            self._log(f"alerts wait: the outbox {self._path}: {trouble}; it is tried again, and jobs run on")
        self._trouble = trouble
        if damaged:
            self._set_aside()
        self._pause = min(_LONGEST_PAUSE, self._pause * 2 or _PAUSE)
        self._rest(self._pause, hasten=False)

    def _set_aside(self) -> None:
        """Let another outbox begin: nothing that comes could be told while there is a damaged one."""
        with suppress(OSError):
            os.replace(self._path, self._path + ".damaged")
            self._log(
                f"it is {self._path}.damaged now, and another one begins; what waited in it is not sent"
            )
        for name in ("-wal", "-shm"):
            with suppress(OSError):
                os.unlink(self._path + name)

    def _close(self) -> None:
        if self._outbox is not None:
            self._outbox.close()
            self._outbox = None

    def _rest(self, wait: float, *, hasten: bool) -> None:
        with self._changed:
            if hasten:
                self._changed.wait_for(lambda: self._stopping or self._wanted, wait)
                self._wanted = False
            else:
                # No news may hasten it: that would be a loop without a pause.
                self._changed.wait_for(lambda: self._stopping, wait)


def _is_damage(error: Exception) -> bool:
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGED


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())[:300]
