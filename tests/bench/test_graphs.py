"""Graphs of jobs: what each program is given to read, and what is made of the notes of a run."""

from __future__ import annotations

import pytest

from bench.graph import path_told
from bench.graphs import (
    Graph,
    Node,
    Work,
    chain,
    circle,
    crontab,
    dags,
    fan,
    layers,
    passage,
    wide,
    yaml,
)
from bench.job import Note
from crond.core.graph import graph_of
from crond.model.crontab import parse_crontab
from crond.model.job import jobs_of


def works(graph: Graph) -> dict[str, Work]:
    return {"g": Work(graph, "job {}".format, "0 0 1 1 *")}


def links(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Return the parents of each job, as crond reads the crontab of `graph`."""
    table = parse_crontab(crontab(works(graph)).crontab, extensions=True)
    assert table.problems == ()
    found = jobs_of(table, owner="root", uid=0, origin="tab", version=1, taken=())
    read = graph_of({job.id: job for job in found})
    assert read.held == {}
    return {job: tuple(link.parent for link in of) for job, of in read.parents.items()}


@pytest.mark.parametrize("graph", [chain(4), wide(3), fan(3), layers(9, 3)])
def test_crond_reads_the_graph_that_is_meant(graph: Graph) -> None:
    """Each job depends on its parents, and only the first ones have a time."""
    expected = {
        f"root/g{node.number}": tuple(f"root/g{one}" for one in node.parents)
        for node in graph
        if node.parents
    }
    assert links(graph) == expected
    assert crontab(works(graph)).crontab.count("0 0 1 1 *") == len(graph) - len(expected)


def test_layers_are_one_graph() -> None:
    """Each job but those of the first layer is after two jobs of the layer above it."""
    for node in layers(30, 5)[5:]:
        assert {one // 5 for one in node.parents} == {node.number // 5 - 1}
        assert len(set(node.parents)) == 2


def test_jobs_of_a_circle_wait_for_each_other() -> None:
    """Every one of them is held, and the way around is told."""
    table = parse_crontab(crontab(works(circle(5))).crontab, extensions=True)
    found = jobs_of(table, owner="root", uid=0, origin="tab", version=1, taken=())
    assert len(graph_of({job.id: job for job in found}).held) == 5


def test_the_others_are_given_the_same_jobs() -> None:
    """The YAML and the DAG file have each command and each dependency once."""
    graph = fan(2)
    text = yaml(works(graph), state="/s", port=1).crontab
    assert text.count("      - id: t") == 4
    assert [line.split()[1] for line in text.splitlines() if line.startswith("          - ")] == [
        *("t0", "t0"),
        *("t1", "t2"),
    ]
    text = dags(works(graph)).crontab
    compile(text, "graphs.py", "exec")
    assert text.count("BashOperator(task_id") == 4
    assert text.count(" >> ") == 4


def notes(*times: int) -> list[Note]:
    """Return notes of jobs 0, 1, ... at `times`, in ms."""
    return [Note(at * 1_000_000, number) for number, at in enumerate(times)]


def test_a_gap_counts_from_the_end_of_the_last_parent() -> None:
    """A join waits for the slowest; the rate counts from the first start to the last end."""
    found = passage(fan(2), notes(0, 15, 20, 90), notes(10, 30, 80, 100))
    assert found is not None
    assert found.gaps == [5.0, 10.0, 10.0]
    assert found.through == 80.0
    assert found.rate == pytest.approx(40.0)


def test_a_run_in_which_a_job_is_missing_has_no_figures() -> None:
    """Nor one in which a job ran twice."""
    assert passage(chain(2), notes(0, 1), notes(0)) is None
    assert passage([Node(0)], [*notes(0), *notes(0)], [*notes(1), *notes(1)]) is None


def test_the_way_around_is_found_in_what_check_says() -> None:
    """Its line; nothing where no cycle is told."""
    assert path_told("tab:3: these wait for each other: a -> b -> a\nmore\n").endswith("a -> b -> a")
    assert path_told("no problem") == ""
