"""What PAM says of accounts, known before their jobs are due: refusals, variables and limits.

Owns the last answer for each account and when it is time to ask again; a start only looks it up. Who asks,
`crond.launcher.asking` knows. Knows nothing of tables and jobs. Called by programs for each account, and by
main once a minute and whenever crontabs changed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from crond.launcher.asking import Asking, Denied, Failed, Session
from crond.launcher.assistants import Assistants
from crond.launcher.config import Config
from crond.launcher.log import Log
from crond.launcher.loop import Loop
from crond.launcher.spawn import Spawner

#: Where PAM looks whether an account may be used, and where what its session is like.
_OF_ACCOUNTS = ("/etc/passwd", "/etc/shadow", "/etc/nologin", "/run/nologin")
_OF_SESSIONS = (
    *("/etc/environment", "/etc/default/locale", "/etc/locale.conf"),
    *("/etc/pam.d", "/etc/security", "/etc/security/limits.d"),
)
#: Seconds that an answer holds while none of these files changes: of an account whose jobs run (a little less
#: than the minute between two looks), and of any other.
_IN_USE, _UNUSED = 50.0, 3600.0
#: What a session is like modules may read from anywhere; it is asked for again after so long.
_SESSION = 86400.0


@dataclass(slots=True)
class _Known:
    """What is known of one account.

    `asked` and `opened` are when it, and its session, was asked for last (monotonic); `used`: a start has
    looked since. `under_way`: it is being asked for.
    """

    answer: Session | Denied | None = None
    asked: float = float("-inf")
    opened: float = float("-inf")
    used: bool = False
    under_way: bool = False

    def is_time(self, now: float) -> bool:
        return now - self.asked >= (_IN_USE if self.used else _UNUSED)

    @property
    def lacks_session(self) -> bool:
        return not isinstance(self.answer, Session) or self.asked - self.opened >= _SESSION


class Sessions:
    """The answers. `on_answer` is called with an account's name when there is one for it; before that
    `on_change`, if it differs from the one before.
    """

    def __init__(self, asking: Asking, log: Log) -> None:
        self._asking = asking
        self._log = log
        self._accounts: dict[str, _Known] = {}
        self._silent: set[str] = set()
        self._stamps: tuple[object, object] = (None, None)
        self.on_answer: Callable[[str], None] = lambda _user: None
        self.on_change: Callable[[], None] = lambda: None
        asking.on_answer = self._answered

    def of(self, user: str) -> Session | Denied | None:
        """Return the last answer for account `user`; None: it is asked for, and `on_answer` will tell."""
        known = self._accounts.setdefault(user, _Known())
        known.used = True
        if known.answer is None:
            self._ask(user, known, time.monotonic())
        return known.answer

    def renew(self) -> None:
        """Ask about everything at the next look."""
        self._stamps = (None, None)

    def look(self, users: Iterable[str]) -> None:
        """Ask about those of `users` for whom it is time; forget all others."""
        named = set(users)
        for user in self._accounts.keys() - named:
            if not self._accounts[user].under_way:
                del self._accounts[user]
        of_accounts, of_sessions = _stamp(_OF_ACCOUNTS), _stamp(_OF_SESSIONS)
        accounts_changed, sessions_changed = of_accounts != self._stamps[0], of_sessions != self._stamps[1]
        self._stamps = (of_accounts, of_sessions)
        now = time.monotonic()
        for user in named:
            known = self._accounts.setdefault(user, _Known())
            if accounts_changed or sessions_changed:
                known.asked = float("-inf")
            if sessions_changed:
                known.opened = float("-inf")
            if known.is_time(now):
                self._ask(user, known, now)

    def _ask(self, user: str, known: _Known, now: float) -> None:
        if known.under_way:
            return
        known.asked, known.used, known.under_way = now, False, True
        session = known.lacks_session
        if session:
            known.opened = now
        self._asking.ask(user, session=session)

    def _answered(self, user: str, answer: Session | Denied | Failed | None) -> None:
        """Take note of an answer; None: all is well with the account, and its session was not asked for."""
        known = self._accounts.setdefault(user, _Known())
        known.under_way = False
        before = known.answer
        if isinstance(answer, Failed):
            self._failed(user, known, answer)
        else:
            self._silent.discard(user)
            known.answer = answer or known.answer
        if known.answer != before:
            self.on_change()
        self.on_answer(user)

    def _failed(self, user: str, known: _Known, failed: Failed) -> None:
        """PAM could not be asked: the last answer holds. Without one nobody knows that the jobs may run."""
        if not self._silent:
            self._log.error(f"PAM said nothing about {user}: {failed.why}; what it said last holds")
        self._silent.add(user)
        known.asked = known.opened = float("-inf")
        known.answer = known.answer or Denied("authorize", failed.why)


def sessions_for(config: Config, *, loop: Loop, log: Log, spawner: Spawner) -> Sessions | None:
    """Return the sessions that jobs of `config` get, None where PAM is not used."""
    if config.pam is None:
        return None
    assistants = Assistants(config.package, loop=loop, log=log, spawner=spawner, name="pam")
    limit = config.pam_time_limit
    return Sessions(
        Asking(config.pam, dialect=config.dialect, assistants=assistants, loop=loop, limit=limit), log
    )


def _stamp(paths: Iterable[str]) -> object:
    """Return what changes when one of these files, or a file in one of these folders, does; and each day."""
    found: list[object] = [time.time() // 86400]
    for path in paths:
        for each in (path, *_inside(path)):
            try:
                status = os.stat(each)
            except OSError:
                continue
            found.append((each, status.st_mtime_ns, status.st_ino, status.st_size))
    return found


def _inside(path: str) -> list[str]:
    try:
        return [f"{path}/{name}" for name in sorted(os.listdir(path))]
    except OSError:
        return []
