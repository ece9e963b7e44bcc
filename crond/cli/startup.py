"""How the process of a client begins: signals and output streams as any Unix tool has them.

Changes this process alone and knows no verb. Called once by each console script.
"""

from __future__ import annotations

import signal
import sys


def begin() -> None:
    """Let a closed pipe or Ctrl-C end us silently, and let no text fail for its encoding."""
    for number in (signal.SIGPIPE, signal.SIGINT):
        # Python itself ignores SIGPIPE, so whether our caller wanted that can no longer be seen.
        if number == signal.SIGPIPE or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
