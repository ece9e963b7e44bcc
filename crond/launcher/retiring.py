"""Taking away the lines of one-shots that have had their answer.

Owns the wishes that wait, and the process that changes the files, one at a time. A wish that names no line of
such a table is nothing. Called by the launcher for each Retire, and by editing when a process has ended.
"""

from __future__ import annotations

import pwd
from collections.abc import Iterable
from typing import TypeAlias

from crond.launcher.accounts import Account, own_account
from crond.launcher.config import Config
from crond.launcher.conversation import Event
from crond.launcher.editing import Editing
from crond.launcher.installing import Refused
from crond.launcher.log import Log
from crond.launcher.loop import Loop
from crond.launcher.oneshots import OneShots
from crond.launcher.spool import Spool
from crond.model.messages import Retire, TableText

#: Texts of tables, each with the numbers of entries in it.
Batch: TypeAlias = "dict[int, tuple[TableText, set[int]]]"


class Retiring:
    """Serves the wish Retire."""

    def __init__(self, config: Config, *, spool: Spool, editing: Editing, loop: Loop, log: Log) -> None:
        self._config = config
        self._spool = spool
        self._editing = editing
        self._loop = loop
        self._log = log
        self._waiting: Batch = {}
        self._busy = False

    def retire(self, wish: Retire) -> None:
        """See to it that the line which `wish` means goes, if it is one of a one-shot."""
        table = self._spool.one_shots(wish.table)
        if table is None:
            self._log.debug("sch", f"entry {wish.entry} of table {wish.table} is no one-shot that is held")
            return
        if not self._waiting and not self._busy:
            self._loop.after(0.0, self._begin)  # with what else this turn brings
        self._waiting.setdefault(table.version, (table, set()))[1].add(wish.entry)

    def _begin(self) -> None:
        if self._busy or not self._waiting:
            return
        batch = self._waiting
        try:
            self._editing.apart(lambda event: _take_away(self._config, batch.values(), event), self._done)
        except OSError as error:
            # They stay as they are: done, and tried again with the next.
            self._log.error(f"no process can be made to remove one-shots: {error.strerror}")
            return
        self._waiting = {}
        self._busy = True

    def _done(self) -> None:
        self._busy = False
        self._begin()


def _take_away(config: Config, batch: Iterable[tuple[TableText, set[int]]], event: Event) -> bool:
    """Do it, apart from the daemon; True if a table is another now. What fails costs no other table."""
    changed = False
    for table, numbers in batch:
        try:
            changed |= OneShots(config, _owner(config, table)).retire(table, numbers)
        except (Refused, OSError, KeyError) as error:
            event(table.owner, "ERROR", f"one-shots that are done stay in {table.origin}: {error}")
    return changed


def _owner(config: Config, table: TableText) -> Account:
    """Return whose file it is. Raises KeyError."""
    if config.mode == "files":
        return own_account()
    found = pwd.getpwnam(table.owner)
    return Account(found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir, ())
