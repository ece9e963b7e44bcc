"""What a start of an entry would have around it now: told to its owner, and to nobody else.

The same preparation that a start uses, so that what is told is what a job gets. It may be large: writing and
sending it is for another process than ours, which holds it for nobody. Called by clients.
"""

from __future__ import annotations

import json
import os
import resource
from typing import TYPE_CHECKING, Any

from crond.launcher.programs import NotPossible

if TYPE_CHECKING:
    from crond.launcher.programs import Prepared, Programs
    from crond.launcher.spool import Spool
    from crond.link import Peer


#: Names of limits, as in "nofile" for RLIMIT_NOFILE. OFILE is an old name of that.
_LIMITS = {
    getattr(resource, name): name.removeprefix("RLIMIT_").lower()
    for name in dir(resource)
    if name.startswith("RLIMIT_") and name != "RLIMIT_OFILE"
}


class Surroundings:
    """Answers what an entry's start would have. `open_files` is the limit that jobs get."""

    def __init__(self, spool: Spool, programs: Programs, *, open_files: tuple[int, int]) -> None:
        self._spool = spool
        self._programs = programs
        self._open_files = open_files

    def prepared(self, peer: Peer, arguments: dict[str, str]) -> Prepared:
        """Return what a start of entry `entry` of table version `table` would be made from.

        Raises NotPossible, with reason `stale` for a table that is not held and for somebody else's alike.
        """
        version, entry = _number(arguments, "table"), _number(arguments, "entry")
        table = None if version is None else self._spool.table(version)
        if table is None or entry is None or peer.uid not in (0, os.geteuid(), table.uid):
            raise NotPossible("stale", "that crontab is not one that is obeyed now")
        return self._programs.prepared(table, entry)

    def text(self, prepared: Prepared) -> bytes:
        """Return the same as JSON, which may take long."""
        return json.dumps(self._told(prepared)).encode("ascii")

    def _told(self, prepared: Prepared) -> dict[str, Any]:
        program, supply = prepared.program, prepared.supply
        identity = program.identity
        bounds = program.bounds
        limits = {_LIMITS[number]: (soft, hard) for number, soft, hard in bounds.limits}
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
            "umask": _umask() if bounds.umask is None else bounds.umask,
            "nice": os.getpriority(os.PRIO_PROCESS, 0) if bounds.nice is None else bounds.nice,
            "open_files": list(limits.pop("nofile", self._open_files)),
            "limits": limits,
            "environment": {_text(name): _text(value) for name, value in program.environment.items()},
            # By name alone: what is in them is read by the job, as its user.
            "env_file": None if supply is None or supply.env_file is None else _text(supply.env_file),
            "secrets": [name for name, _ in prepared.policy.secret_env],
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
