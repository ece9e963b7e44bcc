"""When to look for changed crontabs: each minute at second 59, and at once when a folder changed.

Owns the timer and the watches. The look each minute is the truth, in time for the minute that comes;
inotify only hastens it. Knows nothing of what is found. Called by the loop and, on HUP and URG, by main.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from crond.launcher import kernel
from crond.launcher.loop import READ, Loop, Timer

_MASK = (
    kernel.IN_ATTRIB
    | kernel.IN_CLOSE_WRITE
    | kernel.IN_MOVED_FROM
    | kernel.IN_MOVED_TO
    | kernel.IN_CREATE
    | kernel.IN_DELETE
    | kernel.IN_DELETE_SELF
    | kernel.IN_MOVE_SELF
    | kernel.IN_ONLYDIR
)
#: One edit is several events, and a folder written to without end must not keep us reading (seconds).
_GATHER = 0.02


class Rescan:
    """Calls `look` when it is time; `each_minute` before it, at second 59.

    `folders` are watched, for the names given (none: for all), unless `watch` is False.
    """

    def __init__(
        self,
        *,
        loop: Loop,
        folders: dict[str, frozenset[str]],
        watch: bool,
        look: Callable[[], None],
        each_minute: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._folders = folders
        self._look = look
        self._each_minute = each_minute
        self._gathering: Timer | None = None
        self._names: dict[int, frozenset[str]] = {}
        self._inotify = kernel.Inotify.open() if watch else None
        if self._inotify is not None:
            loop.watch(self._inotify.fd, READ, self._changed)
            self._watch_folders()
        self._wait_for_next()

    @property
    def watching(self) -> bool:
        return bool(self._names)

    def _wait_for_next(self) -> None:
        self._loop.after((59 - time.time()) % 60 or 60.0, self._minute)

    def _minute(self) -> None:
        self._wait_for_next()
        self._watch_folders()
        self._each_minute()
        self._look()

    def _watch_folders(self) -> None:
        """Watch each folder that exists now: one that was made or replaced has a new inode."""
        if self._inotify is None:
            return
        names: dict[int, frozenset[str]] = {}
        for folder, wanted in self._folders.items():
            watch = self._inotify.add(folder, _MASK)
            if watch is not None:
                names[watch] = names.get(watch, wanted) | wanted if wanted else wanted
        for gone in self._names.keys() - names.keys():
            self._inotify.remove(gone)
        self._names = names

    def _changed(self, _events: int) -> None:
        if self._inotify is None:
            return
        events = self._inotify.read()
        if self._gathering is None and any(self._matters(*event) for event in events):
            self._gathering = self._loop.after(_GATHER, self._gathered)

    def _matters(self, watch: int, mask: int, name: str) -> bool:
        wanted = self._names.get(watch)
        # An overflow has no watch: anything may have happened.
        return bool(mask & kernel.IN_Q_OVERFLOW) or (
            wanted is not None and (not wanted or not name or name in wanted)
        )

    def _gathered(self) -> None:
        self._gathering = None
        self._look()
