"""What one attempt reads and writes: a pipe that holds its stdin already, and its output file.

Owns how these descriptors are made; whoever asked closes them once the process has them. Knows nothing
of messages and records. Called by the launcher.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass

from crond.launcher.outputs import Outputs
from crond.launcher.programs import NotPossible


@dataclass(frozen=True, slots=True)
class Opened:
    """Where an attempt reads and writes. `captured`: it writes to a file of its own."""

    stdin: int
    output: int
    captured: bool

    def close(self) -> None:
        os.close(self.stdin)
        os.close(self.output)


class Opener:
    """Opens what attempts read and write."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs

    def open(self, stdin: bytes, *, uid: int, key: str, anew: bool = False) -> Opened:
        """Open the descriptors of attempt `key` of a table of `uid`; `anew`: an output that exists goes.

        Raises NotPossible: `duplicate` if there is an output of that name, `resources` if the
        system gives no descriptor or space.
        """
        captured = not self._outputs.short
        try:
            reading = _pipe_holding(stdin)
        except OSError as error:
            raise NotPossible("resources", f"no pipe for its stdin: {error.strerror}") from None
        try:
            if captured:
                output = self._outputs.create(uid, key, anew=anew)
            else:
                output = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        except FileExistsError:
            os.close(reading)
            raise NotPossible("duplicate", f"attempt {key} has an output already") from None
        except OSError as error:
            os.close(reading)
            raise NotPossible("resources", f"no output file: {error.strerror}") from None
        return Opened(reading, output, captured)


def _pipe_holding(text: bytes) -> int:
    """Return the read end of a pipe that holds `text` and then ends. Raises OSError.

    The text is in the pipe before the job exists, so nobody has to stay and feed it.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    try:
        if text:
            if len(text) > fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ):
                fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, len(text))
            # A pipe that took less than all would otherwise stop the daemon here for good.
            os.set_blocking(writing, False)
            if os.write(writing, text) != len(text):
                raise BlockingIOError(11, "no pipe is large enough for its stdin")
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return reading
