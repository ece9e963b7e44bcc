"""The writer: the one thread that writes, from journal to database, whatever befalls the database.

Owns patience: what is locked, full, missing or unreachable is tried again, ever more slowly, and said once.
Between batches it prunes and does what clients ask of a writer. Started by main; the server's threads ask it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from queue import Empty, SimpleQueue

from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from crond.recorder.database import BadDatabase
from crond.recorder.feed import Feed, Position, made_token
from crond.recorder.migrate import NewerSchema
from crond.recorder.prune import Keep, prune
from crond.recorder.schema import HEAD
from crond.recorder.store import Store

#: Seconds between two looks at the journal; while nothing comes they double, up to the second. Whoever asks
#: for the history has it read at once (`Writer.catch_up`).
LOOK, LONGEST_LOOK = 0.5, 60.0
_PAUSE, _LONGEST_PAUSE, _PAUSE_NEWER = 0.25, 5.0, 30.0
_PRUNE_EACH = 3600.0
_DAY = 86400.0


class State(StrEnum):
    """What the writer is doing."""

    WAITING = "waiting"  #: for a database that can be written
    NEWER = "newer"  #: the database belongs to a newer program
    RECORDING = "recording"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the history is, and how much of it stays; None: without limit."""

    url: URL
    keep_days: float | None = None
    keep_runs: int | None = None

    def keep(self) -> Keep:
        """Return what stays as of now."""
        since = None if self.keep_days is None else int((time.time() - self.keep_days * _DAY) * 1_000_000)
        return Keep(since, self.keep_runs)


@dataclass(frozen=True, slots=True)
class Condition:
    """How the writer is, for `db status`."""

    state: State
    trouble: str
    position: Position


