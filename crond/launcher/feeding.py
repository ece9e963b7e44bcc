"""Writing a letter into a mail command: a program of its own, since it takes as long as the mailer likes.

Has no privilege and gets descriptors alone: 0 the headers, 3 the output, 4 the mail command's standard input;
5, for a job with secrets, which these are: then it runs as the job's user, who may read them. The middle that
was dropped of a large output is named where it was. Started by post.
"""

from __future__ import annotations

import os
import signal

from crond.launcher.holes import left_out, pieces
from crond.launcher.kernel import name_process
from crond.launcher.masking import Mask, mask_for
from crond.launcher.supplying import NotSupplied

_HEADERS, _OUTPUT, _MAILER, _SECRETS = 0, 3, 4, 5


def main(size: str, seconds: str, returns: str, pruned: str, masks: str) -> int:
    """Write the headers and `size` bytes of output, in whole `seconds` at most.

    `returns` "drop": without its CRs. `pruned` "yes": the output is gone, which is then said. `masks` "yes":
    it is written without secrets, or not at all. A mailer that reads no more is the mailer's business: its
    status says what became of the letter.
    """
    name_process("crond-mail")
    # A launcher that died can no longer end us, and a mailer that hangs would keep us for good.
    signal.alarm(int(seconds))
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        with open(_HEADERS, "rb") as headers:
            _write(headers.read())
        if pruned == "yes":
            _write(f"[the output, {int(size):,} bytes, was removed before this letter was sent]\n".encode())
        else:
            mask = _mask() if masks == "yes" else None
            if size == "0":
                _write(b"[no output]\n")
            _body(int(size), mask, drops=returns == "drop")
    except NotSupplied as reason:
        _write(f"[the output is left out: {reason}]\n".encode("utf-8", "replace"))
    except BrokenPipeError:
        pass
    return 0


def _mask() -> Mask:
    """Raises NotSupplied."""
    with open(_SECRETS, "rb") as file:
        return mask_for(file.read())


def _body(size: int, mask: Mask | None, *, drops: bool) -> None:
    last = b"\n"
    first = True
    found = pieces(_OUTPUT, 0, size)
    for piece in found if mask is None else mask.through(found):
        if isinstance(piece, int):
            text = (b"" if last == b"\n" else b"\n") + left_out(piece)
        elif drops:
            # cronie lets one at the very beginning pass.
            kept = b"\r" if first and piece[:1] == b"\r" else b""
            text = kept + piece.replace(b"\r", b"")
        else:
            text = piece
        _write(text)
        last = text[-1:] or last
        first = False


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(_MAILER, view) :]
