"""The schema on three databases: made, brought here from an older one, and left alone where it is newer."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, insert, text
from sqlalchemy.engine import URL

from crond.recorder import migrate
from crond.recorder.database import open_engine
from crond.recorder.feed import Position
from crond.recorder.migrate import NewerSchema, revision_of
from crond.recorder.schema import HEAD, VERSION_TABLE, feeds, jobs, metadata, parents
from crond.recorder.store import Store
from tests.contract.histories import ANN, TOKEN, asked, ids, micro
from tests.recorder.journal import NOON, batch, run


def test_migrations_make_the_tables_that_the_program_means(store: Store) -> None:
    """What the migrations leave differs in nothing from the schema, and is known by its revision."""
    with store.transaction() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
        assert revision_of(connection) == HEAD


def test_a_migration_that_was_cut_short_is_finished(url: URL) -> None:
    """MariaDB keeps the tables of a transaction that never ended: the next try makes what is missing."""
    engine = open_engine(url, writer=True)
    with engine.connect() as connection, connection.begin():
        feeds.create(connection)
        jobs.create(connection)
    engine.dispose()
    again = Store(url)
    again.begin(TOKEN, "host", "/journal")
    again.write(batch(run(1)))
    assert ids(again) == [1]
    again.close()


def fill_first_schema(url: URL) -> None:
    """Make schema 0001 with a run, its attempt and two intervals in it."""
    engine = open_engine(url, writer=True)
    with engine.connect() as connection, connection.begin():
        migrate._run(connection, "0001")
        old = MetaData()
        old.reflect(connection)

        def put(table: str, **row: Any) -> None:
            connection.execute(insert(old.tables[_named(old, table)]).values(**row))

        put("feeds", id=1, token=TOKEN, host="host", folder="/journal", segment=1, position=77)
        put("jobs", id=1, feed=1, job="ann/backup", name="backup", uid=ANN)
        record = batch(run(1)).runs[f"{1:014x}"]
        given = {column.name for column in old.tables[_named(old, "runs")].columns}
        row = {name: value for name, value in record.row.items() if name in given}
        put("runs", feed=1, job=1, **row)
        tried = {name: value for name, value in record.attempts[0].items() if name != "outcome"}
        put("attempts", feed=1, run=record.row["id"], **tried)
        for began, kind in ((NOON, "outage"), (NOON + 500, "suspend")):
            put("intervals", feed=1, kind=kind, began=micro(began), ended=micro(began + 60), reason="was so")
    engine.dispose()


def _named(held: MetaData, table: str) -> str:
    return next(name for name in held.tables if name.rpartition(".")[2] == table)


def test_an_older_database_is_brought_here_with_all_that_is_in_it(url: URL) -> None:
    """What schema 0001 held is told as before, and what it could not hold can be written."""
    fill_first_schema(url)
    upgraded = Store(url)
    assert upgraded.upgraded_from == "0001"
    assert upgraded.begin(TOKEN, "host", "/journal") == Position(1, 77)
    shown = asked(upgraded, lambda queries: queries.show(f"{1:014x}"))["run"]
    assert (shown["outcome"], shown["attempts"], shown["exit_code"], shown["waits"]) == (
        "success",
        1,
        0,
        None,
    )
    assert (shown["parents"], shown["data"], shown["environment"], shown["spent"]) == ([], {}, {}, 0)
    upgraded.write(
        batch(
            run(1, parents=[["ann/a", "", "skipped", None, "gone"]], pool="ann/gpu"),
            ["interval", "outage", NOON, NOON + 60, "was so"],
            ["interval", "pause", NOON, NOON + 60, "by ann", "ann/backup"],
        )
    )
    told = asked(upgraded, lambda queries: queries.overlapping(None, None, job="ann/backup"))
    assert {(one["kind"], one["job"]) for one in told} == {
        ("suspend", None), ("outage", None), ("pause", "ann/backup"),
    }  # fmt: skip
    with upgraded.transaction() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    upgraded.close()


def test_an_upgrade_that_was_cut_short_is_finished(url: URL) -> None:
    """MariaDB keeps the columns and tables of the try before: the next one makes the rest."""
    fill_first_schema(url)
    engine = open_engine(url, writer=True)
    with engine.connect() as connection, connection.begin():
        connection.execute(text("ALTER TABLE runs ADD COLUMN waits VARCHAR(32)"))
        parents.create(connection)
    engine.dispose()
    again = Store(url)
    again.begin(TOKEN, "host", "/journal")
    again.write(batch(run(2, waits="pool", pool="ann/gpu")))
    assert ids(again) == [2, 1]
    again.close()


def test_a_newer_schema_is_left_alone(url: URL, store: Store) -> None:
    """A database that a newer program made is not written, not even its version."""
    with store.transaction() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(NewerSchema, match="9999"):
        Store(url)
    with store.transaction() as connection:
        assert connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) == "9999"
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{HEAD}'"))
