"""What the engine wants done: values that the loop carries out, in order, after one write of the journal.

Remember comes before Send in effect wherever it stands in the list: all records of a step are on disk before
anything leaves. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from crond.model.messages import Wish
from crond.model.run import Run, State

#: A line of the journal: its kind and its values, which are plain, or have `values()` that are
#: (see `crond.core.memory`).
Record: TypeAlias = "list[Any]"


@dataclass(frozen=True, slots=True)
class Remember:
    """Put `record` in the journal."""

    record: Record


@dataclass(frozen=True, slots=True)
class Send:
    """Give `wish` to the launcher."""

    wish: Wish


@dataclass(frozen=True, slots=True)
class Changed:
    """`run` is new or has changed: for clients that wait for it. `was` is its state before, None if there was
    none.
    """

    run: Run
    was: State | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something an administrator should find in the log."""

    text: str


Action = Remember | Send | Changed | Notice
