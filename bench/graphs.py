"""Graphs of jobs that depend on each other: in the words of each program that knows such, and what notes
say of a run of one.

Pure. Called by the sections that measure them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.job import Note
from bench.tables import Tables


@dataclass(frozen=True, slots=True)
class Node:
    """Job `number` of a graph, which starts after all of `parents` have succeeded; they come before it."""

    number: int
    parents: tuple[int, ...] = ()


Graph = Sequence[Node]


def chain(length: int) -> Graph:
    """Return `length` jobs, each after the one before."""
    return [Node(0), *(Node(number, (number - 1,)) for number in range(1, length))]


def wide(width: int) -> Graph:
    """Return a root and `width` jobs after it."""
    return [Node(0), *(Node(number, (0,)) for number in range(1, width + 1))]


def fan(width: int) -> Graph:
    """Return a root, `width` jobs after it and one after all of these."""
    return [*wide(width), Node(width + 1, tuple(range(1, width + 1)))]


def layers(count: int, width: int) -> Graph:
    """Return `count` jobs in layers of `width`; each is after two of the layer before."""
    return [Node(number, () if number < width else _two_above(number, width)) for number in range(count)]


def _two_above(number: int, width: int) -> tuple[int, int]:
    above = number - number % width - width
    return above + number % width, above + (number + 1) % width


def circle(length: int) -> Graph:
    """Return `length` jobs that all wait for each other; the last stands first, against the rule of Node."""
    return [Node(number, ((number - 1) % length,)) for number in range(length)]


@dataclass(frozen=True, slots=True)
class Work:
    """A graph, what each of its jobs runs, by its number, and when those without parents are due."""

    graph: Graph
    command: Callable[[int], str]
    schedule: str


def crontab(works: Mapping[str, Work]) -> Tables:
    """Return `works`, by name, as our crontab: job N of graph G is called GN."""
    lines = ['MAILTO=""']
    for name, work in works.items():
        for node in work.graph:
            words = [f"#: name={name}{node.number}"]
            if node.parents:
                words.append("depends_on=" + ",".join(f"{name}{one}" for one in node.parents))
            when = "@after" if node.parents else work.schedule
            lines += [" ".join(words), f"{when} {work.command(node.number)}"]
    return Tables("\n".join(lines) + "\n")


def yaml(works: Mapping[str, Work], *, state: str, port: int) -> Tables:
    """Return `works`, by name, as cronstable's YAML: asked for at `port`, remembered in the folder `state`.
    They have no schedule.
    """
    lines = ["state:", f"  path: {state}", "web:", "  listen:", f"    - http://127.0.0.1:{port}", "dags:"]
    for name, work in works.items():
        lines += [f"  - name: {name}", "    tasks:"]
        for node in work.graph:
            lines += [
                f"      - id: t{node.number}",
                # A string of JSON is one of YAML.
                f"        command: {json.dumps(work.command(node.number))}",
                "        captureStdout: true",
                "        captureStderr: true",
            ]
            if node.parents:
                lines += ["        dependsOn:", *(f"          - t{one}" for one in node.parents)]
    return Tables("\n".join(lines) + "\n")


def dags(works: Mapping[str, Work]) -> Tables:
    """Return `works`, by name, as a DAG file of Airflow's. They have no schedule."""
    lines = [
        "from airflow.providers.standard.operators.bash import BashOperator",
        "from airflow.sdk import DAG",
    ]
    for name, work in works.items():
        lines.append(f"with DAG({name!r}, schedule=None):")
        for node in work.graph:
            number = node.number
            task = f"task_id='t{number}', bash_command={work.command(number)!r}"
            lines.append(f"    t{number} = BashOperator({task})")
            lines += [f"    t{one} >> t{number}" for one in node.parents]
    return Tables("\n".join(lines) + "\n")


# --- what became of them ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Passage:
    """One run of a graph. `gaps` (ms): from the last end of its parents to the start of each that has some;
    `through` (ms): from the end of the first job to the start of the last one; `rate`: jobs per second, from
    the first start to the last end.
    """

    gaps: list[float]
    through: float
    rate: float


def passage(graph: Graph, began: Sequence[Note], ended: Sequence[Note]) -> Passage | None:
    """Return what the notes of one run of `graph` come to; None if a job is missing, or ran twice."""
    starts = {note.number: note.at for note in began}
    ends = {note.number: note.at for note in ended}
    if not len(graph) == len(began) == len(ended) == len(starts) == len(ends):
        return None
    gaps = [
        (starts[node.number] - max(ends[one] for one in node.parents)) / 1e6 for node in graph if node.parents
    ]
    whole = max(ends.values()) - min(starts.values())
    return Passage(gaps, (max(starts.values()) - min(ends.values())) / 1e6, len(graph) * 1e9 / whole)
