"""The job that every peer runs: it notes when it began.

Owns how a crontab line is written for it and how its notes are read. A small C program where there is a
compiler, else date(1), which takes about a millisecond more: dash has no clock of its own.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
from dataclasses import dataclass

_SOURCE = pathlib.Path(__file__).with_name("job.c")


@dataclass(frozen=True, slots=True)
class Note:
    """Job `number` began at `at`, nanoseconds since the epoch."""

    at: int
    number: int


@dataclass(frozen=True, slots=True)
class Job:
    """`program` is the compiled job, None where date(1) serves."""

    program: pathlib.Path | None

    @property
    def kind(self) -> str:
        return "date" if self.program is None else "C"

    def line(self, number: int, notes: pathlib.Path) -> str:
        """Return the crontab line, due every minute, of job `number`, which appends to `notes`."""
        if self.program is None:
            return f"* * * * * date '+\\%s\\%N {number} 0' | tee -a {notes}"
        return f"* * * * * {self.program} {number} {notes}"

    def crontab(self, count: int, notes: pathlib.Path) -> str:
        """Return a crontab of `count` jobs that are all due every minute and mail nothing."""
        lines = ['MAILTO=""', *(self.line(number, notes) for number in range(count))]
        return "\n".join(lines) + "\n"


def make_job(folder: pathlib.Path) -> Job:
    """Compile the job into `folder` if there is a compiler, statically if that is possible."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    program = folder / "job"
    if compiler is not None:
        for flags in (["-O2", "-static"], ["-O2"]):
            command = [compiler, *flags, "-o", str(program), str(_SOURCE)]
            if subprocess.run(command, check=False, capture_output=True).returncode == 0:
                return Job(program)
    return Job(None)


def read_notes(path: pathlib.Path) -> list[Note]:
    """Return the notes in `path` that are whole, in the order in which they were written."""
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        return []
    lines = text.splitlines() if text.endswith("\n") else text.splitlines()[:-1]
    notes = []
    for line in lines:
        at, number, _pid = line.split()
        notes.append(Note(int(at), int(number)))
    return notes
