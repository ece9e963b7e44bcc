"""What is wrong with crontabs, told to those who look after the host: refused files, and entries that are
held, or commented out, for long.

Since when is remembered by job, or by the digest of the line. With nobody to tell, or a limit of 0, nothing
is looked at. Pure; owned by `watch`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from crond.core.memory import Memory
from crond.core.roster import Roster
from crond.model.alert import Addressee, Event, Flip, flip_id
from crond.model.crontab import parse_crontab
from crond.model.events import TableParsed
from crond.model.messages import Hello
from crond.model.wording import span

_REFUSED, _HELD, _COMMENT = "refused:", "held:", "comment:"
#: `#` and a time at once, with no blank between them: prose, examples and headings have one.
_MAY_BE_ENTRY = re.compile(r"#(?=[0-9*@])")
#: What looks like a command: a path, or a name as programs have.
_COMMAND = re.compile(r"(?:[~.]{0,2}/|\$\{?\w|\[|[A-Za-z_][\w.+-]*(?=\s|$|;))")
#: Most comments that are remembered of one table.
_MOST = 1000


class Wrong(NamedTuple):
    """Something that is wrong. `words` say what; `after` is for how many seconds it may be."""

    key: str
    words: str
    after: float
    job: str = ""


@dataclass(slots=True)
class Troubles:
    """The troubles of the tables of `roster`."""

    memory: Memory
    roster: Roster
    told: tuple[Addressee, ...] = ()
    _held_after: float = 0.0
    _commented_out_after: float = 0.0
    _dialect: str = "cronie"
    _now: dict[str, Wrong] = field(default_factory=dict)  #: what is wrong, by key
    _pending: list[Wrong] = field(default_factory=list)  #: of these, what nobody was told yet
    _comments: dict[str, tuple[int, tuple[Wrong, ...]]] = field(default_factory=dict)  #: by table: version

    def begin(self, hello: Hello) -> None:
        """Take in whom the host's settings name, and when they want to hear."""
        self.told = tuple(Addressee(digest, label) for digest, label in hello.trouble)
        self._held_after, self._commented_out_after = hello.held_after, hello.commented_out_after
        self._dialect = hello.dialect
        self._now = {}
        self._pending = []
        self._comments.clear()

    def settle(self, wall: float) -> Iterator[list[object]]:
        """Look at the tables as they are; yield records of what began or is over."""
        self._now = {one.key: one for one in self._looked_at()} if self.told else {}
        for key in sorted(self._now.keys() - self.memory.troubles.keys()):
            yield ["trouble", key, wall, False]
        for key in sorted(self.memory.troubles.keys() - self._now.keys()):
            yield ["trouble", key, None]

    def settled(self) -> None:
        """The records of `settle` are remembered."""
        troubles = self.memory.troubles
        self._pending = [one for one in self._now.values() if not troubles[one.key].told]

    def _looked_at(self) -> Iterator[Wrong]:
        for origin, refused in self.roster.refused.items():
            yield Wrong(_REFUSED + origin, f"{origin}: {refused.reason}", 0.0)
        if self._held_after:
            for name, why in self.roster.held.items():
                job = self.roster.jobs[name]
                words = f"{job.origin}:{job.entry.line}: {job.name} is held: {why}"
                yield Wrong(_HELD + name, words, self._held_after, name)
        if self._commented_out_after:
            for table in self.roster.tables.values():
                yield from self._comments_of(table)

    def _comments_of(self, table: TableParsed) -> tuple[Wrong, ...]:
        known = self._comments.get(table.origin)
        if known is None or known[0] != table.version:
            known = self._comments[table.origin] = (table.version, tuple(self._commented_out(table)))
        return known[1]

    def _commented_out(self, table: TableParsed) -> Iterator[Wrong]:
        is_system = any(entry.user is not None for entry in table.table.entries)
        found: set[str] = set()
        for number, line in enumerate(str(table.table).split("\n"), 1):
            mark = _MAY_BE_ENTRY.match(line)
            if mark is None or not self._is_entry(line[mark.end() :], is_system=is_system):
                continue
            # What it says may be secret, and is nobody's business but its owner's.
            text = f"{table.origin}\n{line.strip()}".encode("utf-8", "surrogateescape")
            key = _COMMENT + hashlib.blake2s(text, digest_size=8).hexdigest()
            if key not in found and len(found) < _MOST:
                found.add(key)
                words = f"{table.origin}:{number}: this entry is commented out"
                yield Wrong(key, words, self._commented_out_after)

    def _is_entry(self, text: str, *, is_system: bool) -> bool:
        table = parse_crontab(text + "\n", system=is_system, dialect=self._dialect, extensions=True)
        if len(table.entries) != 1 or table.problems:
            return False
        return _COMMAND.match(table.entries[0].command) is not None

    # --- moments -------------------------------------------------------------------------------------

    def next_moment(self) -> float | None:
        """Return when the next of them has lasted too long."""
        return min((self._moment(one) for one in self._pending), default=None)

    def over(self, wall: float) -> Iterator[tuple[Flip, list[object]]]:
        """Yield what is told by now, with what to remember of it."""
        due = [one for one in self._pending if self._moment(one) <= wall]
        for one in due:
            self._pending.remove(one)
            since = self.memory.troubles[one.key].since
            words = f"{one.words}, for {span(int(wall - since))}" if one.after else one.words
            flip = Flip(
                id=flip_id(Event.TROUBLE, one.key, repr(since)),
                event=Event.TROUBLE,
                at=wall,
                origin="",
                uid=0,
                addressees=self.told,
                job=one.job,
                reason=words,
            )
            yield flip, [one.key, since, True]

    def _moment(self, wrong: Wrong) -> float:
        return self.memory.troubles[wrong.key].since + wrong.after
