"""Which crontabs exist, which are obeyed, and what their text is now.

Owns the list of tables and their versions; the scan, not any notification, is the truth. Knows
nothing of what a table's text means. Called by the launcher: at start, each minute, when a folder
changed and on a signal.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import time
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from crond.launcher.accounts import Account, Accounts
from crond.launcher.config import Config
from crond.launcher.log import Log
from crond.launcher.opening import Kind, Place, RefusedFile, open_table, read_table
from crond.model.codec import encode
from crond.model.frames import LARGE_FRAME
from crond.model.messages import TableGone, TableRefused, TableText

Change: TypeAlias = TableText | TableGone | TableRefused
Identity: TypeAlias = "tuple[int, int, int, int, int]"

STDIN = "-"
_DEBIAN_SYSTEM_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
#: With -l: as the Linux Standard Base names files there, and without dpkg's leftovers.
_LSB_NAME = re.compile(r"(?:_?(?:[a-z0-9_.]+-)+[a-z0-9]+)|(?:[a-z0-9][a-z0-9-]*)", re.ASCII)
_LSB_LEFTOVER = re.compile(r"[a-z0-9-].*dpkg-(?:old|dist)", re.ASCII)
_CRONIE_IGNORED = ("~", ".rpmsave", ".rpmorig", ".rpmnew")
#: A file written within one tick of the kernel's clock may be written again without a new time.
_TICK_NS = 50_000_000
#: Tables of one-shots that were replaced and are still held: how many, and of how many bytes. What of them
#: has run is told by the numbers of the text that the scheduler had when it ran.
_FORMER_MOST, _FORMER_LIMIT = 256, 4 * 1024 * 1024
#: JSON writes a byte as up to six.
_SURELY_FITS = LARGE_FRAME // 6 - 65536


@dataclass(slots=True)
class _Held:
    """What was found at an origin; `identity` is None for what was not read.

    `settled` is False where the same identity may hide another text, so that it is read again.
    """

    fact: TableText | TableRefused
    identity: Identity | None
    settled: bool = False


class Spool:
    """The crontabs of this host, or the files that were named. `seed` is the life's."""

    def __init__(self, config: Config, *, accounts: Accounts, own: Account, log: Log, seed: int) -> None:
        self._config = config
        self._accounts = accounts
        self._own = own
        self._log = log
        self._seed = seed
        self._held: dict[str, _Held] = {}
        self._versions: dict[int, TableText] = {}
        self._former: deque[TableText] = deque(maxlen=_FORMER_MOST)
        self._made = 0
        self._stdin: bytes | None = None
        self._unlistable: set[str] = set()

    def current(self) -> list[TableText | TableRefused]:
        """Return what is known of every crontab that exists."""
        return [held.fact for held in self._held.values()]

    def tables(self) -> list[TableText]:
        """Return the crontabs that are obeyed."""
        return [held.fact for held in self._held.values() if isinstance(held.fact, TableText)]

    def at(self, origin: str) -> TableText | None:
        """Return the crontab at `origin`, None if none is obeyed there."""
        held = self._held.get(origin)
        return held.fact if held is not None and isinstance(held.fact, TableText) else None

    def table(self, version: int) -> TableText | None:
        """Return the table of that version if it is still the current one of its origin."""
        return self._versions.get(version)

    def one_shots(self, version: int) -> TableText | None:
        """Return the table of one-shots of that version, even if it was replaced a short while ago."""
        table = self._versions.get(version) or next(
            (former for former in self._former if former.version == version), None
        )
        return table if table is not None and self._is_one_shots(table) else None

    def _is_one_shots(self, table: TableText) -> bool:
        return os.path.dirname(table.origin) == self._config.one_shots

    def folders(self) -> dict[str, frozenset[str]]:
        """Return the folders in which a change matters, with the names that matter (none: all)."""
        config = self._config
        if config.mode == "host":
            folder, name = os.path.split(config.system_crontab)
            found = {folder or "/": frozenset((name,))}
            found[config.cron_d] = found[config.spool] = found[config.one_shots] = frozenset()
            return found
        named: dict[str, set[str]] = {config.one_shots: {self._own.name}}
        for origin in self._config.files:
            if origin != STDIN:
                folder, name = os.path.split(origin)
                # `..data` is the link that Kubernetes swaps when a mounted ConfigMap changes.
                named.setdefault(folder, {"..data"}).add(name)
        return {folder: frozenset(names) for folder, names in named.items()}

    def scan(self, *, force: bool = False) -> list[Change]:
        """Look at every crontab; return what changed. `force` reads all of them again."""
        changes: list[Change] = []
        seen = set()
        for place in self._places():
            seen.add(place.origin)
            change = self._look(place, force=force)
            if change is not None:
                changes.append(change)
        gone = [origin for origin in self._held if origin not in seen]
        return changes + [self._gone(origin) for origin in gone]

    # --- where ---------------------------------------------------------------------------------

    def _places(self) -> Iterator[Place]:
        config = self._config
        if config.mode == "files":
            for origin in config.files:
                yield Place(origin, Kind.GIVEN, self._own.name, self._own.uid, self._own.name, origin)
            if self._own.name in self._one_shot_names():
                yield self._user_place(config.one_shots, self._own.name, self._own)
            return
        yield self._system_place(config.system_crontab)
        for name in self._names(config.cron_d):
            if self._obeys_system_name(name):
                yield self._system_place(os.path.join(config.cron_d, name))
        for name in self._one_shot_names():
            yield self._user_place(config.one_shots, name, self._accounts.named(name))
        if config.cluster and not self._chosen_host():
            return
        for name in self._names(config.spool):
            if self._obeys_user_name(name):
                yield self._user_place(config.spool, name, self._accounts.named(name))

    def _user_place(self, folder: str, name: str, account: Account | None) -> Place:
        # -1: nobody's, see `_look`.
        uid = account.uid if account is not None else -1
        path = origin = os.path.join(folder, name)
        if self._config.dialect == "debian":  # which names it from the folder above
            path = os.path.join(os.path.basename(folder), name)
        return Place(origin, Kind.USER, name, uid, name, path)

    def _one_shot_names(self) -> list[str]:
        """Whose one-shots there may be; the folder is made when the first comes."""
        try:
            return sorted(name for name in os.listdir(self._config.one_shots) if not name.startswith("."))
        except OSError:
            return []

    def _system_place(self, origin: str) -> Place:
        return Place(origin, Kind.SYSTEM, "root", 0, self._system_label(origin), origin)

    def _system_label(self, origin: str) -> str:
        if self._config.dialect == "debian" and origin != self._config.system_crontab:
            return f"*system*{os.path.basename(origin)}"
        return "*system*"

    def label(self, table: TableText) -> str:
        """Return the name of `table` in cron's log."""
        return self._system_label(table.origin) if table.system else table.owner

    def _names(self, folder: str) -> list[str]:
        try:
            names = os.listdir(folder)
        except OSError as error:
            if folder not in self._unlistable:
                self._unlistable.add(folder)
                self._log.event("CRON", "OPENDIR FAILED", folder, error=os.strerror(error.errno or 0))
            return []
        self._unlistable.discard(folder)
        return sorted(names)

    def _obeys_system_name(self, name: str) -> bool:
        if self._config.lsb_names:
            return bool(_LSB_NAME.fullmatch(name)) and not _LSB_LEFTOVER.fullmatch(name)
        if self._config.dialect == "debian":
            return _DEBIAN_SYSTEM_NAME.fullmatch(name) is not None
        return _obeyed_by_cronie(name)

    def _obeys_user_name(self, name: str) -> bool:
        if self._config.dialect == "debian":
            unfinished = name.startswith("tmp.") and self._accounts.named(name) is None
            return not name.startswith(".") and not unfinished
        return _obeyed_by_cronie(name)

    def _chosen_host(self) -> bool:
        """True if the spool's .cron.hostname names this host, which then runs its user tables."""
        path = os.path.join(self._config.spool, ".cron.hostname")
        try:
            # O_NONBLOCK: a FIFO of that name must not stop the daemon.
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            with open(fd, "rb") as chosen:
                return chosen.readline(1024).rstrip(b"\n") == os.fsencode(socket.gethostname())
        except OSError:
            return False

    # --- what ----------------------------------------------------------------------------------

    def _look(self, place: Place, *, force: bool) -> Change | None:
        """Return what changed at `place`."""
        if place.origin == STDIN:
            return self._look_at_stdin(place)
        if place.kind is Kind.USER and place.uid < 0:
            return self._refused(place, RefusedFile("ORPHAN (no passwd entry)"))
        try:
            fd, found = open_table(place, dialect=self._config.dialect, permit_any=self._config.permit_any)
        except FileNotFoundError:
            return self._gone(place.origin) if place.origin in self._held else None
        except RefusedFile as refused:
            return self._refused(place, refused)
        try:
            return self._read(place, fd, _identity(found), force=force)
        except RefusedFile as refused:
            return self._refused(place, refused)
        finally:
            os.close(fd)

    def _read(self, place: Place, fd: int, identity: Identity, *, force: bool) -> Change | None:
        held = self._held.get(place.origin)
        known = held.fact if held is not None and isinstance(held.fact, TableText) else None
        same = held is not None and held.identity == identity and known is not None and known.uid == place.uid
        if held is not None and same and held.settled and not force:
            return None
        # The time is taken first: what is written while we read must not look old.
        settled = time.time_ns() - identity[1] > _TICK_NS
        text = read_table(fd, place)
        if held is not None and known is not None and same and known.text == text and not force:
            held.settled = settled
            return None
        change = self._loaded(place, text, identity, reload=known is not None)
        self._held[place.origin].settled = settled
        return change

    def _loaded(self, place: Place, text: bytes, identity: Identity | None, *, reload: bool) -> Change:
        table = TableText(
            version=self._made + 1,
            origin=place.origin,
            owner=place.owner,
            uid=place.uid,
            system=place.kind is Kind.SYSTEM,
            privileged=place.uid == 0,
            seed=_table_seed(self._seed, self._made + 1, place.origin),
            text=text,
        )
        if len(text) > _SURELY_FITS and len(encode(table)) > LARGE_FRAME:
            raise RefusedFile("TOO LONG (for one message)")
        self._made += 1
        self._drop(place.origin)
        self._held[place.origin] = _Held(table, identity)
        self._versions[table.version] = table
        if reload:
            self._log.event(place.label, "RELOAD", place.path)
        return table

    def _look_at_stdin(self, place: Place) -> Change | None:
        if self._stdin is not None:
            return None
        self._stdin = read_table(sys.stdin.fileno(), place)
        return self._loaded(place, self._stdin, None, reload=False)

    def _refused(self, place: Place, refused: RefusedFile) -> Change | None:
        fact = TableRefused(place.origin, place.owner, max(place.uid, 0), refused.word)
        held = self._held.get(place.origin)
        if held is not None and held.fact == fact:
            return None
        self._drop(place.origin)
        self._held[place.origin] = _Held(fact, None)
        if refused.word.startswith("ORPHAN"):
            self._log.event(place.label, "ORPHAN", "no passwd entry")
        else:
            self._log.event(place.label, refused.word, place.path, error=refused.error)
        return fact

    def _gone(self, origin: str) -> TableGone:
        self._drop(origin)
        return TableGone(origin)

    def _drop(self, origin: str) -> None:
        held = self._held.pop(origin, None)
        if held is not None and isinstance(held.fact, TableText):
            del self._versions[held.fact.version]
            if self._is_one_shots(held.fact):
                self._former.append(held.fact)
                while sum(len(former.text) for former in self._former) > _FORMER_LIMIT:
                    self._former.popleft()


def _obeyed_by_cronie(name: str) -> bool:
    return not name.startswith((".", "#")) and not name.endswith(_CRONIE_IGNORED)


def _identity(found: os.stat_result) -> Identity:
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev)


def _table_seed(life: int, version: int, origin: str) -> int:
    """Return what `~` of this version is drawn from, 0 <= seed < 2**53; the same for the same life."""
    text = f"{life}:{version}:".encode() + os.fsencode(origin)
    return zlib.crc32(text) << 21 | zlib.crc32(text[::-1]) & 0x1FFFFF
