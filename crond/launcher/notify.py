"""Telling the service manager: ready, stopping, still alive.

Owns the protocol of NOTIFY_SOCKET and WATCHDOG_USEC. Without them it does nothing. Called by main and
closing.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

from crond.launcher.loop import Loop


class Supervisor:
    """The service manager that started us, if one did."""

    def __init__(self, environment: Mapping[str, str], loop: Loop) -> None:
        self._loop = loop
        self._path = environment.get("NOTIFY_SOCKET", "")
        if not self._path.startswith(("/", "@")):
            self._path = ""
        self._period = _watchdog_period(environment)

    def ready(self) -> None:
        """Say that crontabs are obeyed from now on, and begin to show that the loop turns."""
        self._say("READY=1")
        if self._path and self._period:
            self._pet()

    def stopping(self) -> None:
        self._say("STOPPING=1")

    def _pet(self) -> None:
        self._say("WATCHDOG=1")
        self._loop.after(self._period, self._pet)

    def _say(self, text: str) -> None:
        if not self._path:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            sock.setblocking(False)
            sock.sendto(text.encode(), _address(self._path))


def _address(path: str) -> str:
    # A leading @ stands for the NUL of an abstract name.
    return "\0" + path[1:] if path.startswith("@") else path


def _watchdog_period(environment: Mapping[str, str]) -> float:
    """Return half of the manager's patience in seconds, 0 if it has no watchdog for us."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    text = environment.get("WATCHDOG_USEC", "")
    return int(text) / 2e6 if text.isascii() and text.isdigit() else 0.0
