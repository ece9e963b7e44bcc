"""Crontabs as the daemon keeps them: read, installed, removed and restored through the launcher's socket.

Owns which messages that takes and what their answers mean. Prints nothing and asks nobody. Used by edit
and versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crond.cli.client import LAUNCHER, Connection, Place, Refused
from crond.cli.failure import Failure, Status
from crond.model.edits import (
    NO_TEXT,
    TEXT_LIMIT,
    ClusterHost,
    EditEnded,
    Fetch,
    Install,
    ListVersions,
    Remove,
    Restore,
)

if TYPE_CHECKING:
    from crond.model.crontab import Problem, Severity

_LONGEST_ORIGIN = 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """A crontab as it is. `text` is None where there is none; `digest` is what an Install is based on."""

    user: str
    dialect: str
    text: bytes | None
    digest: str


class Invalid(Failure):
    """The text has errors and was not installed; the crontab is as it was."""

    def __init__(self, refusal: Refused) -> None:
        super().__init__(refusal.message, Status.FAILED)
        self.findings, self.count = findings_of(refusal.body)


def fetch(place: Place, user: str, *, purpose: str, version: int = 0) -> Fetched:
    """Return the crontab of `user` (empty: one's own), or a version of it. Raises Failure."""
    with Connection(place, LAUNCHER) as launcher:
        try:
            body = launcher.request(Fetch(user, version, purpose)).body
        except Refused as refusal:
            if refusal.code != "none":
                raise
            return Fetched(_word(refusal.body, "user") or user, _word(refusal.body, "dialect"), None, NO_TEXT)
        size, digest = body.get("size"), body.get("digest")
        if type(size) is not int or size < 0 or not isinstance(digest, str):
            raise launcher.nonsense("a crontab without size or digest")
        text = launcher.receive_text(size)
        return Fetched(_word(body, "user"), _word(body, "dialect"), text, digest)


def install(place: Place, user: str, text: bytes, *, origin: str, base: str = "") -> dict[str, Any]:
    """Make `text` the crontab of `user`; return what the daemon says. Raises Invalid, Failure."""
    if len(text) > TEXT_LIMIT:
        raise Failure(f"the crontab is larger than {TEXT_LIMIT >> 20} MiB, so none")
    with Connection(place, LAUNCHER) as launcher:
        try:
            reply = launcher.request(Install(user, origin[-_LONGEST_ORIGIN:], base, len(text)))
            if reply.final:
                raise launcher.nonsense("it does not ask for the text")
            return launcher.send_text(text).body
        except Refused as refusal:
            if refusal.code == "invalid":
                raise Invalid(refusal) from None
            raise


def remove(place: Place, user: str) -> dict[str, Any]:
    """Remove the crontab of `user`; return what the daemon says. Raises Failure."""
    with Connection(place, LAUNCHER) as launcher:
        return launcher.request(Remove(user)).body


def restore(place: Place, user: str, version: int) -> dict[str, Any]:
    """Make a kept version the crontab of `user` again; return what the daemon says. Raises Failure."""
    with Connection(place, LAUNCHER) as launcher:
        return launcher.request(Restore(user, version)).body


def kept_versions(place: Place, user: str) -> dict[str, Any]:
    """Return the kept versions, as the daemon tells them. Raises Failure."""
    with Connection(place, LAUNCHER) as launcher:
        return launcher.request(ListVersions(user)).body


def say_edit_ended(place: Place, user: str) -> None:
    """Tell cron's log that an edit is over. Raises Failure."""
    with Connection(place, LAUNCHER) as launcher:
        launcher.request(EditEnded(user))


def cluster_host(place: Place) -> str:
    """Return the name of the host that runs the users' crontabs in a cluster. Raises Failure."""
    with Connection(place, LAUNCHER) as launcher:
        return _word(launcher.request(ClusterHost("")).body, "host")


def set_cluster_host(place: Place, name: str) -> None:
    """Let the host `name` run them from now on; for root. Raises Failure."""
    with Connection(place, LAUNCHER) as launcher:
        launcher.request(ClusterHost(name))


def findings_of(body: dict[str, Any]) -> tuple[list[Problem], int]:
    """Return the problems in an answer and how many there are; not all of them may be told."""
    from crond.model.crontab import Problem

    held = body.get("problems")
    found = []
    for problem in held if isinstance(held, list) else []:
        try:
            line, column = int(problem["line"]), int(problem["column"])
            severity: Severity = "error" if problem["severity"] == "error" else "warning"
            text, hint = str(problem["message"]), str(problem["hint"])
            found.append(Problem(line, column, severity, text, hint, str(problem.get("code", ""))))
        except (TypeError, KeyError, ValueError):
            continue
    count = body.get("count")
    return found, count if type(count) is int else len(found)


def _word(body: dict[str, Any], key: str) -> str:
    held = body.get(key)
    return held if isinstance(held, str) else ""
