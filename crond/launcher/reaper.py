"""Collecting what has ended: every child of ours, and every orphan that became one.

Owns the order (look, then wait for that one pid), which is right for PID 1 and for a subreaper.
Knows nothing of what a pid was. Called by the launcher on SIGCHLD.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from resource import struct_rusage
from typing import TypeAlias

Reaped: TypeAlias = Callable[[int, int, struct_rusage], None]

#: So that a storm of ends cannot keep the loop from starting what is due.
_AT_ONCE = 200


def reap(told: Reaped) -> bool:
    """Collect ended children; tell `told(pid, raw wait status, usage)` of each. True if more may wait."""
    for _ in range(_AT_ONCE):
        try:
            # WNOWAIT: the pid stays taken until its record has been found and asked.
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None:
                return False
            pid, status, usage = os.wait4(found.si_pid, 0)
        except ChildProcessError:
            return False
        told(pid, status, usage)
    return True
