"""Frames: how one message is cut from a stream of bytes, and nothing about what it says.

A frame is a four byte big-endian length followed by that many bytes. Every socket of crontabx
speaks frames: launcher and scheduler between themselves, clients to both. Pure: the bytes come
from `crond.link` and from the client.
"""

from __future__ import annotations

HEADER = 4
#: Largest frame that anybody but the launcher may send, in bytes.
SMALL_FRAME = 256 * 1024
#: Largest frame the launcher may send, in bytes: a system crontab has no limit of its own.
LARGE_FRAME = 64 * 1024 * 1024


class BadFrame(ValueError):
    """The peer announced a frame longer than it may send: the stream cannot be read any further."""


def frame(payload: bytes) -> bytes:
    """Return `payload` with its length before it."""
    return len(payload).to_bytes(HEADER, "big") + payload


class FrameReader:
    """Collects bytes and gives back whole payloads.

    The limit is checked on the announced length, before a byte of the payload is kept: a hostile
    peer cannot make us hold more than `limit` bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take `data`; return the payloads that are complete now. Raises BadFrame."""
        held = self._held
        held += data
        payloads: list[bytes] = []
        start = 0
        while len(held) - start >= HEADER:
            length = int.from_bytes(held[start : start + HEADER], "big")
            if length > self._limit:
                raise BadFrame(f"a frame of {length} bytes, where {self._limit} are allowed")
            end = start + HEADER + length
            if len(held) < end:
                break
            payloads.append(bytes(held[start + HEADER : end]))
            start = end
        del held[:start]
        return payloads
