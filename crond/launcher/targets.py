"""Who may be told of a crontab's jobs: the targets that its entries name now, found by digest.

Owns the step from (origin, digest) to a target, by our own parse: what the recorder says only chooses among
those. Holds URLs with secrets; they go into a notifier's order and nowhere else. Called by notifying and
trials.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from crond.model.alert import target_digest, target_label
from crond.model.host import read_host

if TYPE_CHECKING:
    from crond.launcher.accounts import Account, Accounts
    from crond.launcher.config import Config
    from crond.launcher.spool import Spool
    from crond.launcher.tables import Tables
    from crond.model.messages import Pairs, TableText
    from crond.model.policy import Policy

_KEYS = ("on_failure", "on_retry", "on_success", "on_recovery", "on_skip", "on_late")


class Kind(StrEnum):
    """How a target is told. All but mail is the notifier's."""

    APPRISE = "apprise"
    TAG = "tag"
    PING = "ping"
    MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Target:
    """A target as its crontab writes it."""

    text: str
    kind: Kind

    @property
    def label(self) -> str:
        """What people may see of it."""
        return target_label(self.text)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose crontab it is. `privileged`: root's own, or the host's settings, whose `name` is ""."""

    name: str
    uid: int
    privileged: bool


#: That of the host's settings.
HOST = Owner("", 0, privileged=True)


@dataclass(frozen=True, slots=True)
class Named:
    """What a crontab names: targets by digest, and where values lie that must not be shown."""

    targets: Mapping[str, Target]
    secrets: Pairs


class Targets:
    """The targets of all crontabs that are obeyed, and of the host's settings. `own` is who we are."""

    def __init__(
        self, config: Config, *, spool: Spool, tables: Tables, accounts: Accounts, own: Account
    ) -> None:
        self._config = config
        self._spool = spool
        self._tables = tables
        self._accounts = accounts
        self._own = own
        said = read_host(config.defaults, config.pools).defaults
        self._defaults = _named([{key: each.value for key, each in said.items()}])
        self._host = Named(
            {target_digest(text): target_of(text) for text in config.on_trouble}, self._defaults.secrets
        )
        self._known: dict[str, tuple[int, Named]] = {}

    def owner(self, origin: str) -> Owner | None:
        """Return whose crontab lies at `origin` ("": the host's settings); None: there is none."""
        if not origin:
            return HOST
        table = self._spool.at(origin)
        if table is not None:
            return Owner(table.owner, table.uid, table.privileged)
        if os.path.dirname(origin) != self._config.one_shots:
            return None
        # What ran once has no line any more, and perhaps no crontab, when it is told of.
        name = os.path.basename(origin)
        files = self._config.mode == "files"
        account = self._own if files and name == self._own.name else self._accounts.named(name)
        return None if account is None else Owner(name, account.uid, account.uid == 0)

    def named(self, origin: str) -> Named:
        """Return what the crontab at `origin` names now."""
        if not origin:
            return self._host
        table = self._spool.at(origin)
        if table is None:
            self._known.pop(origin, None)
            return self._defaults
        version, named = self._known.get(origin, (0, self._defaults))
        if version != table.version:
            named = self._named_by(table)
            self._known[origin] = table.version, named
        return named

    def of_user(self, uid: int) -> dict[str, Target]:
        """Return all targets that crontabs of `uid` name, by digest."""
        origins = [table.origin for table in self._spool.tables() if table.uid == uid]
        return {key: one for origin in origins for key, one in self.named(origin).targets.items()}

    def of_host(self) -> Mapping[str, Target]:
        """Return those of the host's settings, by digest."""
        return self._host.targets

    def _named_by(self, table: TableText) -> Named:
        """Entries that came by the same annotations share much: each policy is looked at once."""
        policies = {id(entry.policy): entry.policy for entry in self._tables.entries(table)}
        own = _named(map(_values, policies.values()))
        secrets = dict.fromkeys((*own.secrets, *self._defaults.secrets))
        return Named({**self._defaults.targets, **own.targets}, tuple(secrets))


def target_of(text: str, *, ping: bool = False) -> Target:
    """Return what `text` means as a target; `ping`: as that of a watcher."""
    if ping:
        return Target(text, Kind.PING)
    if "://" in text:
        return Target(text, Kind.APPRISE)
    return Target(text, Kind.MAIL if "@" in text else Kind.TAG)


def _values(policy: Policy) -> dict[str, object]:
    return {key: getattr(policy, key) for key in (*_KEYS, "ping", "secret_env")}


def _named(sayings: Iterable[Mapping[str, object]]) -> Named:
    """Return what is named by values of keys."""
    told, pings = set[str](), set[str]()
    secrets: dict[tuple[str, str], None] = {}
    for said in sayings:
        # Thousands of entries may name the same hundreds, each of which is looked at once.
        for key in _KEYS:
            told.update(_texts(said.get(key)))
        pings.update(_texts(said.get("ping")))
        secrets.update(dict.fromkeys(_pairs(said.get("secret_env"))))
    targets = {target_digest(text): target_of(text) for text in told}
    targets |= {target_digest(text): target_of(text, ping=True) for text in pings}
    return Named(targets, tuple(secrets))


def _texts(value: object) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def _pairs(value: object) -> list[tuple[str, str]]:
    return [one for one in value if isinstance(one, tuple)] if isinstance(value, tuple) else []
