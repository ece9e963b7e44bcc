"""The differences that are known, each with its reason: the one table. What is not in it is a defect.

A reason here is one that docs/compatibility.md gives to users too, or one of this way of measuring.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from tests.beside.compare import Difference

_ZONE = ZoneInfo("America/New_York")


def _always(_difference: Difference) -> bool:
    return True


def _only_theirs(difference: Difference) -> bool:
    return difference.ours is None


def _only_ours(difference: Difference) -> bool:
    return difference.theirs is None


def _after_a_gap(difference: Difference) -> bool:
    """True in the five minutes after the clock was put forward by an hour."""
    now, before = (datetime.fromtimestamp(difference.at - past, _ZONE).utcoffset() for past in (0.0, 360.0))
    return now is not None and before is not None and now > before


def _late(difference: Difference) -> bool:
    """True if it was the same instant, which the slower of the two just did not reach within its minute."""
    return abs(float(difference.theirs or 0) - float(difference.ours or 0)) < 45


@dataclass(frozen=True, slots=True)
class Known:
    """Differences whose kind and subject match in full, and for which `holds`; `why` says it in words."""

    kind: str
    why: str
    subject: str = ".*"
    holds: Callable[[Difference], bool] = _always

    def explains(self, difference: Difference) -> bool:
        """True if this is one of them."""
        return (
            re.fullmatch(self.kind, difference.kind) is not None
            and re.fullmatch(self.subject, difference.subject, re.DOTALL) is not None
            and self.holds(difference)
        )


def _signals_of_glibc(difference: Difference) -> bool:
    return (difference.theirs, difference.ours) == (f"{0:016x}", f"{0b11 << 31:016x}")


KNOWN = (
    Known(
        "minute",
        "@reboot entries run when the daemon has come up, and each takes its own fraction of a real second",
        subject=".*-reboot",
    ),
    Known(
        "minute",
        "what a gap swallowed is made up with a pause of ten seconds before each further minute; in Debian's"
        " cron any job that ends cuts that pause short, here nothing does",
        holds=_after_a_gap,
    ),
    Known(
        "minute",
        "Debian's cron aims at second :01, crond at :00, and a busy machine reaches the end of so short a"
        " minute: less than 45 virtual seconds lie between the two",
        holds=_late,
    ),
    Known(
        "ignored signals",
        "glibc's posix_spawn, by which crond starts root's jobs, ignores signals 32 and 33, which are glibc's"
        " own: no program can use them",
        holds=_signals_of_glibc,
    ),
    Known(
        "log line",
        "PAM logs its sessions: one for each job of Debian's cron, one when crond asks what it would be like",
        subject=r"pam_unix\(cron:session\).*",
    ),
    Known(
        "log line",
        "Debian's cron repeats each minute what is wrong with a file; crond says it once, until that changes",
        subject=r".*(INSECURE MODE|ORPHAN).*",
        holds=_only_theirs,
    ),
    Known(
        "log line",
        "crond names the line of an error, and each error; Debian's cron the first one, without its line",
        subject=r"Error: .*; while reading .*",
    ),
    Known(
        "log line",
        "in the foreground crond says that it is up, and Debian's cron only what becomes of @reboot",
        subject=r"\(CRON\) STARTUP \(.*\)",
        holds=_only_ours,
    ),
    Known(
        "log line",
        "the number of the pid file's descriptor means nothing in another program",
        subject=r"\(CRON\) INFO \(pidfile fd = \d+\)",
    ),
)


def explain(difference: Difference) -> str | None:
    """Return the reason of a known difference, None of any other."""
    return next((known.why for known in KNOWN if known.explains(difference)), None)
