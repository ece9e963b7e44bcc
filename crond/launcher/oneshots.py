"""The one-shots of one account: a crontab of `@at` lines that we write, and nobody else.

Owns STATE/at/NAME: what is added, told and taken away. The text is made here from plain values, so that no
client writes a line. Knows no connection and logs nothing; called by conversation and retiring, in a process
of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import random
import time
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime

from crond.launcher.accounts import Account
from crond.launcher.config import Config
from crond.launcher.installing import Refused
from crond.launcher.opening import USER_LIMIT
from crond.launcher.spooled import Spooled, WrongFile
from crond.model.crontab import Table, parse_crontab
from crond.model.edits import PutAt
from crond.model.entry import Entry
from crond.model.messages import TableText
from crond.model.oneshots import PREFIX, OneShot, lines_of, same, shot_of, tidied, without

#: Without what looks alike.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
#: From the kernel: each of our processes is a copy of one that has drawn nothing.
_DRAW = random.SystemRandom()
#: What was `now` for a client is a moment of the past when it arrives (seconds).
_GRACE = 10
#: A line must have reached the scheduler when its moment comes (seconds).
_AHEAD = 2


class OneShots:
    """The one-shots of `account`."""

    def __init__(self, config: Config, account: Account) -> None:
        self._config = config
        self._account = account
        self.user = account.name
        self._file = Spooled(config.one_shots, account.name, uid=account.uid, gid=account.gid)

    def all(self) -> list[OneShot]:
        """Return those that have not run, the next one first. Raises Refused, OSError."""
        shots = [shot for entry in self._table().entries if (shot := shot_of(entry)) is not None]
        return sorted(shots, key=lambda shot: shot.at)

    def put(self, asked: PutAt, command: bytes) -> OneShot:
        """Add what `asked` says, with its `command`; return it as it will run. Raises Refused, OSError."""
        with self._opened() as folder:
            before = self._table()
            shot = OneShot(
                name=_new_name({entry.name for entry in before.entries}),
                at=_moment(asked.at),
                command=tidied(command.decode("utf-8", "surrogateescape")),
                directory=asked.directory,
                umask=asked.umask,
            )
            try:
                lines = lines_of(shot)
            except ValueError as error:
                raise Refused("invalid", str(error)) from None
            text = before.text
            if text and not text.endswith(b"\n"):
                text += b"\n"  # somebody wrote it by hand
            after = self._parsed(text + lines.encode("utf-8", "surrogateescape"))
            self._require_said(shot, after)
            self._file.put(folder, after.text)
        return shot

    def remove(self, name: str) -> None:
        """Take the one-shot `name` away. Raises Refused, OSError."""
        if not self._take_away(lambda entry: entry.name == name):
            raise Refused("unknown", f"{self.user} has no one-shot {name} that has yet to run")

    def retire(self, table: TableText, numbers: Collection[int]) -> bool:
        """Take away what entries `numbers` of `table`, a former text of this file, say; False if it is gone.

        Raises Refused, OSError.
        """
        entries = self._parsed(table.text).entries
        return self._take_away(same(entries[number] for number in numbers if number < len(entries)))

    # --- the text ------------------------------------------------------------------------------

    def _take_away(self, unwanted: Callable[[Entry], bool]) -> bool:
        with self._opened() as folder:
            table = self._table()
            text = without(table, unwanted)
            if text == table.text:
                return False
            if text:
                self._file.put(folder, text)
            else:
                self._file.remove(folder)
        return True

    def _parsed(self, text: bytes) -> Table:
        dialect, root = self._config.dialect, self._account.uid == 0
        return parse_crontab(text, privileged=root, dialect=dialect, extensions=True)

    def _require_said(self, shot: OneShot, table: Table) -> None:
        """Raise Refused unless `table` says `shot`, so that what was asked for is what will run."""
        if len(table.text) > USER_LIMIT:
            raise Refused("invalid", f"{self.user} has too many one-shots")
        if not table.entries or shot_of(table.entries[-1]) != shot:
            errors = table.errors
            why = f": {errors[-1].message}, {errors[-1].hint}".rstrip(", ") if errors else ""
            raise Refused("invalid", f"that cannot be a line of a crontab{why}")

    # --- the file ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        """The folder, for one change at a time."""
        try:
            with self._file.opened() as folder:
                fcntl.flock(folder, fcntl.LOCK_EX)
                yield folder
        except WrongFile as wrong:
            raise Refused("failed", str(wrong)) from None

    def _table(self) -> Table:
        try:
            found = self._file.read()
        except WrongFile as wrong:
            raise Refused("failed", str(wrong)) from None
        return self._parsed(b"" if found is None else found[0])


def _moment(at: float) -> datetime:
    """Return the moment `at`, or the first one from now on that can be kept. Raises Refused."""
    now = time.time()
    if at < now - _GRACE:
        raise Refused("past", "that moment has passed")
    try:
        return datetime.fromtimestamp(math.ceil(max(at, now + _AHEAD)), UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        raise Refused("invalid", "that moment is too far away") from None


def _new_name(taken: Collection[str | None]) -> str:
    """Return a name that nothing has, most likely in the whole history, whose runs it would else share."""
    while True:
        name = PREFIX + "".join(_DRAW.choices(_LETTERS, k=6))
        if name not in taken:
            return name
