"""Daemons whose tests need real minutes: all begun at once, looked at when the other tests are through.

Owns the machines and what is done to them meanwhile; the tests are in test_minutes.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.system.daemon import Crond, host_crond, install
from tests.system.ground import Ground, People
from tests.system.packages import Unavailable, fetch, start_over_a_copy

#: How long the schedulers are stopped, in seconds.
STOPPED = 120.0


class Stopped:
    """A daemon whose scheduler gets SIGSTOP for two minutes; `began` and `went_on` are epoch seconds."""

    def __init__(self, crond: Crond) -> None:
        self.crond = crond
        self.scheduler = crond.scheduler_pid()
        self.began = time.time()
        self.went_on = self.began + STOPPED
        os.kill(self.scheduler, signal.SIGSTOP)
        self.timer = threading.Timer(STOPPED, self.go_on)
        self.timer.daemon = True
        self.timer.start()

    def go_on(self) -> None:
        if self.scheduler in {int(name) for name in os.listdir("/proc") if name.isdigit()}:
            os.kill(self.scheduler, signal.SIGCONT)

    def missed(self) -> list[int]:
        """Return the minutes (epoch seconds) that began while it was stopped."""
        first = int(self.began // 60 + 1) * 60
        return list(range(first, int(self.went_on) + 1, 60))


class Minutes:
    """All of them. `packages` are the Debian packages, and `debian` crond on a machine that has them; where
    these cannot be had, `no_packages` and `no_debian` say why.
    """

    def __init__(self, ground: Ground, people: People, cache: Path) -> None:
        self._ends = ExitStack()
        self._ground = ground
        self._people = people
        self._cache = cache
        self.packages: list[Path] = []
        self.no_packages = self.no_debian = ""
        self.debian: Crond | None = None

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            self._fetch()
            if not self.no_packages:
                self._start_debian(ends)
            self.goes_on = self._stopped(ends, "heartbeat_timeout = 600")
            self.replaced = self._stopped(ends, "heartbeat_timeout = 60")
            self._start_without_inotify(ends)
            self._ends = ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()

    def _fetch(self) -> None:
        try:
            self.packages = fetch(self._cache)
        except Unavailable as why:
            self.no_packages = self.no_debian = str(why)

    def _start_debian(self, ends: ExitStack) -> None:
        try:
            self.debian = start_over_a_copy(self._ground, self.packages)
        except Unavailable as why:
            self.no_debian = str(why)
        else:
            ends.callback(self.debian.close)

    def _stopped(self, ends: ExitStack, daemon: str) -> Stopped:
        crond, folder = host_crond(self._ground, self._people, daemon=daemon)
        ends.callback(crond.close)
        # The minute in which a daemon comes up counts as served, and a busy machine takes its time for that.
        now = time.time()
        soon = time.localtime(now + (60 if now % 60 < 40 else 120))
        install(
            folder,
            self._people.ann,
            "#: name=each\n* * * * * echo each\n"
            f"#: name=fixed\n{soon.tm_min} {soon.tm_hour} * * * echo fixed\n",
        )
        crond.up()
        crond.run_now("each")
        stopped = Stopped(crond)
        ends.callback(stopped.timer.cancel)
        return stopped

    def _start_without_inotify(self, ends: ExitStack) -> None:
        """Start a daemon that does not use inotify, and edit its table as soon as it is up."""
        crond, folder = host_crond(self._ground, self._people, flags=["-i"])
        ends.callback(crond.close)
        install(folder, self._people.ann, "#: name=old\n* * * * * echo old\n")
        crond.up()
        # Not where second 59 is about to come: it must be the minute's look that notices.
        while time.time() % 60 > 57:
            time.sleep(0.1)
        crond.run_now("old")
        install(folder, self._people.ann, "#: name=new\n* * * * * echo new\n")
        self.edited = time.time()
        self.without_inotify = crond
