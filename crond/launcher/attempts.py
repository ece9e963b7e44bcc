"""The record of attempts: what was started in this life, or survived an earlier one, and is not forgotten.

Owns the rule that an attempt is started once. Knows no message and no system call. Used by the
launcher, clients, stopping and survivors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from crond.launcher.cgroups import Group
from crond.launcher.spawn import Program
from crond.model.policy import PLAIN, Policy
from crond.model.run import Outcome, Want
from crond.model.status import exit_of, judge


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One attempt. `uid` owns its table and its output; `user` is the account it runs as.

    `status` is the raw wait status, None while its main process lives. `captured` is False where the
    reserve left it no output file. `logged`: its CMD is shown in the log. `program` is kept
    until the output was mailed, so that it is mailed once; it is None for what is not mailed. `part` says
    which of its entry's commands it is, as a Start does; `group` is the cgroup that it lives in, `mark` the
    limit that its processes are known by, each None where it has none.

    `ticks` is set for survivors alone: the start of the process, in clock ticks since boot. It is nobody's
    child, so its pid may be somebody else's at any time. `gone`: it has ended, without a status. `stopped`:
    we were asked to end it.
    """

    key: str
    job: str
    uid: int
    user: str
    pid: int
    started_at: float
    began: float  #: monotonic, for how long it took
    command: str
    program: Program | None
    captured: bool
    logged: bool
    assigned: Mapping[str, str]
    mail_when_failed: bool
    of_pam: frozenset[bytes]
    part: str = "command"
    policy: Policy = PLAIN
    group: Group | None = None
    mark: tuple[int, int, int] | None = None
    output_size: int = 0  #: bytes at its end
    status: int | None = None
    ticks: int | None = None
    gone: bool = False
    stopped: bool = False

    @property
    def running(self) -> bool:
        return self.status is None and not self.gone

    @property
    def failed(self) -> bool:
        """True if it ended otherwise than it should, by what its entry says; False while it runs."""
        if self.status is None:
            return self.gone
        wrote = self.output_size > 0
        ended = judge(exit_of(self.status), self.policy, want=Want.RUN, wrote=wrote)
        return self.stopped or ended is Outcome.FAILED


class Attempts:
    """Attempts by key; the running ones by pid, but for survivors."""

    def __init__(self) -> None:
        self._by_key: dict[str, Attempt] = {}
        self._by_pid: dict[int, Attempt] = {}
        self._survivors: dict[str, Attempt] = {}

    def add(self, attempt: Attempt) -> None:
        self._by_key[attempt.key] = attempt
        self._by_pid[attempt.pid] = attempt

    def get(self, key: str) -> Attempt | None:
        return self._by_key.get(key)

    def ended(self, pid: int, status: int) -> Attempt | None:
        """Record the end of process `pid`; return its attempt, None if it is nobody's."""
        attempt = self._by_pid.pop(pid, None)
        if attempt is not None:
            attempt.status = status
        return attempt

    def adopt(self, survivor: Attempt) -> None:
        self._by_key[survivor.key] = self._survivors[survivor.key] = survivor

    def survivors(self) -> Iterator[Attempt]:
        """Yield the survivors that still run."""
        yield from tuple(self._survivors.values())

    def vanished(self, key: str) -> None:
        """Record that the survivor `key` is gone."""
        self._survivors.pop(key).gone = True

    def running(self) -> Iterator[Attempt]:
        yield from (*self._by_pid.values(), *self._survivors.values())

    def runs(self, key: str) -> bool:
        attempt = self._by_key.get(key)
        return attempt is not None and attempt.running

    def forget(self, key: str) -> bool:
        """Drop the record of `key` unless it runs. True if nothing of that name runs."""
        attempt = self._by_key.get(key)
        if attempt is None:
            return True
        if attempt.running:
            return False
        del self._by_key[key]
        return True
