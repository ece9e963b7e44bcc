"""Frames: the same payloads come out however the bytes were cut, and never more than the limit is held."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crond.model.frames import BadFrame, FrameReader, frame


@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.integers(1, 9), min_size=1))
def test_payloads_survive_any_cut_of_the_stream(payloads: list[bytes], cuts: list[int]) -> None:
    """A stream has no borders: fed in pieces of any sizes, the reader gives back each payload whole."""
    stream = b"".join(frame(payload) for payload in payloads)
    reader = FrameReader(40)
    got: list[bytes] = []
    at = turn = 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        got += reader.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert got == payloads


def test_a_frame_of_the_limit_is_taken() -> None:
    """The limit itself is allowed."""
    assert FrameReader(5).feed(frame(b"12345")) == [b"12345"]


def test_a_longer_frame_is_refused_by_its_announcement() -> None:
    """The announced length is enough: not one byte of the payload is waited for or kept."""
    with pytest.raises(BadFrame, match="a frame of 6 bytes, where 5 are allowed"):
        FrameReader(5).feed(frame(b"123456")[:4])


@given(st.binary(max_size=100))
def test_random_bytes_are_payloads_or_a_bad_frame(data: bytes) -> None:
    """Nothing but BadFrame is raised, and no payload is longer than the limit."""
    try:
        payloads = FrameReader(20).feed(data)
    except BadFrame:
        return
    assert all(len(payload) <= 20 for payload in payloads)
