"""What crosses the wire between launcher and scheduler, and what clients ask of both: the list is closed.

Values are plain numbers and strings, so nothing that a peer sends can be more than data. How they become
bytes, and within which bounds, is `crond.model.codec`'s. Launcher, scheduler and client read this page and
nothing else of each other. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

#: Both ends of a wire must name the same number; it grows with every change of this file or of codec.
PROTOCOL = 4

Pairs: TypeAlias = "tuple[tuple[str, str], ...]"


class BadMessage(ValueError):
    """A payload that is no message, or a message outside its bounds. The text says which."""


# --- scheduler -> launcher: wishes -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """Start entry number `entry` (from 0) of table version `table` as attempt `attempt` of `run`.

    `part` says which of the entry's commands is meant, one of PARTS; `attempt` is 0 for its condition and
    below 0 for its `wait_for`. `job` is for log lines alone. The command, the user and the limits come from
    the launcher's own parse of that table. `environment` may hold only names that `is_environment_name`
    allows; of those that are not ours the launcher gives a job only what its own parse names in `params=`.
    """

    table: int
    entry: int
    part: str
    job: str
    run: str
    attempt: int
    environment: Pairs = ()


@dataclass(frozen=True, slots=True)
class Stop:
    """End the process tree of `attempt` (its key, see `attempt_key`): TERM, and KILL for what remains."""

    attempt: str


@dataclass(frozen=True, slots=True)
class Forget:
    """The scheduler will not ask for `attempt` again: its record may go. Its output stays until pruned."""

    attempt: str


@dataclass(frozen=True, slots=True)
class Mail:
    """`attempt` was its run's last: its output may be mailed. Mailed once, however often this is said.

    To whom, with which headers and by which program comes from the launcher's own parse.
    """

    attempt: str


@dataclass(frozen=True, slots=True)
class Retire:
    """Entry number `entry` of table version `table`, an `@at` line of the spool of one-shots, has had its
    answer: its line may go. What is no such line stays.
    """

    table: int
    entry: int


@dataclass(frozen=True, slots=True)
class News:
    """A flip is in the journal: whoever delivers it may look now. Passed on to the recorder as it is."""


@dataclass(frozen=True, slots=True)
class Ack:
    """Every numbered fact up to and including `number` is in the scheduler's journal."""

    number: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The scheduler's loop turned."""


# --- launcher -> scheduler: facts ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message on every connection.

    `life` names this life of the launcher and `boot` this boot of the machine (or container);
    `reboot` says whether `@reboot` entries may still run in this boot. `seed` feeds RANDOM_DELAY.
    `began` is when this life began, in epoch seconds. `defaults` and `pools` are what the host's settings
    say for every crontab: keys of annotations with their values as they are written, and sizes of pools.
    `trouble` names who is told of what concerns no single job, by digest and label (`model.alert.Addressee`);
    `held_after` and `commented_out_after` are seconds after which that is told of an entry, 0: never.
    """

    protocol: int
    life: str
    boot: str
    reboot: bool
    seed: int
    dialect: str
    began: float
    defaults: Pairs = ()
    pools: Pairs = ()
    trouble: Pairs = ()
    held_after: float = 0.0
    commented_out_after: float = 0.0


@dataclass(frozen=True, slots=True)
class TableText:
    """A crontab as it is now. A new `version` of an `origin` (its path) replaces the one before.

    `owner` and `uid` say whose it is; `system` that it has a user column; `privileged` that it is
    root's own; `seed` is what `parse_crontab` draws `~` from. `text` is the file's bytes.
    """

    version: int
    origin: str
    owner: str
    uid: int
    system: bool
    privileged: bool
    seed: int
    text: bytes


@dataclass(frozen=True, slots=True)
class TableGone:
    """The crontab at `origin` is no longer there."""

    origin: str


@dataclass(frozen=True, slots=True)
class TableRefused:
    """The file at `origin` is not obeyed; `reason` is cron's own word for it. An earlier version is gone."""

    origin: str
    owner: str
    uid: int
    reason: str


@dataclass(frozen=True, slots=True)
class Survived:
    """The process of `attempt`, which an earlier life of the launcher started, is alive as `pid`.

    Comes before TablesComplete, for each. What an earlier life started and is not named is gone.
    """

    attempt: str
    pid: int


@dataclass(frozen=True, slots=True)
class TablesComplete:
    """Every table and every survivor that exists now has been sent; comes once on each connection."""


@dataclass(frozen=True, slots=True)
class Started:
    """`attempt` became process `pid` at `at` (epoch seconds). Resent until acknowledged."""

    number: int
    attempt: str
    pid: int
    at: float


