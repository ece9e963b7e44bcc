"""Offsets that look random and are always the same for the same words. Pure."""

from __future__ import annotations

import hashlib


def spread(most: int, *words: str) -> int:
    """Return whole seconds from 0 to `most` that follow from `words` alone."""
    if most <= 0:
        return 0
    digest = hashlib.blake2s("\0".join(words).encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % (most + 1)
