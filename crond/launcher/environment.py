"""A job's environment, exactly as cron makes it.

Pure: the daemon's environment, the account and the entry's settings are arguments. Owns which
variables a job gets, and their values; must not know who runs it or when. Called by programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crond.launcher.accounts import Account
from crond.model.entry import DEFAULT_PATH
from crond.model.fields import Dialect

#: What cronie lets every crontab see of the daemon's own environment.
_IMPORTED = (
    "LANG",
    "LC_CTYPE",
    "LC_NUMERIC",
    "LC_TIME",
    "LC_COLLATE",
    "LC_MONETARY",
    "LC_MESSAGES",
    "LC_PAPER",
    "LC_NAME",
    "LC_ADDRESS",
    "LC_TELEPHONE",
    "LC_MEASUREMENT",
    "LC_IDENTIFICATION",
    "LC_ALL",
    "LANGUAGE",
    "RANDOM_DELAY",
    "MAILFROM",
)
#: Between the daemon and whoever supervises it: a job that spoke there would speak for the daemon.
_SUPERVISOR = ("NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """Which environment the daemon gives: cron's (of a dialect), or its own (`inherit`).

    `inherit_path`: cron's environment, but the daemon's PATH.
    """

    dialect: str
    inherit: bool = False
    inherit_path: bool = False


def job_environment(
    settings: Mapping[str, str], *, account: Account, daemon: Mapping[str, str], habits: Habits
) -> dict[str, str]:
    """Return the variables of a job whose crontab has the assignments `settings` above its line."""
    made = _inherited(daemon) if habits.inherit else _imported(daemon, habits.dialect)
    # The shell of whoever started us says nothing about the shell that cron runs commands with.
    made.pop("SHELL", None)
    # cron takes `=b` as a variable without a name, but nothing can be executed with one.
    made.update((name, value) for name, value in settings.items() if name)
    made.setdefault("SHELL", "/bin/sh")
    made.setdefault("HOME", account.home)
    path = daemon.get("PATH") if habits.inherit_path else None
    made.setdefault("PATH", path or DEFAULT_PATH[Dialect(habits.dialect)])
    made["LOGNAME"] = account.name
    if habits.dialect != "debian" or habits.inherit:
        made["USER"] = account.name
    return made


def _inherited(daemon: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in daemon.items() if not name.startswith(_SUPERVISOR)}


def _imported(daemon: Mapping[str, str], dialect: str) -> dict[str, str]:
    if dialect == "debian":
        return {}
    return {name: daemon[name] for name in _IMPORTED if name in daemon}
