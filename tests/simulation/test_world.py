"""Worlds of faults: nothing runs twice, nothing planned is lost, every wait ends, memory is its journal.

What fails prints the command that makes the same world again, and what came before it broke.
"""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crond.model.crontab import parse_crontab
from tests.simulation.__main__ import live, replay
from tests.simulation.conftest import WORLDS, YEARS, Years
from tests.simulation.crontabs import Crontab
from tests.simulation.mutants import Mutant, present
from tests.simulation.world import DENSE, LONG, Kind, World, seeded

_DAY = 86400.0
#: Where those die who tell, and what else befalls them.
_TOLD = {
    "killed: recorder before keeping news",
    "killed: recorder before the commit of keeping news",
    "killed: recorder before the commit of the lease",
    "killed: recorder after the lease",
    "killed: recorder before it says Notify",
    "killed: recorder after it says Notify",
    "killed: recorder before the commit of the mark",
    "killed: recorder after the mark",
    "killed: recorder before it says Noted",
    "killed: recorder after it says Noted",
    "killed: notifier before its first message",
    "killed: notifier before it sends",
    "killed: notifier after the receiver took it, unsaid",
    "killed: notifier after it said so",
    "disk full for a while",
    "doubles in documented windows",
    "news failed: again",
    "news failed: never",
    "news failed: unsure",
    "news muted",
    "pings arrived",
    "receiver goes away",
    "receiver closes with it",
}
#: Small enough to be told when it fails.
_SMALL = Kind(sparse=False, annotated=DENSE.annotated, pause=1000, sizes=(1, 4))


@pytest.mark.parametrize("seed", range(8))
def test_the_engine_keeps_its_promises(seed: int) -> None:
    """A day of faults, with something due every few minutes."""
    _lives(seed, 1 / 365, dense=True)


def test_ten_years(years: Years) -> None:
    """A year of faults for each of ten crontabs of fifty jobs."""
    told = years.told()
    counted = {name: int(count) for count, name in re.findall(r"^ +(\d+) (.+)$", told, re.MULTILINE)}
    assert f"{WORLDS * YEARS:g} years in" in told, told
    assert ", 0 violations" in told, told
    assert counted["runs"] > 10_000
    with seeded(0, LONG) as world:
        assert _named(world) <= counted.keys()
    assert counted["change of daylight saving"] > 1
    assert counted.keys() >= _TOLD
    assert counted["flips journalled"] > 3000


def _named(world: World) -> set[str]:
    """All faults that there are: one that no world ever had is not tested against."""
    named = {fault.__name__.strip("_").replace("_", " ") for fault in world._weighted()}
    return named | {"acknowledgement late", "died unwritten", "died torn", "died unsent", "died half sent"}


@pytest.mark.parametrize("seed", range(15))
def test_small_worlds(seed: int) -> None:
    """A few jobs, and a fault every minute: what fails can be read."""
    with seeded(seed, _SMALL) as world:
        world.live(_DAY / 6)
        world.rest()


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.randoms(use_true_random=False), st.integers(1, 50), st.booleans())
def test_crontabs_by_chance_are_crontabs(source: random.Random, size: int, sparse: bool) -> None:
    """What is drawn is read without an error until somebody breaks it."""
    crontab = Crontab(source, annotated=True, sparse=sparse)
    crontab.grow(size)
    table = parse_crontab(crontab.text(), extensions=True)
    assert len(table.entries) == size
    assert not table.errors


def test_a_world_is_its_seed() -> None:
    """The same seed makes the same world, or nobody could look at what failed."""
    told = [_lives(3, 1 / 365, dense=True) for _ in range(2)]
    assert told[0].figures == told[1].figures
    assert told[0].faults == told[1].faults
    assert told[0].now == told[1].now


@pytest.mark.parametrize("mutant", present(), ids=lambda mutant: mutant.title)
def test_bugs_on_purpose_are_found(mutant: Mutant) -> None:
    """A bug that is put into the engine is found within a minute."""
    assert mutant.found(60.0)


def test_figures_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """What a long run says at its end."""
    assert live(1, 1, 0.01, dense=True) == 0
    told = capsys.readouterr().out
    assert "0.01 years" in told
    assert "0 violations" in told


def test_a_failure_says_how_to_see_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    """Its seed, as a command, and what came before."""
    bug = next(mutant for mutant in present() if mutant.title == "an instant lost")
    with bug.living():
        assert live(2, 1, 0.01, dense=True) == 1
    told = capsys.readouterr().out
    assert "python -m tests.simulation --seed 2 --years 0.01 --dense" in told
    assert "the newest last" in told


def _lives(seed: int, years: float, *, dense: bool) -> World:
    with seeded(seed, DENSE if dense else LONG) as world:
        try:
            world.live(years * 365 * _DAY)
            world.rest()
        except AssertionError as error:
            pytest.fail(f"{error}\nagain: {replay(seed, years, dense=dense)}")
    return world
