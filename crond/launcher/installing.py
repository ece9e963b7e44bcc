"""Changing a user's crontab in the spool: checked first, replaced as a whole, kept as a version.

Owns what is written there and in which order, so that a power cut leaves the old text or the new. Knows
no connection and logs nothing. May wait for a disk and parse for seconds: called by conversation, in a
process of its own.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from crond.launcher.config import Config
from crond.launcher.spooled import Spooled, WrongFile
from crond.launcher.versions import Mark, Version, Versions, digest_of
from crond.model.crontab import parse_crontab
from crond.model.edits import NO_TEXT
from crond.model.host import read_host

#: Nobody reads more; the count says how many there are.
_PROBLEMS_TOLD = 1000


class Refused(Exception):
    """The change, or the look, is not made. `code` is for programs, `more` goes with the answer."""

    def __init__(self, code: str, text: str, **more: Any) -> None:
        super().__init__(text)
        self.code = code
        self.more = more


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A change that was made: the version that it is kept as, and what the text's problems are."""

    version: Version
    problems: list[dict[str, Any]]
    count: int


class Crontab:
    """The crontab of one account in the spool, and its versions."""

    def __init__(self, config: Config, account: pwd.struct_passwd) -> None:
        self._config = config
        self._host = read_host(config.defaults, config.pools)
        self._account = account
        self.user = account.pw_name
        self._file = Spooled(config.spool, account.pw_name, uid=account.pw_uid, gid=account.pw_gid)
        self.path = self._file.path
        folder = os.path.join(config.state, "versions", str(account.pw_uid))
        self.versions = Versions(folder, user=account.pw_name, count=config.keep_versions)

    def read(self) -> bytes | None:
        """Return the text as it is now, None if there is none. Raises Refused, OSError."""
        found = self._current()
        return None if found is None else found[0]

    def install(self, text: bytes, *, base: str, by: Mark) -> Changed:
        """Make `text` the crontab. `base`: as in the message Install. Raises Refused, OSError."""
        changed = self._checked(text)
        if any(problem["severity"] == "error" for problem in changed[0]):
            raise Refused(
                "invalid", "errors in crontab file, can't install", problems=changed[0], count=changed[1]
            )
        return self._replace(text, base=base, by=by, checked=changed)

    def restore(self, number: int, *, by: Mark) -> Changed:
        """Make version `number` the crontab again, errors and all: it was obeyed before. Raises as above."""
        found = self.versions.text(number)
        if found is None:
            raise Refused("unknown", f"no version {number} of {self.user}'s crontab is kept")
        version, text = found
        if version.mark.action == "remove":
            raise Refused("no_text", f"version {number} is a removal; restore an earlier one")
        return self._replace(text, base="", by=by, checked=self._checked(text))

    def remove(self, *, by: Mark) -> Version | None:
        """Remove the crontab; return the version that would restore it. Raises Refused, OSError."""
        with self._spool() as spool, self.versions.locked():
            before = self._keep_what_is_there()
            undo = self.versions.all()[0] if before is not None else None
            kept = self.versions.keep(b"", by)
            try:
                self._file.remove(spool)
            except FileNotFoundError:
                self.versions.drop(kept.number)
                raise Refused("none", f"no crontab for {self.user}", user=self.user) from None
            except OSError:
                self.versions.drop(kept.number)
                raise
            self.versions.trim()
        return undo

    # --- the text ------------------------------------------------------------------------------

    def _checked(self, text: bytes) -> tuple[list[dict[str, Any]], int]:
        """Return the problems of `text`, errors first if there are too many to tell, and their number."""
        table = parse_crontab(
            text,
            privileged=self._account.pw_uid == 0,
            dialect=self._config.dialect,
            extensions=True,
            host=self._host,
        )
        problems = table.problems
        if len(problems) > _PROBLEMS_TOLD:
            problems = (table.errors or problems)[:_PROBLEMS_TOLD]
        return [asdict(problem) for problem in problems], len(table.problems)

    def _replace(
        self, text: bytes, *, base: str, by: Mark, checked: tuple[list[dict[str, Any]], int]
    ) -> Changed:
        with self._spool() as spool, self.versions.locked():
            before = self._keep_what_is_there()
            if base and base != (NO_TEXT if before is None else digest_of(before)):
                raise Refused("changed", f"{self.user}'s crontab was changed meanwhile")
            # First: a text that is obeyed is always one that is kept.
            kept = self.versions.keep(text, by)
            try:
                self._file.put(spool, text)
            except OSError:
                self.versions.drop(kept.number)
                raise
            self.versions.trim()
        return Changed(version=kept, problems=checked[0], count=checked[1])

    def _keep_what_is_there(self) -> bytes | None:
        """Keep a text that was put there by hand; return the text. What is no crontab is not kept."""
        try:
            found = self._current()
        except Refused:
            return None
        if found is None:
            return None
        text, status = found
        newest = self.versions.all()
        if not newest or newest[0].digest != digest_of(text) or newest[0].mark.action == "remove":
            name = _name_of(status.st_uid)
            mark = Mark(action="by hand", by=name, uid=status.st_uid, origin="", at=status.st_mtime)
            self.versions.keep(text, mark)
        return text

    @contextlib.contextmanager
    def _spool(self) -> Iterator[int]:
        try:
            with self._file.opened() as spool:
                yield spool
        except WrongFile as wrong:
            raise Refused("failed", str(wrong)) from None

    def _current(self) -> tuple[bytes, os.stat_result] | None:
        try:
            return self._file.read()
        except WrongFile as wrong:
            raise Refused("odd", f"{wrong}; install a crontab to replace it") from None


def mark(action: str, by: pwd.struct_passwd, origin: str = "") -> Mark:
    """Return the mark of a change that `by` makes now."""
    return Mark(action=action, by=by.pw_name, uid=by.pw_uid, origin=origin, at=time.time())


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
