"""Asking PAM about accounts: a program of its own, since modules of others may wait, crash or stay.

Owns one process for each account, some at a time, and their time limit. Each looks at itself before and
after a session was opened, which tells what PAM gives to a job; then it closes that session and ends. Started
by asking, which reads the answers: one line of JSON for each account, in the order in which they come.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import socket
import sys
import syslog
import time
from dataclasses import dataclass
from typing import Any

from crond.launcher import libpam
from crond.launcher.kernel import die_with_parent, name_process
from crond.launcher.trees import members, send, snapshot

#: Accounts that are asked about at the same time.
_TOGETHER = 16
#: The longest answer (bytes): a module may set variables of any size.
_LONGEST = 256 * 1024
_LAUNCHER = 0
#: What names a session or a ticket is worth nothing when that is over.
_OF_A_SESSION = (b"XDG_SESSION_ID", b"XDG_RUNTIME_DIR", b"DBUS_SESSION_BUS_ADDRESS", b"KRB5CCNAME")
_RESOURCES = tuple(sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked. `accounts` are names, each with whether its session is wanted, too.

    `limit` is the seconds that each account may take.
    """

    service: str
    accounts: list[tuple[str, bool]]
    dialect: str
    limit: float


def main(request: str) -> int:
    """Answer `request`, a Request as JSON, on descriptor 0; end early if nobody listens any more."""
    name_process("crond-pam")
    asked = Request(**json.loads(request))
    if not any(session for _, session in asked.accounts):
        # What is only asked again can wait for jobs; a session is opened with the nice that they have.
        with contextlib.suppress(OSError):
            os.nice(10)
    library = libpam.load()
    # Modules log under the name of the process that asks, as in cron.
    syslog.openlog("CRON" if asked.dialect == "debian" else "CROND", syslog.LOG_PID, syslog.LOG_CRON)
    with socket.socket(fileno=_LAUNCHER) as launcher, contextlib.suppress(OSError):
        _Asking(asked, library, launcher).run()
    return 0


@dataclass(slots=True)
class _Child:
    """One process that asks about `user`, and says on `reading` what it heard; `deadline` is monotonic."""

    user: str
    pid: int
    reading: int
    deadline: float
    data: bytes = b""
    answered: bool = False


class _Asking:
    """Asks about all accounts of a request."""

    def __init__(self, asked: Request, library: Any, launcher: socket.socket) -> None:
        self._asked = asked
        self._library = library
        self._launcher = launcher
        self._waiting = list(reversed(asked.accounts))
        self._children: list[_Child] = []
        self._wake, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _got, _frame: None)

    def run(self) -> None:
        """Raises OSError when the launcher is gone."""
        while self._waiting or self._children:
            while self._waiting and len(self._children) < _TOGETHER:
                self._begin(*self._waiting.pop())
            self._wait()
            for child in tuple(self._children):
                self._look(child)

    def _begin(self, user: str, session: bool) -> None:
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        pid = os.fork()
        if pid == 0:
            _be_child(self._library, self._asked, user, session=session, writing=writing)
        os.close(writing)
        self._children.append(_Child(user, pid, reading, time.monotonic() + self._asked.limit))

    def _wait(self) -> None:
        """Wait until something was said, a child has ended, or its time is over."""
        poll = select.poll()
        # It never says anything: an event means that it is gone.
        poll.register(self._launcher, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        for child in self._children:
            if not child.answered:
                poll.register(child.reading, select.POLLIN)
        patience = min(child.deadline for child in self._children) - time.monotonic()
        if any(fd == self._launcher.fileno() for fd, _ in poll.poll(max(0, int(patience * 1000) + 1))):
            raise ConnectionResetError
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)

    def _look(self, child: _Child) -> None:
        """See what came of `child`: its answer, its end, or that it takes too long."""
        ended, status = os.waitpid(child.pid, os.WNOHANG)
        if not child.answered:
            with contextlib.suppress(BlockingIOError):
                while len(child.data) < _LONGEST and (data := os.read(child.reading, 65536)):
                    child.data += data
            if child.data.endswith(b"\n"):
                self._tell(child, child.data)
        if ended:
            self._lose(child, _in_words(status))
        elif time.monotonic() >= child.deadline:
            # With what its modules have started.
            for process in members(snapshot(), root=child.pid, session=child.pid, known=()):
                send(process, signal.SIGKILL)
            os.waitpid(child.pid, 0)
            self._lose(child, f"no answer within {self._asked.limit:g} s")

    def _lose(self, child: _Child, why: str) -> None:
        """Take note of the end of `child`; one that has not answered failed, and `why`."""
        self._children.remove(child)
        os.close(child.reading)
        if not child.answered:
            self._tell(child, json.dumps({"user": child.user, "failed": why}).encode("ascii") + b"\n")

    def _tell(self, child: _Child, line: bytes) -> None:
        child.answered = True
        self._launcher.sendall(line)


def _in_words(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"killed by signal {-code}" if code < 0 else "ended without an answer"


# --- in the child -----------------------------------------------------------------------------------


def _be_child(library: Any, asked: Request, user: str, *, session: bool, writing: int) -> None:
    """Ask about `user` and write the answer; never returns."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        die_with_parent()
        os.setsid()
        # The launcher's end of this would not see us all go, and programs of modules would inherit it.
        os.dup2(1, _LAUNCHER)
        os.set_blocking(writing, True)
        _ask(library, asked, user, session=session, writing=writing)
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - this process must never return
        sys.stderr.write(f"{user}: {type(error).__name__}: {error}\n")
        sys.stderr.flush()
    finally:
        os._exit(1)


def _ask(library: Any, asked: Request, user: str, *, session: bool, writing: int) -> None:
    before = _given()
    doing = "authorize"
    early: list[tuple[bytes, bytes]] = []
    try:
        talk = libpam.Transaction(library, asked.service, user)
        talk.authorize()
        if session:
            talk.establish()
            early = talk.variables()
            doing = "session"
            talk.open()
    except libpam.PamError as refused:
        _write(writing, {"user": user, "refused": doing, "reason": str(refused)})
        return
    if not session:
        _write(writing, {"user": user, "session": None})
        talk.end()
        return
    after = _given()
    differing = {key: after[key] for key in after if after[key] != before[key]}
    # cronie takes them before it opens the session, Debian's cron after that.
    variables = talk.variables() if asked.dialect == "debian" else early
    given = {
        "variables": {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in variables
            if name not in _OF_A_SESSION
        },
        "limits": [[key, *value] for key, value in differing.items() if isinstance(key, int)],
        "nice": differing.get("nice"),
        "umask": differing.get("umask"),
    }
    _write(writing, {"user": user, "session": given})
    talk.close()


def _given() -> dict[str | int, Any]:
    """Return what this process has now, as a job would inherit it; limits by their number."""
    mask = os.umask(0)
    os.umask(mask)
    limits: dict[str | int, Any] = {number: resource.getrlimit(number) for number in _RESOURCES}
    return limits | {"nice": os.getpriority(os.PRIO_PROCESS, 0), "umask": mask}


def _write(writing: int, answer: dict[str, Any]) -> None:
    data = json.dumps(answer).encode("ascii") + b"\n"
    while data:
        data = data[os.write(writing, data) :]
