"""Imports only go down the list of layers; the privileged program imports next to nothing."""

from __future__ import annotations

import ast
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "crond"

#: What `model` and `core` may take from the standard library: nothing that can look at the world.
PURE = {
    "__future__", "abc", "base64", "bisect", "calendar", "collections", "dataclasses", "datetime", "difflib",
    "enum", "fractions", "functools", "hashlib", "heapq", "itertools", "json", "math", "operator", "random",
    "re", "shlex", "string", "struct", "textwrap", "types", "typing", "unicodedata", "zlib",
}  # fmt: skip
#: `os` holds the arithmetic of wait statuses; the rest of it looks at the world.
PURE_OF_OS = {"WCOREDUMP", "WEXITSTATUS", "WIFEXITED", "WIFSIGNALED", "WTERMSIG"}
#: What launcher and scheduler do without, though the standard library has it: size, threads, or magic.
HEAVY = {
    "argparse", "asyncio", "concurrent", "configparser", "email", "http", "importlib", "inspect", "logging",
    "multiprocessing", "optparse", "pathlib", "pickle", "sched", "shelve", "sqlite3", "ssl", "subprocess",
    "tempfile", "threading", "tomllib", "unittest", "urllib", "xml",
}  # fmt: skip
#: `dataclasses` brings these along.
LOADED_BY_DATACLASSES = {"importlib", "inspect"}
STDLIB = set(sys.stdlib_module_names)


class Layer(NamedTuple):
    """What the files of one room may import."""

    rooms: set[str]  #: names under `crond`; the room itself is always allowed
    outside: set[str]  #: top-level modules
    lazy_rooms: frozenset[str] = frozenset()  #: only inside a function
    lazy_outside: frozenset[str] = frozenset()


LIGHT = STDLIB - HEAVY
LAYERS = {
    "model": Layer(set(), PURE),
    "core": Layer({"model"}, PURE),
    "ports": Layer({"model", "core"}, PURE),
    "sense": Layer({"model", "core"}, PURE | {"posixpath"}),
    "link": Layer({"model"}, LIGHT),
    "zones": Layer({"model", "core"}, STDLIB - HEAVY),
    "launcher": Layer({"model", "link"}, LIGHT),
    "scheduler": Layer(
        {"model", "core", "ports", "link", "zones"}, LIGHT, lazy_rooms=frozenset({"calendars"})
    ),
    "alerts": Layer({"model"}, PURE | {"zoneinfo"}),
    "recorder": Layer({"model", "link", "settings", "alerts"}, STDLIB | {"alembic", "sqlalchemy"}),
    "notifier": Layer({"model", "alerts"}, STDLIB | {"apprise", "requests"}),
    "mailer": Layer(set(), STDLIB),
    "calendars": Layer({"model", "core", "ports"}, STDLIB - HEAVY | {"croniter", "holidays"}),
    "api": Layer({"model", "core", "zones", "calendars"}, LIGHT),
    "settings": Layer({"model"}, STDLIB),
    "__init__": Layer(
        {"model", "core"},
        LIGHT,
        lazy_rooms=frozenset({"zones", "calendars"}),
        lazy_outside=frozenset({"importlib"}),
    ),
}
#: The client may use every room below it, but of the programs only what they publish.
CLIENT_NEVER = {"recorder", "scheduler", "notifier"}
CLIENT_OF_LAUNCHER = {
    "crond.launcher.boot", "crond.launcher.config", "crond.launcher.holes", "crond.launcher.libpam",
}  # fmt: skip
CLIENT_OUTSIDE = STDLIB | {"click", "dateparser", "psutil", "rich"}


class Import(NamedTuple):
    """One imported module, dotted, and whether the import stands inside a function."""

    name: str
    lazy: bool
    line: int