@dataclass(frozen=True, slots=True)
class NotStarted:
    """`attempt` did not become the user's command. Resent until acknowledged.

    `reason` is one of REFUSALS; `detail` says it in words. May follow a Started: what hinders the
    command is often met only in the new process.
    """

    number: int
    attempt: str
    at: float
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The main process of `attempt` ended at `at`. Resent until acknowledged.

    `status` is the raw wait status; `cpu_user`, `cpu_system` are seconds; `max_rss` is KiB, 0 where it is
    unknown; `output_size` is bytes in its output file at this moment; `blocks_in`, `blocks_out` are what it
    read from and wrote to disks, in blocks of 512 bytes. `data` is what it left in $CRONTABX_OUTPUT.
    """

    number: int
    attempt: str
    at: float
    status: int
    cpu_user: float
    cpu_system: float
    max_rss: int
    output_size: int
    blocks_in: int = 0
    blocks_out: int = 0
    data: Pairs = ()


@dataclass(frozen=True, slots=True)
class Vanished:
    """The process of a survivor is gone since `at`, or shortly before; how it ended, nobody knows. Resent
    until acknowledged.
    """

    number: int
    attempt: str
    at: float


#: The commands that an entry may have.
PARTS = frozenset(("command", "condition", "wait_for"))
#: The most that a job may leave in $CRONTABX_OUTPUT, in bytes and in variables.
DATA_LIMIT, DATA_MOST = 64 * 1024, 1024

#: Why an attempt did not start. `stale`: that table version is no longer held (plan again);
#: `unknown`: no such entry; `duplicate`: this attempt was started before; `user`: no such account;
#: `permission`: that account may not be used from here; `chdir`, `exec`: what failed on the way to
#: the command; `resources`: no process, memory, descriptor or disk; `closing`: the daemon is stopping.
REFUSALS = frozenset(
    ("stale", "unknown", "duplicate", "user", "permission", "chdir", "exec", "resources", "closing")
)


# --- clients -> launcher or scheduler, and back --------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask:
    """A client's request: a verb and its named arguments. One per connection."""

    verb: str
    arguments: Pairs = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply to an Ask. `body` is a JSON document. `final` is False where another answer follows.

    Where `ok` is False the body is `{"error": text, "code": word}`.
    """

    ok: bool
    final: bool
    body: str


Wish: TypeAlias = Start | Stop | Forget | Mail | Retire | News | Ack | Heartbeat
Fact: TypeAlias = (
    Hello
    | TableText
    | TableGone
    | TableRefused
    | Survived
    | TablesComplete
    | Started
    | NotStarted
    | Exited
    | Vanished
)
NumberedFact: TypeAlias = Started | NotStarted | Exited | Vanished


def attempt_key(run: str, attempt: int) -> str:
    """The name of one attempt on every wire, in every file name: `RUN.N`."""
    return f"{run}.{attempt}"


def is_token(text: str) -> bool:
    """True if `text` may be part of a file name of ours: 1 to 80 of `A-Za-z0-9._-`, no leading dot."""
    return (
        0 < len(text) <= 80
        and text[0] != "."
        and text.isascii()
        and all(c.isalnum() or c in "._-" for c in text)
    )


def is_attempt_key(text: str) -> bool:
    """True if `text` may be an attempt's key, and so part of a file name of ours."""
    run, _, attempt = text.rpartition(".")
    digits = attempt.removeprefix("-")
    return is_token(run) and digits.isascii() and digits.isdigit() and len(digits) < 10


def is_environment_name(name: str) -> bool:
    """True if the scheduler may add a variable of this name to a job (never LD_*, PATH or the like)."""
    return (
        0 < len(name) <= 128
        and name.isascii()
        and name.replace("_", "a").isalnum()
        and not name[0].isdigit()
        and not name.startswith("LD_")
        and name not in _NEVER_GIVEN
    )


#: What decides which program a name means, how a shell reads, or who a job is.
_NEVER_GIVEN = frozenset(
    ("PATH", "IFS", "ENV", "BASH_ENV", "SHELL", "HOME", "USER", "LOGNAME", "MAILTO", "PYTHONPATH", "PERL5LIB")
)


def is_our_name(name: str) -> bool:
    """True if a variable of this name is one of those that crontabx gives by itself."""
    return name.startswith(("CRONTABX_", "OUT_"))


WISHES: tuple[type[Any], ...] = (Start, Stop, Forget, Mail, Retire, News, Ack, Heartbeat)
FACTS: tuple[type[Any], ...] = (
    Hello,
    TableText,
    TableGone,
    TableRefused,
    Survived,
    TablesComplete,
    Started,
    NotStarted,
    Exited,
    Vanished,
)
