"""Cycles among names that need each other: which there are, each by a shortest way around.

Knows names and arrows only. Pure; called by `crond.model.relations` and `crond.core.graph`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

#: Arrows that are looked at for the shortest way around; what was found by then is told.
_ARROWS = 1_000_000

Graph = Mapping[str, Sequence[str]]


class Ring(NamedTuple):
    """Names that all need each other, so that each of them is on some cycle. `path` is a shortest one, along
    the arrows.
    """

    members: tuple[str, ...]
    path: tuple[str, ...]


def rings_in(graph: Graph) -> Iterator[Ring]:
    """Yield each group of names that all need each other.

    `graph` maps a name to those that it points at; names that are no key of it are left out. The path begins
    with the name of the group that comes first in `graph`, if it can.
    """
    order = {name: number for number, name in enumerate(graph)}
    for group in _groups(graph):
        members = sorted(group, key=order.__getitem__)
        if len(members) > 1 or members[0] in graph[members[0]]:
            inside = set(members)
            path = _shortest({name: [one for one in graph[name] if one in inside] for name in members})
            yield Ring(tuple(members), path)


def _groups(graph: Graph) -> Iterator[list[str]]:
    """Yield the strongly connected components (Tarjan's algorithm, without recursion)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    open_names: set[str] = set()
    for root in graph:
        if root in number:
            continue
        walk: list[tuple[str, Iterator[str]]] = [(root, iter(graph[root]))]
        number[root] = low[root] = len(number)
        stack.append(root)
        open_names.add(root)
        while walk:
            name, rest = walk[-1]
            for other in rest:
                if other not in graph:
                    continue
                if other not in number:
                    number[other] = low[other] = len(number)
                    stack.append(other)
                    open_names.add(other)
                    walk.append((other, iter(graph[other])))
                    break
                if other in open_names:
                    low[name] = min(low[name], number[other])
            else:
                walk.pop()
                if walk:
                    low[walk[-1][0]] = min(low[walk[-1][0]], low[name])
                if low[name] == number[name]:
                    group = [stack.pop()]
                    while group[-1] != name:
                        group.append(stack.pop())
                    open_names.difference_update(group)
                    yield group


def _shortest(graph: Mapping[str, list[str]]) -> tuple[str, ...]:
    """Return a shortest cycle of a graph in which each name reaches each other."""
    best: tuple[str, ...] = ()
    arrows = 0
    rest = _Rest(graph)
    for start in graph:
        if start in rest.gone:
            continue
        before: dict[str, str] = {}
        queue = deque([(start, 1)])
        while queue and arrows < _ARROWS:
            name, length = queue.popleft()
            if best and length >= len(best):
                break
            arrows += len(graph[name])
            if start in graph[name]:
                best = _way(before, start, name)
                break
            for other in graph[name]:
                if other not in before and other not in rest.gone:
                    before[other] = name
                    queue.append((other, length + 1))
        # The shortest way around through it is known.
        rest.remove(start)
        if len(best) == 1 or (best and arrows >= _ARROWS):
            break
    return best


class _Rest:
    """What is left of a graph when names are taken out: `gone` are those that no cycle goes through then."""

    def __init__(self, graph: Mapping[str, list[str]]) -> None:
        self.gone: set[str] = set()
        self._left = {name: len(others) for name, others in graph.items()}
        self._from: dict[str, list[str]] = {name: [] for name in graph}
        for name, others in graph.items():
            for other in others:
                self._from[other].append(name)

    def remove(self, name: str) -> None:
        """Take `name` out, and all that now lead nowhere."""
        ends = [] if name in self.gone else [name]
        while ends:
            end = ends.pop()
            self.gone.add(end)
            for before in self._from[end]:
                self._left[before] -= 1
                if self._left[before] == 0 and before not in self.gone:
                    ends.append(before)


def _way(before: Mapping[str, str], start: str, last: str) -> tuple[str, ...]:
    way = [last]
    while way[-1] != start:
        way.append(before[way[-1]])
    return tuple(reversed(way))
