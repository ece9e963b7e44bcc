"""The store: writes batches of the feed, each in one transaction with the position after it.

So nothing is missing and nothing is there twice, wherever the recorder dies. Holds the one connection that
writes. Knows no journal and no clients; called by the writer's thread alone.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Executable, Table, bindparam, delete, insert, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, IntegrityError, StatementError

from crond.recorder.database import open_engine
from crond.recorder.feed import Batch, Position
from crond.recorder.migrate import upgrade
from crond.recorder.records import CrontabRecord, IntervalRecord, Row, RunRecord
from crond.recorder.schema import (
    HEAD,
    attempts,
    crontabs,
    feeds,
    intervals,
    jobs,
    parents,
    runs,
    variables,
)

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

#: What a database calls wrong data, and will again; the rest may be better later.
_WRONG_DATA = (DataError, IntegrityError)
#: Rows that are named in one statement.
_TOGETHER = 500
_LOST = "the scheduler's journal is gone; how the run ended is unknown"


class Store:
    """The database at `url`, open for writing. Raises SQLAlchemyError, NewerSchema, BadDatabase, OSError."""

    def __init__(self, url: URL) -> None:
        self._engine = open_engine(url, writer=True)
        self._file = url.database if url.get_backend_name() == "sqlite" else None
        if self._file is not None:
            _require_no_leftover(self._file)
        self._connection = self._engine.connect()
        self._feed = 0
        self._jobs: dict[str, tuple[int, int | None]] = {}
        self.upgraded_from: str | None = None
        try:
            with self._connection.begin():
                before = upgrade(self._connection)
            self.upgraded_from = None if before == HEAD else before
            self._inode = self._inode_now()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        with suppress(Exception):  # it may be broken, which is why it is closed
            self._connection.close()
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Return the connection inside a transaction that is kept if the block ends well."""
        with self._connection.begin():
            yield self._connection

    # --- the feed ----------------------------------------------------------------------------------------

    @property
    def feed(self) -> int:
        """The number of the feed that is written."""
        return self._feed

    def begin(self, token: str, host: str, folder: str) -> Position:
        """Write for the feed `token` from now on; return its position."""
        with self.transaction() as connection:
            known = connection.execute(
                select(feeds.c.id, feeds.c.segment, feeds.c.position).where(feeds.c.token == token)
            ).first()
            if known is not None:
                connection.execute(
                    update(feeds).where(feeds.c.id == known.id).values(host=host, folder=folder)
                )
                self._feed, position = known.id, Position(known.segment, known.position)
            else:
                self._feed, position = self._new_feed(connection, token, host, folder), Position(0, 0)
        self._jobs.clear()
        return position

    def _new_feed(self, connection: Connection, token: str, host: str, folder: str) -> int:
        row: Row = {"token": token, "host": host, "folder": folder, "segment": 0, "position": 0}
        same = (feeds.c.host == host) & (feeds.c.folder == folder)
        held = connection.scalar(select(feeds.c.id).where(same).order_by(feeds.c.id.desc()))
        if held is None:
            connection.execute(insert(feeds).values(**row))
            return int(connection.scalars(select(feeds.c.id).where(feeds.c.token == token)).one())
        # The journal was deleted and begun anew: what it knew to be running will never be heard of again.
        connection.execute(update(feeds).where(feeds.c.id == held).values(**row))
        connection.execute(
            update(runs)
            .where(runs.c.feed == held, runs.c.outcome.is_(None), runs.c.state != "finished")
            .values(state="finished", outcome="lost", reason=_LOST, waits=None, until_at=None)
        )
        return int(held)

    def write(self, batch: Batch) -> list[str]:
        """Store `batch` and its position; return what had to be left out, in words."""
        try:
            self._write_all(batch)
        except _WRONG_DATA:
            return self._write_each(batch)
        return []

    def _write_all(self, batch: Batch) -> None:
        with self.transaction() as connection:
            known = self._write_runs(connection, list(batch.runs.values()))
            self._write_rows(connection, intervals, [one.row for one in batch.intervals])
            self._write_rows(connection, crontabs, [one.row for one in batch.crontabs])
            self._write_position(connection, batch.end)
        self._jobs.update(known)

    def _write_each(self, batch: Batch) -> list[str]:
        """Store one record after the other: one that the database refuses must not stop all that follow."""
        refused = []
        records: list[RunRecord | IntervalRecord | CrontabRecord] = [*batch.crontabs, *batch.intervals]
        for record in [*records, *batch.runs.values()]:
            single = Batch(batch.end)
            single.add(record)
            try:
                with self.transaction() as connection:
                    known = self._write_runs(connection, list(single.runs.values()))
                    self._write_rows(connection, intervals, [one.row for one in single.intervals])
                    self._write_rows(connection, crontabs, [one.row for one in single.crontabs])
                self._jobs.update(known)
            except _WRONG_DATA as error:
                refused.append(f"the database refused {_shown(record)}: {_reason(error)}")
        with self.transaction() as connection:
            self._write_position(connection, batch.end)
        return refused

    def _write_runs(
        self, connection: Connection, records: Sequence[RunRecord]
    ) -> dict[str, tuple[int, int | None]]:
        """Write runs with their jobs and attempts; return the jobs that were not known before."""
        known = self._write_jobs(connection, records)
        rows = []
        for record in records:
            number, uid = known.get(record.job) or self._jobs[record.job]
            # A run that was skipped because its job had vanished is still its owner's.
            owner = uid if record.row["uid"] is None else record.row["uid"]
            rows.append({**record.row, "job": number, "uid": owner})
        self._write_rows(connection, runs, rows)
        self._delete_stale(connection, records)
        for table, name in ((attempts, "attempts"), (parents, "parents"), (variables, "variables")):
            parts = [{**one, "run": record.row["id"]} for record in records for one in getattr(record, name)]
            self._write_rows(connection, table, parts)
        return known

    def _delete_stale(self, connection: Connection, records: Sequence[RunRecord]) -> None:
        """Delete what newer records of runs say no more; most runs have nothing of it."""
        again = [record.row["id"] for record in records if record.again]
        for start in range(0, len(again), _TOGETHER):
            for table in (parents, variables):
                few = table.c.run.in_(again[start : start + _TOGETHER])
                connection.execute(delete(table).where(table.c.feed == self._feed, few))
        polled = [
            {"polled": record.row["id"], "latest": number}
            for record in records
            if (number := min((one["number"] for one in record.attempts), default=0)) < 0
        ]
        if polled:
            of_run = (attempts.c.feed == self._feed, attempts.c.run == bindparam("polled"))
            earlier = (attempts.c.number < 0, attempts.c.number != bindparam("latest"))
            connection.execute(delete(attempts).where(*of_run, *earlier), polled)

    def _write_jobs(
        self, connection: Connection, records: Iterable[RunRecord]
    ) -> dict[str, tuple[int, int | None]]:
        wanted: dict[str, int | None] = {}
        for record in records:
            held = self._jobs.get(record.job)
            uid = record.row["uid"]
            if held is None or uid not in (None, held[1]):
                wanted[record.job] = wanted.get(record.job) if uid is None else uid
        found = self._numbers(connection, list(wanted))
        fresh = [
            {"job": job, "name": job.partition("/")[2] or job, "uid": uid}
            for job, uid in wanted.items()
            if job not in found or uid not in (None, found[job][1])
        ]
        if fresh:
            self._write_rows(connection, jobs, fresh)
            found = self._numbers(connection, list(wanted))
        return found

    def _numbers(self, connection: Connection, names: list[str]) -> dict[str, tuple[int, int | None]]:
        found: dict[str, tuple[int, int | None]] = {}
        for start in range(0, len(names), _TOGETHER):
            chosen = select(jobs.c.job, jobs.c.id, jobs.c.uid).where(
                jobs.c.feed == self._feed, jobs.c.job.in_(names[start : start + _TOGETHER])
            )
            found.update({row.job: (row.id, row.uid) for row in connection.execute(chosen)})
        return found

    def _write_rows(self, connection: Connection, table: Table, rows: list[Row]) -> None:
        if rows:
            connection.execute(
                upsert(table, connection.dialect.name), [{"feed": self._feed, **row} for row in rows]
            )

    def _write_position(self, connection: Connection, position: Position) -> None:
        connection.execute(
            update(feeds)
            .where(feeds.c.id == self._feed)
            .values(segment=position.segment, position=position.offset)
        )

    def forget_jobs(self) -> None:
        """Look every job up again: some were deleted."""
        self._jobs.clear()

    # --- the file of SQLite --------------------------------------------------------------------------------

    def is_current(self) -> bool:
        """True if what we write still lies where others look for it; always so on a server.

        A file that was deleted under us is put back, with all that is in it. False if another one is in
        its place: open that one.
        """
        if self._file is None:
            return True
        inode = self._inode_now()
        if inode == self._inode:
            return True
        if inode is None:
            self._put_back(self._file)
        return False

    def _inode_now(self) -> int | None:
        try:
            return None if self._file is None else os.stat(self._file).st_ino
        except FileNotFoundError:
            return None

    def _put_back(self, path: str) -> None:
        fresh = path + ".rescue"
        with suppress(FileNotFoundError):
            os.unlink(fresh)
        held: Any = self._connection.connection.driver_connection
        copy = sqlite3.connect(fresh)
        try:
            held.backup(copy)
        finally:
            copy.close()
        self.close()
        # A log of the file that is gone would be taken for one of the new file.
        for leftover in (path + "-wal", path + "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(leftover)
        os.rename(fresh, path)


def upsert(table: Table, dialect: str) -> Executable:
    """Return an insert into `table` that replaces the values of a row whose unique key is there already."""
    unique = _unique_key(table)
    names = [c.name for c in table.columns if c.name not in unique and not _counts_up(c.name, table)]
    # Each costs megabytes, and two of them are of no use.
    if dialect in ("mysql", "mariadb"):
        from sqlalchemy.dialects import mysql

        statement = mysql.insert(table)
        return statement.on_duplicate_key_update({name: statement.inserted[name] for name in names})
    made: sqlite.Insert | postgresql.Insert
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        made = sqlite.insert(table)
    else:
        from sqlalchemy.dialects import postgresql

        made = postgresql.insert(table)
    return made.on_conflict_do_update(
        index_elements=unique, set_={name: made.excluded[name] for name in names}
    )


def _unique_key(table: Table) -> list[str]:
    if table is jobs:
        return ["feed", "job"]
    if table is crontabs:
        return ["feed", "origin", "at"]
    return [column.name for column in table.primary_key]


def _counts_up(name: str, table: Table) -> bool:
    return name == "id" and table in (jobs, crontabs)


def _require_no_leftover(path: str) -> None:
    """Take away the log of a database that was deleted without it: SQLite would take it for ours."""
    if not os.path.exists(path):
        for leftover in (path + "-wal", path + "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(leftover)


def _shown(record: RunRecord | IntervalRecord | CrontabRecord) -> str:
    if isinstance(record, RunRecord):
        return f"run {record.row['id']} of {record.job}"
    return "an interval" if isinstance(record, IntervalRecord) else "a version of a crontab"


def _reason(error: StatementError) -> str:
    return " ".join(str(error.orig or error).split())[:200]
