"""The socket of syslog: one datagram per line, facility cron.

Owns the form of a datagram. Knows nothing of what a line says. Must not block: a syslog that is away or full
loses lines, never time. Used by log, and by main before there is one.
"""

from __future__ import annotations

import socket
import time

ERR = 3
INFO = 6
_FACILITY_CRON = 9 << 3
#: Bytes of a datagram: what receivers take by default.
_LIMIT = 8192


class Syslog:
    """The syslog that listens at `path`. `waits`: a full one is waited for, which only an assistant may."""

    def __init__(self, path: str, *, waits: bool = False) -> None:
        self._path = path
        self._kind = socket.SOCK_DGRAM | (0 if waits else socket.SOCK_NONBLOCK)
        self._sock: socket.socket | None = None

    def write(self, ident: str, pid: int, text: str, priority: int) -> None:
        """Send `text` as the process `ident[pid]`; `priority` is ERR or INFO."""
        when = time.strftime("%b %e %H:%M:%S")
        line = f"<{_FACILITY_CRON | priority}>{when} {ident}[{pid}]: {text}".encode("ascii", "replace")
        for _attempt in (1, 2):  # the second, after syslog was restarted
            try:
                if self._sock is None:
                    self._sock = socket.socket(socket.AF_UNIX, self._kind)
                    self._sock.connect(self._path)
                self._sock.send(line[:_LIMIT])
            except BlockingIOError:
                return
            except OSError:
                self.close()
            else:
                return

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None
