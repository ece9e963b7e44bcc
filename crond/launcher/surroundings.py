"""What a start of an entry would have around it now: told to its owner, and to nobody else.

The same preparation that a start uses, so that what is told is what a job gets. It may hold what a crontab
keeps to itself, so it goes as a file of memory whose descriptor the client is handed: nothing of any size
waits in our loop. Called by clients.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from crond.launcher.programs import NotPossible

if TYPE_CHECKING:
    from crond.launcher.programs import Prepared, Programs
    from crond.launcher.spool import Spool
    from crond.link import Peer


class Surroundings:
    """Answers what an entry's start would have. `open_files` is the limit that jobs get."""

    def __init__(self, spool: Spool, programs: Programs, *, open_files: tuple[int, int]) -> None:
        self._spool = spool
        self._programs = programs
        self._open_files = open_files

    def descriptor(self, peer: Peer, arguments: dict[str, str]) -> int:
        """Return a descriptor of the JSON text for entry `entry` of table version `table`; the caller closes.

        Raises NotPossible, with reason `stale` for a table that is not held and for somebody else's alike;
        OSError where there is no memory for it.
        """
        version, entry = _number(arguments, "table"), _number(arguments, "entry")
        table = None if version is None else self._spool.table(version)
        if table is None or entry is None or peer.uid not in (0, os.geteuid(), table.uid):
            raise NotPossible("stale", "that crontab is not one that is obeyed now")
        prepared = self._programs.prepared(table, entry)
        fd = os.memfd_create("surroundings")
        try:
            with open(fd, "wb", closefd=False) as file:
                file.write(json.dumps(self._told(prepared)).encode("ascii"))
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _told(self, prepared: Prepared) -> dict[str, Any]:
        program = prepared.program
        identity = program.identity
        ids = (os.geteuid(), os.getegid(), os.getgroups())
        uid, gid, groups = ids if identity is None else (identity.uid, identity.gid, list(identity.groups))
        return {
            "user": prepared.user,
            "uid": uid,
            "gid": gid,
            "groups": sorted(groups),
            "directory": _text(program.directory),
            "directory_required": program.directory_required,
            "shell": _text(program.path),
            "command": _text(program.arguments[-1]),
            "stdin": _text(prepared.stdin),
            "umask": _umask(),
            "nice": os.getpriority(os.PRIO_PROCESS, 0),
            "open_files": list(self._open_files),
            "environment": {_text(name): _text(value) for name, value in program.environment.items()},
        }


def _number(arguments: dict[str, str], name: str) -> int | None:
    text = arguments.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else None


def _text(data: bytes) -> str:
    # Not fsdecode: the client need not have our encoding.
    return data.decode("utf-8", "surrogateescape")


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
