"""Runs by the instants that they answer, on three databases: pipelines, and what a backfill would make up."""

from __future__ import annotations

from typing import Any

import pytest

from crond.recorder import instants
from crond.recorder.queries import Filter
from crond.recorder.store import Store
from tests.contract.histories import BEN, ROOT, asked, micro
from tests.recorder.journal import NOON, batch, run


def at(number: int, job: str, minute: int, outcome: str | None, **more: Any) -> list[Any]:
    """Return a run of `job` that answers `minute` after noon; None: it goes on."""
    if outcome is None:
        more = {"state": "running", "ended_at": None, **more}
    return run(number, job=job, at=NOON + 60 * minute, outcome=outcome, **more)


def pipeline(store: Store, *names: str, uid: int = ROOT, **wanted: Any) -> Any:
    return asked(store, lambda queries: instants.of_jobs(queries, names, Filter(**wanted)), uid=uid)


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        (("success", "success"), "success"),
        (("success", "skipped"), "success"),
        (("skipped", "skipped"), "skipped"),
        (("failed", "success"), "failed"),
        (("timed_out", "success"), "failed"),
        (("could_not_start", "success"), "failed"),
        (("lost", "success"), "failed"),
        (("stopped", "success"), "failed"),
        (("success", "upstream_failed"), "failed"),
        (("failed", None), "failed"),
        (("success", None), "running"),
        (("skipped", None), "running"),
    ],
)
def test_no_success_hides_a_failed_parent(store: Store, outcomes: tuple[str, str | None], state: str) -> None:
    """A report that ran although its parent failed (`all_done`) does not make an instant a success."""
    store.write(batch(*(at(n, f"ann/{n}", 1, outcome) for n, outcome in enumerate(outcomes))))
    [instant] = pipeline(store, "ann/0", "ann/1")["instants"]
    assert (instant["instant"], instant["state"]) == ("2026-11-21T12:01:00Z", state)


def test_a_pipeline_instant_by_instant(store: Store) -> None:
    """The newest first, the jobs in the order in which they are named; as many instants as are wanted."""
    store.write(
        batch(
            *(at(10 + n, "ann/a", n, "success") for n in range(5)),
            *(at(20 + n, "ann/b", n, "success") for n in (0, 2, 4)),
            at(30, "ann/b", 2, "failed", ordinal=1),
            at(40, "ann/other", 9, "success"),
            at(50, "ben/c", 8, "success", uid=BEN),
        )
    )

    def told(*names: str, **wanted: Any) -> tuple[list[list[int]], bool]:
        answer = pipeline(store, *names, **wanted)
        return [[int(one["id"], 16) for one in at["runs"]] for at in answer["instants"]], answer["more"]

    assert told("ann/b", "ann/a") == ([[24, 14], [13], [22, 30, 12], [11], [20, 10]], False)
    assert told("ann/b", "ann/a", count=2) == ([[24, 14], [13]], True)
    assert told("ann/a", "ann/b", since=micro(NOON + 60), until=micro(NOON + 180)) == (
        [[12, 22, 30], [11]],
        False,
    )
    assert told("ann/never", "ann/aa", "") == ([], False)
    assert told("ann/a", "ben/c", uid=BEN) == ([[50]], False)


def test_which_instants_of_a_job_have_a_run(store: Store) -> None:
    """Both ends are meant, the oldest come first; no other job is taken for one that is unknown."""
    store.write(batch(*(at(n, "ann/a", n, "success") for n in range(6)), at(9, "ann/ab", 3, "failed")))

    def told(name: str, first: int, last: int, count: int = 99, uid: int = ROOT) -> tuple[list[int], bool]:
        edges = micro(NOON + 60 * first), micro(NOON + 60 * last)
        answer = asked(store, lambda queries: instants.of_job(queries, name, *edges, count), uid=uid)
        return [int(one["id"], 16) for one in answer["runs"]], answer["more"]

    assert told("ann/a", 1, 4) == ([1, 2, 3, 4], False)
    assert told("ann/a", 1, 4, 2) == ([1, 2], True)
    assert told("ann/", 0, 9) == told("a", 0, 9) == told("ann/a", 0, 9, uid=BEN) == ([], False)
