"""No text makes the parser raise: a slice of `python -m tests.fuzz`, which has the million."""

from __future__ import annotations

from random import Random

from tests.fuzz.reading import read_all
from tests.fuzz.texts import mutations, random_lines, real_crontabs


def test_random_lines() -> None:
    """Any bytes are a crontab with problems; some of them are entries."""
    parses, entries, problems, _ = read_all(random_lines(Random(0), 5000))
    assert parses == 2000
    assert entries > 100
    assert problems > 1000


def test_harmed_crontabs() -> None:
    """Crontabs with pieces lost, doubled, turned and mixed are read to their end."""
    parses, entries, problems, _ = read_all(mutations(Random(0), real_crontabs([]), 400))
    assert parses == 800
    assert entries > 100
    assert problems > 1000
