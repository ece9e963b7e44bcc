"""The programs that run jobs after each other: what each is given to read, and how it is asked to begin.

Owns their settings and the words of the request. Knows nothing of measurements.
"""

from __future__ import annotations

import pathlib
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Protocol

from bench import graphs
from bench.cage import Cage
from bench.fetched import from_pypi
from bench.graphs import Work
from bench.peers import CROND, Peer
from bench.tables import Tables
from crond.cli.client import SCHEDULER, Connection, Place
from crond.cli.failure import Failure

_PATIENCE = 10.0


class Orchestrator(Protocol):
    """`length` is that of the longest chain, `width` that of the widest layer, that it runs in reasonable
    time.
    """

    peer: Peer
    length: int
    width: int

    def tables(self, works: Mapping[str, Work], folder: pathlib.Path) -> Tables:
        """Write `works`, by name; `folder` is its own."""
        ...

    def ask(self, cage: Cage, name: str) -> bool:
        """Have the graph `name` begin; False while that cannot be."""
        ...


class Crond:
    """crond, asked through its scheduler's socket as `crontabx run --downstream` asks."""

    peer = CROND
    length, width = 201, 200

    def tables(self, works: Mapping[str, Work], _folder: pathlib.Path) -> Tables:
        return graphs.crontab(works)

    def ask(self, cage: Cage, name: str) -> bool:
        try:
            with Connection(scheduler_of(cage), SCHEDULER) as connection:
                connection.ask("run", job=f"root/{name}0", downstream="yes")
        except Failure:
            return False
        return True


class Cronstable:
    """cronstable, asked through its web interface."""

    length, width = 201, 200

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._port = _free_port()

    def tables(self, works: Mapping[str, Work], folder: pathlib.Path) -> Tables:
        return graphs.yaml(works, state=str(folder / "state"), port=self._port)

    def ask(self, _cage: Cage, name: str) -> bool:
        address = f"http://127.0.0.1:{self._port}/dags/{name}/trigger"
        try:
            with urllib.request.urlopen(urllib.request.Request(address, method="POST"), timeout=_PATIENCE):
                return True
        except (urllib.error.URLError, ConnectionError):
            return False


class Airflow:
    """Airflow of PyPI as `airflow standalone` has it: SQLite, LocalExecutor; asked by its own command."""

    length, width = 21, 20
    #: Tasks that run at once; each is a Python of its own.
    _ACTIVE = 8

    def __init__(self) -> None:
        self.peer = Peer("airflow", "Airflow", self._standalone)
        self._address = f"http://127.0.0.1:{_free_port()}"

    def tables(self, works: Mapping[str, Work], _folder: pathlib.Path) -> Tables:
        return graphs.dags(works)

    def ask(self, cage: Cage, name: str) -> bool:
        command = [*cage.inside(), *self._command(cage.folder), "dags", "trigger", name]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return done.returncode == 0

    def _standalone(self, folder: pathlib.Path, owner: str) -> list[str]:
        # It takes what ends in .py, which what a cage is given to read does not.
        (folder / "dags").mkdir()
        (folder / "dags" / "graphs.py").symlink_to(folder / "crontabs" / owner)
        return [*self._command(folder), "standalone"]

    def _command(self, folder: pathlib.Path) -> list[str]:
        program = from_pypi("apache-airflow", (3, 10), "airflow")
        settings = {
            "CORE__DAGS_FOLDER": folder / "dags",
            "CORE__LOAD_EXAMPLES": False,
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": self._ACTIVE,
            "CORE__MAX_ACTIVE_TASKS_PER_DAG": self._ACTIVE,
            "CORE__DAGS_ARE_PAUSED_AT_CREATION": False,
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": True,
            "CORE__EXECUTION_API_SERVER_URL": f"{self._address}/execution/",
            "API__HOST": "127.0.0.1",
            "API__PORT": self._address.rpartition(":")[2],
            "API__BASE_URL": self._address,
            "API__WORKERS": 1,
        }
        environment = [f"AIRFLOW__{name}={value}" for name, value in settings.items()]
        own = [f"HOME={folder}", f"AIRFLOW_HOME={folder}/airflow", f"PATH={program.parent}:/usr/bin:/bin"]
        return ["env", *own, *environment, str(program)]


def scheduler_of(cage: Cage) -> Place:
    """Return where crond's scheduler listens in `cage`."""
    return Place(str(cage.path("/run/crontabx")), "")


def _free_port() -> int:
    """Return a port of the loopback address at which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
