"""Ten simulated years take two minutes of a processor: they pass beside other tests, and are seen last."""

from __future__ import annotations

import faulthandler
import subprocess
import sys
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


_YEARS = pytest.StashKey[Years]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Look at the years last of all."""
    items.sort(key=_looks_at_years)


def _looks_at_years(item: pytest.Item) -> bool:
    return "years" in getattr(item, "fixturenames", ())


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the years begin before the first test of all, if anybody will look at them."""
    if any(map(_looks_at_years, session.items)) and not session.config.option.collectonly:
        session.stash[_YEARS] = Years()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave none that nobody has waited for."""
    if _YEARS in session.stash:
        session.stash[_YEARS].end()


@pytest.fixture
def years(request: pytest.FixtureRequest) -> Years:
    """The years that pass, or have passed."""
    # Where there are few other tests a minute of waiting is by design, and nothing hangs.
    faulthandler.cancel_dump_traceback_later()
    return request.session.stash[_YEARS]
