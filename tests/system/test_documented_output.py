"""What the documents show of each verb is what it shows."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

GENERATOR = Path(__file__).parent.parent.parent / "docs" / "generate_output.py"
WHY = "    $ crontabx why mail\n    alice/mail: it did not start\n"


@pytest.fixture(scope="module")
def masked() -> Callable[[str], list[str]]:
    """Return what the generator leaves of a page before it compares."""
    function: Callable[[str], list[str]] = runpy.run_path(str(GENERATOR))["masked"]
    return function


@pytest.mark.parametrize(
    ("morning", "evening"),
    [
        pytest.param("more: why sales 2026-11-28T06:13", "more: why sales 2027-02-01T21:04", id="instant"),
        pytest.param(
            "at 2026-11-28 06:13:48 CET, sync", "at 2026-06-01 23:59:00 CEST, sync", id="date and time"
        ),
        pytest.param("it lasted 2 ms and ended", "it lasted 1.25 s and ended", id="digits and unit"),
        pytest.param("0:00 h  sync", "20 h 59 min  sync", id="duration"),
        pytest.param(
            "9:05  sync\n10:00  backup", "8:59  backup\n12:00  sync", id="order, and hours of one digit"
        ),
        pytest.param(
            f"{WHY}      It ran 2 ms and failed (exit\n      status 1). More: why 2026-11-28T06:13",
            f"{WHY}      It ran 12 ms and failed\n      (exit status 1). More: why\n      2026-11-28T16:13",
            id="folded elsewhere",
        ),
        pytest.param(
            f"{WHY}      It ran for 2 ms and failed.\n      More: logs",
            f"{WHY}      It ran for 12\n      ms and failed.\n      More: logs",
            id="folded inside what is masked",
        ),
    ],
)
def test_pages_of_other_times_compare_equal(
    masked: Callable[[str], list[str]], morning: str, evening: str
) -> None:
    """The page was not that of today by an instant (`T06` and `T09`) and by where a line broke."""
    assert masked(morning) == masked(evening)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("more: why sales 2026-11-28T06:13", "more: why sales", id="instant lost"),
        pytest.param("it lasted 2 ms", "it lasted", id="duration lost"),
        pytest.param(f"{WHY}      It ran. More: logs", f"{WHY}      It ran. More: show", id="word in prose"),
        pytest.param(f"{WHY}      It ran. More: logs", f"{WHY}      It ran.", id="sentence lost"),
        pytest.param("## One\n\ntext", "## Two\n\ntext", id="heading"),
    ],
)
def test_pages_that_differ_are_told_apart(
    masked: Callable[[str], list[str]], before: str, after: str
) -> None:
    """What is masked leaves its place."""
    assert masked(before) != masked(after)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start the host's cron")
def test_output_on_the_page_is_that_of_today() -> None:
    """docs/reference/output.md uses every verb and shows what comes; written by docs/generate_output.py."""
    done = subprocess.run(
        [sys.executable, GENERATOR, "--check"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"run {GENERATOR}:\n{done.stdout}{done.stderr}"
