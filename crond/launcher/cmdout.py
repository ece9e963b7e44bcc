"""Repeating a job's output in syslog, as cronie's `-s` does: a program of its own, which may wait for syslog.

Has no privilege and gets the output as descriptor 0. A line is logged as cronie logs it, in pieces of 1023
bytes, and made printable. Started by post.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator

from crond.launcher.holes import left_out, pieces
from crond.launcher.kernel import name_process
from crond.launcher.log import printable
from crond.launcher.syslog import INFO, Syslog

_OUTPUT = 0
#: Of a line so much is one line of the log, in bytes.
_PIECE = 1023


def main(size: str, path: str, ident: str, pid: str, user: str) -> int:
    """Tell `size` bytes of output to the syslog at `path`, as process `ident`[`pid`] of `user`."""
    name_process("crond-mail")
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    syslog = Syslog(path, waits=True)
    for text in lines_of(pieces(_OUTPUT, 0, int(size))):
        line = f"({printable(user)}) CMDOUT ({printable(os.fsdecode(text))})"
        syslog.write(ident, int(pid), line, INFO)
    return 0


def lines_of(output: Iterable[bytes | int]) -> Iterator[bytes]:
    """Yield the lines, in pieces. As in cronie an LF that begins the output is none, and one right after a
    full piece is an empty line.
    """
    rest = b""
    first = True
    for piece in output:
        data = left_out(piece) if isinstance(piece, int) else piece
        if first and data[:1] == b"\n":
            data = data[1:]
        first = False
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            *full, last = _cut(line)
            yield from full
            yield last
        *full, rest = _cut(rest)
        yield from full
    if rest:
        yield rest


def _cut(line: bytes) -> list[bytes]:
    """Return `line` in full pieces and what is left, which may be nothing."""
    parts = [line[at : at + _PIECE] for at in range(0, len(line), _PIECE)]
    return [*parts, b""] if not parts or len(parts[-1]) == _PIECE else parts
