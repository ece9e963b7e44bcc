"""What clients ask of the launcher about crontabs and one-shots: to read, to replace, to keep.

In each, `user` is whose crontab is meant, empty for one's own; who asks, the kernel says. One per connection.
The list is closed; how the values become bytes is `crond.model.codec`'s. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read the crontab of `user`, or its kept `version` (0: the current one).

    `purpose`, one of PURPOSES, is what cron's log calls it. Answered by an Answer that says the size, then
    by the text in Pieces.
    """

    user: str
    version: int
    purpose: str


@dataclass(frozen=True, slots=True)
class Install:
    """Replace the crontab of `user` by `size` bytes, which follow in Pieces once an Answer asks for them.

    `origin` says where the text comes from, for people. `base` is the digest of the text that was
    edited (NO_TEXT: there was none), so that somebody else's change is noticed; empty: replace what there is.
    """

    user: str
    origin: str
    base: str
    size: int


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the crontab of `user`."""

    user: str


@dataclass(frozen=True, slots=True)
class Restore:
    """Make the kept `version` the crontab of `user` again."""

    user: str
    version: int


@dataclass(frozen=True, slots=True)
class ListVersions:
    """Tell which versions of the crontab of `user` are kept."""

    user: str


@dataclass(frozen=True, slots=True)
class EditEnded:
    """The edit that began with a Fetch of purpose "edit" is over: for cron's log alone."""

    user: str


@dataclass(frozen=True, slots=True)
class ClusterHost:
    """Tell which host of a cluster runs the users' crontabs. One that is named is to do so: for root."""

    name: str


@dataclass(frozen=True, slots=True)
class PutAt:
    """Run a command once, at `at` (epoch seconds), as `user`, from `directory` and with `umask`.

    Its `size` bytes follow in Pieces once an Answer asks for them.
    """

    user: str
    at: float
    directory: str
    umask: int
    size: int


@dataclass(frozen=True, slots=True)
class RemoveAt:
    """Let the one-shot `name` of `user` not run."""

    user: str
    name: str


@dataclass(frozen=True, slots=True)
class ListAt:
    """Tell which one-shots of `user` have not run yet."""

    user: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a crontab's text, at most PIECE bytes. Goes both ways."""

    data: bytes


#: Most bytes in a Piece: however JSON writes them, the frame is a small one.
PIECE = 32 * 1024
#: The longest crontab of a user, in bytes: the 10,000 entries that cronie allows, of 200 bytes each.
#: What takes seconds to parse would keep everybody waiting.
TEXT_LIMIT = 2 * 1024 * 1024
#: The longest command of a one-shot, in bytes.
COMMAND_LIMIT = 128 * 1024
#: The digest of a crontab that is not there.
NO_TEXT = "none"
PURPOSES = ("list", "edit", "compare")

Edit: TypeAlias = (
    Fetch | Install | Remove | Restore | ListVersions | EditEnded | ClusterHost | PutAt | RemoveAt | ListAt
)
EDITS: tuple[type[Any], ...] = (
    Fetch,
    Install,
    Remove,
    Restore,
    ListVersions,
    EditEnded,
    ClusterHost,
    PutAt,
    RemoveAt,
    ListAt,
)


def is_base(text: str) -> bool:
    """True if `text` may be the `base` of an Install."""
    return text in ("", NO_TEXT) or (len(text) == 16 and set(text) <= set("0123456789abcdef"))
