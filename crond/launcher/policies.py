"""What an entry's policy means for its process: folder, bounds, and what it may not ask for.

Owns the rule that nobody gets by an annotation what the account would not have without it; root's own
crontabs may. Pure. Called by programs.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from crond.launcher.kernel import disk_access
from crond.launcher.spawn import Bounds
from crond.model.policy import Policy


class NotAllowed(Exception):
    """The policy asks for more than its table may; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What holds without a policy. `nice` is the daemon's, `open_files` (soft, hard) what jobs get;
    `controllers` are those that limit groups here, and then no process need be limited.
    """

    nice: int
    open_files: tuple[int, int]
    controllers: AbstractSet[str] = frozenset()


def bounds_of(policy: Policy, session: Bounds, host: Host, *, privileged: bool) -> Bounds:
    """Return the bounds of `session`, which PAM gives, with those of `policy`. Raises NotAllowed."""
    limits = {number: (soft, hard) for number, soft, hard in session.limits}
    if policy.limit_nofile is not None:
        most = limits.get(resource.RLIMIT_NOFILE, host.open_files)[1]
        if not privileged and most != resource.RLIM_INFINITY and policy.limit_nofile > most:
            raise NotAllowed(f"limit_nofile={policy.limit_nofile}: at most {most} here, but for root")
        limits[resource.RLIMIT_NOFILE] = (policy.limit_nofile, policy.limit_nofile)
    if policy.memory_max is not None and "memory" not in host.controllers:
        most = limits.get(resource.RLIMIT_AS, (0, resource.RLIM_INFINITY))[1]
        size = policy.memory_max if most == resource.RLIM_INFINITY else min(most, policy.memory_max)
        limits[resource.RLIMIT_AS] = (size, size)
    return Bounds(
        limits=tuple((number, soft, hard) for number, (soft, hard) in limits.items()),
        nice=_nice(policy.nice, session, host, privileged=privileged),
        umask=session.umask if policy.umask is None else policy.umask,
        ionice=None if policy.ionice is None else _ionice(policy.ionice, privileged=privileged),
    )


def _nice(wanted: int | None, session: Bounds, host: Host, *, privileged: bool) -> int | None:
    if wanted is None:
        return session.nice
    least = max(0, host.nice if session.nice is None else session.nice)
    if wanted < least and not privileged:
        raise NotAllowed(f"nice={wanted}: at least {least} here, but for root")
    return wanted


def _ionice(wanted: str, *, privileged: bool) -> int:
    if wanted.startswith("realtime") and not privileged:
        raise NotAllowed(f"ionice={wanted}: only for root")
    return disk_access(wanted)


def folder_of(policy: Policy, home: bytes) -> bytes:
    """Return the folder that the job begins in."""
    return home if policy.working_dir is None else os.path.join(home, os.fsencode(policy.working_dir))


def stop_signal(policy: Policy) -> int:
    """Return the number of the signal that ends the job."""
    word = policy.stop_signal
    return int(word) if word.isdigit() else signal.Signals[f"SIG{word}"].value
