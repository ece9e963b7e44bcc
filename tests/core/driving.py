"""An engine under a clock of the test, with a launcher that the test plays by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from crond.calendars.rules import days_of_rule
from crond.core.clockwork import Reading
from crond.core.engine import Engine
from crond.core.memory import Memory
from crond.model.actions import Action, Notice, Record, Remember, Send
from crond.model.alert import Flip, flip_of
from crond.model.crontab import parse_crontab
from crond.model.events import Event, TableParsed, Woke
from crond.model.messages import PROTOCOL, Exited, Hello, Pairs, Start, Started, TablesComplete, attempt_key
from crond.model.run import Run
from crond.scheduler.journal import _lines as as_lines
from crond.zones import zone_named


def durable(records: list[Record]) -> list[Record]:
    """The records as they come back from a journal."""
    return [json.loads(line) for line in as_lines(records).splitlines()]


def rebuilt(records: list[Record]) -> Memory:
    """The memory that these records come to."""
    memory = Memory()
    for record in durable(records):
        memory.apply(record)
    return memory


def contents(memory: Memory) -> list[Record]:
    """All of a memory, to compare two."""
    return durable(list(memory.records()))


def flips_in(record: Record) -> list[dict[str, Any]]:
    """The flips in one record, as plain values."""
    if record[0] == "flip":
        return [record[1]]
    return list(record[2]["flips"]) if record[0] == "run" and len(record) > 2 else []


class Driver:
    """Steps an engine and keeps what it asked for. `records` is what a journal would hold."""

    def __init__(self, *, wall: float, zone: str = "UTC", life: str = "life", boot: str = "boot") -> None:
        self.now = Reading(wall, 1000.0, 1000.0)
        self.zone = zone
        self.life, self.boot = life, boot
        self.began = wall
        self.pools: Pairs = ()  #: those of the host
        self.trouble: Pairs = ()  #: who is told of the host's troubles
        self.limits: dict[str, Any] = {}  #: `held_after` and `commented_out_after`
        self.version = 0
        self.text = ""
        self.records: list[Record] = []
        self.wishes: list[Any] = []
        self.notices: list[str] = []
        self._number = 0
        self.engine = self._engine(Memory())

    def _engine(self, memory: Memory) -> Engine:
        return Engine(memory=memory, zone=zone_named(self.zone), zone_named=zone_named, rules=days_of_rule)

    def step(self, event: Event) -> list[Action]:
        actions = self.engine.step(self.now, event)
        for action in actions:
            if isinstance(action, Remember):
                self.records.append(action.record)
            elif isinstance(action, Send):
                self.wishes.append(action.wish)
            elif isinstance(action, Notice):
                self.notices.append(action.text)
        return actions

    def greet(self, *, reboot: bool = True) -> None:
        """The launcher says hello, and no more as yet."""
        hello = Hello(PROTOCOL, self.life, self.boot, reboot, 0, "cronie", self.began, (), self.pools)
        self.step(replace(hello, trouble=self.trouble, **self.limits))

    def begin(self, text: str, *, reboot: bool = True) -> None:
        """Say hello, with one table."""
        self.greet(reboot=reboot)
        self.edit(text)
        self.step(TablesComplete())

    def edit(self, text: str) -> None:
        """The table is `text` now."""
        self.version += 1
        self.text = text
        table = parse_crontab(text, extensions=True)
        self.step(TableParsed(self.version, "tab", "me", 7, table))

    def restart(
        self,
        *,
        life: str | None = None,
        boot: str | None = None,
        text: str | None = None,
        torn: int | None = None,
    ) -> None:
        """The scheduler dies and comes back with what the journal holds; with another `life`, so does all.
        `torn`: of the records only so many came to the disk.
        """
        if torn is not None:
            self.records = self.records[:torn]
        self.engine = self._engine(rebuilt(self.records))
        if life is not None:
            self.life, self.began = life, self.now.wall
        self.boot = boot or self.boot
        self.begin(self.text if text is None else text)

    def pass_by(self, seconds: float) -> None:
        """Time goes by and nobody wakes the engine."""
        self.now = replace(
            self.now,
            wall=self.now.wall + seconds,
            mono=self.now.mono + seconds,
            boot=self.now.boot + seconds,
        )

    def set_clock(self, seconds: float) -> None:
        """The wall clock is moved."""
        self.now = replace(self.now, wall=self.now.wall + seconds)

    def wake(self) -> list[Action]:
        return self.step(Woke())

    def go(self, seconds: float) -> None:
        """Let the clocks run, waking the engine whenever it asks for it."""
        end = self.now.mono + seconds
        while True:
            wait = self.engine.deadline(self.now)
            if self.now.mono + wait > end:
                self.pass_by(end - self.now.mono)
                return
            self.pass_by(wait)
            self.wake()

    def starts(self) -> list[Start]:
        """The starts asked for since the last call."""
        starts = [wish for wish in self.wishes if isinstance(wish, Start)]
        self.wishes = [wish for wish in self.wishes if not isinstance(wish, Start)]
        return starts

    def number(self) -> int:
        self._number += 1
        return self._number

    def started(self, start: Start) -> str:
        key = attempt_key(start.run, start.attempt)
        self.step(Started(self.number(), key, 99, self.now.wall))
        return key

    def exited(self, key: str, status: int = 0, size: int = 4) -> None:
        self.step(Exited(self.number(), key, self.now.wall, status, 0.1, 0.2, 300, size))

    def end(self, start: Start, status: int = 0, seconds: float = 0.0) -> None:
        """The process of `start` runs for `seconds` and ends; meanwhile nothing else happens."""
        key = self.started(start)
        self.pass_by(seconds)
        self.exited(key, status)

    def play(self, seconds: float, **statuses: int) -> list[str]:
        """Let time pass while all that is started ends at once: jobs with the `statuses` of their names, else
        well. Return what was started, by name, with the part where it is not the command.
        """
        end = self.now.mono + seconds
        done: list[str] = []
        while True:
            for start in self.starts():
                done.append(start.job if start.part == "command" else f"{start.job}:{start.part}")
                self.end(start, statuses.get(start.job if start.part == "command" else start.part, 0))
            wait = self.engine.deadline(self.now)
            if any(isinstance(wish, Start) for wish in self.wishes):
                continue
            if self.now.mono + wait > end:
                self.pass_by(end - self.now.mono)
                return done
            self.pass_by(wait)
            self.wake()

    def runs(self, name: str) -> list[Run]:
        """The runs of the job `name`, in the order of their instants."""
        return sorted(
            self.engine.memory.runs_of(f"me/{name}"), key=lambda run: (run.instant, run.ordinal, run.trigger)
        )

    def last(self, name: str) -> Run:
        return self.runs(name)[-1]

    def asked(self, kind: type[Any]) -> list[Any]:
        """The wishes of one kind since the beginning, or since the last call of `starts` for those."""
        return [wish for wish in self.wishes if isinstance(wish, kind)]

    def flips(self) -> list[Flip]:
        """All that was told since the beginning."""
        return [flip_of(values) for record in self.records for values in flips_in(record)]

    def run(self, start: Start) -> Run:
        return self.engine.memory.runs[start.run]
