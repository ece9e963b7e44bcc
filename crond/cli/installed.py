"""Crontabs that are installed: one's own, asked of the daemon, or all of this host, read from their places.

Owns which files those are, by the settings of the host's daemon. Judges nothing. Used by check.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import partial

from crond.cli.failure import Failure, Status
from crond.cli.format import printable
from crond.cli.source import Source, read_file, source_of

#: Debian's cron reads no other names in cron.d.
_DEBIAN_SYSTEM_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_LEFTOVERS = ("~", ".rpmsave", ".rpmorig", ".rpmnew")
#: A file, and what reads it.
Reading = tuple[str, Callable[[], Source]]


def own_crontab(state: str | None, dialect: str) -> Source:
    """Return the caller's own crontab. Raises Failure."""
    from crond.cli.client import find_place
    from crond.cli.crontabs import fetch

    try:
        found = fetch(find_place(state), "", purpose="compare")
    except Failure as failure:
        if failure.exit_code != Status.UNREACHABLE:
            raise
        text = f"{failure.message}\n  to check files, name them: crontabx check FILE, or - for stdin"
        raise Failure(text, Status.UNREACHABLE) from None
    if found.text is None:
        raise Failure(f"no crontab for {printable(found.user)}")
    rules = found.dialect if dialect == "auto" and found.dialect else dialect
    file = f"crontab of {found.user}"
    return source_of(found.text, file=file, system=False, dialect=rules, privileged=os.geteuid() == 0)


def every_crontab(dialect: str) -> Iterator[Reading]:
    """Yield the crontabs of this host, system tables first. Raises Failure, if not root."""
    from crond.cli.daemon import SPOOLS
    from crond.cli.host import dialect_of_host
    from crond.settings import SETTINGS_FILE, SettingsError, read_settings

    if os.geteuid() != 0:
        raise Failure("--all reads everybody's crontabs: only root may", Status.USAGE)
    try:
        settings = read_settings(SETTINGS_FILE, required=False)
    except SettingsError as error:
        raise Failure(str(error)) from None
    rules = settings.dialect if dialect == "auto" else dialect
    rules = dialect_of_host() if rules == "auto" else rules
    if os.path.exists(settings.system_crontab):
        yield settings.system_crontab, partial(_read, settings.system_crontab, None, rules)
    for path in _files_in(settings.cron_d):
        if rules != "debian" or _DEBIAN_SYSTEM_NAME.fullmatch(os.path.basename(path)):
            yield path, partial(_read, path, None, rules)
    for path in _files_in(settings.spool or SPOOLS[rules]):
        yield path, partial(_read, path, os.path.basename(path), rules)


def _files_in(folder: str) -> list[str]:
    """The files of `folder`, without what neither cron reads."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    obeyed = [n for n in names if not n.startswith((".", "#", "tmp.")) and not n.endswith(_LEFTOVERS)]
    paths = [os.path.join(folder, name) for name in obeyed]
    return [path for path in paths if os.path.isfile(path)]


def _read(path: str, user: str | None, dialect: str) -> Source:
    system, root = user is None, user in (None, "root")
    return source_of(read_file(path), file=path, system=system, dialect=dialect, privileged=root)
