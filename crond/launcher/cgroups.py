"""Groups of processes that nobody can leave: cgroups of version 2, one for each attempt that asks for it.

Owns where they lie, their limits, and their end; a group knows who is in it, however often they forked. Where
the host gives us no cgroup of our own there is none of this, and `Groups.find` says so. Must not know
entries or messages. Called by main, launcher and stopping.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator

#: Where version 2 is mounted: alone, and beside version 1.
_MOUNTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
_MEMBERSHIP = "/proc/self/cgroup"
#: systemd marks so what it leaves to a service.
_MARKS = ("trusted.delegate", "user.delegate")
_SYSTEMD = "/run/systemd/system"
#: Ours begin so: nothing else is ever removed.
_PREFIX = "job."
#: Microseconds in which a quota counts: the kernel's own default.
_PERIOD = 100_000


class Group:
    """One cgroup of ours, at `path`."""

    def __init__(self, path: str) -> None:
        self.path = path

    def entrance(self) -> int:
        """Return a descriptor: who writes 0 to it is in the group from then on. Raises OSError."""
        return os.open(f"{self.path}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)

    def pids(self) -> set[int]:
        """Return who is in it, and in groups that root's own jobs made below it."""
        found: set[int] = set()
        for folder in self._folders():
            # A group that went meanwhile had nobody in it.
            with contextlib.suppress(OSError), open(f"{folder}/cgroup.procs", "rb") as file:
                found.update(int(line) for line in file)
        # 0 is a process of another pid namespace, which has no number here.
        return found - {0}

    def kill(self) -> bool:
        """KILL all of it at once, which no fork escapes; False where the kernel does not know how."""
        return _write(f"{self.path}/cgroup.kill", "1") == 0

    def remove(self) -> bool:
        """Remove it; False while somebody is in it."""
        for folder in [*self._folders()][::-1]:
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                continue
            except OSError:
                return False
        return True

    def _folders(self) -> Iterator[str]:
        yield from (folder for folder, _, _ in os.walk(self.path))


class Groups:
    """The groups in `folder`, a cgroup of one daemon alone. `controllers` are those, of "memory" and "cpu",
    that can be limited there.
    """

    def __init__(self, folder: str, controllers: frozenset[str] = frozenset()) -> None:
        self._folder = folder
        self.controllers = controllers
        #: Those of earlier lives, and those whose attempt ended before its last process.
        self._left: set[str] = set()
        with contextlib.suppress(FileNotFoundError):
            self._left.update(f"{folder}/{name}" for name in os.listdir(folder) if name.startswith(_PREFIX))

    @classmethod
    def find(cls, state: str) -> Groups | None:
        """Return the groups of the daemon whose folder is `state`, None where we own no cgroup."""
        # Several daemons may live in one cgroup, and each removes what it does not know.
        name = f"crontabx.{hashlib.blake2s(os.fsencode(os.path.realpath(state)), digest_size=6).hexdigest()}"
        for mount in _MOUNTS:
            if os.path.exists(f"{mount}/cgroup.controllers"):
                own = _own_path()
                return None if own is None else _groups_at(mount + own.rstrip("/"), mount, name)
        return None

    def make(self, key: str, *, memory_max: int | None, cpu_quota: float | None) -> Group:
        """Make the group of attempt `key`. `memory_max` is bytes, `cpu_quota` percent of one processor; what
        no controller here can limit is left out. Raises OSError.
        """
        self._make_folder()
        group = Group(f"{self._folder}/{_PREFIX}{key}")
        with contextlib.suppress(FileExistsError):  # an earlier life's, of a try of `wait_for`
            os.mkdir(group.path, 0o755)
        limits: dict[str, str] = {}
        if memory_max is not None and "memory" in self.controllers:
            # Half a job that goes on is worse than none.
            limits |= {"memory.max": str(memory_max), "memory.oom.group": "1"}
        if cpu_quota is not None and "cpu" in self.controllers:
            limits["cpu.max"] = f"{max(1000, round(cpu_quota * _PERIOD / 100))} {_PERIOD}"
        for name, value in limits.items():
            code = _write(f"{group.path}/{name}", value)
            if code:
                group.remove()
                raise OSError(code, os.strerror(code), f"{group.path}/{name}")
        return group

    def _make_folder(self) -> None:
        """Make what holds all groups if it is not there: nobody needed one yet, or somebody removed it."""
        if not os.path.isdir(self._folder):
            os.makedirs(self._folder, exist_ok=True)
            for name in self.controllers:
                _enable(self._folder, name)

    def held(self, key: str) -> Group | None:
        """Return the group of attempt `key` if there is one: an earlier life may have made it."""
        path = f"{self._folder}/{_PREFIX}{key}"
        return Group(path) if os.path.isdir(path) else None

    def let_go(self, group: Group) -> None:
        """Remove `group` now, or once what a job left in it has ended: see `tidy`."""
        if not group.remove():
            self._left.add(group.path)

    def tidy(self) -> bool:
        """Remove groups whose last process has ended; True if some are left."""
        self._left = {path for path in self._left if not Group(path).remove()}
        return bool(self._left)

    def close(self) -> None:
        """Remove all that is empty; what lives on in a group keeps it, for the next life."""
        if not self.tidy():
            with contextlib.suppress(OSError):
                os.rmdir(self._folder)


