"""Numbers in equal steps, and numbers without gaps: how sets of values are told shortly.

Pure arithmetic; called by what puts schedules in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Progression:
    """The numbers `first`, `first` + `step` ... `last`."""

    first: int
    last: int
    step: int


def progression_of(values: Sequence[int]) -> Progression | None:
    """Return the steps in which the sorted `values` go, None if they are not equal or fewer than one."""
    if len(values) < 2:
        return None
    step = values[1] - values[0]
    if any(after - before != step for before, after in pairwise(values)):
        return None
    return Progression(values[0], values[-1], step)


def spans_of(values: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of each stretch without a gap of the sorted `values`."""
    begin = 0
    for at in range(1, len(values) + 1):
        if at == len(values) or values[at] != values[at - 1] + 1:
            yield values[begin], values[at - 1]
            begin = at
