"""Our terminal passed on to another: what is typed goes in, what is shown comes out, sizes follow.

Knows nothing of what runs there. Called by becoming.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import termios
import tty

_PIECE = 64 * 1024


def relay(master: int) -> None:
    """Pass our descriptors 0 and 1 on to the pseudo-terminal `master` until nobody has its other end open."""
    before = termios.tcgetattr(0)
    handler = signal.signal(signal.SIGWINCH, lambda _number, _frame: _follow_size(master))
    # A signal that kills us would leave the terminal raw.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    _follow_size(master)
    try:
        tty.setraw(0)
        _copy(master)
    except _Left:
        pass
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, handler)


class _Left(Exception):
    """We are to end, and the shell with us."""


def _leave(_number: int, _frame: object) -> None:
    raise _Left


def _copy(master: int) -> None:
    sources = [0, master]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if master in ready:
            try:
                shown = os.read(master, _PIECE)
            except OSError:  # EIO: the other end is closed
                return
            if not shown:
                return
            _write(1, shown)
        if 0 in ready:
            typed = os.read(0, _PIECE)
            if typed:
                _write(master, typed)
            else:
                sources.remove(0)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _follow_size(master: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.ioctl(master, termios.TIOCSWINSZ, fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8))
