"""The entries of a measurement, in the words of each cron: a user's crontab, files of cron.d, YAML.

Pure. Called by the peers, which say what they read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

#: Debian's cron takes 10,000 entries of a crontab and of each file of cron.d, cronie 1000 of the latter.
PER_FILE = 900


@dataclass(frozen=True, slots=True)
class Entry:
    """`schedule` is five fields or a nickname; `command` is for /bin/sh."""

    schedule: str
    command: str


@dataclass(frozen=True, slots=True)
class Tables:
    """What a cron reads: the text of its user's crontab, and the files of cron.d by name."""

    crontab: str
    cron_d: Mapping[str, str] = field(default_factory=dict)


def crontab(entries: Sequence[Entry], _owner: str, no_mail: str) -> Tables:
    """Return all `entries` as one crontab of a user."""
    return Tables(_text(no_mail, [f"{one.schedule} {one.command}" for one in entries]))


def spread(entries: Sequence[Entry], owner: str, no_mail: str) -> Tables:
    """Return `entries` as files of cron.d, PER_FILE to each."""
    lines = [f"{one.schedule} {owner} {one.command}" for one in entries]
    files = [lines[start : start + PER_FILE] for start in range(0, len(lines), PER_FILE)]
    return Tables("", {f"bench-{number}": _text(no_mail, part) for number, part in enumerate(files)})


def yaml(entries: Sequence[Entry], _owner: str, _no_mail: str) -> Tables:
    """Return `entries` as the YAML of yacron and cronstable, with output captured."""
    lines = [
        "defaults:",
        "  captureStdout: true",
        "  captureStderr: true",
        "jobs:" if entries else "jobs: []",
    ]
    for number, one in enumerate(entries):
        # A string of JSON is one of YAML.
        lines.append(f"  - name: job{number}")
        lines.append(f"    command: {json.dumps(one.command)}")
        lines.append(f"    schedule: {json.dumps(one.schedule)}")
    return Tables("\n".join(lines) + "\n")


def _text(first: str, lines: Sequence[str]) -> str:
    return "\n".join([first, *lines]) + "\n"
