"""The console script `crontabx`: `-l` at once, everything else through click.

A client command is one start of Python, and half of that is click. Scripts ask for the crontab again and
again, so the plain `crontabx -l` does without; whatever is not plain about it is left to `crond.cli.main`,
which says in words what is wrong. Knows two messages and nothing else.
"""

from __future__ import annotations

import os
import sys

_HOST_RUN = "/run/crontabx"
_PATIENCE = 10.0


def main() -> None:
    """Run the command line of this process and exit."""
    if sys.argv[1:] == ["-l"]:
        text = _crontab(os.environ.get("CRONTABX_STATE"))
        if text is not None:
            _write(text)
            return
    from crond.cli.main import main as all_of_it

    all_of_it()


def _crontab(state: str | None) -> bytes | None:
    """Return our crontab, None where anything is in the way."""
    import socket

    from crond.model.frames import SMALL_FRAME, FrameReader, frame
    from crond.model.messages import Answer, Fetch, Piece, decode, encode

    parts: list[bytes] = []
    size = -1
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(_PATIENCE)
            sock.connect(
                os.path.join(state, "run", "launcher.sock") if state else f"{_HOST_RUN}/launcher.sock"
            )
            sock.sendall(frame(encode(Fetch("", 0, "list"))))
            reader = FrameReader(SMALL_FRAME)
            while data := sock.recv(256 * 1024):
                for payload in reader.feed(data):
                    message = decode(payload, Answer, Piece)
                    if isinstance(message, Piece):
                        parts.append(message.data)
                    else:
                        size = _size(message.body) if message.ok else -1
    except (OSError, ValueError):  # ValueError: BadFrame, BadMessage and what is no JSON
        return None
    text = b"".join(parts)
    return text if len(text) == size else None


def _size(body: str) -> int:
    import json

    held = json.loads(body)
    size = held.get("size") if isinstance(held, dict) else None
    return size if type(size) is int else -1


def _write(text: bytes) -> None:
    import signal

    # As in any Unix tool: a closed pipe ends us silently.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        while text:
            text = text[os.write(1, text) :]
    except OSError as error:  # a full disk under stdout
        sys.stderr.write(f"crontabx: {error.strerror}\n")
        sys.exit(1)
