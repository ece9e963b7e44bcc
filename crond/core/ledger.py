"""What a step changes and asks for: every change of the memory is a record, and every record an action.

The one way by which the engine's parts remember, send and tell. Pure; made by the engine, emptied at each
step.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

from crond.core import memory
from crond.core.health import Health
from crond.core.memory import Memory
from crond.core.siblings import Siblings
from crond.core.waits import Waits
from crond.model.actions import Action, Changed, Notice, Record, Remember, Send
from crond.model.alert import Flip
from crond.model.messages import News, Wish
from crond.model.run import Run

#: What is told because a run changed: flips, and how its job stands then (None: as before).
ToldOf = Callable[[Run | None, Run], tuple[Sequence[Flip], Health | None] | None]


class Ledger:
    """Writes to `memory`, and keeps `waits` and `siblings` in step with it."""

    def __init__(self, held: Memory) -> None:
        self.memory = held
        self.waits = Waits(held.runs)
        self.siblings = Siblings(held.runs)
        self._actions: list[Action] = []
        self._told = False
        self._concerned: Container[str] = ()
        self._told_of: ToldOf = _nothing

    def tells(self, concerned: Container[str], told_of: ToldOf) -> None:
        """Ask `told_of` about each change of a run of a job in `concerned`."""
        self._concerned, self._told_of = concerned, told_of

    def begin(self) -> list[Action]:
        """Begin a step; what is returned fills with its actions."""
        self._actions = []
        self._told = False
        return self._actions

    def end(self) -> None:
        """End a step: who delivers news looks for them if there are any."""
        if self._told:
            self.send(News())

    def remember(self, record: Record) -> None:
        """Change the memory as `record` says, for good."""
        self.memory.apply(record)
        self._actions.append(Remember(record))

    def change(self, run: Run) -> None:
        """Remember `run` as it is now, and tell who looks at it."""
        before = self.memory.runs.get(run.id)
        told = self._told_of(before, run) if run.job in self._concerned else None
        if told is None:
            self.remember(memory.changed(run))
        else:
            self._remember_told(run, *told)
        self.waits.changed(before, run)
        self.siblings.changed(before, run)
        self._actions.append(Changed(run, None if before is None else before.state))

    def _remember_told(self, run: Run, flips: Sequence[Flip], health: Health | None) -> None:
        # In one record: a write that was cut off has the run with its news, or neither.
        news: dict[str, Any] = {"flips": [one.values() for one in flips]}
        if health is not None:
            news["health"] = [run.job, *health]
        self.remember(["run", run, news])
        self._told = self._told or bool(flips)

    def tell(self, flip: Flip, health: Record | None = None, trouble: Record | None = None) -> None:
        """Tell what no run brought about, and remember with it how a job stands (`job, *health`), or since
        when something is wrong (`key, since, told`).
        """
        self.remember(["flip", flip.values(), health, *([] if trouble is None else [trouble])])
        self._told = True

    def send(self, wish: Wish) -> None:
        """Ask something of the launcher."""
        self._actions.append(Send(wish))

    def notice(self, text: str) -> None:
        """Say something in the log."""
        self._actions.append(Notice(text))


def _nothing(_before: Run | None, _run: Run) -> None:
    return None
