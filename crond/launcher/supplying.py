"""Stage 2: what a job is given from files that only its user may read, in the job's own process.

Owns the formats of `env_file` and of secrets (masking reads these, too), and the step into the job's shell.
Runs as the job's user, with no more rights than the job; started by the launcher in the job's place, for
entries that have such keys and for no others. No value is ever in an argument, a message or a log. What fails
ends it with status 78.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
from collections.abc import Mapping
from typing import NoReturn

#: The variable in which it is told what to do: arguments are public, an environment is its owner's.
REQUEST = "CRONTABX_SUPPLY"
#: EX_CONFIG of sysexits.h.
FAILED = 78
#: Most bytes in an env_file and in a secret; the kernel takes 128 KiB for one variable.
ENV_FILE_LIMIT, SECRET_LIMIT = 1024 * 1024, 120 * 1024
_NAME = re.compile(rb"[A-Za-z_]\w*", re.ASCII)
_ESCAPED = re.compile(rb'\\(["\\$`])')


class NotSupplied(Exception):
    """What the job needs cannot be had; the text says why, and shows no value."""


def main(*command: str) -> NoReturn:
    """Become `command`, a path and its arguments, in the environment that REQUEST asks for: JSON.

    Its `env_file` is a path or null, `secrets` are names with `file:PATH`, or with what was not found; `kept`
    are the names that env_file does not set.
    `locale` is LC_CTYPE as it was, which Python itself may have set; null: it was not set.
    """
    environment = dict(os.environb)
    try:
        asked = json.loads(environment.pop(REQUEST.encode()))
        _put_back(environment, b"LC_CTYPE", asked["locale"])
        supply(environment, asked)
    except NotSupplied as reason:
        _fail(str(reason))
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
        signal.signal(number, signal.SIG_DFL)
    path, *arguments = (os.fsencode(word) for word in command)
    try:
        os.execve(path, [path, *arguments], environment)
    except OSError as error:
        _fail(f"cannot execute {os.fsdecode(path)}: {error.strerror}")


def _fail(reason: str) -> NoReturn:
    os.write(2, os.fsencode(f"crond: {reason}\n"))
    os._exit(FAILED)


def _put_back(environment: dict[bytes, bytes], name: bytes, value: str | None) -> None:
    environment.pop(name, None)
    if value is not None:
        environment[name] = os.fsencode(value)


def supply(environment: dict[bytes, bytes], asked: Mapping[str, object]) -> None:
    """Add to `environment` what `asked`, see main, says. Raises NotSupplied."""
    kept = {os.fsencode(str(name)) for name in _list(asked["kept"])}
    path = asked["env_file"]
    if path is not None:
        found = read_variables(_content("env_file", str(path), ENV_FILE_LIMIT), str(path))
        environment.update((name, value) for name, value in found if name not in kept)
    for pair in _list(asked["secrets"]):
        secret, source = (str(word) for word in _list(pair))
        environment[os.fsencode(secret)] = secret_at(secret, source)


def secret_at(secret: str, source: str) -> bytes:
    """Return the value of `secret` that lies at `source`. Raises NotSupplied."""
    kind, _, place = source.partition(":")
    if kind == "env":  # one that was there would have been given to us
        raise NotSupplied(f"secret {secret}: crond was started without {place} in its environment")
    data = _content(f"secret {secret}", place, SECRET_LIMIT).removesuffix(b"\n")
    if b"\0" in data:
        raise NotSupplied(f"secret {secret}: {place} holds a NUL")
    return data


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _content(what: str, path: str, limit: int) -> bytes:
    """Return what is in the file at `path`. Raises NotSupplied."""
    try:
        # Not waiting for a writer, if it is a pipe.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise NotSupplied(f"{what}: {path}: {error.strerror}") from None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise NotSupplied(f"{what}: {path} is not a regular file")
        if found.st_mode & stat.S_IWOTH:
            # Whoever writes it decides what this user's job does, by LD_PRELOAD for one.
            raise NotSupplied(f"{what}: {path} can be written by everybody; chmod o-w it")
        data = b""
        while len(data) <= limit and (more := os.read(fd, limit + 1 - len(data))):
            data += more
    except OSError as error:
        raise NotSupplied(f"{what}: {path}: {error.strerror}") from None
    finally:
        os.close(fd)
    if len(data) > limit:
        raise NotSupplied(f"{what}: {path} is larger than {limit} bytes")
    return data


def read_variables(data: bytes, path: str) -> list[tuple[bytes, bytes]]:
    """Return the variables in the text of an env_file. Raises NotSupplied, which names `path` and line."""
    found = []
    for number, text in enumerate(data.split(b"\n"), 1):
        line = text.strip(b" \t\r")
        if not line or line[:1] in (b"#", b";"):
            continue
        name, mark, value = line.removeprefix(b"export ").lstrip(b" \t").partition(b"=")
        if not mark or not _NAME.fullmatch(name):
            raise NotSupplied(f"env_file: {path}, line {number}: not NAME=VALUE")
        if b"\0" in value:
            raise NotSupplied(f"env_file: {path}, line {number}: it holds a NUL")
        found.append((name, _unquoted(value, f"{path}, line {number}")))
    return found


def _unquoted(value: bytes, place: str) -> bytes:
    r"""Return the value itself: in "..." a \ goes before ", \, $ and `; in '...' and without quotes nothing
    has a meaning. Raises NotSupplied.
    """
    quote = value[:1]
    if quote not in (b'"', b"'"):
        return value
    inner = value[1:]
    end = re.match(rb"[^']*'" if quote == b"'" else rb'(?:[^"\\]|\\.)*"', inner, re.DOTALL)
    if end is None:
        raise NotSupplied(f"env_file: {place}: a quote that does not end on its line")
    rest = inner[end.end() :].strip(b" \t")
    if rest and not rest.startswith(b"#"):
        raise NotSupplied(f"env_file: {place}: something follows the closing quote")
    text = end[0][:-1]
    return _ESCAPED.sub(rb"\1", text) if quote == b'"' else text
