"""What every clock promises: three times, of which two never go back."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from crond.core.clockwork import Passage, passage
from crond.ports import Clock
from crond.scheduler.clock import SystemClock
from tests.fakes import FakeClock


@pytest.fixture(params=[SystemClock, FakeClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Clock = request.param()
    return made


def test_monotonic_and_boot_time_never_go_back(clock: Clock) -> None:
    """Between two looks nothing happened: an even clock says so."""
    readings = [clock.read() for _ in range(1000)]
    for before, now in pairwise(readings):
        assert now.mono >= before.mono
        assert now.boot >= before.boot
    assert passage(readings[0], readings[-1])[0] is Passage.STEADY


def test_the_systems_wall_time_is_the_time() -> None:
    """Epoch seconds, with fractions."""
    before, seen, after = time.time(), SystemClock().read().wall, time.time()
    assert before <= seen <= after


def test_the_fake_does_what_a_machine_does() -> None:
    """Running, being set and sleeping look to the core as they do on a real machine."""
    clock = FakeClock()
    first = clock.read()
    clock.go(30)
    assert passage(first, clock.read()) == (Passage.STEADY, 0.0)
    clock.set(-3600)
    assert passage(first, clock.read()) == (Passage.STEPPED, -3600.0)
    second = clock.read()
    clock.suspend(100)
    assert passage(second, clock.read()) == (Passage.SUSPENDED, 100.0)
