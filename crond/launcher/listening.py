"""Sockets that clients connect to: bound by name, open to everybody, however deep the name lies.

Owns binding. Who may ask what is decided by whoever accepts. Called by main for both control sockets.
"""

from __future__ import annotations

import contextlib
import os
import socket

#: sun_path holds 108 bytes with its NUL.
_LONGEST = 107
#: Linux 6.16; Python has no name for it.
_SO_PASSRIGHTS = 83


def listen(folder: str, name: str, *, mode: int = 0o666) -> socket.socket:
    """Return a listening, non-blocking socket at `folder`/`name`. Raises OSError.

    A socket left there by a daemon that died is removed: our lock says that it is dead.
    """
    path = os.path.join(folder, name)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        if len(os.fsencode(path)) <= _LONGEST:
            sock.bind(path)
        else:
            fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                sock.bind(f"/proc/self/fd/{fd}/{name}")
            finally:
                os.close(fd)
        os.chmod(path, mode)
        # Nobody has descriptors to send us, and to close one may take as long as its sender likes: `briskly`.
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_PASSRIGHTS, 0)
        sock.listen(128)
    except BaseException:
        sock.close()
        raise
    return sock
