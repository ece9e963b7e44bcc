"""The two processes that run all tests: what one of them says is not lost in what the other says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import halves

ROOT = Path(__file__).resolve().parent.parent
GOOD = "def test_good(): pass\n"
BAD = "def test_bad():\n    assert False, 'so it is'\n"
UNREADABLE = "import nothing_of_this_name\n"
SIGNALS = (
    "import signal\n"
    "def test_signals():\n"
    "    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
    "    assert signal.getsignal(signal.SIGQUIT) is signal.SIG_DFL\n"
)


def told(folder: Path, first: str, second: str) -> tuple[int, list[str]]:
    """Return the exit status, and the lines, of two halves of one file each."""
    arguments = {}
    for name, text in (("first", first), ("second", second)):
        file = folder / f"test_{name}.py"
        file.write_text(text)
        arguments[name] = ["-p", "no:cacheprovider", "--rootdir", str(folder), str(file)]
    code = (
        "import signal, sys; from tests.halves import run;"
        f"[signal.signal(number, signal.SIG_IGN) for number in (2, 3)]; sys.exit(run({arguments}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout.splitlines()


def test_both_good(tmp_path: Path) -> None:
    """Each line says whose it is; and signals that a shell had ignored are at their defaults."""
    status, lines = told(tmp_path, GOOD, SIGNALS)
    assert status == 0, lines
    assert any(line.startswith("second | ") and "test_second.py ." in line for line in lines)
    assert [line.partition(" in ")[0] for line in lines[-2:]] == [
        "first  | exit status 0: 1 passed",
        "second | exit status 0: 1 passed",
    ]


@pytest.mark.parametrize(
    ("first", "second", "last"),
    [
        pytest.param(BAD, GOOD, r"FAILED .*/test_first\.py::test_bad.*", id="the first"),
        pytest.param(GOOD, BAD, r"FAILED .*/test_second\.py::test_bad.*", id="the second"),
        pytest.param(UNREADABLE, GOOD, r"ERROR .*/test_first\.py.*", id="one that cannot be read"),
    ],
)
def test_one_half_that_fails(tmp_path: Path, first: str, second: str, last: str) -> None:
    """It is enough for a failure, and is the last that is said."""
    status, lines = told(tmp_path, first, second)
    assert status == 1
    assert re.fullmatch(last, lines[-1]), lines


def test_no_test_is_left_out() -> None:
    """What one half ignores is what the other one takes."""
    taken = halves.HALVES["system"]
    assert halves.HALVES["rest"] == ["tests", *(f"--ignore={path}" for path in taken)]
