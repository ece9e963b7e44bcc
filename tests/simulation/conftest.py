"""Ten simulated years take two minutes of a processor: they pass beside other tests, and are seen last."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORLDS, YEARS = 10, 1


class Years:
    """A process in which `WORLDS` worlds live, each for `YEARS` years."""

    def __init__(self) -> None:
        # Tests that look at the clock go first.
        nicely = ("nice", "-n10", sys.executable, "-m", "tests.simulation")
        self._process = subprocess.Popen(
            [*nicely, "--seed=0", f"--worlds={WORLDS}", f"--years={YEARS}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
        )

    def told(self) -> str:
        """Return what it printed, once it has ended."""
        return self._process.communicate()[0]

    def end(self) -> None:
        """Wait for nothing more."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Look at the years last of all."""
    items.sort(key=_looks_at_years)


def _looks_at_years(item: pytest.Item) -> bool:
    return "years" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session", autouse=True)
def years_begun(request: pytest.FixtureRequest) -> Iterator[Years | None]:
    """Begun with the first test of this folder, if anybody will look at them."""
    years = Years() if any(map(_looks_at_years, request.session.items)) else None
    yield years
    if years is not None:
        years.end()


@pytest.fixture
def years(years_begun: Years | None) -> Years:
    """The years that pass, or have passed."""
    assert years_begun is not None
    return years_begun
