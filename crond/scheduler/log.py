"""What the scheduler says, on stderr, where the launcher listens and logs it. Called by the rest of it."""

from __future__ import annotations

import sys
from contextlib import suppress


def log(text: str) -> None:
    """Say `text`."""
    # A launcher that does not listen now is not waited for.
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
