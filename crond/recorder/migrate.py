"""Migrations: which revision of the schema a database has, and bringing it to ours.

Each is run under a lock, since several recorders may share a database, and can be repeated where it was
cut short. A database of a later program is left alone. Alembic is loaded only if there is something to
migrate.
"""

from __future__ import annotations

import os

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    column,
    inspect,
    select,
    table,
    text,
)

from crond.recorder.schema import HEAD, REVISIONS, VERSION_TABLE, metadata

#: What recorders agree on to lock: any number, any word.
_LOCK_NUMBER, _LOCK_NAME, _LOCK_WAIT = 7_230_517, "crontabx migration", 60


class NewerSchema(Exception):
    """The database belongs to a later crontabx; the text says so."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"the database has schema {revision}, which a newer crontabx made; this one knows up to {HEAD}"
            " and leaves it alone"
        )


def revision_of(connection: Connection) -> str | None:
    """Return the revision of the schema that is there, None if there is none. Raises NewerSchema."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.scalar(select(column("version_num")).select_from(table(VERSION_TABLE)))
    if found is not None and found not in REVISIONS:
        raise NewerSchema(str(found))
    return found


def upgrade(connection: Connection) -> str | None:
    """Bring the schema to HEAD in the connection's transaction; return what it was. Raises NewerSchema."""
    if revision_of(connection) == HEAD:
        return HEAD
    _lock(connection)
    try:
        # Again: another recorder may have done it while we waited for the lock.
        if (before := revision_of(connection)) != HEAD:
            if before is None and connection.dialect.name == "sqlite":
                _make(connection)
            else:
                _run(connection, HEAD)
        return before
    finally:
        _unlock(connection)


def _make(connection: Connection) -> None:
    """Make the newest schema from nothing, without Alembic, which would stay in memory for good.

    Only where all of it is made or nothing: MariaDB may keep a table without its indices.
    """
    metadata.create_all(connection)
    version = Table(
        VERSION_TABLE,
        MetaData(),
        Column("version_num", String(32), nullable=False),
        PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
    )
    version.create(connection)
    connection.execute(version.insert().values(version_num=HEAD))


def _run(connection: Connection, revision: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", os.path.join(os.path.dirname(__file__), "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER})
    elif connection.dialect.name in ("mysql", "mariadb"):
        held = connection.scalar(
            text("SELECT GET_LOCK(:name, :wait)"), {"name": _LOCK_NAME, "wait": _LOCK_WAIT}
        )
        if held != 1:
            raise TimeoutError("another recorder is migrating the database")


def _unlock(connection: Connection) -> None:
    # Those of PostgreSQL and SQLite end with the transaction.
    if connection.dialect.name in ("mysql", "mariadb"):
        connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": _LOCK_NAME})
