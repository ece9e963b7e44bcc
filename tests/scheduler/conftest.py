"""A scheduler process for each test, ended after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scheduler.process import Scheduler


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    made = Scheduler()
    yield made
    made.close()
