"""One framed, non-blocking connection: bytes in and out of a socket, and no meaning.

Launcher, scheduler and their client sockets each hold links; the loops tell a link when its socket is
readable or writable. A link never blocks and never grows without bound: a peer that does not read
is given up, since whoever waits for it would be late for everybody else.
"""

from __future__ import annotations

import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from crond.model.codec import Message, decode, encode
from crond.model.frames import BadFrame, FrameReader, frame
from crond.model.messages import BadMessage

_RECEIVE = 64 * 1024
#: Seconds after which a socket that a peer sent along is no longer waited for.
_BRISK = 0.002


class LinkClosed(OSError):
    """The peer is gone, or was given up; the text says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a Unix socket, as the kernel knows it (SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int


def peer_of(sock: socket.socket) -> Peer:
    """Return the credentials that the kernel recorded when the peer connected."""
    held = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return Peer(*struct.unpack("3i", held))


@contextmanager
def briskly() -> Iterator[None]:
    """Let nothing that a peer sent along hold us up when it is received, or closed with the socket.

    A peer may attach descriptors to its bytes, which the kernel closes for us; a TCP socket that lingers
    (SO_LINGER) is closed when its own peer has read all, or a signal comes: ours. Where SIGALRM has no
    handler, in a client, this does nothing. The scheduler's alarm is set anew before each wait.
    """
    if not callable(signal.getsignal(signal.SIGALRM)):
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, _BRISK, _BRISK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class Link:
    """A connected socket that carries messages of the `expected` types towards us."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        expected: tuple[type[Any], ...],
        receive_limit: int,
        backlog_limit: int,
    ) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._expected = expected
        self._reader = FrameReader(receive_limit)
        self._backlog_limit = backlog_limit
        self._backlog = bytearray()

    def fileno(self) -> int:
        return self.sock.fileno()

    @property
    def wants_write(self) -> bool:
        """True while bytes wait for the socket to take them."""
        return bool(self._backlog)

    def receive(self) -> list[Any]:
        """Return the messages that arrived, reading once. Raises LinkClosed and BadMessage."""
        try:
            with briskly():
                data = self.sock.recv(_RECEIVE)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError as error:
            raise LinkClosed(error.errno, f"connection lost: {error.strerror}") from None
        if not data:
            raise LinkClosed("connection closed")
        try:
            return [decode(payload, *self._expected) for payload in self._reader.feed(data)]
        except BadFrame as error:
            raise BadMessage(str(error)) from None

    def send(self, *messages: Message) -> None:
        """Queue `messages` and send what the socket takes now; the peer wakes once. Raises LinkClosed."""
        for message in messages:
            self._queue(encode(message))
        self.flush()

    def send_payload(self, payload: bytes) -> None:
        """As `send`, for a payload that was encoded before (a batch encodes once)."""
        self._queue(payload)
        self.flush()

    def _queue(self, payload: bytes) -> None:
        if len(self._backlog) > self._backlog_limit:
            self.flush()
        if len(self._backlog) > self._backlog_limit:
            raise LinkClosed(f"the peer does not read: {len(self._backlog)} bytes wait for it")
        self._backlog += frame(payload)

    def flush(self) -> None:
        """Send what the socket takes now. Raises LinkClosed."""
        while self._backlog:
            try:
                sent = self.sock.send(self._backlog)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                raise LinkClosed(error.errno, f"connection lost: {error.strerror}") from None
            del self._backlog[:sent]

    def close(self) -> None:
        with briskly():
            self.sock.close()
