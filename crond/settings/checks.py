"""What a setting may be: a check for each kind of value returns the reason why it is refused, or None.

Knows no key. Pure; called by the reader, through the table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crond.model.fields import Dialect
from crond.model.values import PINGS, TARGETS, BadValue, Form, Rules

SMTP_SECURITY = ("none", "starttls", "tls")
PAM = ("auto", "yes", "no")
DIALECTS = ("auto", "cronie", "debian")


def dialect(value: Any) -> str | None:
    """One of DIALECTS."""
    if value in DIALECTS and isinstance(value, str):
        return None
    return f"must be one of {', '.join(DIALECTS)}"


def pam(value: Any) -> str | None:
    """One of PAM."""
    return None if value in PAM and isinstance(value, str) else f"must be one of {', '.join(PAM)}"


def path(value: Any) -> str | None:
    """An absolute path."""
    if not isinstance(value, str):
        return "must be a string"
    if not value.startswith("/"):
        return "must be an absolute path"
    return "must not contain a NUL" if "\0" in value else None


def url(value: Any) -> str | None:
    """A URL of a database."""
    # Only the recorder knows what a database is; what it cannot use it says in the log.
    if not isinstance(value, str):
        return "must be a string"
    return None if "://" in value else "must be a URL, such as sqlite:////var/lib/history.db"


def server(value: Any) -> str | None:
    """HOST:PORT."""
    if not isinstance(value, str):
        return "must be a string"
    host, _, port = value.rpartition(":")
    if not host or any(c.isspace() or not c.isprintable() for c in host) or not port.isascii():
        return "must be a host and a port, such as mail.example.org:587"
    if not (port.isdigit() and 0 < int(port) < 65536):
        return "must be a host and a port, such as mail.example.org:587"
    return None


def security(value: Any) -> str | None:
    """One of SMTP_SECURITY."""
    return (
        None
        if value in SMTP_SECURITY and isinstance(value, str)
        else f"must be one of {', '.join(SMTP_SECURITY)}"
    )


def word(value: Any) -> str | None:
    """A word that is not empty."""
    if not isinstance(value, str):
        return "must be a string"
    return None if value and value.isprintable() else "must not be empty"


def account(value: Any) -> str | None:
    """An account other than root."""
    if not isinstance(value, str):
        return "must be a string"
    if not value or any(c in ":/\n\0" or c.isspace() for c in value):
        return "must be the name of an account"
    return "must not be root: the scheduler runs without privilege" if value == "root" else None


def seconds(least: float, most: float) -> Callable[[Any], str | None]:
    """A number of seconds."""

    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return "must be a number of seconds"
        if not least <= value <= most:
            return f"must be from {least:g} to {most:g} seconds"
        return None

    return check


def size(least: int) -> Callable[[Any], str | None]:
    """A size in bytes, 0 or at least so much."""

    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            return "must be a size, such as 64K, 10M or 2G"
        try:
            found = bytes_of(value)
        except ValueError as error:
            return str(error)
        return None if found == 0 or found >= least else f"must be 0 or at least {least // 1024}K"

    return check


def bytes_of(size: str | int) -> int:
    """Return the bytes that `size` means: a number, or one with K, M, G or T (of 1024). Raises ValueError."""
    text = str(size)
    digits, unit = (text[:-1], text[-1]) if text[-1:] in "KMGT" and text else (text, "")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
        raise ValueError("must be a size, such as 64K, 10M or 2G")
    return int(digits) << 10 * (" KMGT".index(unit) if unit else 0)


def number(least: float, most: float, what: str, *, whole: bool) -> Callable[[Any], str | None]:
    """A number of something."""
    kinds = (int,) if whole else (int, float)

    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, kinds):
            return f"must be a {'whole ' if whole else ''}number of {what}"
        return None if least <= value <= most else f"must be from {least:g} to {most:g} {what}"

    return check


def tail(value: Any) -> str | None:
    """A size that fits into a message."""
    reason = size(0)(value)
    return reason or (None if bytes_of(value) <= 16 * 1024 else "must be at most 16K")


def targets(value: Any) -> str | None:
    """Who may be told of something: as in the annotation `on_failure=`. What is refused is not said."""
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, str) or not _reads(TARGETS, one):
            return "must be a URL, a mail address, a tag, or a list of them"
    return None


def ping(value: Any) -> str | None:
    """A URL of http or https; it is not said."""
    if isinstance(value, str) and _reads(PINGS, value):
        return None
    return "must be a URL, such as https://hc.example.org/ping/abc"


def link(value: Any) -> str | None:
    """Such a URL with a place for the id of a run."""
    if isinstance(value, str) and _reads(PINGS, value) and "{run}" in value:
        return None
    return "must be a URL with {run} in it, such as https://cron.example.org/runs/{run}"


def _reads(form: Form, text: str) -> bool:
    try:
        form.read(text, Rules(Dialect.CRONIE, lambda low, _high: low))
    except BadValue:
        return False
    return True
