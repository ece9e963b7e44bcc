"""Going to the background: the shell gets its prompt back only when the daemon really runs.

Owns the fork, the new session and the word that the child sends when it is up, or why it is not.
Called by main.
"""

from __future__ import annotations

import os
import sys

_UP = b"up"


def detach() -> int | None:
    """Fork. Returns None in the child; in the parent, when the child is up or has failed, the exit status.

    The child says so with `Detached.up`; a child that ends without a word has failed.
    """
    told, telling = os.pipe2(os.O_CLOEXEC)
    if os.fork() == 0:
        os.close(told)
        os.setsid()
        # Errors of the start go to the parent's stderr, which is ours until `up`.
        Detached.telling = telling
        return None
    os.close(telling)
    return 0 if os.read(told, len(_UP)) == _UP else 1


class Detached:
    """The child's side: where to tell that it is up."""

    telling: int | None = None

    @classmethod
    def up(cls) -> None:
        """Leave the terminal, and let the parent go."""
        if cls.telling is None:
            return
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        sys.stdout.flush()
        sys.stderr.flush()
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.close(null)
        os.write(cls.telling, _UP)
        os.close(cls.telling)
        cls.telling = None
