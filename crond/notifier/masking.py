"""Keeps what a target is made of out of words that others wrote.

Apprise's own words, and a server's, may quote a URL, a password, a token. Our own never do.
Called by targets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_plus

_MASK = "***"
#: Shorter parts are no secrets, and would be found everywhere.
_SHORTEST = 4
#: Where a URL is cut into the parts that may turn up by themselves.
_CUTS = re.compile(r"[/:?#&=@,;+\s]+")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>]*", re.IGNORECASE)


def masked(text: str, urls: Iterable[str]) -> str:
    """Return `text` without any URL, and without any part of `urls` that is long enough to be a secret."""
    found = {part for url in urls for part in _parts(url)}
    text = _URL.sub(_MASK, text)
    if found:
        longest_first = sorted(found, key=len, reverse=True)
        text = re.sub("|".join(map(re.escape, longest_first)), _MASK, text, flags=re.IGNORECASE)
    return text


def _parts(url: str) -> Iterable[str]:
    _, _, rest = url.partition("://")
    for way in (rest, unquote_plus(rest)):
        for part in (way, *_CUTS.split(way)):
            if len(part) >= _SHORTEST:
                yield part
