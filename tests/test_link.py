"""Links: messages over a real socket pair, without waiting for the peer and without trusting it."""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from crond.link import Link, LinkClosed, peer_of
from crond.model.codec import encode
from crond.model.frames import frame
from crond.model.messages import Ack, Answer, Ask, BadMessage, Heartbeat

Ends = tuple[Link, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """A link that takes Ack and Heartbeat, and the bare socket at its other end."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    link = Link(ours, expected=(Ack, Heartbeat), receive_limit=1000, backlog_limit=500_000)
    with closing(theirs):
        yield link, theirs
        link.close()


def test_messages_arrive_whole(ends: Ends) -> None:
    """Two in one piece are two; half of one is none until the rest is there."""
    link, peer = ends
    peer.sendall(frame(encode(Ack(1))) + frame(encode(Heartbeat())) + frame(encode(Ack(2)))[:7])
    assert link.receive() == [Ack(1), Heartbeat()]
    assert link.receive() == []
    peer.sendall(frame(encode(Ack(2)))[7:])
    assert link.receive() == [Ack(2)]


def test_nothing_to_read_is_no_message(ends: Ends) -> None:
    """A link never blocks."""
    assert ends[0].receive() == []


def test_a_peer_that_hangs_up_is_said_so(ends: Ends) -> None:
    """End of file is LinkClosed."""
    link, peer = ends
    peer.close()
    with pytest.raises(LinkClosed, match="connection closed"):
        link.receive()


@pytest.mark.parametrize(
    "data",
    [b"\xff\xff\xff\xff", frame(b"nonsense"), frame(encode(Ask("list"))), frame(b"x" * 1001)],
    ids=["huge", "no JSON", "not expected here", "over the limit"],
)
def test_what_is_no_message_is_a_bad_message(ends: Ends, data: bytes) -> None:
    """A frame too long and a payload that is no message look alike to whoever holds the link."""
    link, peer = ends
    peer.sendall(data)
    with pytest.raises(BadMessage):
        link.receive()


def test_sending_to_a_peer_that_is_gone_is_link_closed(ends: Ends) -> None:
    """A broken pipe is the end of the link, not of the program."""
    link, peer = ends
    peer.close()
    with pytest.raises(LinkClosed, match="connection lost"):
        link.send(Ack(1))


def test_a_reset_connection_is_link_closed(ends: Ends) -> None:
    """A peer that dies with our bytes unread resets the connection: reading says LinkClosed too."""
    link, peer = ends
    link.send(Ack(1))
    peer.close()
    with pytest.raises(LinkClosed):
        link.receive()


def test_what_the_socket_does_not_take_waits(ends: Ends) -> None:
    """A slow peer gets everything, in order, as it reads; meanwhile the sender goes on."""
    link, peer = ends
    sent = [Answer(True, True, letter * 100_000) for letter in "abcd"]
    for answer in sent:
        link.send(answer)
    assert link.wants_write
    wanted = b"".join(frame(encode(answer)) for answer in sent)
    got = b""
    while len(got) < len(wanted):
        got += peer.recv(1 << 20)
        link.flush()
    assert got == wanted
    assert not link.wants_write


def test_a_peer_that_never_reads_is_given_up(ends: Ends) -> None:
    """Memory has a bound: beyond it the link is closed rather than grown."""
    link, _ = ends

    def send_for_ever() -> None:
        for _ in range(100):
            link.send(Answer(True, True, "x" * 100_000))

    with pytest.raises(LinkClosed, match="the peer does not read"):
        send_for_ever()


def test_a_peer_is_known_by_the_kernel() -> None:
    """Credentials are those of the process at the other end, whatever it says."""
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        peer = peer_of(ours)
        assert (peer.pid, peer.uid, peer.gid) == (os.getpid(), os.geteuid(), os.getegid())


@pytest.mark.parametrize("read", [True, False], ids=["received", "closed unread"])
def test_a_socket_that_lingers_holds_nobody_up(ends: Ends, read: bool) -> None:
    """A user sent one along, and the launcher closed it: for half a minute, in which nobody's jobs began."""
    link, peer = ends
    before = signal.signal(signal.SIGALRM, lambda _number, _frame: None)
    try:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            lingering = socket.create_connection(listening.getsockname())
            with closing(listening.accept()[0]):  # it never reads, so what is sent to it is never taken
                lingering.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 20))
                lingering.setblocking(False)
                with suppress(BlockingIOError):
                    while True:
                        lingering.send(bytes(65536))
                socket.send_fds(peer, [frame(encode(Heartbeat()))], [lingering.fileno()])
                lingering.close()
                began = time.monotonic()
                if read:
                    assert link.receive() == [Heartbeat()]
                link.close()
                assert time.monotonic() - began < 5
    finally:
        signal.signal(signal.SIGALRM, before)
