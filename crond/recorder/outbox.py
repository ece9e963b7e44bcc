"""The outbox: what is to be told to whom, and what became of it, in a local file of its own.

Owns that file and what comes into it and leaves it: every step is one transaction. It needs neither the
history's database nor a clock: `now` is handed in, epoch seconds. What is sent when is
`crond.recorder.tries`'. Called by the delivery's thread.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from crond.alerts.wording import title_of
from crond.model.alert import Addressee, Flip
from crond.recorder.feed import Position

#: The version of the file's tables.
SCHEMA = 1
#: Seconds that another of our connections may keep the file.
_BUSY = 5.0
#: Older than this when the outbox began, news is no news.
TOO_OLD = 3600.0
#: What is over stays for so many seconds, and so many rows.
KEPT, KEPT_ROWS = 30 * 86400.0, 100_000
#: Pieces of news that may wait for one target, and for all those of one user.
MOST_WAITING, MOST_OF_USER = 10_000, 50_000
#: After so many new rows it is looked at how many there are.
_GROWN = 25_000

#: A row of `deliveries` is a flip for one target. `head` is the row that stands for the message that it is
#: in: the oldest of them; what is said of a message stands there. `mark` tells our tries from those of a
#: file that was here before. What is open has no `ended`: who looks for it says so, or SQLite would look
#: through all that is over, at each turn.
_TABLES = """
CREATE TABLE place (
    one INTEGER PRIMARY KEY CHECK (one = 1), token TEXT NOT NULL, born REAL NOT NULL, mark TEXT NOT NULL,
    segment INTEGER NOT NULL, offset INTEGER NOT NULL
);
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    flip_id TEXT NOT NULL, target TEXT NOT NULL, label TEXT NOT NULL, channel TEXT NOT NULL,
    uid INTEGER NOT NULL, event TEXT NOT NULL, ping INTEGER NOT NULL, job TEXT NOT NULL, run TEXT NOT NULL,
    at REAL NOT NULL, kept REAL NOT NULL, cooldown REAL NOT NULL, pipeline TEXT NOT NULL, instant REAL,
    flip TEXT NOT NULL, state TEXT NOT NULL, title TEXT NOT NULL, error TEXT NOT NULL, ended REAL,
    head INTEGER, made REAL, message TEXT, attempt TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0, again INTEGER NOT NULL DEFAULT 0, unsure INTEGER NOT NULL DEFAULT 0,
    result TEXT NOT NULL DEFAULT '', first REAL, next REAL, done TEXT NOT NULL DEFAULT '[]',
    UNIQUE (flip_id, target)
);
CREATE INDEX open_deliveries ON deliveries (state, head, uid) WHERE ended IS NULL;
CREATE INDEX deliveries_by_head ON deliveries (head);
CREATE INDEX deliveries_by_job ON deliveries (channel, job, made);
CREATE INDEX deliveries_by_end ON deliveries (ended);
"""
_KEEP = """
INSERT OR IGNORE INTO deliveries (flip_id, target, label, channel, uid, event, ping, job, run, at, kept,
    cooldown, pipeline, instant, flip, state, title, error, ended)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
#: With a plus sign SQLite does not take the index of the channel, which has all that was ever told there.
_WAIT = "ended IS NULL AND +{} = ? AND state = 'pending' AND head IS NULL"
_WAITING = f"SELECT COUNT(*), MIN(label) FROM deliveries WHERE {_WAIT}"  # noqa: S608 - of our own columns
_DROP = f"""
UPDATE deliveries SET state = 'failed', error = 'too many', ended = ? WHERE id IN (
    SELECT id FROM deliveries WHERE {_WAIT} ORDER BY id LIMIT ?)
"""  # noqa: S608 - as above
_PRUNE = "DELETE FROM deliveries WHERE ended < ? AND state IN ('sent', 'failed', 'muted')"
#: Of those who have most, so that nobody's news takes away what became of others'.
_PRUNE_MOST = """
DELETE FROM deliveries WHERE id IN (
    SELECT id FROM (
        SELECT id, ended, ROW_NUMBER() OVER (PARTITION BY uid ORDER BY ended DESC, id DESC) AS rank
        FROM deliveries WHERE state IN ('sent', 'failed', 'muted'))
    ORDER BY rank DESC, ended, id LIMIT ?)
"""


class BadOutbox(ValueError):
    """A file that is no outbox of ours; the text says why."""


