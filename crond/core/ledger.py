"""What a step changes and asks for: every change of the memory is a record, and every record an action.

The one way by which the engine's parts remember, send and tell. Pure; made by the engine, emptied at each
step.
"""

from __future__ import annotations

from crond.core import memory
from crond.core.memory import Memory
from crond.core.siblings import Siblings
from crond.core.waits import Waits
from crond.model.actions import Action, Changed, Notice, Record, Remember, Send
from crond.model.messages import Wish
from crond.model.run import Run


class Ledger:
    """Writes to `memory`, and keeps `waits` and `siblings` in step with it."""

    def __init__(self, held: Memory) -> None:
        self.memory = held
        self.waits = Waits(held.runs)
        self.siblings = Siblings(held.runs)
        self._actions: list[Action] = []

    def begin(self) -> list[Action]:
        """Begin a step; what is returned fills with its actions."""
        self._actions = []
        return self._actions

    def remember(self, record: Record) -> None:
        """Change the memory as `record` says, for good."""
        self.memory.apply(record)
        self._actions.append(Remember(record))

    def change(self, run: Run) -> None:
        """Remember `run` as it is now, and tell who looks at it."""
        before = self.memory.runs.get(run.id)
        self.remember(memory.changed(run))
        self.waits.changed(before, run)
        self.siblings.changed(before, run)
        self._actions.append(Changed(run, None if before is None else before.state))

    def send(self, wish: Wish) -> None:
        """Ask something of the launcher."""
        self._actions.append(Send(wish))

    def notice(self, text: str) -> None:
        """Say something in the log."""
        self._actions.append(Notice(text))
