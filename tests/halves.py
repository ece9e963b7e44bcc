"""Runs all tests in two processes beside each other: those of real daemons, which wait a lot, and the rest.

Owns how their output is told apart and what is said at the end; knows of no test. `./check` without arguments
calls it; arguments to it go to both.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

#: The slower one first.
HALVES = {"system": ["tests/system"], "rest": ["tests", "--ignore=tests/system"]}
_SUMMARY = " short test summary info "
_TOLD_AGAIN = ("FAILED ", "ERROR ")


@dataclass(slots=True)
class Half:
    """One pytest process; each of its lines is shown with `name` before it. `failures` are its summary's."""

    name: str
    process: subprocess.Popen[str]
    failures: list[str] = field(default_factory=list)
    last: str = ""

    def show(self) -> None:
        """Show what it prints until it ends."""
        assert self.process.stdout is not None
        with self.process:
            for line in self.process.stdout:
                # One write for a line, else the other's comes in between.
                print(f"{self.name:6} | {line}", end="", flush=True)
                self.last = line.strip("= \n") or self.last
                if _SUMMARY in line:
                    self.failures.clear()  # what tests have printed may begin like this, too
                elif line.startswith(_TOLD_AGAIN):
                    self.failures.append(line.rstrip())

    def end(self) -> None:
        """Let it take away what its tests made, and end, if it runs."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)


def run(halves: Mapping[str, Sequence[str]]) -> int:
    """Run pytest with the arguments of each half; return 0 if no test fails. The last lines say what did."""
    # A shell's `&` ignores these, children would too, and tests of ^C would fail.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, _leave)
    began = time.monotonic()
    running = [Half(name, _pytest(arguments)) for name, arguments in halves.items()]
    threads = [threading.Thread(target=half.show) for half in running]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for half in running:
            half.end()
    print(f"\nboth ended after {time.monotonic() - began:.0f} s")
    for half in running:
        print(f"{half.name:6} | exit status {half.process.returncode}: {half.last}")
    for half in running:
        print("".join(f"{line}\n" for line in half.failures), end="")
    return int(any(half.process.returncode for half in running))


def _pytest(arguments: Sequence[str]) -> subprocess.Popen[str]:
    # In a group of its own a ^C reaches it once, from us: a second one would keep it from taking things away.
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="backslashreplace", process_group=0,
    )  # fmt: skip


def _leave(*_: object) -> NoReturn:
    raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(run({name: [*paths, *sys.argv[1:]] for name, paths in HALVES.items()}))