class Outbox:
    """The file at `path`, of the journal with `token`. Raises sqlite3.Error, OSError and BadOutbox."""

    def __init__(self, path: str, token: str, *, host: str, now: float) -> None:
        self._path = path
        self.host = host
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.fchmod(fd, 0o600)
            self._inode = os.fstat(fd).st_ino
        finally:
            os.close(fd)
        self._connection = connected(path)
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            with self.transaction():
                self._begin(token, now)
            self.mark, *place = self.one("SELECT mark, segment, offset FROM place")
        except BaseException:
            self._connection.close()
            raise
        self.position = Position(*place)
        self._grown = 0

    def _begin(self, token: str, now: float) -> None:
        (version,) = self.one("PRAGMA user_version")
        if version == 0:
            for statement in _TABLES.split(";"):
                self.do(statement)
            self.do(f"PRAGMA user_version = {SCHEMA}")
            values = (token, now, os.urandom(3).hex())
            self.do("INSERT INTO place VALUES (1, ?, ?, ?, 0, 0)", *values)
        elif version != SCHEMA:
            raise BadOutbox(f"its tables are of version {version}, and this program knows {SCHEMA}")
        begun = "UPDATE place SET token = ?, born = ?, segment = 0, offset = 0 WHERE token != ?"
        self.do(begun, token, now, token)

    def close(self) -> None:
        self._connection.close()

    @property
    def has_grown(self) -> bool:
        """True if so much came that it should be pruned before its time."""
        return self._grown >= _GROWN

    def is_current(self) -> bool:
        """True if the file still lies where others look for it."""
        try:
            return os.stat(self._path).st_ino == self._inode
        except OSError:
            return False

    # --- what comes and goes -----------------------------------------------------------------------------

    def take(self, flips: Sequence[Flip], end: Position, now: float) -> list[str]:
        """Keep `flips`, which the journal has before `end`; return what is worth a line in the log."""
        with self.transaction():
            (born,) = self.one("SELECT born FROM place")
            channels = set()
            for flip in flips:
                # A clock that was set back dates what is new before the beginning.
                old = flip.at < max(min(born, now) - TOO_OLD, now - KEPT)
                channels |= self.keep(flip, now, error="too old to be told" if old else "")
            self.do("UPDATE place SET segment = ?, offset = ?", *end)
            said = [self._drop_most("channel", channel, MOST_WAITING, now) for channel in sorted(channels)]
            said += [self._drop_most("uid", uid, MOST_OF_USER, now) for uid in {flip.uid for flip in flips}]
        self.position = end
        self._grown += sum(len(flip.addressees) for flip in flips)
        return list(filter(None, said))

    def keep(self, flip: Flip, now: float, *, error: str = "") -> set[str]:
        """Keep `flip` for each of its targets, inside a transaction; what is kept already stays as it is.

        Return the channels for which it waits.
        """
        state = "muted" if flip.muted else "failed" if error else "pending"
        ended = None if state == "pending" else now
        # Without its addressees: to be told to hundreds, each of whose rows named all, it took megabytes.
        body = json.dumps(replace(flip, addressees=()).values(), separators=(",", ":"))
        title = title_of(flip, self.host)
        channels = set()
        for one in flip.addressees:
            channel = _channel(flip, one)
            channels.add(channel)
            about = (flip.uid, flip.event.value, flip.event.is_ping, flip.job, flip.run, flip.at, now)
            kin = (flip.cooldown, flip.pipeline, flip.instant)
            self.do(_KEEP, flip.id, *one, channel, *about, *kin, body, state, title, error, ended)
        return channels if state == "pending" else set()

    def _drop_most(self, column: str, value: object, most: int, now: float) -> str:
        """Let no more wait for one target, or of one user, than anybody would read."""
        count, label = self.one(_WAITING.format(column), value)
        if count <= most:
            return ""
        self.do(_DROP.format(column), now, value, count - most)
        whose = f"alerts to {label}" if column == "channel" else f"alerts of uid {value}"
        return f"{whose}: too many wait; the {count - most} oldest are not sent"

    def prune(self, now: float) -> None:
        """Remove what has been over for long, and the oldest of what is too much."""
        self._grown = 0
        with self.transaction():
            self.do(_PRUNE, now - KEPT)
            (count,) = self.one("SELECT COUNT(*) FROM deliveries WHERE state IN ('sent', 'failed', 'muted')")
            if count > KEPT_ROWS:
                self.do(_PRUNE_MOST, count - KEPT_ROWS)

    # --- the file ----------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is done inside."""
        with transaction(self._connection):
            yield

    def do(self, statement: str, *values: Any) -> None:
        self._connection.execute(statement, values)

    def one(self, statement: str, *values: Any) -> tuple[Any, ...]:
        """Return the one row that `statement` finds."""
        row: tuple[Any, ...] = self._connection.execute(statement, values).fetchone()
        return row

    def all(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows that `statement` finds."""
        return self._connection.execute(statement, values).fetchall()


def connected(path: str) -> sqlite3.Connection:
    """Return a connection to the outbox at `path`, which exists; transactions begin where we say so."""
    connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
    # In a WAL, NORMAL may take the last commits back after a power cut: then what was sent would be again.
    connection.execute("PRAGMA synchronous = FULL")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing of what is done to `connection` inside."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.commit()
    except BaseException:
        with suppress(sqlite3.Error):
            connection.rollback()
        raise


def _channel(flip: Flip, one: Addressee) -> str:
    """Return what stands for the target as this owner's crontab names it."""
    key = json.dumps([flip.uid, flip.origin, one.digest]).encode("ascii")
    return hashlib.blake2s(key, digest_size=8).hexdigest()
