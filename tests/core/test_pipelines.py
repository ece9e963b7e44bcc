"""What a pipeline is called."""

from __future__ import annotations

import pytest

from crond.core.graph import graph_of
from crond.model.crontab import parse_crontab
from crond.model.job import Job, jobs_of


def jobs(*annotations: str) -> dict[str, Job]:
    text = "".join(f"#: {one}\n0 3 * * * c{number}\n" for number, one in enumerate(annotations))
    table = parse_crontab(text.encode(), extensions=True)
    return {job.id: job for job in jobs_of(table, owner="ann", uid=1, origin="/t", version=1)}


@pytest.mark.parametrize(
    ("annotations", "name"),
    [
        (["name=a", "name=b depends_on=a"], "b"),
        (["name=a", "name=b depends_on=a", "name=c depends_on=a"], "a"),
        (["name=a", "name=b", "name=y depends_on=a,b", "name=x depends_on=a,b"], "x"),
        (["name=a pipeline=night", "name=b depends_on=a"], "night"),
        (["name=a pipeline=z", "name=b depends_on=a pipeline=y"], "y"),
        (["name=a"], ""),
        (["name=a pipeline=night"], "night"),
        (["name=a depends_on=b", "name=b depends_on=a"], "a"),
    ],
    ids=["last", "first", "many ends", "said", "said twice", "alone", "alone and said", "cycle"],
)
def test_the_name_of_a_pipeline(annotations: list[str], name: str) -> None:
    """What pipeline= says, else its only last job, else its only first, else the first of the last."""
    held = jobs(*annotations)
    graph = graph_of(held)
    assert {graph.name_of(job, held) for job in held} == {name}


def test_who_is_not_seen_gives_no_name() -> None:
    """A job of root's at the end of somebody's pipeline must not show by its name."""
    held = jobs("name=a", "name=b depends_on=a", "name=secret depends_on=b")
    graph = graph_of(held)
    seen = {job: held[job] for job in ("ann/a", "ann/b")}
    assert graph.name_of("ann/a", seen) == "b"
    assert graph.name_of("ann/a", {"ann/a": held["ann/a"]}) == ""
