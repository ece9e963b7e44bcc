"""The daemon's own heartbeat: a URL that is asked for as long as the daemon is well.

Owns when that is so: only a scheduler that was heard lately starts jobs. Whoever listens there can tell when
it stops, which nothing here could. Put together by alerts.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from crond.launcher.deliveries import Delivery
from crond.launcher.spawn import SpawnFailed
from crond.launcher.targets import target_of
from crond.model.message import Message
from crond.model.orders import Notified

if TYPE_CHECKING:
    from crond.launcher.notifiers import Notifiers
    from crond.launcher.parts import Parts
    from crond.launcher.senders import Sender


class Beats:
    """Asks for the URL of the settings while `is_well()`, as `sender`."""

    def __init__(
        self, parts: Parts, notifiers: Notifiers, sender: Sender, *, is_well: Callable[[], bool]
    ) -> None:
        self._target = target_of(parts.config.heartbeat, ping=True)
        self._interval = parts.config.heartbeat_interval
        self._loop = parts.loop
        self._log = parts.log
        self._notifiers = notifiers
        self._sender = sender
        self._is_well = is_well
        self._under_way = False
        self._failing = False
        self._loop.after(min(1.0, self._interval), self._beat)

    def _beat(self) -> None:
        self._loop.after(self._interval, self._beat)
        if self._under_way or not self._is_well():
            return
        key = f"beat.{os.urandom(8).hex()}"
        beat = Delivery(
            name=key,
            target=self._target,
            message=Message(key=key, ping="success").to_json(),
            sender=self._sender,
            told=self._told,
        )
        try:
            self._notifiers.start(self._sender, [beat], told=self._told, ended=self._ended)
        except (SpawnFailed, OSError) as error:
            self._told(Notified(key, "again", f"no notifier can be started: {error}"))
        else:
            self._under_way = True

    def _ended(self) -> None:
        self._under_way = False

    def _told(self, told: Notified) -> None:
        """Log when it begins to fail, and when that is over."""
        fails = told.result != "sent"
        if fails and not self._failing:
            self._log.error(f"heartbeat: {self._target.label} is not reached: {told.detail}")
        elif self._failing and not fails:
            self._log.info("heartbeat: reached again")
        self._failing = fails
