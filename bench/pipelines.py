"""How soon jobs follow those that they depend on: along a chain, through a fan, and of many after one.

Owns the course. docs/benchmarks.md says what the columns mean. Called by `python -m bench`.
"""

from __future__ import annotations

import pathlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench.cage import CageError
from bench.graphs import Graph, Passage, Work, chain, fan, passage, wide
from bench.ground import Choice, Ground, median, never, wait_quiet
from bench.job import read_notes
from bench.orchestrators import Airflow, Crond, Cronstable, Orchestrator
from bench.report import Findings, Sheet
from bench.subject import quantile

#: From the end of a parent to the start of its child; from the end of a root to the start of the join, ms.
GAP_AIM, JOIN_AIM = 20.0, 500.0
#: Trivial jobs that depend on each other, per second.
RATE_AIM = 300.0
WIDTH = 20
_COMING_UP, _PATIENCE = 120.0, 180.0
_AFTER = 0.5


@dataclass(frozen=True, slots=True)
class Measured:
    """Some passages of one graph through one program; `cpu`: CPU ms of each per job, daemon's and jobs'."""

    passages: list[Passage]
    cpu: list[float]

    def gaps(self) -> list[float]:
        """Return all gaps, the shortest first."""
        return sorted(gap for one in self.passages for gap in one.gaps)


def seconds(choice: Choice) -> float:
    """Return how long `measure` takes, about."""
    return 40.0 + choice.turns * 60.0 + (240.0 + choice.turns * 100.0 if choice.airflow else 0.0)


def measure(ground: Ground) -> Findings:
    """Measure all that can, one after the other, as they would disturb each other."""
    turns = ground.choice.turns
    sheet = Sheet(
        f"Pipelines: ms from the ends of its parents to a job's start, of {turns} passages",
        ("graph", "jobs", "peer", "median", "p95", "max", "through ms", "jobs/s", "CPU ms/job"),
    )
    for orchestrator in _orchestrators(ground.choice):
        shapes = {
            "chain": chain(orchestrator.length),
            "fan": fan(WIDTH),
            "wide": wide(orchestrator.width),
        }
        with ExitStack() as opened:
            for name, found in _Course(ground, opened, orchestrator, shapes).run(turns):
                _add(sheet, orchestrator, name, shapes[name], found)
                if orchestrator.peer.name == "crond":
                    sheet.remarks += _aims(name, found)
    return sheet.findings()


def _orchestrators(choice: Choice) -> Iterator[Orchestrator]:
    for peer in choice.peers:
        if peer.name == "crond":
            yield Crond()
        elif peer.name == "cronstable":
            yield Cronstable(peer)
    if choice.airflow:
        yield Airflow()


class _Course:
    """One program in one life, through passages of all `shapes` in turn."""

    def __init__(
        self, ground: Ground, opened: ExitStack, orchestrator: Orchestrator, shapes: Mapping[str, Graph]
    ) -> None:
        self._orchestrator = orchestrator
        self._shapes = shapes
        name = orchestrator.peer.name
        self._notes = {shape: _notes(ground, f"{name}-{shape}") for shape in shapes}
        works = {shape: self._work(ground, shape) for shape in shapes}
        tables = orchestrator.tables(works, ground.place(f"{name}-pipelines-state"))
        self._cage = ground.cage_of(opened, orchestrator.peer, "pipelines", tables)

    def _work(self, ground: Ground, shape: str) -> Work:
        began, ended = self._notes[shape]
        return Work(
            self._shapes[shape], lambda number: ground.job.command(number, began, ended), never(time.time())
        )

    def run(self, turns: int) -> Iterator[tuple[str, Measured]]:
        """Yield what was measured of each shape. Raises CageError."""
        self._cage.wait_made()
        self._cage.release()
        wait_quiet([self._cage], _COMING_UP)
        found = {shape: Measured([], []) for shape in self._shapes}
        for _ in range(turns):
            for shape, graph in self._shapes.items():
                before = self._cage.cpu()
                found[shape].passages.append(self._pass(shape, graph))
                wait_quiet([self._cage], _AFTER)
                found[shape].cpu.append((self._cage.cpu() - before) * 1000 / len(graph))
                self._cage.require_no_mail()
        yield from found.items()

    def _pass(self, shape: str, graph: Graph) -> Passage:
        began, ended = self._notes[shape]
        for path in (began, ended):
            path.unlink(missing_ok=True)
        deadline = time.monotonic() + _PATIENCE
        while not self._orchestrator.ask(self._cage, shape):
            self._check(deadline, f"cannot be asked for {shape}")
        while len(read_notes(ended)) < len(graph):
            self._check(deadline, f"has not run all of {shape}")
        made = passage(graph, read_notes(began), read_notes(ended))
        if made is None:
            raise CageError(f"{self._orchestrator.peer.name}: lost a job of {shape}, or ran one twice")
        return made

    def _check(self, deadline: float, what: str) -> None:
        self._cage.require_daemon()
        if time.monotonic() > deadline:
            raise CageError(f"{self._orchestrator.peer.name}: {what} within {_PATIENCE:g} s")
        # Looking costs CPU that they need.
        time.sleep(0.1)


def _notes(ground: Ground, name: str) -> tuple[pathlib.Path, pathlib.Path]:
    return ground.notes / f"{name}-began", ground.notes / f"{name}-ended"


def _add(sheet: Sheet, of: Orchestrator, name: str, graph: Graph, found: Measured) -> None:
    gaps = found.gaps()
    sheet.add(
        name,
        len(graph),
        of.peer.title,
        *(quantile(gaps, part) for part in (0.5, 0.95, 1.0)),
        median([one.through for one in found.passages]),
        median([one.rate for one in found.passages]),
        median(found.cpu),
    )


def _aims(name: str, found: Measured) -> Sequence[str]:
    """Return what crond was to reach, and whether it did."""
    gap = quantile(found.gaps(), 0.95)
    through = median([one.through for one in found.passages]) or 0.0
    rate = median([one.rate for one in found.passages]) or 0.0
    if name == "chain":
        return [
            _aim("chain: 95 % of the gaps, ms", gap, GAP_AIM, reached=gap <= GAP_AIM),
            _aim("chain: jobs/s", rate, RATE_AIM, reached=rate >= RATE_AIM),
        ]
    if name == "fan":
        return [_aim("fan: end of the root to the join, ms", through, JOIN_AIM, reached=through <= JOIN_AIM)]
    return [_aim("wide: jobs/s", rate, RATE_AIM, reached=rate >= RATE_AIM)]


def _aim(what: str, found: float, aim: float, *, reached: bool) -> str:
    return f"{what}: {found:.1f}, aim {aim:g}: {'reached' if reached else 'MISSED'}"
