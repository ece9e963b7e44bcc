"""Readings and gaps: what a clock did, and cron's classes of a distance in minutes."""

from __future__ import annotations

import pytest

from crond.core.clockwork import Gap, Passage, Reading, gap, passage

BEFORE = Reading(1000.0, 10.0, 20.0)

# wall, monotonic and boot time that passed | what happened | by how much
PASSAGES = [
    (60.0, 60.0, 60.0, Passage.STEADY, 0.0),
    (61.5, 60.0, 60.0, Passage.STEADY, 0.0),  # slewed
    (0.0, 0.0, 0.0, Passage.STEADY, 0.0),
    (1200.0, 1200.0, 1200.0, Passage.LATE, 1200.0),
    (14400.0, 60.0, 14400.0, Passage.SUSPENDED, 14340.0),
    (3660.0, 60.0, 60.0, Passage.STEPPED, 3600.0),
    (-3540.0, 60.0, 60.0, Passage.STEPPED, -3600.0),
    (18000.0, 60.0, 14400.0, Passage.STEPPED, 3600.0),  # suspended and set: set is what matters
]


@pytest.mark.parametrize(("wall", "mono", "boot", "kind", "seconds"), PASSAGES)
def test_three_clocks_tell_a_suspend_from_a_step(
    wall: float, mono: float, boot: float, kind: Passage, seconds: float
) -> None:
    """Boot time counts a suspend and monotonic time does not; wall time alone can be set."""
    now = Reading(BEFORE.wall + wall, BEFORE.mono + mono, BEFORE.boot + boot)
    seen, by = passage(BEFORE, now)
    assert seen is kind
    assert by == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("minutes", "kind"),
    [
        (1, Gap.NEXT),
        (2, Gap.SMALL),
        (5, Gap.SMALL),
        (6, Gap.MEDIUM),
        (180, Gap.MEDIUM),
        (181, Gap.LARGE),
        (10**6, Gap.LARGE),
        (0, Gap.BACK),
        (-180, Gap.BACK),
        (-181, Gap.LARGE),
    ],
)
def test_cronies_thresholds(minutes: int, kind: Gap) -> None:
    """1, 2 to 5, 6 to 180, 0 to -180, beyond."""
    assert gap(minutes) is kind
