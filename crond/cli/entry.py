"""The console script `crontabx`, also under the name `crontab`: `-l` at once, everything else through click.

A client command is one start of Python, and half of that is click. Scripts ask for the crontab again and
again, so the plain `-l` does without; whatever is not plain about it is left to `crond.cli.main`, or to
`crond.cli.crontab` where we are called `crontab`, which say in words what is wrong. Knows three messages of
`crond.model.messages` as they are on the wire, since reading that page costs as much as the rest.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing takes as long as the rest
if TYPE_CHECKING:
    from typing import NoReturn

_HOST_RUN = "/run/crontabx"
_PATIENCE = 10.0
#: Fetch(user="", version=0, purpose="list")
REQUEST = b'["fetch","",0,"list"]'


def main() -> None:
    """Run the command line of this process and exit."""
    as_crontab = os.path.basename(sys.argv[0]) == "crontab"
    # What crontab(1) shows on a terminal is not the plain text.
    if sys.argv[1:] == ["-l"] and not (as_crontab and os.isatty(1)):
        found = _crontab(os.environ.get("CRONTABX_STATE"))
        if found is not None:
            text, told = found
            if "code" in told:
                _refuse(told, as_crontab=as_crontab)
            _write(_without_header(text) if as_crontab and told.get("dialect") == "debian" else text)
            return
    if as_crontab:
        from crond.cli.crontab import main as all_of_it
    else:
        from crond.cli.main import main as all_of_it

    all_of_it()


def _refuse(told: dict[str, object], *, as_crontab: bool) -> NoReturn:
    """Say the daemon's no, and exit. It is not asked again, since cron logs each question."""
    from crond.cli.client import Refused
    from crond.cli.format import printable

    refusal = Refused(printable(str(told.get("error"))), str(told["code"]), told)
    if as_crontab:
        from crond.cli.crontab import refuse

        refuse(refusal)
        sys.exit(1)
    refusal.show()
    sys.exit(refusal.exit_code)


def _without_header(text: bytes) -> bytes:
    from crond.cli.header import without_header

    return text if os.environ.get("CRONTAB_NOHEADER") == "N" else without_header(text)


def _crontab(state: str | None) -> tuple[bytes, dict[str, object]] | None:
    """Return our crontab and what the daemon tells of it, with its `code` if it refuses; else None."""
    import json
    import socket

    from crond.model.frames import SMALL_FRAME, FrameReader, frame

    path = os.path.join(state, "run") if state else _HOST_RUN
    parts: list[bytes] = []
    told: dict[str, object] = {}
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(_PATIENCE)
            sock.connect(f"{path}/launcher.sock")
            sock.sendall(frame(REQUEST))
            reader = FrameReader(SMALL_FRAME)
            while data := sock.recv(256 * 1024):
                for payload in reader.feed(data):
                    match json.loads(payload):
                        case ["answer", True, False, str(body)]:
                            told = json.loads(body)
                        case ["answer", False, True, str(body)]:
                            return b"", {"code": "failed", **json.loads(body)}
                        case ["piece", str(piece)]:
                            parts.append(piece.encode("latin-1"))
                        case _:
                            return None
        text = b"".join(parts)
        return (text, told) if told.get("size") == len(text) else None
    except (OSError, ValueError, AttributeError, TypeError):  # the last three: what is no message of ours
        return None


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