class Writer:
    """Reads `feed` and writes to the place that `place` returns whenever a database is opened."""

    def __init__(
        self, feed: Feed, *, host: str, place: Callable[[], Place], log: Callable[[str], None]
    ) -> None:
        self._feed = feed
        self._host = host
        self._place = place
        self._log = log
        self._store: Store | None = None
        self._position = Position(0, 0)
        self._state = State.WAITING
        self._trouble = ""
        self._where = ""
        self._pause = 0.0
        self._look = LOOK
        self._stopping = False
        self._changed = threading.Condition()
        self._asked = self._served = 0
        self._errands: SimpleQueue[tuple[Callable[[Store], Iterator[int]], Future[int]]] = SimpleQueue()
        self._errand: tuple[Iterator[int], Future[int]] | None = None
        self._prune_at = 0.0
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    # --- for other threads -------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def stop(self, patience: float) -> None:
        """Write what is there, then end; at most `patience` seconds are waited for it."""
        self.catch_up(patience)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(patience)

    def catch_up(self, patience: float) -> bool:
        """Wait until all that the journal holds now is in the history; False if that takes too long."""
        with self._changed:
            if self._state is not State.RECORDING:
                return False
            self._asked += 1
            wanted = self._asked
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._served >= wanted or self._stopping, patience)

    def condition(self) -> Condition:
        """Return how it is."""
        with self._changed:
            return Condition(self._state, self._trouble, self._position)

    def errand(self, work: Callable[[Store], Iterator[int]]) -> Future[int]:
        """Have `work` done between batches, a step at a time; the sum of what it yields comes later."""
        done: Future[int] = Future()
        self._errands.put((work, done))
        with self._changed:
            self._changed.notify_all()
        return done

    # --- the thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            try:
                if self._turn():
                    continue
                wait, self._look = self._look, min(LONGEST_LOOK, self._look * 2)
            except NewerSchema as error:
                wait = self._give_up(State.NEWER, str(error), _PAUSE_NEWER)
            except (SQLAlchemyError, OSError, BadDatabase) as error:
                self._pause = min(_LONGEST_PAUSE, self._pause * 2 or _PAUSE)
                wait = self._give_up(State.WAITING, in_words(error), self._pause)
            except Exception as error:  # noqa: BLE001 - a bug here must end neither thread nor recording
                self._pause = min(_LONGEST_PAUSE, self._pause * 2 or _PAUSE)
                wait = self._give_up(State.WAITING, f"{type(error).__name__}: {error}", self._pause)
            self._rest(wait)
        if self._store is not None:
            self._store.close()

    def _turn(self) -> bool:
        """Do one step of everything; True if there is more to do now."""
        asked = self._asked
        if self._store is None:
            self._store = self._open()
        elif not self._store.is_current():
            self._log("the database was deleted or replaced; opening what is there now")
            self._close()
            return True
        batch = self._feed.read(self._position)
        if batch is not None:
            if batch.broken:
                self._log(f"{batch.broken} lines of the journal make no sense; they are left out")
            for refused in self._store.write(batch):
                self._log(refused)
            self._moved(batch.end)
            if not batch.empty:
                self._look = LOOK
        else:
            self._feed.drop_read(self._position)
        self._recovered(asked if batch is None else None)
        return self._do_errands(self._store) or batch is not None

    def _open(self) -> Store:
        self._where = ""
        place = self._place()
        self._where = f" ({place.url.render_as_string(hide_password=True)})"
        token = made_token(self._feed.folder)
        store = Store(place.url)
        try:
            if store.upgraded_from is not None:
                self._log(f"the database was brought from schema {store.upgraded_from} to {HEAD}")
            position = store.begin(token, self._host, self._feed.folder)
        except BaseException:
            store.close()
            raise
        self._moved(position)
        return store

    def _moved(self, position: Position) -> None:
        with self._changed:
            self._position = position

    def _recovered(self, served: int | None) -> None:
        """Note that all is well; `served`: up to which question the journal has been read to its end."""
        self._pause = 0.0
        with self._changed:
            if self._trouble:
                self._log("recording again")
            self._state, self._trouble = State.RECORDING, ""
            if served is not None:
                self._served = served
                self._changed.notify_all()

    def _give_up(self, state: State, trouble: str, wait: float) -> float:
        """Let go of the database for `wait` seconds."""
        self._close()
        with self._changed:
            if trouble != self._trouble:
                self._log(f"{trouble}{self._where}; it is tried again, and jobs run on")
            self._state, self._trouble = state, trouble
            self._changed.notify_all()
        return wait

    def _close(self) -> None:
        if self._errand is not None:
            self._errand[1].set_exception(RuntimeError("the database was lost"))
            self._errand = None
        if self._store is not None:
            self._store.close()
            self._store = None

    def _rest(self, wait: float) -> None:
        with self._changed:
            if self._state is State.RECORDING:
                self._changed.wait_for(self._is_wanted, wait)
            else:
                # Nobody's question may hasten it: that would be a loop without a pause.
                self._changed.wait_for(lambda: self._stopping, wait)

    def _is_wanted(self) -> bool:
        return self._stopping or self._asked != self._served or not self._errands.empty()

    # --- errands -----------------------------------------------------------------------------------------

    def _do_errands(self, store: Store) -> bool:
        """Do one step of what is asked of the writer beside recording; True if there is more."""
        if self._errand is None and time.monotonic() >= self._prune_at:
            self._prune_at = time.monotonic() + _PRUNE_EACH
            keep = self._place().keep()
            if keep != Keep():
                self._errand = (prune(store, keep), Future())
        if self._errand is None:
            try:
                work, done = self._errands.get_nowait()
            except Empty:
                return False
            self._errand = (work(store), done)
            self._sum = 0
        return self._step(*self._errand)

    _sum = 0

    def _step(self, steps: Iterator[int], done: Future[int]) -> bool:
        try:
            self._sum += next(steps)
        except StopIteration:
            done.set_result(self._sum)
            self._errand = None
            self._sum = 0
        except BaseException as error:
            done.set_exception(error)
            self._errand = None
            raise
        return True


def in_words(error: Exception) -> str:
    """Return what went wrong as one line, without the statement and its values, which are not for logs."""
    reason = getattr(error, "orig", None) or error
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    return "the database: " + " ".join(str(reason).split())[:300]
