"""Clients that ask for an attempt's output or a job's environment, edit crontabs or try out alerts.

Owns the connections on launcher.sock: few, short-lived, with small requests. A client is known by what
the kernel says of it. What does not exist and what is somebody else's get the same answer, so that
nobody learns the names of others' runs. Edits are handed over to editing, trials to trials. Called by
the loop, and by the launcher when an attempt ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from typing import Any

from crond.launcher.attempts import Attempt, Attempts
from crond.launcher.conversation import Event, send_text
from crond.launcher.editing import Editing
from crond.launcher.installing import Refused
from crond.launcher.log import Ending
from crond.launcher.loop import READ, Timer
from crond.launcher.parts import Parts
from crond.launcher.programs import NotPossible
from crond.launcher.surroundings import Surroundings
from crond.launcher.sweeps import NotNow, Sweeps
from crond.launcher.trials import NotTried, Trials
from crond.link import Link, LinkClosed, Peer, briskly, peer_of
from crond.model.codec import encode
from crond.model.edits import EDITS, Edit
from crond.model.frames import frame
from crond.model.messages import Answer, Ask, BadMessage, is_attempt_key

_CONNECTIONS = 64
#: Of one user, so that none of them keeps the others out.
_CONNECTIONS_EACH = 16
_REQUEST_LIMIT = 16 * 1024
_PATIENCE = 5.0
_QUIET = 10.0


class _Client:
    """One connection. `follows` is the key of the running attempt whose end it waits for."""

    __slots__ = ("follows", "link", "peer", "timer")

    def __init__(self, link: Link, peer: Peer, timer: Timer) -> None:
        self.link = link
        self.peer = peer
        self.timer = timer
        self.follows: str | None = None


class Clients:
    """The clients of `listening`."""

    def __init__(
        self,
        listening: socket.socket,
        parts: Parts,
        *,
        attempts: Attempts,
        editing: Editing,
        sweeps: Sweeps,
        surroundings: Surroundings,
        trials: Trials,
    ) -> None:
        self._editing = editing
        self._sweeps = sweeps
        self._surroundings = surroundings
        self._trials = trials
        self._listening = listening
        self._loop = parts.loop
        self._attempts = attempts
        self._outputs = parts.outputs
        self._log = parts.log
        self._clients: dict[int, _Client] = {}
        self._complained_at = float("-inf")
        self._loop.watch(listening.fileno(), READ, self._accept)

    def ended(self, attempt: Attempt, _ending: Ending) -> None:
        """Give those who followed `attempt` the last answer."""
        for client in [client for client in self._clients.values() if client.follows == attempt.key]:
            body = _body(
                attempt.key, size=self._outputs.size(attempt.uid, attempt.key), status=attempt.status
            )
            self._answer(client, Answer(ok=True, final=True, body=body), None)
            self._close(client)

    # --- connections ---------------------------------------------------------------------------

    def _accept(self, _events: int) -> None:
        try:
            sock, _ = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        try:
            peer = peer_of(sock)
        except OSError:
            with briskly():
                sock.close()
            return
        if self._is_full_for(peer):
            self._complain(peer, "too many connections")
            with briskly():
                sock.close()
            return
        link = Link(sock, expected=(Ask, *EDITS), receive_limit=_REQUEST_LIMIT, backlog_limit=_REQUEST_LIMIT)
        fd = link.fileno()
        self._clients[fd] = _Client(link, peer, self._loop.after(_PATIENCE, lambda: self._too_slow(fd)))
        self._loop.watch(fd, READ, lambda _events: self._ready(fd))

    def _is_full_for(self, peer: Peer) -> bool:
        busy = [client.peer.uid for client in self._clients.values()] + self._editing.busy
        same = busy.count(peer.uid)
        if peer.uid in (0, os.geteuid()):
            # Counted for themselves: one person may have many uids, and must not keep root out.
            return same >= _CONNECTIONS
        return len(busy) >= _CONNECTIONS or same >= _CONNECTIONS_EACH

    def _too_slow(self, fd: int) -> None:
        client = self._clients.get(fd)
        if client is not None and client.follows is None:
            self._complain(client.peer, f"no request within {_PATIENCE:.0f} s")
            self._close(client)

    def _ready(self, fd: int) -> None:
        client = self._clients.get(fd)
        if client is None:
            return
        try:
            asked = client.link.receive()
            if not asked:
                return
            if len(asked) > 1 or client.follows is not None:
                raise BadMessage("more than one request")
            if isinstance(asked[0], Ask):
                self._reply(client, asked[0])
            else:
                self._edit(client, asked[0])
        except LinkClosed:
            self._close(client)
        except BadMessage as error:
            self._complain(client.peer, str(error))
            self._close(client)
        except BaseException:
            self._close(client)
            raise

    def _close(self, client: _Client) -> None:
        client.timer.cancel()
        fd = client.link.fileno()
        self._loop.forget(fd)
        self._clients.pop(fd, None)
        client.link.close()

    def _complain(self, peer: Peer, text: str) -> None:
        """Log `text`, but a peer that asks for it again and again fills no disk."""
        now = time.monotonic()
        if now - self._complained_at >= _QUIET:
            self._complained_at = now
            self._log.error(f"client of uid {peer.uid}, pid {peer.pid}: {text}")

    # --- answers -------------------------------------------------------------------------------

    def _reply(self, client: _Client, ask: Ask) -> None:
        client.timer.cancel()
        arguments = dict(ask.arguments)
        key = arguments.get("attempt", "")
        if ask.verb == "prune":
            self._prune(client, arguments)
            return
        if ask.verb == "notify-test":
            self._try(client, arguments)
            return
        if ask.verb == "env":
            self._tell_surroundings(client, arguments)
            return
        if ask.verb == "dialect":
            body = json.dumps({"dialect": self._editing.dialect})
            self._answer(client, Answer(ok=True, final=True, body=body), None)
            self._close(client)
            return
        if ask.verb != "logs" or not is_attempt_key(key):
            text = "logs, with the key of an attempt, env, prune, dialect and notify-test are answered here"
            self._refuse(client, "bad_request", text)
            return
        uid = self._readable_uid(client.peer, key)
        if uid is None:
            self._refuse(client, "unknown", f"no attempt {key}")
            return
        attempt = self._attempts.get(key)
        running = attempt is not None and attempt.running
        status = attempt.status if attempt is not None else None
        output = self._outputs.open(uid, key)
        try:
            size = os.fstat(output).st_size if output is not None else 0
            body = _body(key, size=size, status=status, running=running)
            self._answer(client, Answer(ok=True, final=not running, body=body), output)
        finally:
            if output is not None:
                os.close(output)
        if running:
            client.follows = key
        else:
            self._close(client)

    def _prune(self, client: _Client, arguments: dict[str, str]) -> None:
        try:
            self._sweeps.serve(client.link.sock, client.peer, arguments)
        except NotNow as refused:
            self._refuse(client, refused.code, str(refused))
        else:
            self._close(client)

    def _try(self, client: _Client, arguments: dict[str, str]) -> None:
        try:
            self._trials.serve(client.link.sock, client.peer, arguments)
        except NotTried as refused:
            self._refuse(client, refused.code, str(refused))
        else:
            self._close(client)

    def _tell_surroundings(self, client: _Client, arguments: dict[str, str]) -> None:
        sock = client.link.sock
        try:
            prepared = self._surroundings.prepared(client.peer, arguments)

            def tell(_event: Event) -> bool:
                send_text(sock, self._surroundings.text(prepared))
                return False

            self._editing.serve_apart(sock, client.peer, tell)
        except NotPossible as refused:
            self._refuse(client, refused.reason, refused.detail)
        except OSError as error:
            self._refuse(client, "failed", f"no process can be made: {error.strerror}")
        else:
            self._close(client)

    def _edit(self, client: _Client, asked: Edit) -> None:
        try:
            self._editing.serve(client.link.sock, client.peer, asked)
        except Refused as refused:
            self._refuse(client, refused.code, str(refused))
            return
        except OSError as error:
            self._refuse(client, "failed", f"no process can be made: {error.strerror}")
            return
        self._close(client)

    def _readable_uid(self, peer: Peer, key: str) -> int | None:
        """Return the uid whose folder holds the output of `key`; None: unknown, or not for `peer`."""
        everything = peer.uid in (0, os.geteuid())
        attempt = self._attempts.get(key)
        if attempt is not None:
            return attempt.uid if everything or attempt.uid == peer.uid else None
        # An attempt of an earlier life: its file is all that is left of it.
        owners = self._outputs.owners_of(key)
        if everything:
            return owners[0] if owners else None
        return peer.uid if peer.uid in owners else None

    def _refuse(self, client: _Client, code: str, text: str) -> None:
        self._answer(
            client, Answer(ok=False, final=True, body=json.dumps({"error": text, "code": code})), None
        )
        self._close(client)

    def _answer(self, client: _Client, answer: Answer, output: int | None) -> None:
        data = frame(encode(answer))
        # A few hundred bytes into an empty socket: one that does not take them is not being read.
        with contextlib.suppress(OSError):
            socket.send_fds(client.link.sock, [data], [] if output is None else [output])


def _body(key: str, *, size: int, status: int | None, running: bool = False) -> str:
    told: dict[str, Any] = {"attempt": key, "running": running, "size": size, "exit": status}
    return json.dumps(told)
