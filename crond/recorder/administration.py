"""The database's own verbs: how it is, whether it is whole, and its upgrade, copy and pruning.

For root and the daemon's account only; the caller has made sure of that. Called in the server's threads.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from crond.recorder import views
from crond.recorder.alerts import Alerts
from crond.recorder.database import open_engine
from crond.recorder.feed import Feed, token_of
from crond.recorder.migrate import NewerSchema, revision_of
from crond.recorder.prune import prunable, prune
from crond.recorder.queries import Queries, Refusal
from crond.recorder.schema import HEAD, metadata, runs
from crond.recorder.store import Store
from crond.recorder.writer import Place, State, Writer, in_words

#: Seconds that a client waits for an upgrade or a pruning, which go on without it.
_PATIENCE = 600.0
_SIZES = {
    "postgresql": "SELECT pg_database_size(current_database())",
    "mysql": "SELECT SUM(data_length + index_length) FROM information_schema.tables"
    " WHERE table_schema = DATABASE()",
}
_SIZES["mariadb"] = _SIZES["mysql"]


class Administration:
    """Does what `crontabx db` asks."""

    def __init__(self, writer: Writer, feed: Feed, place: Callable[[], Place], alerts: Alerts) -> None:
        self._alerts = alerts
        self._writer = writer
        self._feed = feed
        self._place = place
        self._actions: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {
            "status": self._status,
            "check": self._check,
            "upgrade": self._upgrade,
            "backup": self._backup,
            "prune": self._prune,
        }

    def do(self, arguments: dict[str, str]) -> dict[str, Any]:
        """Do `arguments["action"]`. Raises Refusal, SQLAlchemyError, NewerSchema, TimeoutError."""
        action = self._actions.get(arguments.get("action", "status"))
        if action is None:
            raise Refusal("bad_request", f"db: there are {', '.join(self._actions)}")
        return action(arguments)

    def _status(self, _arguments: dict[str, str]) -> dict[str, Any]:
        url = self._place().url
        condition = self._writer.condition()
        shown: dict[str, Any] = {
            "database": url.render_as_string(hide_password=True),
            "backend": url.get_backend_name(),
            "revision": None,
            "head": HEAD,
            "state": condition.state.value,
            "trouble": condition.trouble,
            "segment": condition.position.segment,
            "offset": condition.position.offset,
            "runs": None,
            "size": None,
            "outbox": self._outbox(),
        }
        try:
            with self._reading() as engine, engine.connect() as connection:
                shown["revision"] = revision_of(connection)
                if shown["revision"] is not None:
                    feed = Queries(connection, token_of(self._feed.folder), 0, everything=True).feed
                    counted = select(func.count()).select_from(runs).where(runs.c.feed == feed)
                    shown["runs"] = connection.scalar(counted)
                shown["size"] = _size(url.database, engine, connection.scalar)
        except (SQLAlchemyError, NewerSchema, Refusal) as error:
            shown["trouble"] = shown["trouble"] or _words(error)
        if condition.state is State.WAITING and not shown["trouble"]:
            # Until the database's first answer, which may take long, the writer has nothing to tell.
            shown["trouble"] = "the database is being opened; is it locked by another program?"
        return shown

    def _outbox(self) -> dict[str, Any] | None:
        try:
            return self._alerts.status()
        except (sqlite3.Error, Refusal):
            return None  # the log says why

    def _check(self, _arguments: dict[str, str]) -> dict[str, Any]:
        """Look for damage, and for tables that are not as they should be."""
        from alembic.autogenerate import compare_metadata
        from alembic.runtime.migration import MigrationContext

        from crond.recorder.schema import VERSION_TABLE

        problems = []
        with self._reading() as engine, engine.connect() as connection:
            revision = revision_of(connection)
            if revision != HEAD:
                problems.append(f"the schema is {revision or 'missing'}, not {HEAD}; crontabx db upgrade")
            if engine.dialect.name == "sqlite":
                found = connection.scalars(text("PRAGMA integrity_check(20)")).all()
                problems += [str(line) for line in found if line != "ok"]
                orphans = connection.execute(text("PRAGMA foreign_key_check")).fetchmany(20)
                problems += [f"a row of {row[0]} belongs to no row of {row[2]}" for row in orphans]
            elif engine.dialect.name in ("mysql", "mariadb"):
                names = ", ".join(table.name for table in metadata.sorted_tables)
                for row in connection.execute(text(f"CHECK TABLE {names}")):
                    if row.Msg_type != "status":
                        problems.append(f"{row.Table}: {row.Msg_text}")
            context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
            for difference in compare_metadata(context, metadata):
                kind = difference[0] if isinstance(difference, tuple) else difference[0][0]
                problems.append(f"the tables differ from schema {HEAD}: {kind}")
        condition = self._writer.condition()
        if condition.trouble:
            problems.append(condition.trouble)
        return {"ok": not problems, "problems": problems}

    def _upgrade(self, _arguments: dict[str, str]) -> dict[str, Any]:
        with self._reading() as engine, engine.connect() as connection:
            before = revision_of(connection)

        def nothing(_store: Store) -> Iterator[int]:
            # Whoever has a store has upgraded it.
            yield 0

        self._writer.errand(nothing).result(_PATIENCE)
        return {"revision": HEAD, "upgraded": before != HEAD}

    def _backup(self, _arguments: dict[str, str]) -> dict[str, Any]:
        """Copy SQLite's file while it is written to: a page at a time, and whole at the end."""
        url = self._place().url
        if url.get_backend_name() != "sqlite" or url.database is None:
            raise Refusal(
                "bad_request", "a server's database is copied by its own means: pg_dump, mariadb-dump"
            )
        if not os.path.exists(url.database):
            raise Refusal("unavailable", "there is no history yet")
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        path = f"{url.database}.{stamp}.backup"
        fresh = path + ".new"
        with closing(sqlite3.connect(url.database)) as source, closing(sqlite3.connect(fresh)) as copy:
            source.backup(copy)
        os.rename(fresh, path)
        return {"path": path, "size": os.stat(path).st_size}

    def _prune(self, arguments: dict[str, str]) -> dict[str, Any]:
        place = self._place()
        days, count = arguments.get("keep_days"), arguments.get("keep_runs")
        try:
            keep = Place(
                url=place.url,
                keep_days=place.keep_days if days is None else float(days),
                keep_runs=place.keep_runs if count is None else int(count),
            ).keep()
        except (ValueError, OverflowError):
            raise Refusal("bad_request", "keep_days and keep_runs are numbers") from None
        if keep.count is not None and keep.count < 1:
            raise Refusal("bad_request", "keep_runs must be 1 at least")
        dry = arguments.get("dry_run") == "yes"
        with self._reading() as engine, engine.connect() as connection:
            feed = Queries(connection, token_of(self._feed.folder), 0, everything=True).feed
            taken = prunable(connection, feed, keep)
        if not dry:
            taken = self._writer.errand(lambda store: prune(store, keep)).result(_PATIENCE)
        with self._reading() as engine, engine.connect() as connection:
            oldest = connection.scalar(select(func.min(runs.c.began)).where(runs.c.feed == feed))
        kept = oldest if keep.since is None or oldest is None else max(oldest, keep.since)
        return {"runs": taken, "dry_run": dry, "oldest_kept": views.iso(kept)}

    @contextmanager
    def _reading(self) -> Iterator[Engine]:
        url = self._place().url
        if url.get_backend_name() == "sqlite" and not os.path.exists(url.database or ""):
            # SQLite would make it, empty.
            raise Refusal("unavailable", "there is no history yet")
        engine = open_engine(url, writer=False)
        try:
            yield engine
        finally:
            engine.dispose()


def _size(file: str | None, engine: Engine, scalar: Callable[[Any], Any]) -> int | None:
    """Return how many bytes the database takes."""
    if engine.dialect.name == "sqlite":
        return sum(os.stat(path).st_size for path in (f"{file}", f"{file}-wal") if os.path.exists(path))
    found = scalar(text(_SIZES[engine.dialect.name]))
    return None if found is None else int(found)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, (NewerSchema, Refusal)) else in_words(error)
