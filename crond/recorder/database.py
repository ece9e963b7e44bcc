"""Databases: from a URL to connections that write safely, on SQLite, PostgreSQL and MariaDB.

Owns what differs between them in connecting: drivers, time-outs, the pragmas and the transactions of
SQLite. Knows nothing of what is stored. Called by the recorder's threads, and by tests.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

#: Seconds that SQLite waits for somebody else's lock before it says so.
BUSY = 5.0
#: Seconds for a server to answer a connection, and then a statement.
CONNECT, ANSWER = 5, 120

#: A URL without a driver means ours; SQLAlchemy would look for another.
_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_EXTRAS = {"postgresql": "postgresql", "mysql": "mariadb", "mariadb": "mariadb"}


class BadDatabase(ValueError):
    """A URL that cannot be used; the text says why and what would."""


def database_url(text: str | None, folder: str) -> URL:
    """Return the URL that settings give in `text`, or that of history.db in `folder`. Raises BadDatabase."""
    if not text:
        return URL.create("sqlite", database=os.path.join(folder, "history.db"))
    try:
        url = make_url(text)
    except ArgumentError:
        raise BadDatabase("[history] url: not a database URL") from None
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() not in ("sqlite", "postgresql", "mysql", "mariadb"):
        raise BadDatabase(
            f"[history] url: {url.drivername}: only sqlite, postgresql, mysql and mariadb are known"
        )
    if url.get_backend_name() == "sqlite" and not (url.database or "").startswith("/"):
        raise BadDatabase("[history] url: the file of SQLite must be an absolute path: sqlite:////var/...")
    return url


def open_engine(url: URL, *, writer: bool) -> Engine:
    """Return an engine for `url`; nothing is connected yet. Raises BadDatabase.

    `writer`: each transaction of SQLite begins by taking the one lock for writing, so that none fails
    halfway because another came first.
    """
    backend = url.get_backend_name()
    try:
        if backend == "sqlite":
            engine = create_engine(
                url, poolclass=NullPool, connect_args={"timeout": BUSY, "check_same_thread": False}
            )
            _prepare_sqlite(engine, writer=writer)
        else:
            # One connection that stays; it is tested before use, since servers drop those that idle.
            engine = create_engine(
                url, pool_size=1, max_overflow=3, pool_pre_ping=True, connect_args=_limits(backend)
            )
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        extra = _EXTRAS.get(backend, backend)
        raise BadDatabase(f"{backend}: no driver ({error}); pip install 'crontabx[{extra}]'") from None
    return engine


def has_content(path: str) -> bool:
    """True if SQLite's file at `path` is more than just made."""
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False


def _limits(backend: str) -> dict[str, Any]:
    if backend == "postgresql":
        return {"connect_timeout": CONNECT, "keepalives_idle": 30, "tcp_user_timeout": ANSWER * 1000}
    return {"connect_timeout": CONNECT, "read_timeout": ANSWER, "write_timeout": ANSWER, "charset": "utf8mb4"}


def _prepare_sqlite(engine: Engine, *, writer: bool) -> None:
    begin = "BEGIN IMMEDIATE" if writer else "BEGIN"

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we begin transactions ourselves, below
        # FULL in a WAL costs a sync per batch; without it a power cut may take the last ones back, and
        # the journal of which they came is still there.
        for pragma in ("synchronous = NORMAL", "foreign_keys = ON", "cache_size = -16000"):
            connection.execute(f"PRAGMA {pragma}")
        if writer:
            connection.execute("PRAGMA journal_mode = WAL")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)
