"""Cycles among names: each group is found, and told by a shortest way around."""

from __future__ import annotations

import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from crond.model.crontab import parse_crontab
from crond.model.cycles import rings_in

_GRAPHS = st.integers(1, 8).flatmap(
    lambda size: st.lists(st.sets(st.integers(0, size)), min_size=size, max_size=size)
)


def distances(graph: dict[str, list[str]]) -> dict[tuple[str, str], int]:
    """The lengths of all shortest ways of at least one arrow (Floyd and Warshall)."""
    far = {(name, other): 1 for name, others in graph.items() for other in others if other in graph}
    for middle in graph:
        for one in graph:
            for other in graph:
                if (one, middle) in far and (middle, other) in far:
                    way = far[one, middle] + far[middle, other]
                    far[one, other] = min(way, far.get((one, other), way))
    return far


@given(_GRAPHS)
def test_one_shortest_cycle_for_each_group(arrows: list[set[int]]) -> None:
    """Compared with all shortest ways: groups need each other, a cycle follows arrows, none is shorter."""
    graph = {str(n): [str(other) for other in sorted(others)] for n, others in enumerate(arrows)}
    far = distances(graph)
    groups = {
        frozenset(other for other in graph if (name, other) in far and (other, name) in far) for name in graph
    } - {frozenset()}
    for members, cycle in rings_in(graph):
        group = frozenset(members)
        groups.remove(group)
        assert group.issuperset(cycle)
        assert all(other in graph[name] for name, other in pairwise((*cycle, cycle[0])))
        assert len(cycle) == min(far[name, name] for name in group)
    assert not groups


def test_thousands_of_jobs_are_read_at_once() -> None:
    """10,000 jobs that depend on each other took a second, and a ring of them as long again."""
    line = "0 6 * * * true\n"
    for last in ("", "#: name=j0 depends_on=j9999\n"):
        first = last or "#: name=j0\n"
        rest = "".join(f"#: name=j{n} depends_on=j{n - 1} retries=2\n{line}" for n in range(1, 10_000))
        began = time.process_time()
        table = parse_crontab(f"{first}{line}{rest}", extensions=True)
        assert time.process_time() - began < 3  # on a slow machine, with other tests beside it
        assert [one.code for one in table.errors] == (["annotation-cycle"] if last else [])
        assert len(table.entries) == 10_000
