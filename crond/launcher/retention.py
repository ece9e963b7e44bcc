"""Which outputs go: by age, by how many a job has, by what all of them take.

Pure but for `outputs_in`, which looks into a folder. Knows what the name and the label of an output say, and
nothing of attempts. Called by pruning.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from crond.launcher.outputs import LABEL
from crond.launcher.trimming import is_oversized, occupied
from crond.model.messages import is_attempt_key

_DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be kept; 0 is no limit. `max_size` is of one output, `total_size` of all; both in bytes."""

    max_size: int
    keep_days: float
    keep_runs: int
    total_size: int


class Output(NamedTuple):
    """One output file. `job` is None where no label says; `written` is its last change, in epoch seconds."""

    path: str
    uid: int
    run: str
    job: str | None
    written: float
    size: int  #: bytes on the disk
    empty: bool
    oversized: bool


def outputs_in(folder: str, uid: int, max_size: int) -> Iterator[Output | None]:
    """Yield the outputs in `folder`, which are of `uid`; None for each that went meanwhile."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_attempt_key(entry.name):
                yield _output(entry, uid, max_size)


def _output(entry: os.DirEntry[str], uid: int, max_size: int) -> Output | None:
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    try:
        job = os.readlink(entry.path + LABEL)
    except OSError:
        job = None
    return Output(
        path=entry.path,
        uid=uid,
        run=entry.name.rpartition(".")[0],
        job=job,
        written=found.st_mtime,
        size=occupied(found),
        empty=found.st_size == 0,
        oversized=max_size > 0 and is_oversized(found, max_size),
    )


def orphans_in(folder: str) -> list[str]:
    """Return the labels in `folder` whose output is gone."""
    with os.scandir(folder) as entries:
        labels = [entry.path for entry in entries if entry.name.endswith(LABEL)]
    return [path for path in labels if not os.path.lexists(path.removesuffix(LABEL))]


def doomed(outputs: Iterable[Output], limits: Limits, now: float) -> list[Output]:
    """Return which of `outputs` are to go at `now` (epoch seconds), the oldest first."""
    newest_first = sorted(outputs, key=attrgetter("written"), reverse=True)
    runs: dict[tuple[int, str], set[str]] = {}
    total = 0
    gone = []
    for output in newest_first:
        # Nobody's output: its job was silent, and the launcher died before it could remove it.
        too_old = 0 < limits.keep_days * _DAY < now - output.written or (
            output.empty and now - output.written > 3600
        )
        if too_old or _is_surplus(output, runs, limits.keep_runs):
            gone.append(output)
        elif limits.total_size and total + output.size > limits.total_size:
            # What is older goes too, or the newest of the large ones would live shorter than small old ones.
            total = limits.total_size
            gone.append(output)
        else:
            total += output.size
    return gone[::-1]


def _is_surplus(output: Output, runs: dict[tuple[int, str], set[str]], keep: int) -> bool:
    """True if `keep` later runs of its job have an output; notes its run if not."""
    if keep == 0 or output.job is None:
        return False
    held = runs.setdefault((output.uid, output.job), set())
    if output.run not in held and len(held) >= keep:
        return True
    held.add(output.run)
    return False