def imports_of(source: str) -> Iterator[Import]:
    """Yield what `source` imports, but for the eyes of the type checker only."""

    def walk(node: ast.AST, lazy: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                yield from (found for rest in child.orelse for found in walk(rest, lazy))
            elif isinstance(child, ast.Import):
                yield from (Import(alias.name, lazy, child.lineno) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, "relative imports are not used"
                module = child.module or ""
                names = [alias.name for alias in child.names]
                # `from crond import link` names a room, `from crond.model import run` one of its files.
                yield from (
                    Import(f"{module}.{name}" if module.startswith("crond") else module, lazy, child.lineno)
                    for name in names
                )
            else:
                inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
                yield from walk(child, lazy or inside)

    yield from walk(ast.parse(source), lazy=False)


def violations(room: str, source: str) -> list[str]:
    """Return what `source`, a file of `room`, imports against the list of layers."""
    layer = LAYERS[room]
    found = []
    for name, lazy, line in imports_of(source):
        top, _, rest = name.partition(".")
        if top == "crond":
            allowed = {room, "__version__"} | layer.rooms | (layer.lazy_rooms if lazy else frozenset())
            right = rest.partition(".")[0] in allowed
        elif top == "os" and layer.outside is PURE:
            right = names_of_os(source) <= PURE_OF_OS
        else:
            right = top in layer.outside | (layer.lazy_outside if lazy else frozenset())
        if not right:
            found.append(f"line {line}: {room} imports {name}")
    return found


def names_of_os(source: str) -> set[str]:
    """Return which names of `os` are used in `source`; an import by name counts as all of it."""
    tree = ast.parse(source)
    if any(isinstance(node, ast.ImportFrom) and node.module == "os" for node in ast.walk(tree)):
        return {"*"}
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
    }


def client_violations(source: str) -> list[str]:
    """The same for a file of `crond.cli`."""
    found = []
    for name, _, line in imports_of(source):
        parts = name.split(".")
        if parts[0] != "crond":
            right = parts[0] in CLIENT_OUTSIDE
        elif parts[1:2] == ["launcher"]:
            right = ".".join(parts[:3]) in CLIENT_OF_LAUNCHER
        else:
            right = parts[1:2] == [] or parts[1] not in CLIENT_NEVER
        if not right:
            found.append(f"line {line}: the client imports {name}")
    return found


def files_of(room: str) -> list[pathlib.Path]:
    """Return the source files of `room`, a folder or one file."""
    if (PACKAGE / f"{room}.py").exists():
        return [PACKAGE / f"{room}.py"]
    return sorted((PACKAGE / room).rglob("*.py"))


@pytest.mark.parametrize("room", [room for room in LAYERS if files_of(room)])
def test_imports_only_go_down(room: str) -> None:
    """A file imports its own room, rooms further down, and what its layer may take from outside."""
    found = {
        str(path.relative_to(ROOT)): wrong
        for path in files_of(room)
        if (wrong := violations(room, path.read_text()))
    }
    assert found == {}


@pytest.mark.parametrize("path", files_of("cli"), ids=lambda path: path.name)
def test_the_client_stays_outside_the_programs(path: pathlib.Path) -> None:
    """The client speaks to scheduler and launcher over sockets; it never imports their inside."""
    assert client_violations(path.read_text()) == []


def test_every_room_has_a_layer() -> None:
    """A new room under crond/ must be given its place in the list."""
    rooms = {
        path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()
    }
    assert rooms - {"__pycache__", "cli"} <= set(LAYERS)


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("model", "import os\nos.getpid()"),
        ("core", "import os.path\nos.path.exists(p)"),
        ("model", "from crond.core import planner"),
        ("core", "import time"),
        ("core", "from crond import link"),
        ("core", "def f():\n    import zoneinfo"),
        ("launcher", "import asyncio.events"),
        ("launcher", "import click"),
        ("launcher", "from crond.core.engine import Engine"),
        ("scheduler", "from crond.launcher.config import Config"),
        ("scheduler", "from crond.calendars import days"),
        ("scheduler", "import croniter"),
        ("settings", "from crond.core import engine"),
        ("scheduler", "import sqlalchemy"),
        ("recorder", "from crond.scheduler.journal import FileJournal"),
        ("recorder", "from crond.core.engine import Engine"),
    ],
)
def test_the_guard_sees(room: str, source: str) -> None:
    """Each of these imports is one that its layer forbids."""
    assert len(violations(room, source)) == 1


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("model", "import os\nos.WEXITSTATUS(0)"),
        ("core", "import datetime\nfrom crond.model.run import Run"),
        ("scheduler", "def f():\n    from crond.calendars import days"),
        ("launcher", "from crond import __version__"),
        ("launcher", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import asyncio"),
    ],
)
def test_the_guard_lets_pass(room: str, source: str) -> None:
    """Each of these imports is allowed."""
    assert violations(room, source) == []


def test_the_guard_sees_the_client() -> None:
    """The client may not import the launcher's inside, nor what is not among its dependencies."""
    assert len(client_violations("from crond.launcher.spawn import spawn\nimport sqlalchemy")) == 2
    assert client_violations("from crond.launcher.config import Config\nimport click") == []


def loaded_by(statement: str, *flags: str) -> set[str]:
    """Return the modules that a real interpreter has loaded after `statement`."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", *flags, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def tops(modules: set[str]) -> set[str]:
    """Return the top-level names of `modules`."""
    return {name.partition(".")[0] for name in modules}


@pytest.mark.skipif(not (PACKAGE / "launcher" / "main.py").exists(), reason="there is no launcher yet")
def test_what_the_launcher_loads() -> None:
    """Measured, not read: a started launcher holds nothing heavy, no other room, nothing of others."""
    loaded = loaded_by("import crond.launcher.main", "-S")
    assert tops(loaded) & (HEAVY - LOADED_BY_DATACLASSES) == set()
    assert tops(loaded) <= STDLIB | {"crond", "__main__"} | {name for name in tops(loaded) if name[0] == "_"}
    rooms = {name.split(".")[1] for name in loaded if name.startswith("crond.")}
    assert rooms <= {"launcher", "model", "link"}


@pytest.mark.skipif(not (PACKAGE / "scheduler" / "main.py").exists(), reason="there is no scheduler yet")
def test_what_the_scheduler_loads() -> None:
    """A started scheduler has no thread pool, no logging framework and no third party inside."""
    before = loaded_by("pass")  # what `.pth` files of this environment bring along
    loaded = loaded_by("import crond.scheduler.main") - before
    assert tops(loaded) & (HEAVY - LOADED_BY_DATACLASSES) == set()
    assert tops(loaded) <= STDLIB | {"crond"} | {name for name in tops(loaded) if name[0] == "_"}
    rooms = {name.split(".")[1] for name in loaded if name.startswith("crond.")}
    assert rooms <= {"scheduler", "core", "model", "link", "ports", "zones"}


def test_what_the_client_loads() -> None:
    """`crontabx --version` is one start of Python: no table drawing, no parser of crontabs, no croniter."""
    loaded = tops(loaded_by("import crond.cli.main") - loaded_by("pass"))
    assert loaded & {"rich", "croniter", "psutil", "asyncio", "sqlalchemy"} == set()
