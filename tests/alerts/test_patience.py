"""How long is tried: as long as it may help, and not so often that it hurts."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from crond.alerts.patience import UNSURE, next_try
from tests.alerts.news import DUE

DAY = 86400.0


def tries(results: list[str], *, limit: float = DAY) -> list[float]:
    """Return when there are tries if each ends at once, the last of `results` again and again."""
    moments = [0.0]
    again = unsure = 0
    while True:
        result = results[min(len(moments), len(results)) - 1]
        again += result == "again"
        unsure += result == "unsure"
        now = DUE + moments[-1]
        later = next_try(result, again=again, unsure=unsure, since=DUE, now=now, limit=limit)
        if later is None:
            return moments
        assert later > now
        moments.append(later - DUE)


def test_what_was_not_taken_is_tried_for_a_day() -> None:
    """After 10 seconds, then ever more slowly, each quarter of an hour at last; the last time when the day is
    over.
    """
    moments = tries(["again"])
    assert moments[:9] == [0, 10, 30, 70, 150, 310, 630, 1270, 2170]
    assert (moments[-1], len(moments)) == (DAY, 103)
    assert max(after - before for before, after in pairwise(moments)) == 900


def test_what_may_have_been_taken_is_tried_a_few_times() -> None:
    """Each further try may be a message too many."""
    moments = tries(["unsure"])
    assert [after - before for before, after in pairwise(moments)] == list(UNSURE)


def test_what_is_refused_is_tried_no_more() -> None:
    assert tries(["again", "never"]) == [0, 10]
    assert tries(["again", "unsure", "gone"]) == [0, 10, 70]


def test_a_ping_is_tried_for_minutes() -> None:
    """The last time when they are over."""
    assert tries(["again"], limit=600) == [0, 10, 30, 70, 150, 310, 600]


@given(st.lists(st.sampled_from(["again", "unsure"]), min_size=1, max_size=30), st.floats(60, 30 * DAY))
def test_it_comes_to_an_end(results: list[str], limit: float) -> None:
    """Whatever a receiver does, nobody tries for longer than the limit, nor in a loop without a pause."""
    moments = tries(results, limit=limit)
    assert moments[-1] <= limit + 1e-3
    assert len(moments) <= 20 + len(results) + limit / 300


def test_a_clock_that_was_set_back() -> None:
    """The limit counts from now then, and not from a first try that is still to come."""
    assert next_try("again", again=1, unsure=0, since=DUE, now=DUE - DAY, limit=60) == DUE - DAY + 10
