"""The verbs about alerts: what waits, what was told, what could not be, and another try of it.

Reads the outbox by itself, so that it answers also while the history's database is down. A user sees what
belongs to their uid. Called in the server's threads, any number at a time.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from crond.recorder import views
from crond.recorder.outbox import connected, transaction
from crond.recorder.queries import Refusal

STATES = ("pending", "sending", "sent", "failed", "muted")
_MOST = 99999
_MOST_IDS = 1000

#: A message, or what is in none yet.
_LIST = """
SELECT d.id, d.at, d.event, d.job, d.run, d.label, d.state, d.tries, d.next, d.error, d.ended, d.title,
    CASE WHEN d.head IS NULL THEN 1 ELSE (SELECT COUNT(*) FROM deliveries m WHERE m.head = d.id) END, d.uid
FROM deliveries d
WHERE (d.head IS NULL OR d.head = d.id) AND (:uid IS NULL OR d.uid = :uid)
    AND d.state IN (SELECT value FROM json_each(:states))
    AND (:job IS NULL OR EXISTS (
        SELECT 1 FROM deliveries m WHERE (m.id = d.id OR m.head = d.id)
            AND (m.job = :job OR substr(m.job, instr(m.job, '/') + 1) = :job)))
ORDER BY d.id DESC LIMIT :count
"""
#: Without ids, old pings are left alone: what they said is no longer so.
_CHOSEN = """
SELECT id, head FROM deliveries
WHERE (head IS NULL OR head = id) AND (:uid IS NULL OR uid = :uid) AND state IN ('failed', 'pending')
    AND CASE WHEN :ids IS NULL THEN state = 'pending' OR NOT ping
        ELSE id IN (SELECT value FROM json_each(:ids)) END
"""
_RETRY = """
UPDATE deliveries SET state = 'pending', kept = :now, first = NULL, again = 0, unsure = 0, result = '',
    error = '', ended = NULL, next = CASE WHEN head IS NULL THEN NULL ELSE :now END
WHERE id = :id
"""
#: How many messages are in each state.
_COUNTED = """
SELECT state, COUNT(*) FROM deliveries
WHERE (head IS NULL OR head = id) AND (:uid IS NULL OR uid = :uid) GROUP BY state
"""
_COUNTS = """
SELECT SUM(state IN ('pending', 'sending')), SUM(state = 'failed'),
    MIN(CASE WHEN state IN ('pending', 'sending') THEN at END)
FROM deliveries WHERE head IS NULL OR head = id
"""


class Alerts:
    """Answers about the outbox at `path`; `wake` has it looked at."""

    def __init__(self, path: str, wake: Callable[[], None]) -> None:
        self._path = path
        self._wake = wake

    def listed(self, arguments: dict[str, str], *, uid: int | None) -> dict[str, Any]:
        """Return messages, the newest first, of `uid`, None: of all. Raises Refusal, sqlite3.Error."""
        states = [word for word in arguments.get("state", "").split(",") if word] or list(STATES)
        wrong = [word for word in states if word not in STATES]
        if wrong:
            raise Refusal("bad_request", f"no state {wrong[0][:40]!r}; there are {', '.join(STATES)}")
        count = _number(arguments.get("count", "20"), "count", _MOST)
        wanted = {"uid": uid, "states": json.dumps(states), "job": arguments.get("job"), "count": count + 1}
        with self._connection() as connection:
            rows = connection.execute(_LIST, wanted).fetchall()
            counts = dict(connection.execute(_COUNTED, {"uid": uid}).fetchall())
        return {"alerts": [_shown(row) for row in rows[:count]], "counts": counts, "more": len(rows) > count}

    def retry(self, arguments: dict[str, str], *, uid: int | None, now: float) -> dict[str, Any]:
        """Make failed and waiting messages due now: those with the `ids`, or all; return how many.

        Raises Refusal, sqlite3.Error.
        """
        ids = [_number(word, "an id", 2**62) for word in arguments.get("ids", "").split(",") if word]
        if len(ids) > _MOST_IDS:
            raise Refusal("bad_request", f"at most {_MOST_IDS} ids at a time")
        chosen = {"uid": uid, "ids": json.dumps(ids) if ids else None}
        with self._connection() as connection, transaction(connection):
            rows = connection.execute(_CHOSEN, chosen).fetchall()
            for number, head in rows:
                if head is not None:
                    others = "UPDATE deliveries SET state = 'pending', ended = NULL WHERE head = ?"
                    connection.execute(others, (number,))
                connection.execute(_RETRY, {"id": number, "now": now})
        missing = sorted(set(ids) - {number for number, _ in rows})
        if ids and not rows:
            raise Refusal("unknown", f"no alert {missing[0]} that failed or waits")
        self._wake()
        return {"retried": len(rows), "missing": missing}

    def status(self) -> dict[str, Any]:
        """Return how many wait and failed, for `db status`. Raises Refusal, sqlite3.Error."""
        with self._connection() as connection:
            pending, failed, oldest = connection.execute(_COUNTS).fetchone()
        return {"pending": pending or 0, "failed": failed or 0, "oldest_pending": _moment(oldest)}

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        # SQLite would make it, and the delivery looks for what it made itself.
        if not os.path.exists(self._path):
            raise _none_yet()
        with closing(connected(self._path)) as connection:
            if connection.execute("PRAGMA user_version").fetchone() == (0,):
                raise _none_yet()  # it is being made
            yield connection


def _none_yet() -> Refusal:
    return Refusal("unavailable", "there is no outbox of alerts yet")


def _shown(row: tuple[Any, ...]) -> dict[str, Any]:
    number, at, event, job, run, label, state, tries, later, error, ended, title, flips, uid = row
    return {
        "id": number,
        "at": _moment(at),
        "event": event,
        "job": job or None,
        "run": run or None,
        "uid": uid,
        "target": label,
        "state": state,
        "tries": tries,
        "next_try": _moment(later) if state == "pending" else None,
        "error": error,
        "sent_at": _moment(ended) if state == "sent" else None,
        "title": title,
        "flips": flips,
    }


def _moment(at: float | None) -> str | None:
    return None if at is None else views.iso(round(at * 1_000_000))


def _number(text: str, name: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and 1 <= int(text) <= most):
        raise Refusal("bad_request", f"{name} must be a number from 1 to {most}, not {text[:40]!r}")
    return int(text)
