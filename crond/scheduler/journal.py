"""The journal: one file of JSON lines, appended to, and rewritten whole when it has grown.

Its first lines are a snapshot and the rest what changed since, so that there is one file and one rename
to be right about. Knows lines and files, not what the records mean (`crond.core.memory` does). Called by
the loop.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from crond.model.actions import Record

_GROWTH = 4 * 1024 * 1024


class FileJournal:
    """A journal in the file `folder`/journal. One process at a time may have it open."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "journal")
        self._fd: int | None = None
        self._size = 0
        self._size_rewritten = 0
        self.damaged = 0

    @property
    def grown(self) -> bool:
        return self._size - self._size_rewritten > max(_GROWTH, self._size_rewritten)

    def load(self) -> list[Record]:
        try:
            with open(self._path, "rb") as file:
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
        return records

    def append(self, records: Iterable[Record]) -> None:
        data = _lines(records)
        if self._fd is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._fd = os.open(self._path, flags, 0o600)
            self._size = os.fstat(self._fd).st_size
        written = os.write(self._fd, data)
        if written != len(data):
            # A torn line would swallow the next record too: take it away again.
            os.ftruncate(self._fd, self._size)
            raise OSError(f"{self._path}: only {written} of {len(data)} bytes could be written")
        self._size += written

    def rewrite(self, records: Iterable[Record]) -> None:
        data = _lines(records)
        fresh = self._path + ".new"
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(fd, data)
            os.fsync(fd)
            os.rename(fresh, self._path)
        except OSError:
            os.close(fd)
            raise
        os.close(fd)
        self.close()
        self._size = self._size_rewritten = len(data)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _set_aside(self, data: bytes) -> None:
        """Keep a damaged journal for people to look at; the next rewrite would drop what is wrong."""
        with open(self._path + ".damaged", "wb") as file:
            file.write(data)


def _lines(records: Iterable[Record]) -> bytes:
    encode = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=_plain).encode
    return "".join(encode(record) + "\n" for record in records).encode("ascii")


def _plain(value: Any) -> Any:
    return value.values()


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
