"""PAM as C programs know it, through ctypes: may an account run jobs, and what would it be given.

Owns the numbers and types of that interface. Other people's modules are loaded into the process that calls
this, where they may wait, crash or change what they like: it is for a process that was made for it. Knows
nothing of jobs. Called by pam, and by the `crond` command to see whether the library is there.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

LIBRARY = "libpam.so.0"

_SUCCESS = 0
_TTY = 3
_ESTABLISH_CRED, _DELETE_CRED = 0x2, 0x4
_SILENT = 0x8000


class PamError(Exception):
    """PAM said no, in its own words."""


class _Conversation(ctypes.Structure):
    """What a module talks through: nobody, as in both crons."""

    _fields_ = (("function", ctypes.c_void_p), ("data", ctypes.c_void_p))


def load() -> Any:
    """Return the library. Raises OSError where there is none."""
    library = ctypes.CDLL(LIBRARY)
    library.pam_strerror.restype = ctypes.c_char_p
    library.pam_getenvlist.restype = ctypes.POINTER(ctypes.c_char_p)
    return library


class Transaction:
    """One talk with PAM about `user`, for the service file of `service`. All methods raise PamError."""

    def __init__(self, library: Any, service: str, user: str) -> None:
        self._library = library
        self._conversation = _Conversation()
        self._handle = ctypes.c_void_p()
        conversation, handle = ctypes.byref(self._conversation), ctypes.byref(self._handle)
        self._check(library.pam_start(service.encode(), os.fsencode(user), conversation, handle))
        self._check(library.pam_set_item(self._handle, _TTY, b"cron"))

    def authorize(self) -> None:
        """Ask whether the account may be used now."""
        self._check(self._library.pam_acct_mgmt(self._handle, _SILENT))

    def establish(self) -> None:
        """Give the account its credentials."""
        self._check(self._library.pam_setcred(self._handle, _ESTABLISH_CRED | _SILENT))

    def open(self) -> None:
        """Open a session, which may change limits, nice and umask of this process."""
        self._check(self._library.pam_open_session(self._handle, _SILENT))

    def variables(self) -> list[tuple[bytes, bytes]]:
        """Return the variables that are set until now."""
        listed = self._library.pam_getenvlist(self._handle)
        found = []
        place = 0
        while listed and listed[place] is not None:
            name, equals, value = listed[place].partition(b"=")
            if name and equals:
                found.append((name, value))
            place += 1
        return found

    def close(self) -> None:
        """Close the session and take the credentials back."""
        self._library.pam_setcred(self._handle, _DELETE_CRED | _SILENT)
        self._library.pam_close_session(self._handle, _SILENT)
        self.end()

    def end(self) -> None:
        self._library.pam_end(self._handle, _SUCCESS)

    def _check(self, code: int) -> None:
        if code != _SUCCESS:
            raise PamError(os.fsdecode(self._library.pam_strerror(self._handle, code) or b"unknown error"))