def _own_path() -> str | None:
    """Return the cgroup that we are in, as a path below the mount."""
    try:
        with open(_MEMBERSHIP, encoding="ascii", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    path = next((line[3:] for line in lines if line.startswith("0::/")), None)
    # Of a group outside our namespace we see no file.
    return None if path is None or "/.." in path else path


def _groups_at(own: str, mount: str, name: str) -> Groups | None:
    """Return the groups for a process in cgroup `own`, None if that is somebody else's to divide."""
    parent = os.path.dirname(own)
    if own != mount and parent.startswith(mount) and _is_delegated(parent):
        # systemd put us below it (DelegateSubgroup=), so it may be divided, and a new start can enter it.
        return _groups_in(parent, name, controlled=True)
    if _is_delegated(own):
        # A group whose parts are limited takes no process itself: the service could not be started again.
        return _groups_in(own, name, controlled=False)
    # Without systemd nobody else divides: a container, a plain init.
    return None if os.path.isdir(_SYSTEMD) else _groups_in(own, name, controlled=True)


def _is_delegated(path: str) -> bool:
    for mark in _MARKS:
        with contextlib.suppress(OSError):
            if os.getxattr(path, mark) == b"1":
                return True
    return False


def _groups_in(base: str, name: str, *, controlled: bool) -> Groups | None:
    """Return the groups in `name` below `base`, None where we cannot make any."""
    # Also root may not where it is mounted to be read only.
    if not os.path.isdir(base) or not os.access(base, os.W_OK):
        return None
    wanted = ("memory", "cpu") if controlled else ()
    return Groups(f"{base}/{name}", frozenset(each for each in wanted if _enable(base, each)))


def _enable(base: str, controller: str) -> bool:
    path = f"{base}/cgroup.subtree_control"
    code = _write(path, f"+{controller}")
    if code == errno.EBUSY:
        # No group but the topmost has both processes and parts that are limited: we make room.
        _move_into(f"{base}/crond")
        code = _write(path, f"+{controller}")
    return code == 0


def _move_into(path: str) -> None:
    with contextlib.suppress(FileExistsError, OSError):
        os.mkdir(path)
    _write(f"{path}/cgroup.procs", "0")


def _write(path: str, text: str) -> int:
    """Write `text` to a file that exists; return 0 or the errno."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        return error.errno or errno.EIO
    try:
        os.write(fd, text.encode("ascii"))
    except OSError as error:
        return error.errno or errno.EIO
    finally:
        os.close(fd)
    return 0
