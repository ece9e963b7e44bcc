"""Answers: from a verb and its arguments to a JSON document, on a connection of its own.

Owns what each verb of recorder.sock takes, and the words of a refusal. Called in the server's threads, any
number at a time.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as TooLong
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from crond.model.messages import Answer, Ask
from crond.recorder import instants, statistics
from crond.recorder.administration import Administration
from crond.recorder.alerts import Alerts
from crond.recorder.database import BadDatabase, has_content, open_engine
from crond.recorder.feed import Feed, token_of
from crond.recorder.migrate import NewerSchema, revision_of
from crond.recorder.queries import OUTCOMES, UNSUCCESSFUL, Filter, Queries, Refusal
from crond.recorder.schema import HEAD
from crond.recorder.writer import Place, Writer, in_words

#: Seconds that an answer waits for the history to catch up with the journal.
_CATCH_UP = 0.5
_MOST = 99999

Arguments = dict[str, str]


class Answers:
    """Answers questions about the history that `writer` writes, and about alerts."""

    def __init__(self, writer: Writer, feed: Feed, place: Callable[[], Place], alerts: Alerts) -> None:
        self._alerts = alerts
        self._writer = writer
        self._feed = feed
        self._place = place
        self._engine: tuple[URL, Engine] | None = None
        self._administration = Administration(writer, feed, place, alerts)

    def answer(self, ask: Ask, *, uid: int, everything: bool) -> Answer:
        """Return the answer to `ask` by `uid`."""
        try:
            body = self._body(ask.verb, dict(ask.arguments), uid=uid, everything=everything)
        except Refusal as refusal:
            return _refused(str(refusal), refusal.code, refusal.candidates)
        except NewerSchema as newer:
            return _refused(str(newer), "unavailable")
        except TooLong:
            return _refused("it takes too long; it goes on by itself", "unavailable")
        except sqlite3.Error as error:
            return _refused(f"the outbox of alerts cannot be read now: {error}", "unavailable")
        except (SQLAlchemyError, OSError, BadDatabase) as error:
            return _refused(f"the history cannot be read now: {in_words(error)}", "unavailable")
        body["behind"] = self._behind()
        return Answer(ok=True, final=True, body=json.dumps(body))

    def _behind(self) -> int:
        try:
            return self._feed.behind(self._writer.condition().position)
        except OSError:
            return 0

    def _body(self, verb: str, arguments: Arguments, *, uid: int, everything: bool) -> dict[str, Any]:
        if verb == "db":
            if not everything:
                raise Refusal("forbidden", "only root may ask about the database")
            return self._administration.do(arguments)
        if verb in ("alerts", "alerts-retry"):
            # These need no history.
            whose = None if everything else uid
            if verb == "alerts":
                return self._alerts.listed(arguments, uid=whose)
            return self._alerts.retry(arguments, uid=whose, now=time.time())
        answer = _VERBS.get(verb)
        if answer is None:
            raise Refusal("bad_request", f"the recorder knows no {verb!r}")
        self._writer.catch_up(_CATCH_UP)
        token = token_of(self._feed.folder)
        with self._connection() as connection:
            if (revision := revision_of(connection)) != HEAD:
                text = "has no tables yet" if revision is None else f"is being brought to schema {HEAD}"
                raise Refusal("unavailable", f"the history {text}")
            return answer(Queries(connection, token, uid, everything), arguments)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        url = self._place().url
        if url.get_backend_name() == "sqlite" and not has_content(url.database or ""):
            # SQLite would make it, or hinder the writer who does.
            raise Refusal("unavailable", "there is no history yet")
        if self._engine is None or self._engine[0] != url:
            self._engine = (url, open_engine(url, writer=False))
        with self._engine[1].connect() as connection, connection.begin():
            yield connection


def _history(queries: Queries, arguments: Arguments) -> dict[str, Any]:
    return queries.history(_filter(arguments))


def _show(queries: Queries, arguments: Arguments) -> dict[str, Any]:
    return queries.show(_required(arguments, "run"))


def _why(queries: Queries, arguments: Arguments) -> dict[str, Any]:
    return queries.why(_required(arguments, "job"), _moment(arguments, "instant"), _moment(arguments, "upto"))


def _stats(queries: Queries, arguments: Arguments) -> dict[str, Any]:
    wanted = _filter(arguments, count="30")
    if wanted.job is None:
        return statistics.of_all(queries, wanted)
    return statistics.of_job(queries, wanted.job, wanted)


def _jobs(queries: Queries, _arguments: Arguments) -> dict[str, Any]:
    return queries.known_jobs()


def _intervals(queries: Queries, arguments: Arguments) -> dict[str, Any]:
    wanted = _filter(arguments)
    return {
        "intervals": queries.overlapping(wanted.since, wanted.until, wanted.count, job=wanted.job),
        "recorded_since": queries.recorded_since(),
    }


def _pipeline(queries: Queries, arguments: Arguments) -> dict[str, Any]:
    return instants.of_jobs(queries, _names(arguments, "jobs"), _filter(arguments))


def _instants(queries: Queries, arguments: Arguments) -> dict[str, Any]:
    first, last = _moment(arguments, "from"), _moment(arguments, "to")
    if first is None or last is None:
        raise Refusal("bad_request", "from and to must be given")
    count = _count(arguments.get("count", str(_MOST)))
    return instants.of_job(queries, _required(arguments, "job"), first, last, count)


_VERBS: dict[str, Callable[[Queries, Arguments], dict[str, Any]]] = {
    "history": _history,
    "show": _show,
    "why": _why,
    "stats": _stats,
    "jobs": _jobs,
    "intervals": _intervals,
    "pipeline": _pipeline,
    "instants": _instants,
}


def _filter(arguments: Arguments, *, count: str = "20") -> Filter:
    named = tuple(word for word in arguments.get("outcome", "").split(",") if word)
    wrong = [word for word in named if word not in OUTCOMES]
    if wrong:
        raise Refusal("bad_request", f"no outcome {wrong[0]!r}; there are {', '.join(OUTCOMES)}")
    failures = UNSUCCESSFUL if arguments.get("failed") == "yes" else ()
    return Filter(
        job=arguments.get("job"),
        outcomes=tuple(dict.fromkeys((*named, *failures))),
        since=_moment(arguments, "since"),
        until=_moment(arguments, "until"),
        slowest=arguments.get("slowest") == "yes",
        count=_count(arguments.get("count", count)),
    )


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= _MOST):
        raise Refusal("bad_request", f"count must be a number from 1 to {_MOST}, not {text!r}")
    return int(text)


def _moment(arguments: Arguments, name: str) -> int | None:
    """Return an argument in epoch seconds as microseconds."""
    text = arguments.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not -1e11 < value < 1e11:  # NaN compares false
        raise Refusal("bad_request", f"{name} must be a moment in epoch seconds, not {text[:40]!r}")
    return round(value * 1_000_000)


def _required(arguments: Arguments, name: str) -> str:
    if not arguments.get(name):
        raise Refusal("bad_request", f"{name} is missing")
    return arguments[name]


def _names(arguments: Arguments, name: str) -> list[str]:
    """Return the texts in the JSON lists that are arguments `name`, `name`1 ...: one cannot hold many."""
    _required(arguments, name)
    names: dict[str, None] = {}
    for key, text in arguments.items():
        if not key.startswith(name):
            continue
        try:
            some = json.loads(text)
        except (ValueError, RecursionError):
            some = None
        if not isinstance(some, list) or not all(isinstance(one, str) for one in some):
            raise Refusal("bad_request", f"{key} must be a list of texts")
        names.update(dict.fromkeys(some))
    return list(names)


def _refused(text: str, code: str, candidates: list[str] | None = None) -> Answer:
    body: dict[str, Any] = {"error": text, "code": code}
    if candidates:
        body["candidates"] = candidates
    return Answer(ok=False, final=True, body=json.dumps(body))
