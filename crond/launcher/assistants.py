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
from collections.abc import Sequence
from dataclasses import replace

from crond.launcher.log import Log
from crond.launcher.loop import Loop
from crond.launcher.overheard import Overheard
from crond.launcher.spawn import Identity, Program, Spawner

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from crond.launcher.{} import main; sys.exit(main(*sys.argv[2:]))"
)


class Assistants:
    """Starts such programs of the `package` folder; what they say on stderr is logged after `name`."""

    def __init__(
        self, package: str, *, loop: Loop, log: Log, spawner: Spawner, name: str = "outputs"
    ) -> None:
        self._package = package
        self._spawner = spawner
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._words = Overheard(name, loop=loop, log=log)

    @property
    def words(self) -> int:
        """The descriptor on which one of them says what goes into the log."""
        return self._words.fd

    def run(
        self, module: str, *arguments: str, descriptors: Sequence[int], identity: Identity | None = None
    ) -> int:
        """Start `main(*arguments)` of crond.launcher.`module` with `descriptors` as its 0, 3 and following.

        They stay the caller's, and are above those numbers. Returns its pid; raises SpawnFailed.
        """
        given = (descriptors[0], self._null, self._words.fd, *descriptors[1:])
        program = replace(self._program(module, arguments), identity=identity)
        with self._spawner.unhandled():
            return self._spawner.start(program, given)

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
