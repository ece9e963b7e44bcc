"""Removing the outputs that are not to be kept: a program of its own, since a million files take long.

Owns one look through the folders and what comes of it. With a client it tells that how it comes along, and
ends when the client goes; each file is then there or gone. Started by sweeps.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from crond.launcher.kernel import name_process
from crond.launcher.outputs import LABEL
from crond.launcher.retention import Limits, Output, doomed, orphans_in, outputs_in
from crond.launcher.trimming import is_written, trim
from crond.model.codec import encode
from crond.model.frames import frame
from crond.model.messages import Answer

_LAUNCHER, _CLIENT = 0, 3
#: Seconds between two words to the client, and until one that does not read is given up.
_TELL = 0.2
_PATIENCE = 10.0


@dataclass(slots=True)
class Tally:
    """What came of it so far. Sizes are bytes on the disk."""

    looked: int = 0
    removed: int = 0
    freed: int = 0
    trimmed: int = 0
    kept: int = 0
    kept_size: int = 0
    oldest: float | None = None

    def keep(self, output: Output) -> None:
        self.kept += 1
        self.kept_size += output.size
        self.oldest = output.written if self.oldest is None else min(self.oldest, output.written)

    def told(self) -> dict[str, Any]:
        """Return it as clients are told it (docs/reference/json.md)."""
        oldest = None
        if self.oldest is not None:
            oldest = datetime.fromtimestamp(int(self.oldest), UTC).isoformat().replace("+00:00", "Z")
        return {
            "removed": self.removed,
            "freed": self.freed,
            "trimmed": self.trimmed,
            "kept": self.kept,
            "kept_size": self.kept_size,
            "oldest": oldest,
        }


class Teller:
    """Tells a client, if there is one. One that went away, or does not read, ends the program: OSError."""

    def __init__(self, sock: socket.socket | None) -> None:
        self._sock = sock
        self._told = time.monotonic()
        if sock is not None:
            sock.settimeout(_PATIENCE)

    def progress(self, phase: str, done: int, of: int | None) -> None:
        """Say how far `phase` came, now and then."""
        now = time.monotonic()
        if self._sock is not None and now - self._told >= _TELL:
            self._told = now
            self._send({"phase": phase, "done": done, "of": of}, final=False)

    def end(self, body: dict[str, Any]) -> None:
        self._send(body, final=True)

    def _send(self, body: dict[str, Any], *, final: bool) -> None:
        if self._sock is not None:
            self._sock.sendall(frame(encode(Answer(True, final, json.dumps(body)))))


def main(request: str) -> int:
    """Prune as `request` says: JSON with folder, uid (null: everybody's), dry_run, limits and client."""
    name_process("crond-outputs")
    for number in (signal.SIGIO, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(10)
    asked = json.loads(request)
    with socket.socket(fileno=_LAUNCHER) as launcher, contextlib.suppress(OSError):
        teller = Teller(socket.socket(fileno=_CLIENT) if asked["client"] else None)
        tally = Tally()
        try:
            prune(
                asked["folder"],
                uid=asked["uid"],
                limits=Limits(**asked["limits"]),
                dry_run=asked["dry_run"],
                tally=tally,
                teller=teller,
            )
            teller.end({"dry_run": asked["dry_run"], **tally.told()})
        finally:
            launcher.sendall(json.dumps({"dry_run": asked["dry_run"], **tally.told()}).encode())
    return 0


def prune(
    folder: str, *, uid: int | None, limits: Limits, dry_run: bool, tally: Tally, teller: Teller
) -> None:
    """Remove what is not to be kept of the outputs below `folder`, and count it in `tally`.

    `dry_run`: only count. What somebody still writes to stays. Raises OSError if the client is gone.
    """
    outputs = list(_found(folder, uid, limits.max_size, tally, teller))
    gone = doomed(outputs, limits, time.time())
    going = {output.path for output in gone}
    for done, output in enumerate(gone):
        teller.progress("removing", done, len(gone))
        if is_written(output.path):
            tally.keep(output)
            continue
        if not dry_run and not _remove(output.path):
            continue
        tally.removed += 1
        tally.freed += output.size
    for output in outputs:
        if output.path not in going:
            tally.keep(_trimmed(output, tally, dry_run=dry_run))
            teller.progress("trimming", tally.kept, len(outputs))
    if not dry_run:
        for place, _ in _folders(folder, uid):
            for label in orphans_in(place):
                with contextlib.suppress(OSError):
                    os.unlink(label)


def _found(folder: str, uid: int | None, max_size: int, tally: Tally, teller: Teller) -> Iterator[Output]:
    for place, owner in _folders(folder, uid):
        for output in outputs_in(place, owner, max_size):
            tally.looked += 1
            teller.progress("looking", tally.looked, None)
            if output is not None:
                yield output


def _folders(folder: str, uid: int | None) -> list[tuple[str, int]]:
    """Return the folders of outputs, with whose they are; of `uid` alone if it is one."""
    uids = [int(name) for name in os.listdir(folder) if name.isdecimal() and uid in (None, int(name))]
    return [(f"{folder}/{each}", each) for each in sorted(uids)]


def _trimmed(output: Output, tally: Tally, *, dry_run: bool) -> Output:
    """Cut an output from before the limit to its size; return it as it then is."""
    if not output.oversized:
        return output
    freed = output.size - output.max_size if dry_run else trim(output.path, output.max_size)
    tally.trimmed += 1
    tally.freed += freed
    return output._replace(size=output.size - freed)


def _remove(path: str) -> bool:
    """Remove an output and its label; False if it is gone already."""
    try:
        os.unlink(path)
    except OSError:
        return False
    with contextlib.suppress(OSError):
        os.unlink(path + LABEL)
    return True
