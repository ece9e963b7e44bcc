"""A share of the CPU for one cage: the largest there is, and the exact account of what it used.

Owns control groups of both versions. Where none can be made, other work on the machine weighs more and
`used` is None: the cage then adds up what /proc says. Called by the cage.
"""

from __future__ import annotations

import contextlib
import pathlib
import time

_ROOT = pathlib.Path("/sys/fs/cgroup")
#: (file, value): the largest weight of version 2 and of version 1.
_WEIGHTS = (("cpu.weight", "10000"), ("cpu.shares", "262144"))
_PLACES = ("", "cpu,cpuacct", "cpu", "cpuacct")


class Share:
    """Control groups called `name`, as many as this machine needs for weight and account."""

    def __init__(self, name: str) -> None:
        self.folders: list[pathlib.Path] = []
        for place in _PLACES:
            parent = _ROOT / place
            if not (parent / "cgroup.procs").exists() or parent.resolve() in self._parents():
                continue
            with contextlib.suppress(OSError):
                (parent / name).mkdir()
                self.folders.append(parent / name)
        for folder in self.folders:
            for file, value in _WEIGHTS:
                if (folder / file).exists():
                    with contextlib.suppress(OSError):
                        (folder / file).write_text(value, encoding="ascii")

    def _parents(self) -> list[pathlib.Path]:
        return [folder.parent.resolve() for folder in self.folders]

    def used(self) -> float | None:
        """Return the CPU seconds used by all processes that were ever in it, None if nobody counts."""
        for folder in self.folders:
            with contextlib.suppress(OSError):
                return int((folder / "cpuacct.usage").read_text(encoding="ascii")) / 1e9
            with contextlib.suppress(OSError):
                lines = (folder / "cpu.stat").read_text(encoding="ascii").splitlines()
                found = dict(line.split() for line in lines)
                if "usage_usec" in found:
                    return int(found["usage_usec"]) / 1e6
        return None

    def close(self) -> None:
        """Remove the groups, which have no process any more."""
        for folder in self.folders:
            for _ in range(50):  # the kernel lets go of the last process a little later
                try:
                    folder.rmdir()
                except OSError:
                    time.sleep(0.02)
                else:
                    break
