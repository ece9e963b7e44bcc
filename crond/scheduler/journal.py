"""The journal: JSON lines in segments. The newest is appended to; a new one begins when it has grown.

A segment begins with a snapshot and goes on with what changed since, so the newest alone rebuilds the
memory. It is written aside and renamed, so there is one file and one rename to be right about. Older
segments are for the recorder, which removes what it has taken over. Knows lines and files, not what the
records mean (`crond.core.memory` does). Called by the loop.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from crond.model.actions import Record

_NAME = "journal."
_GROWTH = 4 * 1024 * 1024
#: What a recorder that is away may leave lying, in bytes; beyond that the oldest goes.
_LEFT_LYING = 1024 * 1024 * 1024


class FileJournal:
    """A journal in `folder`. One process at a time may write it.

    `recorded`: a recorder takes older segments over; else they are removed as soon as there is a newer one.
    """

    def __init__(self, folder: str, *, recorded: bool = False) -> None:
        self._folder = folder
        self._recorded = recorded
        self._number = max(self._numbers(), default=1)
        self._fd: int | None = None
        self._size = 0
        self._size_rewritten = 0
        self._torn = False
        self.damaged = 0

    @property
    def grown(self) -> bool:
        return self._size - self._size_rewritten > max(_GROWTH, self._size_rewritten)

    def load(self) -> list[Record]:
        try:
            with open(self._path(self._number), "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return []
        records: list[Record] = []
        self.damaged = 0
        for line in data.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                self.damaged += 1
                continue
            if isinstance(record, list):
                records.append(record)
            else:
                self.damaged += 1
        if self.damaged:
            self._set_aside(data)
        self._size = self._size_rewritten = len(data)
        self._torn = not data.endswith(b"\n") and data != b""
        return records

    def append(self, records: Iterable[Record]) -> None:
        data = _lines(records)
        if self._torn:
            # Without a rewrite since: the line that a crash tore must not swallow the first of ours.
            data = b"\n" + data
        if self._fd is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._fd = os.open(self._path(self._number), flags, 0o600)
            self._size = os.fstat(self._fd).st_size
        written = os.write(self._fd, data)
        if written != len(data):
            # A torn line would swallow the next record too: take it away again.
            os.ftruncate(self._fd, self._size)
            raise OSError(f"{self._folder}: only {written} of {len(data)} bytes could be written")
        self._size += written
        self._torn = False

    def rewrite(self, records: Iterable[Record]) -> None:
        data = _lines(records)
        path = self._path(self._number + 1)
        fd = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(fd, data)
            os.fsync(fd)
            os.rename(path + ".new", path)
        finally:
            os.close(fd)
        self.close()
        self._number += 1
        self._size = self._size_rewritten = len(data)
        self._torn = False
        self._remove_old()

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _numbers(self) -> list[int]:
        """The segments that there are, oldest first."""
        names = (name.removeprefix(_NAME) for name in os.listdir(self._folder) if name.startswith(_NAME))
        return sorted(int(number) for number in names if number.isdecimal())

    def _path(self, number: int) -> str:
        return os.path.join(self._folder, f"{_NAME}{number:06d}")

    def _remove_old(self) -> None:
        room = _LEFT_LYING if self._recorded else 0
        for number in reversed(self._numbers()):
            if number >= self._number:
                continue
            # The recorder removes them too.
            with suppress(FileNotFoundError):
                room -= os.stat(self._path(number)).st_size
                if room < 0:
                    os.unlink(self._path(number))

    def _set_aside(self, data: bytes) -> None:
        """Keep a damaged journal for people to look at; the next rewrite would drop what is wrong."""
        with open(os.path.join(self._folder, "damaged"), "wb") as file:
            file.write(data)


def _lines(records: Iterable[Record]) -> bytes:
    return "".join([_as_json(record) + "\n" for record in records]).encode("ascii")


def _plain(value: Any) -> Any:
    return value.values()


_as_json = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=_plain).encode


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
