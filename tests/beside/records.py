"""What one daemon did, read from what jobs, messages and log lines left: values, in virtual time.

Knows the formats of job.sh and sendmail.sh. Compares nothing; `compare` does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.beside.faketime import Clock

_LINE = re.compile(r"<(\d+)>(?:\w{3} [ \d]\d \d\d:\d\d:\d\d )?([^\[:]+)(?:\[\d+\])?: (.*)", re.DOTALL)
#: /proc/uptime shows hundredths of a second, rounded down: what begins with the minute must not seem earlier.
_TICK = 0.01


@dataclass(frozen=True, slots=True)
class Start:
    """One start of `name` at `at` (virtual epoch seconds); `facts` is all that cron gave it."""

    name: str
    at: float
    facts: dict[str, str]


@dataclass(frozen=True, slots=True)
class Mail:
    """One message handed to sendmail: its `command`, who ran that, the headers in order, the body."""

    at: float
    uid: int
    arguments: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def command(self) -> str:
        """The command that the subject names."""
        return dict(self.headers).get("Subject", "").partition("> ")[2]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log: syslog's priority, the program and the text; pids are left out."""

    at: float
    priority: int
    program: str
    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """All that one daemon did."""

    starts: list[Start]
    mails: list[Mail]
    lines: list[Line]


def read_record(folder: Path, clock: Clock, lines: list[tuple[float, bytes]]) -> Record:
    """Read the notes and mails below `folder`; `lines` are datagrams, each with the uptime it came at."""
    return Record(
        sorted(_starts(folder / "notes", clock), key=lambda start: start.at),
        sorted((_mail(path, clock) for path in (folder / "mails").iterdir()), key=lambda mail: mail.at),
        [_line(at, data, clock) for at, data in lines],
    )


def _starts(folder: Path, clock: Clock) -> list[Start]:
    found = []
    for path in folder.iterdir():
        content = path.read_bytes()
        # A job that was ended with its cage says nothing of its daemon.
        if content.endswith(b"\n--end\n"):
            found.append(_start(path.name.partition(".")[0], content, clock))
    return found


def _start(name: str, content: bytes, clock: Clock) -> Start:
    head, _, rest = content.removesuffix(b"\n--end\n").partition(b"\n--status\n")
    status, _, rest = rest.partition(b"--environ\n")
    environment, _, stdin = rest.partition(b"\n--stdin\n")
    uptime, umask, folder = head.decode().split("\n")
    ids = dict(line.split(":\t", 1) for line in status.decode().splitlines() if ":\t" in line)
    pairs = [pair.partition("=") for pair in environment.decode("utf-8", "backslashreplace").split("\0")]
    facts = {
        "umask": umask,
        "folder": folder,
        "uid": ids["Uid"],
        "gid": ids["Gid"],
        "groups": " ".join(sorted(ids["Groups"].split(), key=int)),
        "ignored signals": ids["SigIgn"],
        "blocked signals": ids["SigBlk"],
        "stdin": repr(stdin),
        **{f"${variable}": value for variable, equals, value in pairs if equals},
    }
    return Start(name, clock.virtual(float(uptime) + _TICK), facts)


def _mail(path: Path, clock: Clock) -> Mail:
    told, _, message = path.read_bytes().partition(b"--message\n")
    uptime, uid, *arguments = told.decode().splitlines()
    head, _, body = message.partition(b"\n\n")
    headers = [line.partition(": ") for line in head.decode("utf-8", "backslashreplace").split("\n")]
    return Mail(
        clock.virtual(float(uptime) + _TICK),
        int(uid),
        tuple(arguments),
        tuple((name, value) for name, _colon, value in headers),
        body,
    )


def _line(uptime: float, data: bytes, clock: Clock) -> Line:
    match = _LINE.fullmatch(data.decode("utf-8", "backslashreplace").rstrip("\0\n"))
    assert match is not None, f"no line of syslog: {data!r}"
    return Line(clock.virtual(uptime), int(match[1]), match[2], match[3])
