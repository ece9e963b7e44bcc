"""What need not be remembered any longer."""

from __future__ import annotations

from crond.core.keeping import KEPT_AFTER_GONE, KEPT_PAUSES, abandoned_jobs
from crond.core.memory import Memory


def test_a_pause_waits_for_its_line_to_come_back() -> None:
    """A paused job ran again once its line had been away for a day."""
    memory = Memory()
    for number in range(KEPT_PAUSES + 2):
        memory.apply(["pause", f"me/j{number}", float(number), None, 7, ""])
    memory.apply(["pause", "me/over", 0.0, None, 7, "", 1.0])
    late = KEPT_AFTER_GONE * 400
    # Nobody can fill the memory with pauses of jobs that come and go.
    assert abandoned_jobs(memory, (), late) == ["me/j0", "me/j1", "me/over"]
    assert abandoned_jobs(memory, {"me/j0", "me/j1", "me/over"}, late) == []
