"""Reading a file around its holes: an output whose middle was dropped has one.

Owns how a hole is told from data, also while somebody drops more of the file that is being read. Used by
echo, and by the client on the descriptor that the launcher hands out: this file is published to it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

_CHUNK = 128 * 1024


def pieces(fd: int, offset: int, end: int) -> Iterator[bytes | int]:
    """Yield what is in the file from `offset` to `end`: data as bytes, and a hole as its length.

    The lengths of all that is yielded add up to how far it came.
    """
    while offset < end:
        gap = data_from(fd, offset, end) - offset
        if gap:
            offset += gap
            yield gap
            continue
        data = read(fd, offset, min(_CHUNK, end - offset))
        if data is None:
            continue
        if not data:
            return
        offset += len(data)
        yield data


def read(fd: int, offset: int, most: int) -> bytes | None:
    """Return data from `offset` on; empty at the end of the file, None if a hole begins there by now."""
    data = os.pread(fd, most, offset)
    # Asked after the reading: what was dropped in between was read as NULs.
    good = min(len(data), _hole_from(fd, offset, offset + len(data)) - offset)
    return data[:good] if good or not data else None


def data_from(fd: int, offset: int, end: int) -> int:
    """Return the first place from `offset` on that holds data, `end` if there is none before it.

    As all here, it leaves the descriptor's position anywhere.
    """
    try:
        return min(os.lseek(fd, offset, os.SEEK_DATA), end)
    except OSError as error:
        # ENXIO: nothing but a hole up to the end. Else the file system knows no holes, and there are none.
        return end if error.errno == errno.ENXIO else offset


def _hole_from(fd: int, offset: int, end: int) -> int:
    try:
        return min(os.lseek(fd, offset, os.SEEK_HOLE), end) if offset < end else end
    except OSError:
        return end


def left_out(count: int) -> bytes:
    """Return the line that stands for a hole of `count` bytes."""
    return f"[... {count:,} bytes left out ...]\n".encode()
