"""A letter with a job's output, as cron writes it: to whom, from whom, which headers, which mail command.

Owns the rules of both dialects. Pure: what the daemon and the host know comes in as Rules. Must not know how
a letter is delivered. Called by post.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

#: How long an address may be after its variables were replaced; cronie's limit.
_LONGEST_ADDRESS = 254
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)
_SAFE = {
    "cronie": re.compile(r"[A-Za-z0-9][A-Za-z0-9@!:%.,_+-]*"),
    "debian": re.compile(r"[A-Za-z0-9][A-Za-z0-9@!:%.,_+=/-]*"),
}
#: What cron itself gives each job; the rest is the crontab's.
_OF_CRON = frozenset((b"SHELL", b"HOME", b"PATH", b"LOGNAME", b"USER"))
_BREAKS = str.maketrans("\r\n", "  ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds for every letter of this daemon.

    `daemon` is its environment, `charset` that of its locale. `only_asked`: a crontab without MAILTO gets no
    mail. `inherits`: jobs have the daemon's environment, which is nobody's to read in a letter.
    """

    dialect: str
    host: str  #: as it stands in the subject
    charset: str
    daemon: Mapping[str, str]
    marks_failed: bool = False  #: Debian with -L 4
    only_asked: bool = False
    inherits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a job's letter is made of. `user` is who it ran as, `status` its raw wait status.

    `of_pam` are the names of variables that PAM alone set. `ended` is said in the subject.
    """

    user: str
    command: str
    status: int
    assigned: Mapping[str, str]
    environment: Mapping[bytes, bytes]
    of_pam: frozenset[bytes] = frozenset()
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Addressed:
    """The recipients (None: nobody) and the sender. `unsafe` are addresses that are not used."""

    to: str | None
    sender: str
    unsafe: tuple[str, ...] = ()
    unexpanded: tuple[str, ...] = ()  #: names of variables whose value is too long once expanded


def addressed(written: Written, rules: Rules) -> Addressed:
    """Return to whom and from whom the letter goes."""
    unsafe: list[str] = []
    unexpanded: list[str] = []

    def value_of(name: str) -> str | None:
        text = _value(written, rules, name)
        if text is None or rules.dialect != "cronie" or "$" not in text:
            return text
        expanded = _expanded(text, rules.daemon)
        if expanded is None:
            unexpanded.append(name)
            return text
        return expanded

    to, sender = value_of("MAILTO"), value_of("MAILFROM")
    if to is None:
        to = "" if rules.only_asked else written.user
    elif to and not is_safe(to, rules.dialect):
        unsafe.append(to)
        to = ""
    if to and sender and not is_safe(sender, rules.dialect):
        unsafe.append(sender)
        sender = ""
    sender = sender or default_sender(written.user, rules.dialect)
    return Addressed(to or None, sender, tuple(unsafe), tuple(unexpanded))


def default_sender(user: str, dialect: str) -> str:
    """Return from whom a letter comes that belongs to `user`."""
    return "root (Cron Daemon)" if dialect == "debian" else user


def headers(written: Written, to: Addressed, rules: Rules) -> bytes:
    """Return the headers, with the blank line behind them."""
    debian = rules.dialect == "debian"
    failed = " (failed)" if debian and rules.marks_failed and written.status else ""
    ended = f" ({written.ended})" if written.ended else failed
    kind = _value(written, rules, "CONTENT_TYPE")
    encoding = _value(written, rules, "CONTENT_TRANSFER_ENCODING")
    lines = [
        f"From: {to.sender}" if debian else f'From: "(Cron Daemon)" <{to.sender}>',
        f"To: {to.to}",
        f"Subject: Cron <{written.user}@{rules.host}> {written.command}{ended}",
        "MIME-Version: 1.0",
        f"Content-Type: {f'text/plain; charset={rules.charset}' if kind is None else kind}",
        f"Content-Transfer-Encoding: {'8bit' if encoding is None else encoding}",
    ]
    if not debian:
        lines += ["Auto-Submitted: auto-generated", "Precedence: bulk"]
    lines += [f"X-Cron-Env: <{name}={value}>" for name, value in _environment(written, rules)]
    # What a job's settings say must not become a header of its own.
    return os.fsencode("".join(f"{line.translate(_BREAKS)}\n" for line in lines)) + b"\n"


def sendmail_arguments(path: str, to: Addressed, dialect: str) -> tuple[str, ...]:
    """Return the command line by which the dialect's cron calls the sendmail at `path`."""
    if dialect == "debian":
        return (path, "-FCronDaemon", "-i", "-B8BITMIME", "-oem", to.to or "")
    return (path, "-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", to.sender)


def _value(written: Written, rules: Rules, name: str) -> str | None:
    """Return what a variable that concerns mail says, None where it is not set."""
    if rules.inherits:
        return written.assigned.get(name)
    found = None if _is_unknown(name.encode(), written, rules) else written.environment.get(name.encode())
    return None if found is None else os.fsdecode(found)


def _environment(written: Written, rules: Rules) -> list[tuple[str, str]]:
    return [
        (os.fsdecode(name), os.fsdecode(value))
        for name, value in written.environment.items()
        if not rules.inherits or name in _OF_CRON or os.fsdecode(name) in written.assigned
        if not _is_unknown(name, written, rules)
    ]


def _is_unknown(name: bytes, written: Written, rules: Rules) -> bool:
    """True for the variables of PAM in Debian's cron, which writes the letter without them."""
    return rules.dialect == "debian" and name in written.of_pam


def _expanded(text: str, environment: Mapping[str, str]) -> str | None:
    """Return `text` with its variables replaced; None where that becomes too long."""
    made, at = "", 0
    for match in _VARIABLE.finditer(text):
        made += text[at : match.start()] + environment.get(match[1] or match[2], "")
        at = match.end()
        if len(made) > _LONGEST_ADDRESS:
            return None
    made += text[at:]
    return made if len(made) <= _LONGEST_ADDRESS else None


def is_safe(address: str, dialect: str) -> bool:
    """True if a mail command may be given `address`."""
    return _SAFE[dialect].fullmatch(address) is not None
