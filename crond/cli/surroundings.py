"""What a start of a job would have around it, as the launcher tells it to the job's owner and to root.

The scheduler knows which entry a job is, the launcher what that entry's start gets. Prints nothing; called by
env and shell, and by what explains a command that was not found.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from crond.cli.answers import BadAnswer, number_of, text_of
from crond.cli.client import LAUNCHER, SCHEDULER, Connection, Place, Refused
from crond.cli.failure import Failure

#: A crontab that changes between two questions is asked for again so many times.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """An entry's start: who, where, with what. Bytes are exact; `user` is printable."""

    job: str
    user: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    directory: bytes
    directory_required: bool  #: False: where it cannot be entered, the job runs elsewhere
    shell: bytes
    command: bytes
    stdin: bytes
    umask: int
    nice: int
    open_files: tuple[int, int]  #: soft and hard limit
    limits: dict[str, tuple[int, int]]  #: the same of what else PAM limits; "nproc" is RLIMIT_NPROC, -1: none
    environment: dict[bytes, bytes]
    env_file: bytes | None = None  #: a start reads more variables from it, and
    secrets: tuple[str, ...] = ()  #: is given these

    @property
    def unseen(self) -> str:
        """Say what a start has beyond `environment`; nothing: there is no more."""
        parts = [] if self.env_file is None else [f"what is in {os.fsdecode(self.env_file)}"]
        if self.secrets:
            parts.append(f"the secret{'s' if len(self.secrets) > 1 else ''} {', '.join(self.secrets)}")
        return " and ".join(parts)

    @property
    def path(self) -> str:
        """The PATH in which the job's shell looks for commands."""
        return os.fsdecode(self.environment.get(b"PATH", b""))


def ask_surroundings(place: Place, job: str) -> Surroundings:
    """Return what a start of `job` (as in all verbs) would have now. Raises Failure."""
    return read_surroundings(*ask_for_body(place, job))


def ask_for_body(place: Place, job: str) -> tuple[str, dict[str, Any]]:
    """Return the job's id and the launcher's own words, as JSON. Raises Failure."""
    for attempt in range(1, _ATTEMPTS + 1):
        with Connection(place, SCHEDULER) as scheduler:
            found = scheduler.ask("job", job=job).body
        name = text_of(found, "job")
        try:
            with Connection(place, LAUNCHER) as launcher:
                numbers = {key: str(number_of(found, key)) for key in ("table", "entry")}
                size = number_of(launcher.ask("env", **numbers).body, "size")
                if size is None:
                    raise BadAnswer("the environment is missing")
                return name, _read(launcher.receive_text(size))
        except Refused as refusal:
            if refusal.code == "stale" and attempt < _ATTEMPTS:
                continue
            raise Failure(f"{name} would not start: {refusal.message}") from None
    raise AssertionError("the last attempt returns or raises")


def _read(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise BadAnswer("the environment is no JSON") from None
    if not isinstance(body, dict):
        raise BadAnswer("the environment is no JSON object")
    return body


def read_surroundings(job: str, body: dict[str, Any]) -> Surroundings:
    """Return what `body` says. Raises BadAnswer where it says what cannot be."""
    environment = body.get("environment")
    if not isinstance(environment, dict):
        raise BadAnswer("environment is no object")
    soft, hard = _numbers(body, "open_files", 2)
    return Surroundings(
        job=job,
        user=text_of(body, "user"),
        uid=_number(body, "uid"),
        gid=_number(body, "gid"),
        groups=tuple(_numbers(body, "groups")),
        directory=_bytes(body.get("directory"), "directory"),
        directory_required=body.get("directory_required") is not False,
        shell=_bytes(body.get("shell"), "shell"),
        command=_bytes(body.get("command"), "command"),
        stdin=_bytes(body.get("stdin"), "stdin"),
        umask=_number(body, "umask"),
        nice=_number(body, "nice"),
        open_files=(soft, hard),
        limits=_limits(body.get("limits", {})),
        environment={_bytes(name, "a name"): _bytes(value, "a value") for name, value in environment.items()},
        env_file=None if body.get("env_file") is None else _bytes(body["env_file"], "env_file"),
        secrets=_names(body.get("secrets", [])),
    )


def _names(told: Any) -> tuple[str, ...]:
    if not isinstance(told, list) or not all(isinstance(name, str) for name in told):
        raise BadAnswer("secrets is no list of names")
    return tuple(told)


def _number(body: dict[str, Any], key: str) -> int:
    number = number_of(body, key)
    if number is None:
        raise BadAnswer(f"{key} is missing")
    return number


def _numbers(body: dict[str, Any], key: str, count: int | None = None) -> list[int]:
    values = body.get(key)
    if not isinstance(values, list) or count not in (None, len(values)):
        raise BadAnswer(f"{key} is no list of numbers")
    if any(type(value) is not int for value in values):
        raise BadAnswer(f"{key} is no list of numbers")
    return values


def _limits(told: Any) -> dict[str, tuple[int, int]]:
    if not isinstance(told, dict):
        raise BadAnswer("limits is no object")
    found = {}
    for name in told:
        soft, hard = _numbers(told, name, 2)
        found[name] = (soft, hard)
    return found


def _bytes(value: Any, what: str) -> bytes:
    """Return the bytes that the launcher meant: UTF-8, what is none as surrogates."""
    if not isinstance(value, str):
        raise BadAnswer(f"{what} is no text")
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise BadAnswer(f"{what} is no text") from None
