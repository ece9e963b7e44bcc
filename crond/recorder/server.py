"""The server: connections on recorder.sock, each with one question, answered by threads.

The loop of the recorder: it never waits for a database, so that its heartbeats go out whatever a query
takes. It alone reads and writes the wire to the launcher; what the delivery has to say it hands over. A
client is known by the credentials that the kernel gives. What the answers say is `answers`'. Put together
by main.
"""

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from crond.link import Link, LinkClosed, peer_of
from crond.model.frames import SMALL_FRAME
from crond.model.messages import Answer, Ask, BadMessage, Heartbeat
from crond.model.orders import Order, Report
from crond.recorder.answers import Answers

_MOST_CLIENTS = 64
#: Of one user, so that none of them keeps the others out.
_CLIENTS_EACH = 16
#: Seconds in which a client must have said what it wants.
_PATIENCE = 5.0
#: Bytes that may wait for a client that does not read.
_BACKLOG = 128 * 1024 * 1024
#: Queries at a time, of root and of all others: neither waits for the other's.
_THREADS = 2


@dataclass(slots=True)
class _Client:
    link: Link
    uid: int
    since: float
    asked: bool = False
    answered: bool = False


class Server:
    """Serves `listening` until the launcher hangs up `wire` or `stop` is called."""

    def __init__(
        self,
        wire: Link,
        listening: socket.socket,
        answers: Answers,
        *,
        heartbeat: float,
        heard: Callable[[Report], None],
    ) -> None:
        listening.setblocking(False)
        self._wire = wire
        self._heard = heard
        self._orders: deque[Order] = deque()
        self._listening = listening
        self._answers = answers
        self._heartbeat = heartbeat
        self._clients: dict[int, _Client] = {}
        self._stopping = False
        self._done: deque[tuple[_Client, Answer]] = deque()
        self._wakeup, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._everybody = ThreadPoolExecutor(_THREADS, "query")
        self._privileged = ThreadPoolExecutor(_THREADS, "root-query")

    def stop(self) -> None:
        """End the loop; may be called by a signal handler."""
        self._stopping = True
        self._call(b"s")

    def say(self, order: Order) -> None:
        """Say `order` to the launcher; may be called by any thread."""
        self._orders.append(order)
        self._call(b"o")

    def run(self) -> None:
        """Turn the loop until the end."""
        beaten = float("-inf")
        while not self._stopping:
            now = time.monotonic()
            try:
                if now - beaten >= self._heartbeat / 2:
                    beaten = now
                    self._wire.send(Heartbeat())
                wait = beaten + self._heartbeat - now
                self._turn(min(wait, 1.0) if self._clients else wait)
            except (LinkClosed, BadMessage):
                return  # the launcher ended, or gave us up

    def close(self) -> None:
        """Begin no more queries."""
        for pool in (self._everybody, self._privileged):
            pool.shutdown(wait=False, cancel_futures=True)

    def _turn(self, wait: float) -> None:
        poll = select.poll()
        for fd in (self._listening.fileno(), self._wakeup):
            poll.register(fd, select.POLLIN)
        poll.register(self._wire.fileno(), select.POLLIN | (select.POLLOUT if self._wire.wants_write else 0))
        for fd, client in self._clients.items():
            poll.register(fd, select.POLLIN | (select.POLLOUT if client.link.wants_write else 0))
        ready = dict(poll.poll(wait * 1000))
        if self._wakeup in ready:
            os.read(self._wakeup, 4096)
        if ready.get(self._wire.fileno(), 0) & ~select.POLLOUT:
            for report in self._wire.receive():
                self._heard(report)
        self._write()
        while self._done:
            self._send(*self._done.popleft())
        for fd in [fd for fd in ready if fd in self._clients]:
            self._ready(self._clients[fd])
        self._drop_silent()
        if self._listening.fileno() in ready:
            self._accept()

    def _write(self) -> None:
        """Write what is to be said, no faster than the launcher reads: it gives up whoever holds too much."""
        self._wire.flush()
        while self._orders and not self._wire.wants_write:
            self._wire.send(self._orders.popleft())

    # --- clients -----------------------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            sock, _ = self._listening.accept()
        except OSError:
            return  # it went away again
        uid = peer_of(sock).uid
        same = sum(client.uid == uid for client in self._clients.values())
        full = same >= _CLIENTS_EACH or len(self._clients) >= _MOST_CLIENTS
        if same >= _MOST_CLIENTS if is_privileged(uid) else full:
            sock.close()
            return
        link = Link(sock, expected=(Ask,), receive_limit=SMALL_FRAME, backlog_limit=_BACKLOG)
        self._clients[sock.fileno()] = _Client(link, uid, time.monotonic())

    def _ready(self, client: _Client) -> None:
        try:
            client.link.flush()
            for ask in client.link.receive():
                if client.asked:
                    raise BadMessage("one request per connection")
                client.asked = True
                pool = self._privileged if is_privileged(client.uid) else self._everybody
                pool.submit(self._work, client, ask)
        except (LinkClosed, BadMessage):
            self._close(client)
        else:
            self._close_if_done(client)

    def _work(self, client: _Client, ask: Ask) -> None:
        """Answer `ask`, in a thread."""
        try:
            answer = self._answers.answer(ask, uid=client.uid, everything=is_privileged(client.uid))
        except Exception as error:  # noqa: BLE001 - one question must not take a thread from the others
            body = {"error": f"{type(error).__name__}: {error}", "code": "unavailable"}
            answer = Answer(ok=False, final=True, body=json.dumps(body))
        self._done.append((client, answer))
        self._call(b"d")

    def _send(self, client: _Client, answer: Answer) -> None:
        client.answered = True
        if client.link.fileno() < 0:
            return  # it did not wait
        try:
            client.link.send(answer)
        except LinkClosed:
            self._close(client)
        else:
            self._close_if_done(client)

    def _drop_silent(self) -> None:
        now = time.monotonic()
        for client in list(self._clients.values()):
            if not client.asked and now - client.since >= _PATIENCE:
                self._close(client)

    def _close_if_done(self, client: _Client) -> None:
        if client.answered and not client.link.wants_write:
            self._close(client)

    def _close(self, client: _Client) -> None:
        self._clients.pop(client.link.fileno(), None)
        client.link.close()

    def _call(self, word: bytes) -> None:
        with suppress(BlockingIOError):
            os.write(self._wake, word)


def is_privileged(uid: int) -> bool:
    """True for root and for the daemon's own account."""
    return uid in (0, os.geteuid())
