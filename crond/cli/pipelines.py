"""Jobs that depend on each other, as the scheduler tells of them, and their order.

Pure but for the one question to the scheduler. Called by the verbs that show pipelines.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from crond.cli.answers import PauseSeen, RunSeen, list_of, pause_of, run_at, text_of
from crond.cli.client import Place, ask_once
from crond.cli.failure import Failure, Status
from crond.cli.format import printable


@dataclass(frozen=True, slots=True)
class Node:
    """A job of a pipeline. `last` is its newest run, which may still go on."""

    job: str
    schedule: str
    rule: str
    enabled: bool
    held: str
    paused: PauseSeen | None
    pipeline: str
    last: RunSeen | None


@dataclass(frozen=True, slots=True)
class Link:
    """`child` depends on `parent`; `want` is which of its ends counts as a success."""

    parent: str
    child: str
    want: str


@dataclass(frozen=True, slots=True)
class Net:
    """Jobs and the links between them."""

    nodes: tuple[Node, ...]
    links: tuple[Link, ...]

    def parents_of(self, job: str) -> list[Link]:
        """Return the links to the parents of `job`, in the order in which it names them."""
        return [link for link in self.links if link.child == job]

    def pipelines(self) -> dict[str, Net]:
        """Return its parts by the names of their pipelines; jobs that are in none have the name ""."""
        parts: dict[str, list[Node]] = {}
        for node in self.nodes:
            parts.setdefault(node.pipeline, []).append(node)
        return {name: self._of(nodes) for name, nodes in parts.items()}

    def _of(self, nodes: list[Node]) -> Net:
        inside = {node.job for node in nodes}
        return Net(tuple(nodes), tuple(link for link in self.links if link.child in inside))

    def levels(self) -> dict[str, int]:
        """Return how many links lead at most to each job. Those that wait for each other are at 0."""
        waiting = {node.job: 0 for node in self.nodes}
        children: dict[str, list[str]] = defaultdict(list)
        for link in self.links:
            if link.parent in waiting and link.child in waiting:
                waiting[link.child] += 1
                children[link.parent].append(link.child)
        levels = dict.fromkeys(waiting, 0)
        ready = [job for job, count in waiting.items() if count == 0]
        for job in ready:  # grows while it is walked
            for child in children[job]:
                levels[child] = max(levels[child], levels[job] + 1)
                waiting[child] -= 1
                if waiting[child] == 0:
                    ready.append(child)
        return {job: levels[job] if waiting[job] == 0 else 0 for job in levels}


def read_net(body: dict[str, Any]) -> Net:
    """Return what the scheduler's answer to `graph` says. Raises BadAnswer."""
    return Net(tuple(list_of(body, "jobs", _node)), tuple(list_of(body, "links", _link)))


def _node(body: dict[str, Any]) -> Node:
    job = text_of(body, "job")
    return Node(
        job=job,
        schedule=text_of(body, "schedule"),
        rule=text_of(body, "trigger_rule"),
        enabled=body.get("enabled") is not False,
        held=text_of(body, "held"),
        paused=pause_of(body, job),
        pipeline=text_of(body, "pipeline"),
        last=run_at(body, "last") if body.get("last") is not None else None,
    )


def _link(body: dict[str, Any]) -> Link:
    return Link(text_of(body, "parent"), text_of(body, "child"), text_of(body, "want"))


def jobs_in(place: Place, name: str) -> list[str]:
    """Return the jobs of the pipeline `name`, parents first. Raises Failure: there is none of that name."""
    found = read_net(ask_once(place, "graph")).pipelines()
    part = found.get(name) if name else None
    if part is None:
        names = ", ".join(sorted(filter(None, found))) or "there is none"
        raise Failure(f"no pipeline is called '{printable(name)}' ({names})", Status.UNKNOWN)
    levels = part.levels()
    return sorted(levels, key=lambda job: levels[job])
