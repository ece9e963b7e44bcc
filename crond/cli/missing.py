"""What a run did not find: which command, which PATH was searched, and where the command is.

The name comes from what the run wrote, else from its command; the PATH is that of a start now. Looks only
where whoever asks may look, and runs nothing. Called by why and show.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Iterator

from crond.cli.answers import RunSeen
from crond.cli.client import LAUNCHER, Connection, Place
from crond.cli.failure import Failure
from crond.cli.format import printable
from crond.cli.surroundings import Surroundings, ask_surroundings

#: What shells say with exit status 127 and 126, with the name they say it of.
_SAID = {
    127: (
        r"^\S+: \d+: (.+): not found$",  # dash
        r"^\S+: (?:line \d+: )?(.+): command not found$",  # bash
        r"command not found: (.+)$",  # zsh
        r"Unknown command:? '?(.+?)'?$",  # fish
        r"^\S+: (?:\S+: )?(.+): (?:inaccessible or )?not found$",  # ksh
        r"^\S+: (?:line \d+: )?(.+): No such file or directory$",  # env, bash
    ),
    126: (r"^\S+: (?:line )?(?:\d+: )?(.+): (?i:permission denied|is a directory)$",),
}
_NOT_EXECUTED = re.compile(r"cannot execute (.+): ")
#: Words that begin a command and are the shell's own, so that they are never what is missing.
_OF_SHELL = frozenset((
    ".", ":", "[", "[[", "{", "(", "!", "case", "cd", "command", "eval", "exec", "export", "false", "for",
    "if", "set", "test", "time", "trap", "true", "ulimit", "umask", "until", "unset", "while",
))  # fmt: skip
_USUAL = (
    "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/snap/bin",
    "~/bin", "~/.local/bin", "~/.cargo/bin", "~/go/bin",
)  # fmt: skip
_TAIL = 8192  #: bytes of an output in which the shell's words are looked for
_LONGEST = 200  #: characters of a name


def advice_on(place: Place, run: RunSeen) -> list[str]:
    """Return sentences about what `run` did not find, or could not execute; none for other runs."""
    shell = _NOT_EXECUTED.search(run.reason or "") if run.outcome == "could_not_start" else None
    if shell is None and (run.outcome != "failed" or run.exit_code not in _SAID):
        return []
    try:
        around = ask_surroundings(place, run.job)
    except Failure:  # the job is in no crontab now, or is not ours to look into
        return [f"Jobs have cron's short PATH, not that of your shell: crontabx env {run.job}"]
    if shell is not None:
        return list(_on_shell(around, shell[1]))
    name = _said(place, run) or _first_word(around.command)
    if name is None:
        return [f"The job's PATH is {printable(around.path)}."]
    if run.exit_code == 126:
        return list(_on_forbidden(around, name))
    return list(_on_missing(around, name))


def _on_missing(around: Surroundings, name: str) -> Iterator[str]:
    shown = printable(name)
    if "/" in name:
        yield from _on_file(around, name)
        return
    yield f"It looked for {shown} in the job's PATH, {printable(around.path)}."
    inside = _first_in(_folders(around.path), name)
    if inside is not None:
        yield f"There it is now, as {printable(inside)}: it came later, or its own interpreter is missing."
        return
    found = _first_in(_elsewhere(around), name)
    if found is None:
        yield "It is not in the usual folders either, nor in your PATH: is it installed?"
        return
    folder = printable(os.path.dirname(found))
    yield (
        f"It is {printable(found)}: write that in the command, or PATH={folder}:{printable(around.path)}"
        " above the entry."
    )


def _on_file(around: Surroundings, name: str) -> Iterator[str]:
    path = os.path.join(os.fsdecode(around.directory), name)
    shown = printable(path)
    if not os.path.lexists(path):
        yield f"There is no {shown}, as far as you can see."
        return
    interpreter = _interpreter_of(path)
    if interpreter is not None and not os.path.exists(interpreter):
        yield f"{shown} is there, but its first line asks for {printable(interpreter)}, which is not."
    else:
        yield f"{shown} is there now."


def _on_forbidden(around: Surroundings, name: str) -> Iterator[str]:
    inside = os.path.join(os.fsdecode(around.directory), name) if "/" in name else None
    path = inside or next(
        (file for folder in _folders(around.path) if os.path.lexists(file := os.path.join(folder, name))),
        None,
    )
    if path is None:
        yield f"The job's PATH is {printable(around.path)}."
        return
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        yield f"{printable(path)}: {error.strerror}."
        return
    shown, rights = printable(path), stat.filemode(mode)
    if stat.S_ISDIR(mode):
        yield f"{shown} is a folder."
    elif mode & 0o111 == 0:
        yield f"{shown} may be executed by nobody ({rights}): chmod +x makes it a program."
    else:
        yield (
            f"{shown} is {rights}: {around.user} may lack the right, or may not enter a folder above it, or"
            " its file system forbids programs."
        )


def _on_shell(around: Surroundings, shell: str) -> Iterator[str]:
    yield "That is the SHELL of its crontab, which each command is given to."
    if os.path.exists(shell):
        yield from _on_file(around, shell)
        return
    found = _first_in(_elsewhere(around), os.path.basename(shell))
    if found is not None:
        yield f"There is {printable(found)}: write SHELL={printable(found)} above the entry."


# --- which command -----------------------------------------------------------------------------------


def _said(place: Place, run: RunSeen) -> str | None:
    """The name in the last words that a shell said about it, in the output of `run`."""
    if run.attempt is None or run.exit_code is None:
        return None
    try:
        with Connection(place, LAUNCHER) as launcher:
            held = launcher.ask("logs", attempt=run.attempt).descriptor
            if held is None:
                return None
            size = os.fstat(held).st_size
            text = os.pread(held, _TAIL, max(size - _TAIL, 0)).decode("utf-8", "surrogateescape")
    except (Failure, OSError):
        return None
    for line in reversed(text.splitlines()):
        for pattern in _SAID[run.exit_code]:
            found = re.search(pattern, line.rstrip())
            if found is not None and "\0" not in found[1]:
                return found[1].strip("'\"‘’`")[:_LONGEST]
    return None


def _first_word(command: bytes) -> str | None:
    text = os.fsdecode(command)
    try:
        words = shlex.split(text)
    except ValueError:  # a quote left open
        words = text.split()
    name = next((word for word in words if not re.match(r"[A-Za-z_]\w*=", word)), "")
    return None if not name or name in _OF_SHELL or "\0" in name else name[:_LONGEST]


# --- where it is -------------------------------------------------------------------------------------


def _elsewhere(around: Surroundings) -> list[str]:
    home = os.fsdecode(around.environment.get(b"HOME", around.directory))
    usual = [home + folder[1:] if folder.startswith("~") else folder for folder in _USUAL]
    return [*usual, *_folders(os.environ.get("PATH", ""))]


def _folders(path: str) -> list[str]:
    return [folder for folder in path.split(":") if folder.startswith("/")]


def _first_in(folders: list[str], name: str) -> str | None:
    """The first program of that name in `folders`."""
    files = (os.path.join(folder, name) for folder in folders)
    return next((file for file in files if os.path.isfile(file) and os.access(file, os.X_OK)), None)


def _interpreter_of(path: str) -> str | None:
    """The program that the first line of a script names; None where there is none to be read."""
    try:
        # O_NONBLOCK: a FIFO of that name must not keep us.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        first = os.pread(fd, 256, 0).partition(b"\n")[0]
    finally:
        os.close(fd)
    words = os.fsdecode(first[2:]).split() if first.startswith(b"#!") else []
    return words[0] if words and "\0" not in words[0] else None
