"""The launcher's first lines: run as a file by an isolated interpreter (`-I -S`), before anything else.

`-S` keeps `.pth` files from running as root, so this file is told where the package is. It puts back
the environment that the process was started with. A file and not a `-c` text, so that a process list
shows what runs. Also gives `crond.cli.daemon` that environment; knows nothing else of the daemon.
"""

from __future__ import annotations

import os
import sys


def environment_at_start() -> dict[bytes, bytes]:
    """Return the environment this process was started with.

    Python sets LC_CTYPE by itself in the C locale (PEP 538), isolated or not. Taken for the daemon's own
    it would reach every job, as LC_* of the daemon does. Without /proc the present one is all there is.
    """
    try:
        with open("/proc/self/environ", "rb") as file:
            pairs = [pair.partition(b"=") for pair in file.read().split(b"\0")]
    except OSError:
        return dict(os.environb)
    return {name: value for name, equals, value in pairs if name and equals}


def _boot() -> int:
    at_start = environment_at_start()
    os.environb.clear()
    os.environb.update(at_start)
    sys.path.insert(0, sys.argv[1])
    from crond.launcher.main import main

    return main(sys.argv[2])


if __name__ == "__main__":
    sys.exit(_boot())
