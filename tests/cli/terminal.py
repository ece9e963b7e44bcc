"""The client on a terminal of our own: what it shows there."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

from tests.cli.fake_daemon import DEADLINE


def on_terminal(*arguments: str, columns: int = 80, **environment: str) -> tuple[bytes, bytes]:
    """Run the client with a terminal as its stdout; return what that shows, and stderr."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    program = [sys.executable, "-c", "from crond.cli.main import main; main()", *arguments]
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR", "TERM")}
    settings = {**kept, "TERM": "xterm", **environment}
    process = subprocess.Popen(program, stdout=theirs, stderr=subprocess.PIPE, env=settings)
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # what Linux says once nobody holds the other end
            break
        if not data:
            break
        shown += data
    _, said = process.communicate(timeout=DEADLINE)
    os.close(ours)
    assert process.returncode == 0, said
    return shown, said
