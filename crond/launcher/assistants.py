"""Programs of ours that do for the launcher what may take long: how one is started.

Owns their command line and their descriptors. They have our privilege and run for a moment or for as long
as they are needed; nobody waits for them. What such a program does is its own file. Called by bounding and
sweeps.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys

from crond.launcher.log import Log
from crond.launcher.loop import Loop
from crond.launcher.overheard import Overheard
from crond.launcher.spawn import Program, Spawner

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from crond.launcher.{} import main; sys.exit(main(*sys.argv[2:]))"
)


class Assistants:
    """Starts such programs of the `package` folder; what they say on stderr goes into the log."""

    def __init__(self, package: str, *, loop: Loop, log: Log, spawner: Spawner) -> None:
        self._package = package
        self._spawner = spawner
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._words = Overheard("outputs", loop=loop, log=log)

    def start(
        self, module: str, *arguments: str, stdin: socket.socket, more: socket.socket | None = None
    ) -> int:
        """Start `main(*arguments)` of crond.launcher.`module`, with these as descriptors 0 and 3.

        Both are closed here, whatever happens. Returns its pid; raises SpawnFailed.
        """
        lifted = []
        try:
            for sock in filter(None, (stdin, more)):
                # Above those that they are to become there.
                lifted.append(fcntl.fcntl(sock, fcntl.F_DUPFD_CLOEXEC, 10))
                sock.close()
            given = (lifted[0], self._null, self._words.fd, *lifted[1:])
            with self._spawner.unhandled():
                return self._spawner.start(self._program(module, arguments), given)
        finally:
            for fd in lifted:
                os.close(fd)

    def _program(self, module: str, arguments: tuple[str, ...]) -> Program:
        words = (sys.executable, "-I", "-S", "-c", _BOOT.format(module), self._package, *arguments)
        return Program(
            path=os.fsencode(sys.executable),
            arguments=tuple(os.fsencode(word) for word in words),
            environment={},
            identity=None,
            directory=b"/",
        )
