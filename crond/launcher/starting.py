"""Starting one attempt: stdin, output file, process.

Owns the descriptors of a start, which are all closed again here, whatever happens. Knows nothing of
messages and records. Called by the launcher with what programs has prepared.
"""

from __future__ import annotations

import contextlib
import fcntl
import os

from crond.launcher.outputs import Outputs
from crond.launcher.programs import NotPossible
from crond.launcher.spawn import Program, Spawner


class Starter:
    """Starts programs with captured output."""

    def __init__(self, *, spawner: Spawner, outputs: Outputs) -> None:
        self._spawner = spawner
        self._outputs = outputs

    def start(self, program: Program, *, stdin: bytes, uid: int, key: str) -> tuple[int, bool]:
        """Start `program` as attempt `key` of a table of `uid`; return its pid and if output is kept.

        Raises NotPossible: `duplicate` if there is an output of that name, `resources` if the
        system gives no process, descriptor or space.
        """
        captured = not self._outputs.short
        with contextlib.ExitStack() as opened:
            try:
                if captured:
                    output = self._outputs.create(uid, key)
                else:
                    output = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
                opened.callback(os.close, output)
            except FileExistsError:
                raise NotPossible("duplicate", f"attempt {key} has an output already") from None
            except OSError as error:
                raise NotPossible("resources", f"no output file: {error.strerror}") from None
            try:
                reading = _pipe_holding(stdin)
                opened.callback(os.close, reading)
                return self._spawner.start(program, (reading, output, output)), captured
            except OSError as error:
                if captured:
                    self._outputs.remove(uid, key)
                raise NotPossible("resources", f"no process: {error.strerror}") from None


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
