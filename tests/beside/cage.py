"""A cage: one daemon with accounts, crontabs, mail and log of its own: nothing of the host is touched.

Owns the folder, the namespaces and their end: when this program closes the cage, or dies in whatever way,
the kernel ends all that runs in it. Knows nothing of what the daemon is.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.beside.crontabs import USERS, File
from tests.beside.faketime import uptime

HERE = Path(__file__).parent
#: Where the cage shows what it shares with us.
SHARED = Path("/run/beside")
SCHEDULER = "beside-scheduler"
NAMES = {user: f"beside-{user}" for user in USERS}
_END = 15.0
#: Long before any virtual day: a crontab that was changed just now is looked at more than once.
_OLD = 1_700_000_000


def accounts() -> dict[str, int]:
    """Return numbers for the accounts of a cage that nobody on this host has."""
    taken = {account.pw_uid for account in pwd.getpwall()}
    names = (*NAMES.values(), SCHEDULER)
    first = next(uid for uid in range(61000, 65000) if taken.isdisjoint(range(uid, uid + len(names))))
    return {name: first + place for place, name in enumerate(names)}


class Cage:
    """Runs `command` in a cage of `files` below the new folder `folder`. `lines` has what came to /dev/log,
    each line with the uptime it came at.
    """

    def __init__(
        self, folder: Path, *, files: Sequence[File], uids: dict[str, int], command: Sequence[str]
    ) -> None:
        self.folder = folder
        self.shared = folder / "shared"
        self.lines: list[tuple[float, bytes]] = []
        _make_folders(folder, uids)
        for file in files:
            _install(folder, file, uids)
        self._log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._log.bind(str(folder / "log"))
        (folder / "log").chmod(0o666)
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()
        self._process = subprocess.Popen(
            [
                *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
                *("sh", str(HERE / "cage.sh"), str(folder), *command),
            ],
            stdin=subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
            cwd="/",
            start_new_session=True,
        )

    def said(self) -> str:
        """Return what the daemon wrote to its output."""
        with contextlib.suppress(OSError):
            return (self.folder / "said").read_text(errors="replace")
        return ""

    def close(self) -> None:
        """End all that runs in the cage; wait until all is gone and read."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            # unshare takes process 1 of the cage along, and with it go all others.
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(OSError):
            self._log.shutdown(socket.SHUT_RDWR)
        self._reader.join(_END)
        self._log.close()

    def _listen(self) -> None:
        # What is shut down gives empty lines for ever.
        while data := self._log.recv(65536):
            self.lines.append((uptime(), data))


def _make_folders(folder: Path, uids: dict[str, int]) -> None:
    for name in ("dev", "etc", "system/cron.d", "spool", "shared/home"):
        (folder / name).mkdir(parents=True)
    for path in (folder, folder / "shared"):
        path.chmod(0o755)
    for name in ("notes", "mails"):
        (folder / "shared" / name).mkdir()
        (folder / "shared" / name).chmod(0o1777)
    for script in ("job", "sendmail"):
        shutil.copy(HERE / f"{script}.sh", folder / "shared" / script)
        (folder / "shared" / script).chmod(0o755)
    for script in ("faketime.py", "daemon.py"):
        shutil.copy(HERE / script, folder / "shared" / script)
    files: dict[str, list[str]] = {"passwd": [], "group": [], "shadow": []}
    for name, uid in uids.items():
        files["passwd"].append(f"{name}:x:{uid}:{uid}::{SHARED}/home/{name}:/bin/sh\n")
        files["group"].append(f"{name}:x:{uid}:\n")
        files["shadow"].append(f"{name}:*:20000:0:99999:7:::\n")
        (folder / "shared" / "home" / name).mkdir()
        os.chown(folder / "shared" / "home" / name, uid, uid)
    # A second group for ben, as on a host.
    files["group"].append(f"beside-more:x:{max(uids.values()) + 1}:{NAMES['ben']},{NAMES['cat']}\n")
    for file, lines in files.items():
        (folder / f"accounts.{file}").write_text("".join(lines))


def _install(folder: Path, file: File, uids: dict[str, int]) -> None:
    path = folder / ("system" if file.name.startswith("etc/") else "spool") / file.name.removeprefix("etc/")
    path.write_text(file.text)
    path.chmod(file.mode)
    owner = uids.get(file.owner, 0)
    os.chown(path, owner, owner)
    os.utime(path, (_OLD, _OLD))
