"""A slice of the comparison with Debian's cron: the night in which New York's clock is put forward.

The whole is a command of its own, `python -m tests.beside`.
"""

from __future__ import annotations

import faulthandler

import pytest

from tests.beside.compare import compare
from tests.beside.course import WINDOWS, NotHere, require, run
from tests.beside.report import report, unexplained
from tests.system.ground import Ground


@pytest.mark.root
def test_debians_cron_does_the_same_while_the_clock_is_put_forward(ground: Ground) -> None:
    """An hour and a half around the gap, sixty times as fast: the same starts with all they are given."""
    try:
        require()
    except NotHere as why:
        pytest.skip(str(why))
    # Half a minute, by design.
    faulthandler.cancel_dump_traceback_later()
    window = WINDOWS["gap"]
    outcome = run(ground, window, factor=60)
    if outcome.stall > 60:
        pytest.skip(f"the machine stood still for a second, which is {outcome.stall:.0f} of them here")
    comparison = compare(outcome.theirs, outcome.ours, begin=window.begin, end=window.end)
    assert comparison.compared["starts"] >= 50
    left = unexplained(comparison)
    late = [one for one in left if one.kind == "minute"]
    # A second that the machine has no time for is a minute here, for a few; a wrong minute is wrong for all.
    assert len(late) < comparison.compared["starts"] / 10, "\n".join(report(window.name, comparison))
    assert [one for one in left if one not in late] == [], "\n".join(report(window.name, comparison))
