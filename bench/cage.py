"""A cage: one daemon in mount and process namespaces of its own, so that nothing of the host's is touched.

Owns the namespaces, the accounts seen in them and their end: when this program closes the cage, or dies in
whatever way, the kernel ends every process in it. Knows nothing of what the daemon is.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import pwd
import subprocess
import sys
import time
from collections.abc import Sequence

from bench.share import Share
from bench.tables import Tables

#: The account of crond's scheduler and one that owns jobs. They exist inside the cages only.
SCHEDULER, USER = "crontabx-bench", "bench-user"
_CAGE = pathlib.Path(__file__).with_name("cage.sh")
_END = 15.0
_PATIENCE = 30.0


class CageError(Exception):
    """The daemon is not there; the text says what it said."""


def free_uid() -> int:
    """Return a number that no account has, nor the one after it."""
    taken = {account.pw_uid for account in pwd.getpwall()}
    return next(uid for uid in range(60000, 65000) if not {uid, uid + 1} & taken)


class Cage:
    """Runs `command`, once released, with `tables` as `owner`'s crontab and the files of cron.d.

    `folder` is made if it is not there, passable for all; it holds the log.
    """

    def __init__(
        self, folder: pathlib.Path, *, owner: str, tables: Tables, command: Sequence[str], cwd: pathlib.Path
    ) -> None:
        self.folder = folder
        _make_folder(folder, owner, tables)
        self._share = Share(f"crontabx-bench-{os.getpid()}-{folder.name}")
        groups = " ".join(map(str, self._share.folders))
        self._process = subprocess.Popen(
            [
                *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
                *("sh", str(_CAGE), str(folder), groups, owner, os.path.realpath(sys.executable), *command),
            ],
            stdin=subprocess.PIPE,
            cwd=cwd,
            env={"PATH": os.defpath + ":/usr/sbin:/sbin", "LANG": "C.UTF-8"},
            # Ctrl-C is ours: we close the cage, in order.
            start_new_session=True,
        )

    def wait_made(self) -> None:
        """Wait until the cage waits for its release. Raises CageError."""
        deadline = time.monotonic() + _PATIENCE
        while not (self.folder / "made").exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise CageError(f"{self.folder.name}: the cage could not be made")
            time.sleep(0.01)

    def inside(self) -> list[str]:
        """Return what to put before a command that is to run in the cage, which must be made."""
        return ["nsenter", f"--target={self.processes()[1]}", "--mount", "--pid", "--"]

    def path(self, path: str) -> pathlib.Path:
        """Return where the host sees the file that is `path` in the cage, which must be made."""
        return pathlib.Path(f"/proc/{self.processes()[1]}/root{path}")

    def release(self) -> None:
        """Let the daemon start."""
        if self._process.stdin is None:
            raise CageError("the cage has no way in")
        try:
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise CageError(f"{self.folder.name}: the cage could not be made") from None

    def processes(self) -> list[int]:
        """Return the pids of all that runs in the cage, its keepers (unshare, sh) among them."""
        children: dict[int, list[int]] = {}
        for name in os.listdir("/proc"):
            if name.isdecimal():
                with contextlib.suppress(OSError):
                    state, parent = _stat(int(name))[:2]
                    if state != "Z":
                        children.setdefault(int(parent), []).append(int(name))
        found = [self._process.pid]
        for pid in found:
            found += children.get(pid, ())
        return found

    def daemons(self) -> list[int]:
        """Return the pids of all that runs in the cage but its keepers."""
        return self.processes()[2:]

    def cpu(self) -> float:
        """Return the CPU seconds used by all that lives or was reaped in the cage."""
        used = self._share.used()
        if used is not None:
            return used
        ticks = 0
        for pid in self.processes():
            with contextlib.suppress(OSError):
                ticks += sum(map(int, _stat(pid)[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def require_daemon(self) -> None:
        """Raise CageError if nothing runs in the cage but its two keepers."""
        if not self.daemons():
            said = (self.folder / "log").read_text(errors="replace") if (self.folder / "log").exists() else ""
            raise CageError(said.strip()[-2000:] or "the daemon ended and said nothing")

    def require_no_mail(self) -> None:
        """Raise CageError if the daemon called sendmail: its figures would contain that."""
        if (self.folder / "mailed").exists():
            raise CageError(f"{self.folder.name}: the daemon sends mail, so its figures would not compare")

    def close(self) -> None:
        """End the daemon and everything else in the cage, and wait until all are gone."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            # unshare takes process 1 of the cage along, and with it go all others.
            self._process.kill()
            self._process.wait()
        self._share.close()


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def _make_folder(folder: pathlib.Path, owner: str, tables: Tables) -> None:
    for name in ("etc", "crontabs", "cron.d"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    (folder / "crontabs" / owner).write_text(tables.crontab, encoding="ascii")
    for file, text in tables.cron_d.items():
        (folder / "cron.d" / file).write_text(text, encoding="ascii")
    uid = free_uid()
    lines: dict[str, list[str]] = {"passwd": [], "group": [], "shadow": []}
    for number, name in ((uid, SCHEDULER), (uid + 1, USER)):
        lines["passwd"].append(f"{name}:x:{number}:{number}::/:/bin/sh\n")
        lines["group"].append(f"{name}:x:{number}:\n")
        lines["shadow"].append(f"{name}:*:20000:0:99999:7:::\n")
    for file, accounts in lines.items():
        (folder / f"accounts.{file}").write_text("".join(accounts), encoding="ascii")
