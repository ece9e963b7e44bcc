"""The process that writes a letter: what of an output it writes, and that it waits for nobody who is gone."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from tests.launcher.daemon import DEADLINE, PACKAGE, PYTHON

_PROGRAM = """
import os, sys
sys.path.insert(0, sys.argv[1])
os.dup2(int(sys.argv[2]), 3)
os.dup2(1, 4)
from crond.launcher.feeding import main
sys.exit(main(*sys.argv[3:]))
"""


def fed(output: Path, size: int, *told: str) -> bytes:
    """Return what it writes after the headers `H`."""
    fd = os.open(output, os.O_RDONLY)
    try:
        done = subprocess.run(
            [PYTHON, "-I", "-S", "-c", _PROGRAM, PACKAGE, str(fd), str(size), "20", *told, "no"],
            input=b"H\n\n",
            pass_fds=(fd,),
            capture_output=True,
            timeout=DEADLINE,
            check=True,
        )
    finally:
        os.close(fd)
    return done.stdout.removeprefix(b"H\n\n")


def test_a_hole_is_said_and_what_came_later_is_not_sent(tmp_path: Path) -> None:
    """Head and tail, a line between them of its own; bytes behind the size at the job's end are not its."""
    output = tmp_path / "output"
    with output.open("wb") as file:
        file.write(b"a" * 4096)
        file.seek(1 << 20)
        file.write(b"tail\r\nand a child's")
    body = fed(output, (1 << 20) + 6, "drop", "no")
    assert body == b"a" * 4096 + b"\n[... 1,044,480 bytes left out ...]\ntail\n"


def test_a_mailer_that_reads_nothing(tmp_path: Path) -> None:
    """It is no error of this process, which ends."""
    output = tmp_path / "output"
    output.write_bytes(b"x" * 1_000_000)
    reading, writing = os.pipe()
    fd = os.open(output, os.O_RDONLY)
    command = [PYTHON, "-I", "-S", "-c", _PROGRAM, PACKAGE, str(fd), "1000000", "20", "keep", "no", "no"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=writing, pass_fds=(fd,))
    for each in (writing, fd, reading):
        os.close(each)
    assert process.wait(DEADLINE) == 0


def test_a_mailer_that_hangs_after_the_launcher_died(tmp_path: Path) -> None:
    """Processes of a launcher that was killed waited for a mailer that read no more, for ever."""
    output = tmp_path / "output"
    output.write_bytes(b"x" * 1_000_000)
    reading, writing = os.pipe()
    fd = os.open(output, os.O_RDONLY)
    command = [PYTHON, "-I", "-S", "-c", _PROGRAM, PACKAGE, str(fd), "1000000", "1", "keep", "no", "no"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=writing, pass_fds=(fd,))
    assert process.wait(DEADLINE) == -signal.SIGALRM
    for each in (writing, fd, reading):
        os.close(each)
