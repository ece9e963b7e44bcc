"""The processes that serve edits of crontabs, and long answers: a short-lived child of ours for each client,
and for what we have to write ourselves.

Owns the fork, the limits of the child, and what it reports: lines for cron's log, and that a crontab was
changed. The child is root, as we are; it is apart so that a parse of seconds, a slow disk or name service
makes no job late. Called by clients, which hand their connection over, and by retiring.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from crond.launcher.config import Config
from crond.launcher.conversation import Conversation, Event, Gone
from crond.launcher.installing import Refused
from crond.launcher.kernel import name_process
from crond.launcher.log import Log
from crond.launcher.loop import HANDLED_SIGNALS, READ, Loop
from crond.link import Peer
from crond.model.edits import Edit, ListAt, PutAt, RemoveAt

#: A child may take this long (seconds), and this much of a processor.
_LIFE = 60
_PROCESSOR = 15
#: A client that is silent for this long (seconds) is gone.
_SILENCE = 10.0
#: More than a crontab of the greatest length needs (bytes).
_MEMORY = 2 * 1024 * 1024 * 1024
_REPORT = 64 * 1024
#: A client's business: given what tells a line for cron's log, it is true if a crontab is another now.
Hold: TypeAlias = Callable[[Event], bool]


@dataclass(frozen=True, slots=True)
class _Child:
    """Whom a process serves, by uid and pid, on which connection, and what is called when it has ended."""

    uid: int
    pid: int
    sock: socket.socket | None
    done: Callable[[], None] = lambda: None


class Editing:
    """Serves edits. `look` is called when a crontab was changed."""

    def __init__(self, config: Config, *, loop: Loop, log: Log, look: Callable[[], None]) -> None:
        self._config = config
        self._loop = loop
        self._log = log
        self._look = look
        self._busy: dict[int, _Child] = {}

    @property
    def dialect(self) -> str:
        """Whose rules a crontab is read by: "cronie" or "debian"."""
        return self._config.dialect

    @property
    def busy(self) -> list[int]:
        """The uids of the clients that are being served."""
        return [child.uid for child in self._busy.values()]

    def serve(self, sock: socket.socket, peer: Peer, asked: Edit) -> None:
        """Let a process serve `asked`, on a connection that is its alone from now on.

        Raises Refused, OSError.
        """
        if self._config.mode != "host" and not isinstance(asked, (PutAt, RemoveAt, ListAt)):
            files = ", ".join("standard input" if file == "-" else file for file in self._config.files)
            raise Refused("files", f"this crond runs a file of yours, so edit that: {files}")
        self.serve_apart(sock, peer, lambda event: Conversation(sock, peer, self._config, event).hold(asked))

    def serve_apart(self, sock: socket.socket, peer: Peer, hold: Hold) -> None:
        """Let a process call `hold`, with a connection that is its alone from now on. Raises OSError."""
        self._begin(hold, _Child(peer.uid, peer.pid, sock))

    def apart(self, hold: Hold, done: Callable[[], None]) -> None:
        """Let a process call `hold` for no client, and call `done` when it has ended. Raises OSError."""
        self._begin(hold, _Child(os.geteuid(), os.getpid(), None, done))

    def _begin(self, hold: Hold, child: _Child) -> None:
        report, told = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self._fork(hold, child, told)
        except BaseException:
            os.close(report)
            raise
        finally:
            os.close(told)
        self._busy[report] = child
        self._loop.watch(report, READ, lambda _events: self._told(report))

    def _fork(self, hold: Hold, child: _Child, told: int) -> None:
        # Our handlers exist in the child, too: what is meant for it must not end in them.
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
        try:
            if os.fork() == 0:
                _serve(hold, child, told)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED_SIGNALS)

    def _told(self, report: int) -> None:
        """Take what a child reports; at its end, forget it."""
        # One line is one write of less than PIPE_BUF bytes, so a read holds whole lines.
        data = os.read(report, _REPORT)
        if not data:
            self._loop.forget(report)
            os.close(report)
            self._busy.pop(report).done()
            return
        for line in data.splitlines():
            values = json.loads(line)
            if values:
                *event, pid = values
                self._log.event(*event, program="crontab", pid=pid)
            else:
                self._look()


def _serve(hold: Hold, child: _Child, told: int) -> None:
    """Be the child: never returns."""
    try:
        if child.sock is None:
            _be_apart({told})
        else:
            _be_apart({child.sock.fileno(), told})
            child.sock.settimeout(_SILENCE)

        def event(user: str, name: str, detail: str) -> None:
            with contextlib.suppress(OSError):
                # The client's, as where crontab(1) logs itself: the begin and the end of an edit share it.
                os.write(told, json.dumps([user, name, detail, child.pid]).encode() + b"\n")

        if hold(event):
            os.write(told, b"[]\n")
        os._exit(0)
    except Gone:
        pass
    except BaseException as error:  # noqa: BLE001 - this process must never return into the loop
        with contextlib.suppress(OSError):
            text = f"{type(error).__name__}: {error}"[:1000]
            failure = ["CRON", "ERROR", f"serving uid {child.uid} failed: {text}", os.getpid()]
            os.write(told, json.dumps(failure).encode() + b"\n")
    finally:
        os._exit(1)


def _be_apart(kept: set[int]) -> None:
    """Hold nothing of the daemon's: its lock, sockets, outputs and signals; and be bounded."""
    signal.set_wakeup_fd(-1)
    for number in HANDLED_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGXCPU, _too_long)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.alarm(_LIFE)
    # Ours stay open as long as somebody holds them, and who reads them waits for that.
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(nothing, fd)
    first = 3
    for fd in sorted(kept):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    resource.setrlimit(resource.RLIMIT_CPU, (_PROCESSOR, 2 * _PROCESSOR))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    name_process("crond-edit")


def _too_long(_number: int, _frame: object) -> None:
    raise Refused("failed", f"the crontab takes more than {_PROCESSOR} s to check")
