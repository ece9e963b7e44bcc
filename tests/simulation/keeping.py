"""Where a world's records become durable: in memory, or in the real journal with the real recorder behind it.

Both take the records of a step, or only the first of them, as a crash leaves them. Both give back a memory
that was read from what is durable, and tell how runs ended according to the history.
"""

from __future__ import annotations

import os
import random
import sqlite3
import tempfile
from contextlib import closing
from typing import Any, Protocol

from crond.core.memory import Memory
from crond.model.actions import Record
from crond.model.run import Run, run_of
from crond.recorder.database import database_url
from crond.recorder.feed import Feed, Position, made_token
from crond.recorder.store import Store
from crond.scheduler.journal import FileJournal
from tests.core.driving import contents, durable
from tests.simulation.launcher import Broken

#: Every so manieth step's records are read back as they would be written, and every so manieth memory.
_SAMPLE, _SAMPLED_MEMORIES = 64, 8


class Keeper(Protocol):
    """What keeps records. `feed` reads its journal, which may have been read by the outbox's reader as well
    before its segments go; None: it has none.
    """

    @property
    def feed(self) -> Feed | None: ...

    def write(self, records: list[Record], *, torn: bool = False) -> None:
        """Make `records` durable; `torn`: and half of another one that nobody will ever read."""
        ...

    def turn(self, memory: Memory) -> None:
        """Do what is done now and then."""
        ...

    def rebuilt(self) -> Memory:
        """Return the memory that a new scheduler has."""
        ...

    def check(self, memory: Memory) -> None:
        """The engine's memory is what is durable."""
        ...

    def compare(self, ends: dict[str, tuple[Any, int]]) -> None:
        """Nothing more comes; `ends` is how runs ended, which the history must say as well."""
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...


class InMemory:
    """A memory beside the engine's, changed by the same records. A sample goes through their written form:
    all of them would take most of the time.
    """

    def __init__(self) -> None:
        self.feed = None
        self._shadow = Memory()
        self._count = self._memories = 0

    def write(self, records: list[Record], *, torn: bool = False) -> None:
        self._count += 1
        for record in records:
            self._shadow.apply(record)
            if self._count % _SAMPLE == 0:
                _read_back(record)

    def turn(self, memory: Memory) -> None:
        pass

    def rebuilt(self) -> Memory:
        self._memories += 1
        records = list(self._shadow.records())
        memory = Memory()
        for record in durable(records) if self._memories % _SAMPLED_MEMORIES == 0 else records:
            memory.apply(record)
        return memory

    def check(self, memory: Memory) -> None:
        if list(self._shadow.records()) != list(memory.records()):
            _same(self._shadow, memory)

    def compare(self, ends: dict[str, tuple[Any, int]]) -> None:
        pass

    def close(self) -> None:
        pass


class OnDisk:
    """The journal's files and SQLite, in a folder of their own.

    The recorder is away for a while now and then, and dies between reading and writing.
    """

    def __init__(self, source: random.Random) -> None:
        self._random = source
        # In memory where there is such a place: worlds sync their journals a thousand times.
        shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self._folder = tempfile.TemporaryDirectory(prefix="simulation-", dir=shared)
        self._journal = FileJournal(self._folder.name, recorded=True)
        self._token = made_token(self._folder.name)
        self.feed = Feed(self._folder.name, kept=0, readers=("history", "outbox"))
        self._url = database_url(None, self._folder.name)
        self._store: Store | None = None
        self._position = Position(0, 0)
        self._away = 0
        self.refused = 0

    def write(self, records: list[Record], *, torn: bool = False) -> None:
        if records:
            self._journal.append(records)
        if torn:
            self._journal.close()
            with open(os.path.join(self._folder.name, self._newest()), "ab") as file:
                file.write(b'["run",{"id":"torn')

    def turn(self, memory: Memory) -> None:
        if self._journal.grown:
            self._journal.rewrite(memory.records())
        if self._away:
            self._away -= 1
            return
        if self._random.random() < 0.02:
            self._away = self._random.randrange(1, 60)
            self.refused += 1
            self._lose_recorder()
        self._record(dies=self._random.random() < 0.02)

    def rebuilt(self) -> Memory:
        self._journal.close()
        self._journal = FileJournal(self._folder.name, recorded=True)
        memory = Memory()
        for record in self._journal.load():
            memory.apply(record)
        self._journal.rewrite(memory.records())
        return memory

    def check(self, memory: Memory) -> None:
        read = Memory()
        for record in FileJournal(self._folder.name, recorded=True).load():
            read.apply(record)
        _same(read, memory)

    def compare(self, ends: dict[str, tuple[Any, int]]) -> None:
        self._record(dies=False)
        self._lose_recorder()
        with closing(sqlite3.connect(os.path.join(self._folder.name, "history.db"))) as database:
            rows = database.execute("select id, state, outcome, attempts from runs").fetchall()
        said = {name: (state, outcome, attempts) for name, state, outcome, attempts in rows}
        wanted = {name: ("finished", outcome, attempts) for name, (outcome, attempts) in ends.items()}
        wrong = {name: (said.get(name), held) for name, held in wanted.items() if said.get(name) != held}
        if wrong or said.keys() - wanted.keys():
            raise Broken(f"the history says otherwise: {dict(list(wrong.items())[:5])}")

    def close(self) -> None:
        self._lose_recorder()
        self._journal.close()
        self._folder.cleanup()

    def _newest(self) -> str:
        return max(name for name in os.listdir(self._folder.name) if name[8:].isdecimal())

    def _record(self, *, dies: bool) -> None:
        if self._store is None:
            self._store = Store(self._url)
            self._position = self._store.begin(self._token, "host", self._folder.name)
        while (batch := self.feed.read(self._position)) is not None:
            if dies:
                self._lose_recorder()
                return
            refused = self._store.write(batch)
            if refused:
                raise Broken(f"the database refused {refused[0]}")
            self._position = batch.end
        self.feed.drop_read(self._position)

    def _lose_recorder(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None


def _read_back(record: Record) -> None:
    """A record says the same when it comes back from a file."""
    (again,) = durable([record])
    if record[0] == "run" and isinstance(record[1], Run) and run_of(again[1]) != record[1]:
        raise Broken(f"{record[1]} comes back as {run_of(again[1])}")


def _same(durable_memory: Memory, memory: Memory) -> None:
    held, there = contents(durable_memory), contents(memory)
    if held != there:
        missing = [record for record in there if record not in held][:3]
        beyond = [record for record in held if record not in there][:3]
        raise Broken(f"the records come to another memory: without {missing}, and with {beyond}")
