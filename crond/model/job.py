"""A job: the lasting identity behind an entry, whose runs belong together whatever line it stands on.

Its name is `name=`, else a configuration manager's marker, else it is derived from the command, so that
moving or rescheduling a line keeps its history. Never a line number. Pure; made by the engine when a
table arrives.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import count

from crond.model.crontab import Table
from crond.model.entry import Entry
from crond.model.fields import LONGEST_KEPT
from crond.model.values import is_name

_NOT_NAMES = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Job:
    """An entry of the newest version of its table, with its identity.

    `id` is OWNER/NAME. `uid` is the owner's: whoever has it may see and touch the job.
    """

    id: str
    owner: str
    uid: int
    origin: str
    version: int
    index: int  #: which of the table's entries, from 0
    entry: Entry
    crontab: str = ""  #: the digest of the text it stands in

    @property
    def name(self) -> str:
        """The id without its owner."""
        return self.id.partition("/")[2]

    @property
    def run_as(self) -> str:
        """The account of its processes."""
        return self.entry.user or self.owner


def jobs_of(
    table: Table, *, owner: str, uid: int, origin: str, version: int, taken: Container[str] = ()
) -> tuple[Job, ...]:
    """Return one Job per entry of `table`, in its order.

    `taken` holds the ids of other tables: a name that is there already stays with its first bearer, and the
    later entry gets a derived one.
    """
    jobs: dict[str, Job] = {}
    crontab = digest_of(table)
    for index, entry in enumerate(table.entries):
        names = _identities(entry, owner, origin)
        identity = next(name for name in names if name not in jobs and name not in taken)
        jobs[identity] = Job(identity, owner, uid, origin, version, index, entry, crontab)
    return tuple(jobs.values())


def digest_of(table: Table) -> str:
    """Return what tells this text from every other version of a crontab."""
    return hashlib.blake2s(table.text, digest_size=8).hexdigest()


def _identities(entry: Entry, owner: str, origin: str) -> Iterator[str]:
    """What it may be called, best first: its name, command, command and schedule, then numbered."""
    if entry.name is not None and is_name(entry.name):
        yield f"{owner}/{entry.name}"
    # In a system crontab file and run-as tell apart what the owner, root, does not.
    place = (origin, entry.user) if entry.user is not None else ()
    slug = _slug(entry.raw)
    yield f"{owner}/{slug}-{_digest(*place, entry.raw)}"
    by_schedule = f"{owner}/{slug}-{_digest(*place, entry.raw, str(entry.schedule))}"
    yield by_schedule
    yield from (f"{by_schedule}-{number}" for number in count(2))


def _slug(command: str) -> str:
    """The program's name, as far as a job's name may hold it."""
    words = command.split(maxsplit=1)
    if not words:
        return "job"
    # A cache of longer ones could fill the daemon's memory.
    return _known_slug(words[0]) if len(words[0]) <= LONGEST_KEPT else _slug_of(words[0])


@lru_cache(maxsize=4096)
def _known_slug(path: str) -> str:
    return _slug_of(path)


def _slug_of(path: str) -> str:
    return _NOT_NAMES.sub("", path.rpartition("/")[2])[:24].lstrip("._-") or "job"


def _digest(*parts: str) -> str:
    joined = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.blake2s(joined, digest_size=4).hexdigest()
