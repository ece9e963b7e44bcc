"""The databases that the history is tested on: SQLite always, servers where an address is given.

`CRONTABX_TEST_POSTGRESQL_URL` and `CRONTABX_TEST_MARIADB_URL` name databases in which schemas and
databases may be made. Each test has one of its own, which is dropped after it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL

from crond.recorder.database import database_url

BACKENDS = ("sqlite", "postgresql", "mariadb")


@contextmanager
def fresh_database(backend: str, folder: Path) -> Iterator[URL]:
    """Yield the URL of an empty database of `backend`; skip the test where there is no server."""
    if backend == "sqlite":
        yield database_url(None, str(folder))
        return
    variable = f"CRONTABX_TEST_{backend.upper()}_URL"
    if not os.environ.get(variable):
        pytest.skip(f"{variable} is not set")
    url = database_url(os.environ[variable], str(folder))
    name = f"crontabx_{os.getpid()}_{os.urandom(4).hex()}"
    kind = "SCHEMA" if backend == "postgresql" else "DATABASE"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE {kind} {name}"))
        try:
            yield (
                url.update_query_dict({"options": f"-csearch_path={name}"})
                if backend == "postgresql"
                else url.set(database=name)
            )
        finally:
            with engine.connect() as connection:
                connection.execute(text(f"DROP {kind} {name}{' CASCADE' if kind == 'SCHEMA' else ''}"))
    finally:
        engine.dispose()
