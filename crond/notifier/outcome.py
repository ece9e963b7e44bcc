"""What became of a try: the results, which of several counts, and what an answer means.

Owns the reading of HTTP statuses, SMTP replies and of how a connection ended. Knows neither Apprise nor any
service. Called by targets, wire and pings.
"""

from __future__ import annotations

import http
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time

SENT, AGAIN, UNSURE, NEVER, ELSEWHERE = "sent", "again", "unsure", "never", "elsewhere"

#: Which of several failures counts: the one with the most hope.
_HOPE = (AGAIN, UNSURE, NEVER)
#: Answers of a server that may say something else later.
_LATER = frozenset((408, 409, 421, 423, 425, 429))
#: The longest word about a try, in characters.
_LONGEST = 300


class OutOfTime(BaseException):
    """The time of a message is over. No `except Exception` of a library must hold it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one try: one of the results, `detail` in words without secrets, and who has it."""

    result: str
    detail: str = ""
    done: tuple[str, ...] = ()

    def bounded(self) -> Outcome:
        """Return it with a `detail` of one line and bounded length."""
        return Outcome(self.result, " ".join(self.detail.split())[:_LONGEST], self.done)


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """Return what became of several: sent if all are, else the failure with the most hope."""
    held = list(outcomes)
    failed = [one for one in held if one.result != SENT]
    done = tuple(dict.fromkeys(digest for one in held for digest in one.done))
    if not failed:
        return Outcome(SENT, held[-1].detail if held else "", done)
    worst = min(failed, key=lambda one: _HOPE.index(one.result))
    some = f"{len(failed)} of {len(held)}: " if len(held) > 1 else ""
    return Outcome(worst.result, some + worst.detail, done)


def of_status(status: int, retry_after: str = "") -> Outcome:
    """Return what the HTTP `status` of an answer means."""
    try:
        name = f" ({http.HTTPStatus(status).phrase})"
    except ValueError:
        name = ""
    detail = f"answered {status}{name}"
    if status < 400:
        return Outcome(SENT, detail)
    if status >= 500 or status in _LATER:
        wait = _seconds(retry_after)
        return Outcome(AGAIN, detail if wait is None else f"{detail}, and asks to wait for {wait} s")
    return Outcome(NEVER, detail)


def of_reply(code: int, text: str) -> Outcome:
    """Return what the reply of an SMTP server means; `text` has no secrets any more."""
    detail = f"answered {code} {text}".strip()
    # smtplib says -1 of what was no reply.
    return Outcome(NEVER if 500 <= code < 600 else AGAIN, detail)


def of_silence(how: str, *, asked: bool) -> Outcome:
    """Return what it means that no answer came; `asked`: the message may have gone out before."""
    return Outcome(UNSURE if asked else AGAIN, f"{how} after the message went out" if asked else how)


def _seconds(retry_after: str) -> int | None:
    """Return what a Retry-After header says (RFC 9110, 10.2.3), None if nothing."""
    if retry_after.isdecimal() and len(retry_after) < 9:
        return int(retry_after)
    try:
        return max(0, round(parsedate_to_datetime(retry_after).timestamp() - time()))
    except (ValueError, OverflowError):
        return None
