"""Having PAM asked: which processes do it, what they answer, and what becomes of those that do not.

Owns the processes, a few at a time, and what is believed of their answers. What PAM is asked is
`crond.launcher.pam`'s; when it is time, `sessions`' business. Nobody waits for any of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from crond.launcher.assistants import Assistants
from crond.launcher.loop import READ, Loop, Timer
from crond.launcher.pam import Request
from crond.launcher.spawn import Bounds, SpawnFailed

#: Accounts for one process, and such processes.
_EACH, _MOST = 256, 4
#: A process that says nothing for so much longer (seconds) than one account may take is given up.
_MARGIN = 15.0


@dataclass(frozen=True, slots=True)
class Session:
    """What jobs of an account get: variables, below those of cron, and bounds."""

    variables: dict[str, str]
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Denied:
    """The account's jobs do not run. `doing` is what failed: "authorize" or "session"; `reason` is PAM's."""

    doing: str
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """PAM could not be asked."""

    why: str


@dataclass(slots=True)
class _Batch:
    """One process that asks; `missing` are the accounts that it has not answered for."""

    sock: socket.socket
    pid: int
    missing: set[str]
    timer: Timer
    unread: bytes = b""


class Asking:
    """Asks PAM service `service`. `dialect` and `limit`: see Request.

    `on_answer` is told of each account, once for each time that it is asked about.
    """

    def __init__(
        self, service: str, *, dialect: str, assistants: Assistants, loop: Loop, limit: float
    ) -> None:
        self._service = service
        self._dialect = dialect
        self._assistants = assistants
        self._loop = loop
        self._limit = limit
        self._wanted: dict[str, bool] = {}
        self._batches: dict[int, _Batch] = {}
        self._waiting = False
        self.on_answer: Callable[[str, Session | Denied | Failed | None], None] = lambda _user, _answer: None

    def ask(self, user: str, *, session: bool) -> None:
        """Ask about account `user` and, if wanted, its session. Many calls in one turn make one process."""
        self._wanted[user] = session
        self._soon()

    def _soon(self) -> None:
        if not self._waiting:
            self._waiting = True
            self._loop.after(0.0, self._begin)

    def _begin(self) -> None:
        self._waiting = False
        while self._wanted and len(self._batches) < _MOST:
            accounts = list(self._wanted.items())[:_EACH]
            for user, _ in accounts:
                del self._wanted[user]
            try:
                self._start(accounts)
            except SpawnFailed as failed:
                for user, _ in accounts:
                    self.on_answer(user, Failed(os.strerror(failed.trouble.errno)))

    def _start(self, accounts: list[tuple[str, bool]]) -> None:
        """Start a process for `accounts`. Raises SpawnFailed."""
        request = Request(service=self._service, accounts=accounts, dialect=self._dialect, limit=self._limit)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            pid = self._assistants.start("pam", json.dumps(asdict(request)), stdin=theirs)
        except BaseException:
            ours.close()
            raise
        fd = ours.fileno()
        self._batches[fd] = _Batch(ours, pid, {user for user, _ in accounts}, self._patience(fd))
        self._loop.watch(fd, READ, lambda _events: self._heard(fd))

    def _patience(self, fd: int) -> Timer:
        return self._loop.after(self._limit + _MARGIN, lambda: self._give_up(fd))

    def _heard(self, fd: int) -> None:
        batch = self._batches[fd]
        data = b""
        with contextlib.suppress(ConnectionResetError):
            data = batch.sock.recv(65536)
        if not data:
            self._close(fd, "the process that asks ended")
            return
        batch.timer.cancel()
        batch.timer = self._patience(fd)
        *lines, batch.unread = (batch.unread + data).split(b"\n")
        for line in lines:
            user, answer = _read(line)
            if user in batch.missing:
                batch.missing.discard(user)
                self.on_answer(user, answer)

    def _give_up(self, fd: int) -> None:
        # Its pid is its own until it is reaped, which is after its end of the socket is closed.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._batches[fd].pid, signal.SIGKILL)
        self._close(fd, "the process that asks hangs")

    def _close(self, fd: int, why: str) -> None:
        batch = self._batches.pop(fd)
        self._loop.forget(fd)
        batch.sock.close()
        batch.timer.cancel()
        for user in batch.missing:
            self.on_answer(user, Failed(why))
        if self._wanted:
            self._soon()


def _read(line: bytes) -> tuple[str, Session | Denied | Failed | None]:
    """Return the account of an answer, and what it says: modules of others had a hand in it."""
    user = ""
    try:
        told = json.loads(line)
        user = str(told["user"])
        if "failed" in told:
            return user, Failed(str(told["failed"]))
        if "refused" in told:
            return user, Denied(str(told["refused"]), str(told["reason"]))
        return user, None if told["session"] is None else _session(told["session"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return user, Failed("its answer makes no sense")


def _session(told: dict[str, Any]) -> Session:
    """Raises ValueError, TypeError or KeyError."""
    variables = {_text(name): _text(value) for name, value in told["variables"].items()}
    limits = tuple((int(number), int(soft), int(hard)) for number, soft, hard in told["limits"])
    nice, umask = (None if told[key] is None else int(told[key]) for key in ("nice", "umask"))
    return Session(variables, Bounds(limits, nice, umask))


def _text(data: str) -> str:
    # Bytes, each as one character: what a module sets need not be UTF-8.
    return os.fsdecode(data.encode("latin-1"))
