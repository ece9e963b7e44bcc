"""Which outputs go: by age, by how many a job has, by what all of them take.

Pure but for `outputs_in`, which looks into a folder. Knows what the name and the label of an output say, and
nothing of attempts. Called by pruning.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from crond.launcher.labels import Label, read
from crond.launcher.outputs import LABEL
from crond.launcher.trimming import is_oversized, occupied
from crond.model.messages import is_attempt_key

_DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be kept; 0 is no limit. `max_size` is of one output, `total_size` of all; both in bytes.

    `firm` names those of them that hold for every job, whatever its entry says.
    """

    max_size: int
    keep_days: float
    keep_runs: int
    total_size: int
    firm: Sequence[str] = ()


class Output(NamedTuple):
    """One output file. `label` is None where it has none; `written` is its last change, in epoch seconds.

    `max_size` is what it may take, in bytes, and `oversized` whether it takes more.
    """

    path: str
    uid: int
    run: str
    label: Label | None
    written: float
    size: int  #: bytes on the disk
    empty: bool
    max_size: int = 0
    oversized: bool = False


def outputs_in(folder: str, uid: int, max_size: int) -> Iterator[Output | None]:
    """Yield the outputs in `folder`, which are of `uid`; None for each that went meanwhile.

    `max_size` is for those whose label names none.
    """
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
        label = read(os.readlink(entry.path + LABEL))
    except OSError:
        label = None
    if label is not None and label.max_size is not None:
        max_size = label.max_size
    return Output(
        path=entry.path,
        uid=uid,
        run=entry.name.rpartition(".")[0],
        label=label,
        written=found.st_mtime,
        size=occupied(found),
        empty=found.st_size == 0,
        max_size=max_size,
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
    jobs: dict[tuple[int, str], _Job] = {}
    total = 0
    gone = []
    for output in newest_first:
        job = None
        if output.label is not None:
            # What its newest output says holds for all of a job: so an entry that is changed is obeyed.
            job = jobs.setdefault((output.uid, output.label.job), _Job(output.label, limits))
        keep_days = limits.keep_days if job is None else job.keep_days
        # Nobody's output: its job was silent, and the launcher died before it could remove it.
        too_old = 0 < keep_days * _DAY < now - output.written or (
            output.empty and now - output.written > 3600
        )
        if too_old or (job is not None and job.has_enough_without(output.run)):
            gone.append(output)
        elif limits.total_size and total + output.size > limits.total_size:
            # What is older goes too, or the newest of the large ones would live shorter than small old ones.
            total = limits.total_size
            gone.append(output)
        else:
            total += output.size
    return gone[::-1]


class _Job:
    """What may be kept of one job, and the runs of it that are. `label` is that of its newest output."""

    def __init__(self, label: Label, limits: Limits) -> None:
        days, runs = label.keep_days, label.keep_runs
        self.keep_days = limits.keep_days if days is None or "keep_days" in limits.firm else days
        self._keep_runs = limits.keep_runs if runs is None or "keep_runs" in limits.firm else runs
        self._kept: set[str] = set()

    def has_enough_without(self, run: str) -> bool:
        """True if so many later runs are kept that `run` is not to be; else it is kept from now on."""
        if run not in self._kept and 0 < self._keep_runs <= len(self._kept):
            return True
        self._kept.add(run)
        return False
