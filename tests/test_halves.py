"""The two processes that run all tests: what one of them says is not lost in what the other says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import halves

ROOT = Path(__file__).resolve().parent.parent
GOOD = "def test_good(): pass\n"
BAD = "def test_bad():\n    print('ERROR', chr(0xDCFF))\n    assert False, 'so it is'\n"
LONG = (
    "import pathlib, pytest, time\n"
    "@pytest.fixture\n"
    "def made():\n"
    "    path = pathlib.Path(__file__ + '.made')\n"
    "    path.touch()\n"
    "    yield\n"
    "    path.unlink()\n"
    "def test_long(made): time.sleep(300)\n"
)
UNREADABLE = "import nothing_of_this_name\n"
SIGNALS = (
    "import signal\n"
    "def test_signals():\n"
    "    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
    "    assert signal.getsignal(signal.SIGQUIT) is signal.SIG_DFL\n"
)


def begin(folder: Path, first: str, second: str) -> subprocess.Popen[str]:
    """Start two halves of one file each, from a shell that ignores signals."""
    arguments = {}
    for name, text in (("first", first), ("second", second)):
        file = folder / f"test_{name}.py"
        file.write_text(text)
        arguments[name] = ["-p", "no:cacheprovider", "--rootdir", str(folder), str(file)]
    code = (
        "import signal, sys; from tests.halves import run;"
        f"[signal.signal(number, signal.SIG_IGN) for number in (2, 3)]; sys.exit(run({arguments}))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip


def told(folder: Path, first: str, second: str) -> tuple[int, list[str]]:
    """Return their exit status, and their lines."""
    process = begin(folder, first, second)
    lines = process.communicate(timeout=60)[0].splitlines()
    return process.returncode, lines


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
        pytest.param(GOOD, UNREADABLE, r"ERROR .*/test_second\.py.*", id="the second"),
    ],
)
def test_one_half_that_fails(tmp_path: Path, first: str, second: str, last: str) -> None:
    """It is enough for a failure, and is the last that is said."""
    status, lines = told(tmp_path, first, second)
    assert status == 1
    assert re.fullmatch(last, lines[-1]), lines
    assert lines[-2].startswith("second | exit status")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_it_ends_both(tmp_path: Path, number: int) -> None:
    """What tests have made is taken away."""
    process = begin(tmp_path, LONG, LONG)
    deadline = time.monotonic() + 30
    while len(list(tmp_path.glob("*.made"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert list(tmp_path.glob("*.made")) == []


def test_no_test_is_left_out() -> None:
    """What one half ignores is what the other one takes."""
    taken = halves.HALVES["system"]
    assert halves.HALVES["rest"] == ["tests", *(f"--ignore={path}" for path in taken)]
