"""Ports: what the scheduler's loop needs of the world, as protocols with their contracts.

Each has the real thing in `crond.scheduler` and a fake in the tests; both pass the same contract suite
(`tests/contract/`). The core knows none of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from crond.core.clockwork import Reading
from crond.model.actions import Record


class Clock(Protocol):
    """The clocks. The loop reads them once per turn and hands the reading down."""

    def read(self) -> Reading:
        """Return wall, monotonic and boot time as they are now. `mono` and `boot` never go back."""
        ...


class Journal(Protocol):
    """The engine's only memory between two lives of the scheduler: records, in order."""

    def load(self) -> list[Record]:
        """Return every record that was appended since the last `rewrite`, after those of it.

        What cannot be read (a line torn by a crash) is left out, kept aside and counted in `damaged`.
        """
        ...

    @property
    def damaged(self) -> int:
        """How many lines the last `load` left out."""
        ...

    @property
    def grown(self) -> bool:
        """True if there is so much more than at the last `rewrite` that another would be worth it."""
        ...

    def append(self, records: Iterable[Record]) -> None:
        """Add `records`, all in one write. They survive the end of this process once it returns.

        Raises OSError if they may not be there; `load` then gives a prefix of them at most.
        """
        ...

    def rewrite(self, records: Iterable[Record]) -> None:
        """Replace everything by `records`, at once or not at all. Raises OSError, and then nothing
        changed.
        """
        ...
