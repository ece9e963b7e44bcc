"""The feed: the journal's segments, read from a position on, as batches of records.

Owns how segments follow each other and what a torn or vanished one means; never holds the scheduler up and
changes nothing but what is read already. What the records say is `crond.recorder.records`'; the writer
stores each batch together with the position at which it ends.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from crond.recorder.records import CrontabRecord, IntervalRecord, Record, RunRecord, record_of

_SEGMENT = re.compile(r"journal\.(\d{6,9})")
_CHUNK = 1024 * 1024
_MARK = "feed"
#: Two threads would make two tokens.
_MAKING = threading.Lock()
#: Bytes of segments that are kept after they were read: what fills a database that somebody deletes.
KEPT = 32 * 1024 * 1024


class Position(NamedTuple):
    """A place in the journal: all before it is in the history."""

    segment: int
    offset: int


@dataclass(slots=True)
class Batch:
    """What was read together, a run's newest record only, and the position after it."""

    end: Position
    runs: dict[str, RunRecord] = field(default_factory=dict)
    intervals: list[IntervalRecord] = field(default_factory=list)
    crontabs: list[CrontabRecord] = field(default_factory=list)
    broken: int = 0  #: lines that make no sense

    @property
    def empty(self) -> bool:
        """True if nothing in it is for the history: the scheduler notes each minute how far it came."""
        return not (self.runs or self.intervals or self.crontabs or self.broken)

    def add(self, record: Record | None) -> None:
        """Add `record`, which is newer than all before it."""
        if isinstance(record, RunRecord):
            self.runs[record.row["id"]] = record
        elif isinstance(record, IntervalRecord):
            self.intervals.append(record)
        elif isinstance(record, CrontabRecord):
            self.crontabs.append(record)


class Feed:
    """The segments in `folder`. None is deleted before all `readers` have said that they are beyond it."""

    def __init__(self, folder: str, *, kept: int = KEPT, readers: Sequence[str] = ("history",)) -> None:
        self.folder = os.path.realpath(folder)
        self._kept = kept
        self._read = dict.fromkeys(readers, Position(0, 0))

    def read(self, position: Position) -> Batch | None:
        """Return the next batch after `position`; None where there is nothing new. Raises OSError."""
        lines = self.lines(position)
        return None if lines is None else _batch(*lines)

    def lines(self, position: Position) -> tuple[bytes, Position] | None:
        """Return the next whole lines after `position` and where they end; None where there is nothing new.

        There may be none, and a position that is worth remembering by itself. Raises OSError.
        """
        while True:
            # The list first: a segment that has a successor is no longer written to.
            numbers = self.segments()
            start = self._found(position, numbers)
            if start is None:
                return None
            data = self._lines(start)
            if data:
                return data, Position(start.segment, start.offset + len(data))
            newer = [number for number in numbers if number > start.segment]
            if not newer:
                # A position that had to be moved is worth remembering by itself.
                return None if start == position else (b"", start)
            position = Position(newer[0], 0)

    def behind(self, position: Position) -> int:
        """Return how many bytes come after `position`."""
        total = 0
        for number in self.segments():
            with suppress(OSError):
                if number >= position.segment:
                    total += os.stat(self._path(number)).st_size
                if number == position.segment:
                    total -= position.offset
        return max(0, total)

    def drop_read(self, position: Position, reader: str = "history") -> None:
        """Note that `reader` has read what lies before `position`; delete segments that all readers have
        read, oldest first, but for the last few megabytes.
        """
        self._read[reader] = position
        position = min(self._read.values())
        held = 0
        for number in reversed([number for number in self.segments() if number < position.segment]):
            with suppress(OSError):
                held += os.stat(self._path(number)).st_size
                if held > self._kept:
                    os.unlink(self._path(number))

    def segments(self) -> list[int]:
        """Return the numbers of the segments that are there, oldest first. Raises OSError."""
        matches = (_SEGMENT.fullmatch(name) for name in os.listdir(self.folder))
        return sorted(int(match[1]) for match in matches if match)

    def _found(self, position: Position, numbers: list[int]) -> Position | None:
        """Return where to read on, given what is there; None where nothing is."""
        if not numbers:
            return None
        if position.segment not in numbers:
            # Read and deleted, or a journal that began anew: what is read twice is stored once.
            return Position(next((n for n in numbers if n > position.segment), numbers[0]), 0)
        if position.offset and not self._line_ends_at(position):
            # The scheduler takes back a line that the disk had no room for.
            return Position(position.segment, 0)
        return position

    def _line_ends_at(self, position: Position) -> bool:
        with open(self._path(position.segment), "rb") as file:
            file.seek(position.offset - 1)
            return file.read(1) == b"\n"

    def _lines(self, position: Position) -> bytes:
        """Return whole lines from `position` on; a line that has no end yet is waited for."""
        size = _CHUNK
        with open(self._path(position.segment), "rb") as file:
            while True:
                file.seek(position.offset)
                data = file.read(size)
                end = data.rfind(b"\n") + 1
                if end or len(data) < size:
                    return data[:end]
                size *= 4

    def _path(self, number: int) -> str:
        return os.path.join(self.folder, f"journal.{number:06}")


def _batch(data: bytes, end: Position) -> Batch:
    batch = Batch(end)
    for line in data.splitlines():
        try:
            batch.add(record_of(line))
        except ValueError:
            batch.broken += 1
    return batch


def token_of(folder: str) -> str:
    """Return what tells this journal from every other; empty if nothing does yet. Raises OSError.

    A journal that is deleted with its folder, and begun anew, is another one.
    """
    try:
        with open(os.path.join(folder, _MARK), encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


def made_token(folder: str) -> str:
    """Return the journal's token, made now if it has none. Only those who write what they read may."""
    with _MAKING:
        token = token_of(folder)
        if token:
            return token
        token = os.urandom(8).hex()
        fresh = os.path.join(folder, _MARK + ".new")
        with open(fresh, "w", encoding="ascii") as file:
            file.write(token + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.rename(fresh, os.path.join(folder, _MARK))
        return token
