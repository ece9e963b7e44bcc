"""Why a connection came to nothing, in words of our own: those of the libraries quote hosts and URLs.

Knows no protocol. Called by wire and pings.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator


def how_it_ended(error: BaseException) -> str:
    """Return in words of our own why a connection came to nothing."""
    roots = list(_causes(error))
    for root in roots:
        if isinstance(root, ssl.SSLCertVerificationError):
            return f"its certificate is not to be trusted (OpenSSL error {root.verify_code})"
    for root in roots:
        if isinstance(root, ssl.SSLError):
            return "TLS failed"
        if isinstance(root, socket.gaierror):
            return "its name cannot be resolved"
        if isinstance(root, TimeoutError):
            return "said nothing in time"
        if isinstance(root, ConnectionRefusedError):
            return "refused the connection"
        if isinstance(root, ConnectionError):
            return "closed the connection"
        if isinstance(root, OSError) and root.errno:
            return os.strerror(root.errno)
    return "closed the connection"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and what it was made of, wherever the libraries put that."""
    waiting, known = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in known:
            continue
        known.add(id(one))
        yield one
        held = (*one.args, getattr(one, "reason", None), one.__cause__, one.__context__)
        waiting.extend(each for each in held if isinstance(each, BaseException))
