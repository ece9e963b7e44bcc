"""Worlds of faults: nothing runs twice, nothing planned is lost, memory is its journal."""

from __future__ import annotations

import pytest

from tests.simulation.world import World


@pytest.mark.parametrize("seed", range(8))
def test_the_engine_keeps_its_promises(seed: int) -> None:
    """A day of faults for each seed. `python -m tests.simulation --seed N` replays one, and for longer."""
    world = World(seed)
    for _ in range(2):
        world.live(12 * 3600)
        world._check_memory()
    world.rest()
    assert world.planned
