"""A history in each of the databases, for the tests of what it promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from crond.recorder.store import Store
from tests.contract.databases import BACKENDS, fresh_database
from tests.contract.histories import TOKEN


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    with fresh_database(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def store(url: URL) -> Iterator[Store]:
    made = Store(url)
    made.begin(TOKEN, "host", "/journal")
    yield made
    made.close()
