"""Time is an argument: nobody reads a clock or sleeps in model and core; in the scheduler one file does."""

from __future__ import annotations

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
#: The only file of the scheduler that reads the clock.
CLOCK = ROOT / "crond" / "scheduler" / "clock.py"

READS = {
    "time": {
        "clock_gettime", "clock_gettime_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns",
        "process_time", "process_time_ns", "sleep", "thread_time", "thread_time_ns", "time", "time_ns",
    },
    "datetime": {"now", "today", "utcnow"},
    "date": {"today"},
    "asyncio": {"sleep"},
}  # fmt: skip
#: With an argument these convert; without one they read the clock.
READS_WITHOUT_ARGUMENT = {"time": {"asctime": 1, "ctime": 1, "gmtime": 1, "localtime": 1, "strftime": 2}}


def readings(source: str) -> list[str]:
    """Return the places in `source` that read a clock or sleep."""
    tree = ast.parse(source)
    names = _names(tree)
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            owner = names.get(owner, owner).rpartition(".")[2]
            what = (owner, node.attr)
        elif isinstance(node, ast.Name) and "." in names.get(node.id, ""):
            owner, _, attribute = names[node.id].rpartition(".")
            what = (owner, attribute)
        else:
            continue
        call = calls.get(id(node))
        few = READS_WITHOUT_ARGUMENT.get(what[0], {}).get(what[1])
        unfed = few is not None and (call is None or len(call.args) < few)
        if what[1] in READS.get(what[0], set()) or unfed:
            found.append(f"line {node.lineno}: {'.'.join(what)}")
    return found


def _names(tree: ast.AST) -> dict[str, str]:
    """Return what each imported name of the file stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def guarded() -> list[pathlib.Path]:
    """Return the files that must not know what time it is."""
    rooms = [ROOT / "crond" / room for room in ("model", "core", "scheduler")]
    return [path for room in rooms for path in sorted(room.rglob("*.py")) if path != CLOCK]


@pytest.mark.parametrize("path", guarded(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nobody_reads_the_clock(path: pathlib.Path) -> None:
    """All that is hard about cron is tested without waiting, because time comes in as an argument."""
    assert readings(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "import time\nread = time.monotonic",
        "import time as t\nt.sleep(1)",
        "from time import time_ns\ntime_ns()",
        "from time import monotonic as now\nnow()",
        "import time\ntime.localtime()",
        "import time\ntime.strftime('%H')",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime\ndatetime.now(tz)",
        "from datetime import datetime as dt\ndt.utcnow()",
        "from datetime import date\ndate.today()",
        "import asyncio\nasyncio.sleep(0)",
    ],
)
def test_the_guard_sees(source: str) -> None:
    """Each of these reads a clock or sleeps."""
    assert len(readings(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.localtime(moment)",
        "import time\ntime.tzset()",
        "reading.now",
        "clock.monotonic()",
        "from datetime import datetime\ndatetime.fromtimestamp(moment, tz)",
    ],
)
def test_the_guard_lets_pass(source: str) -> None:
    """None of these learns what time it is by itself."""
    assert readings(source) == []
