"""As whom a message is sent: as the user whose crontab it is about; for root, as the daemon's account.

Owns that nothing which reads from a network runs as root, and how often a user may speak through the host's
configuration of Apprise. Makes no process. Called by sending.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crond.launcher.spawn import Identity

if TYPE_CHECKING:
    from crond.launcher.accounts import Account, Accounts
    from crond.launcher.config import Config
    from crond.launcher.targets import Owner

_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who a notifier runs as. `account` is its name, "": the daemon's; `user` is whose messages it sends.

    `identity` None: as we are. `host`: tags are those of the host's configuration, not of the user's own.
    """

    account: str
    user: str
    identity: Identity | None
    home: str
    host: bool = False


class Senders:
    """`apart` is the daemon's account, where nobody else is it; None: there is none. `own` is who we are."""

    def __init__(self, config: Config, *, accounts: Accounts, own: Account, apart: Identity | None) -> None:
        self._accounts = accounts
        self._own = own
        self._apart = apart
        self._alone = config.mode == "files" or own.uid != 0

    def of(self, owner: Owner) -> Sender | None:
        """Return who sends what is about a crontab of `owner`; None: that account is gone."""
        if self._alone:
            return Sender(account=self._own.name, user=self._own.name, identity=None, home=self._own.home)
        if owner.privileged:
            return self._daemon("")
        account = self._accounts.named(owner.name)
        if account is None:
            return None
        identity = Identity(account.uid, account.gid, tuple(sorted(account.groups)))
        return Sender(account=owner.name, user=owner.name, identity=identity, home=account.home)

    def elsewhere(self, sender: Sender) -> Sender | None:
        """Return who sends to a tag that `sender` does not know; None: nobody else does."""
        return None if self._alone or sender.host else self._daemon(sender.user)

    def _daemon(self, user: str) -> Sender:
        return Sender(account="", user=user, identity=self._apart, home="/", host=True)


class Allowance:
    """So many (`most`) an hour for each user."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self._clock = clock
        self._used: dict[str, deque[float]] = {}

    def take(self, user: str) -> bool:
        """Use one of `user`'s; False if none is left."""
        now = self._clock()
        for name, times in list(self._used.items()):
            while times and times[0] <= now - _HOUR:
                times.popleft()
            if not times:
                del self._used[name]
        times = self._used.setdefault(user, deque())
        if len(times) >= self.most:
            return False
        times.append(now)
        return True
