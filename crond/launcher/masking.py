"""Secrets that a job printed, made `***` in what is sent to people.

Owns in which forms a secret is known again. Reads secrets as their user, so it runs in processes that are
that user: tailing's, and feeding's for jobs that have some. What nobody could read is not sent at all.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Iterable, Iterator, Mapping

from crond.launcher.supplying import NotSupplied, secret_at

#: Shorter ones would be found in everything.
_LEAST = 4
#: And what is shorter within base64.
_LEAST_WITHIN = 8
#: What is looked for at most.
_MOST = 50_000
#: Of a longer secret the rest is not looked for: the whole line goes (bytes).
_LONGEST_REST = 4096
#: A line that is longer is not waited for to its end (bytes).
_LONGEST_LINE = 1024 * 1024
MASK = b"***"
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def order_of(secrets: Iterable[tuple[str, str]], daemon: Mapping[str, str]) -> bytes:
    """Return what `mask_for` reads: names with sources, and with values where these are the daemon's own."""
    told = [
        (name, source, daemon.get(source.removeprefix("env:")) if source.startswith("env:") else None)
        for name, source in secrets
    ]
    return json.dumps(told).encode("ascii")


def mask_for(order: bytes) -> Mask:
    """Return the mask of the secrets in `order`. Raises NotSupplied: one of them cannot be read."""
    values = []
    for name, source, value in json.loads(order):
        values.append(secret_at(name, source) if value is None else value.encode("utf-8", "surrogateescape"))
    return Mask(values)


class Mask:
    """Masks `values`, each line of them, and what they become in base64 and in URLs."""

    def __init__(self, values: Iterable[bytes]) -> None:
        lines = [piece for value in values for piece in (value, *value.splitlines())]
        texts = {line.strip() for line in lines} | set(lines)
        found = {form for text in texts if len(text) >= _LEAST for form in _forms(text)}
        if len(found) > _MOST:
            raise NotSupplied("the secrets have too many lines to be looked for")
        # The longest first: a shorter one may be a part of it.
        self._forms = sorted(found, key=lambda form: (-len(form), form))
        self.longest = max(map(len, self._forms), default=0)

    def masked(self, data: bytes) -> bytes:
        """Return `data` without secrets."""
        for form in self._forms:
            data = data.replace(form, MASK)
        return data

    def without_rest(self, data: bytes) -> bytes:
        """Return `data`, which was cut anywhere, without the rest of a secret: each line of one is one."""
        most = self.longest - 1
        end = data.find(b"\n", 0, self.longest + 1) + 1
        if end or most > _LONGEST_REST:
            return data[end or (data.find(b"\n") + 1 or len(data)) :]
        rests = (n for n in range(most, 0, -1) if any(form.endswith(data[:n]) for form in self._forms))
        return data[next(rests, 0) :]

    def through(self, found: Iterable[bytes | int]) -> Iterator[bytes | int]:
        """Yield the pieces of a file (see `crond.launcher.holes.pieces`) without secrets: line by line, since
        a line of a secret is one, too.
        """
        held = b""
        for piece in found:
            if isinstance(piece, int):
                yield self.masked(held)
                held = b""
                yield piece
                continue
            held += piece
            end = held.rfind(b"\n") + 1
            if not end and len(held) > _LONGEST_LINE:
                held = self.masked(held)
                end = max(0, len(held) - self.longest)
            if end:
                yield self.masked(held[:end])
                held = held[end:]
        yield self.masked(held)


def _forms(text: bytes) -> Iterable[bytes]:
    yield text
    coded = binascii.b2a_base64(text, newline=False).rstrip(b"=")
    yield coded
    yield coded.translate(bytes.maketrans(b"+/", b"-_"))
    for before in (1, 2) if len(text) >= _LEAST_WITHIN else ():
        # Behind other bytes: the characters that it shares with these, or what follows, are not its own.
        shifted = binascii.b2a_base64(b"\0" * before + text, newline=False).rstrip(b"=")
        within = shifted[before + 1 : (before + len(text)) * 8 // 6]
        yield within
        yield within.translate(bytes.maketrans(b"+/", b"-_"))
    if len(text) >= _LEAST_WITHIN:
        yield coded[: len(text) * 8 // 6]
    for kept, space in ((b"", b"%20"), (b"/", b"%20"), (b"", b"+")):
        yield _quoted(text, kept, space)


def _quoted(text: bytes, kept: bytes, space: bytes) -> bytes:
    """Return `text` as a part of a URL, where the characters in `kept` stay."""
    return b"".join(
        bytes((byte,)) if byte in _SAFE or byte in kept else space if byte == 0x20 else b"%%%02X" % byte
        for byte in text
    )
