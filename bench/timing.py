"""`python -m bench.timing COUNT COMMAND...`: the wall time of a command, COUNT times, ms as JSON.

A program of its own so that it can run inside a cage. It starts commands as a shell would, without output.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence

from bench.peers import ROOT


def timed(count: int, command: Sequence[str]) -> list[float]:
    """Return how long each run of `command` took, ms. Raises CalledProcessError."""
    found = []
    for _ in range(count):
        began = time.perf_counter()
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        found.append((time.perf_counter() - began) * 1000)
        if done.returncode:
            sys.stderr.buffer.write(done.stderr or done.stdout)
            raise subprocess.CalledProcessError(done.returncode, command)
    return found


def within(inside: Sequence[str], count: int, command: Sequence[str]) -> list[float]:
    """Return what `timed` does in the cage that `inside` leads to. Raises CalledProcessError."""
    ours = [sys.executable, "-m", "bench.timing", str(count), *command]
    environment = {"PATH": os.defpath + ":/usr/sbin:/sbin", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*inside, *ours], cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    found: list[float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    print(json.dumps(timed(int(sys.argv[1]), sys.argv[2:])))
