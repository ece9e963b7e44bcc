"""The end of an output without the secrets of its crontab: a program of its own, since it reads these.

Runs as the owner of the crontab, with no more rights than that. Gets descriptors alone: 0 the output, 3 which
secrets to mask, 4 takes the answer: a line of JSON, then the bytes. Started by tails.
"""

from __future__ import annotations

import json
import os

from crond.launcher.holes import pieces
from crond.launcher.kernel import name_process
from crond.launcher.masking import mask_for
from crond.launcher.supplying import NotSupplied

_OUTPUT, _SECRETS, _ANSWER = 0, 3, 4


def main(most: str) -> int:
    """Answer with at most `most` bytes of the end."""
    name_process("crond-tail")
    try:
        with open(_SECRETS, "rb") as file:
            mask = mask_for(file.read())
    except NotSupplied as reason:
        _answer({"error": str(reason)}, b"")
        return 0
    # So much more that a secret which begins before the end is seen whole.
    size = os.fstat(_OUTPUT).st_size
    data = read_end(_OUTPUT, size, int(most) + mask.longest)
    whole = len(data) >= size
    if not whole:
        data = mask.without_rest(data)
    masked = mask.masked(data)
    end = last_lines(masked, int(most), whole=whole)
    _answer({"left_out": size - len(data) + len(masked) - len(end)}, end)
    return 0


def read_end(output: int, size: int, most: int) -> bytes:
    """Return the last `most` of the `size` bytes in the file `output`, from its last hole on."""
    data = b""
    for piece in pieces(output, max(0, size - most), size):
        data = b"" if isinstance(piece, int) else data + piece
    return data


def last_lines(data: bytes, most: int, *, whole: bool) -> bytes:
    """Return the last lines of `data` that are no more than `most` bytes; `whole`: nothing stands before it.

    Of a line that is longer alone, its end.
    """
    if whole and len(data) <= most:
        return data
    cut = data[-most:]
    if len(data) > most and data[-most - 1 : -most] == b"\n":
        return cut
    _, mark, rest = cut.partition(b"\n")
    return rest if mark and rest else cut


def _answer(told: dict[str, object], data: bytes) -> None:
    view = memoryview(json.dumps(told).encode("ascii") + b"\n" + data)
    while view:
        view = view[os.write(_ANSWER, view) :]
