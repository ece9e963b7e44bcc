"""The job that every peer runs: it notes when it began, and if it is asked to, when it ended.

Owns the program, the crontab and how the notes are read. A small C program where there is a compiler, else
a script with date(1), some milliseconds slower: dash has no clock of its own.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
from dataclasses import dataclass

from bench.tables import Entry

_SOURCE = pathlib.Path(__file__).with_name("job.c")
_SCRIPT = """\
#!/bin/sh
note=$(date "+%s%N $1 $$")
echo "$note" >>"$2"
echo "$note"
[ -z "$3" ] || date "+%s%N $1 $$" >>"$3"
"""


@dataclass(frozen=True, slots=True)
class Note:
    """Job `number` began (or ended) at `at`, nanoseconds since the epoch."""

    at: int
    number: int


@dataclass(frozen=True, slots=True)
class Job:
    """`program` is run as PROGRAM NUMBER BEGAN [ENDED], files of notes; `kind` says what it is: "C" or
    "date".
    """

    program: pathlib.Path
    kind: str

    def entries(self, count: int, notes: pathlib.Path, schedule: str = "* * * * *") -> list[Entry]:
        """Return `count` entries that are due at `schedule` and append to `notes`."""
        return [Entry(schedule, f"{self.program} {number} {notes}") for number in range(count)]

    def command(self, number: int, began: pathlib.Path, ended: pathlib.Path) -> str:
        """Return the command of job `number` that notes both its ends."""
        return f"{self.program} {number} {began} {ended}"


def make_job(folder: pathlib.Path) -> Job:
    """Make the job in `folder`: compiled if there is a compiler, statically if that is possible."""
    program = folder / "job"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is not None:
        for flags in (["-O2", "-static"], ["-O2"]):
            command = [compiler, *flags, "-o", str(program), str(_SOURCE)]
            if subprocess.run(command, check=False, capture_output=True).returncode == 0:
                return Job(program, "C")
    return make_script(program)


def make_script(program: pathlib.Path) -> Job:
    """Make the job that needs no compiler."""
    program.write_text(_SCRIPT, encoding="ascii")
    program.chmod(0o755)
    return Job(program, "date")


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
