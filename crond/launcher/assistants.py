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


def boot_words(module: str, package: str) -> tuple[bytes, ...]:
    """Return the command line that calls main of crond.launcher.`module`; its arguments come after it."""
    # Isolated, without site: nothing that a user put somewhere is loaded, and it begins faster.
    words = (sys.executable, "-I", "-S", "-c", _BOOT.format(module), package)
    return tuple(os.fsencode(word) for word in words)


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
        self,
        module: str,
        *arguments: str,
        descriptors: Sequence[int],
        identity: Identity | None = None,
        heard: bool = True,
    ) -> int:
        """Start `main(*arguments)` of crond.launcher.`module` with `descriptors` as its 0, 3 and following.

        They stay the caller's, and are above those numbers. `heard`: what it says goes into the log; of one
        that runs as a user, who can make it say anything for ever, nothing is to. Returns its pid; raises
        SpawnFailed.
        """
        given = (descriptors[0], self._null, self._words.fd if heard else self._null, *descriptors[1:])
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
        words = boot_words(module, self._package)
        return Program(
            path=words[0],
            arguments=(*words, *(os.fsencode(word) for word in arguments)),
            environment={},
            identity=None,
            directory=b"/",
        )
