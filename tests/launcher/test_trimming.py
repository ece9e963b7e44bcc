"""Dropping the middle of a file, with and without holes, and reading around what was dropped."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crond.launcher import trimming
from crond.launcher.holes import left_out, pieces
from crond.launcher.trimming import Trimmer, is_written, occupied, trim
from tests.launcher.daemon import until

LIMIT = 64 * 1024
BIG = 1_000_003


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of distinct lines, large beside LIMIT."""
    path = tmp_path / "output"
    path.write_bytes(b"".join(b"%09d\n" % number for number in range(BIG // 10)) + b"end")
    assert path.stat().st_size == BIG
    return path


@pytest.fixture
def _no_sigio() -> Iterator[None]:
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGIO, before)


def no_holes(_fd: int, _offset: int, _length: int) -> None:
    raise OSError(errno.EOPNOTSUPP, "not here")


def read_all(path: Path) -> list[bytes | int]:
    fd = os.open(path, os.O_RDONLY)
    try:
        return list(pieces(fd, 0, os.fstat(fd).st_size))
    finally:
        os.close(fd)


@pytest.mark.parametrize("holes", [True, False], ids=["punched", "cut"])
def test_head_and_tail_stay(file: Path, holes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the limit of each end stays byte for byte, the size stays, and the count is exact."""
    if not holes:
        monkeypatch.setattr(trimming, "punch_hole", no_holes)
    before = file.read_bytes()
    assert trim(str(file), LIMIT) > 900_000
    assert file.stat().st_size == BIG
    assert occupied(file.stat()) <= LIMIT + 4096
    head, gap, *tail = read_all(file)
    end = b"".join(part for part in tail if isinstance(part, bytes))
    assert isinstance(head, bytes)
    assert isinstance(gap, int)
    assert len(head) == LIMIT // 2
    assert LIMIT // 2 - 4096 < len(end) <= LIMIT // 2
    assert (head, end) == (before[: len(head)], before[-len(end) :])
    assert len(head) + gap + len(end) == BIG
    assert trim(str(file), LIMIT) == 0


def test_where_lengthening_makes_no_hole(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without sparse files: the file is cut, and says so itself."""
    monkeypatch.setattr(trimming, "punch_hole", no_holes)
    monkeypatch.setattr(trimming, "occupied", lambda found: found.st_size)
    trim(str(file), LIMIT)
    text = file.read_bytes()
    assert text[LIMIT // 2 :] == b"\n" + left_out(BIG - LIMIT // 2)


def test_the_writer_goes_on_where_it_was(file: Path) -> None:
    """An O_APPEND writer's next byte comes after its last, whatever was dropped."""
    with file.open("ab", buffering=0) as writer:
        trim(str(file), LIMIT)
        writer.write(b" and more")
    assert file.stat().st_size == BIG + 9
    last = read_all(file)[-1]
    assert isinstance(last, bytes)
    assert last.endswith(b"end and more")


def test_a_small_or_missing_file_is_left_alone(file: Path) -> None:
    """No hole below the limit; a link is not followed; what is gone is no error."""
    assert trim(str(file), BIG) == 0
    link = file.with_name("link")
    link.symlink_to(file)
    assert trim(str(link), LIMIT) == 0
    assert trim(str(file) + "x", LIMIT) == 0
    assert occupied(file.stat()) >= BIG - 4096


def test_what_is_dropped_while_it_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hole made between looking and reading is a hole, not NULs."""
    fd = os.open(file, os.O_RDONLY)
    pread = os.pread

    def late(fd: int, count: int, offset: int) -> bytes:
        trim(str(file), LIMIT)
        return pread(fd, count, offset)

    monkeypatch.setattr(os, "pread", late)
    found = list(pieces(fd, 0, BIG))
    os.close(fd)
    assert all(b"\0" not in part for part in found if isinstance(part, bytes))
    assert sum(part if isinstance(part, int) else len(part) for part in found) == BIG


def test_a_job_may_leave_holes_of_its_own(tmp_path: Path) -> None:
    """A hole at the end, as by truncate(1), is told like any other; an empty file is nothing."""
    path = tmp_path / "x"
    path.write_bytes(b"")
    assert read_all(path) == []
    os.truncate(path, 1 << 30)
    assert read_all(path) == [1 << 30]


def test_the_line_for_a_hole() -> None:
    """The count is grouped, so that gigabytes are told from megabytes."""
    assert left_out(123456789) == b"[... 123,456,789 bytes left out ...]\n"


@pytest.mark.usefixtures("_no_sigio")
def test_who_writes_is_known(file: Path) -> None:
    """Open for writing counts, whoever has it; readers and the past do not."""
    with file.open("rb"):
        assert not is_written(str(file))
        with file.open("ab"):
            assert is_written(str(file))
    assert not is_written(str(file))
    assert not is_written(str(file) + "x")


@pytest.mark.usefixtures("_no_sigio")
def test_the_trimmer_stays_with_a_file_while_it_is_written(file: Path) -> None:
    """A writer keeps its file watched, a fast one more often; the last look comes after its end."""
    trimmer = Trimmer()
    with file.open("ab", buffering=0) as writer:
        trimmer.add(str(file), LIMIT)
        assert trimmer.patience(100.0) == 0.0
        trimmer.look(100.0)
        assert trimmer.patience(100.0) == pytest.approx(0.05)
        trimmer.look(101.0)
        assert trimmer.patience(101.0) == pytest.approx(1.0)
        writer.write(bytes(5 * LIMIT))
        trimmer.look(102.0)
        assert trimmer.patience(102.0) == pytest.approx(0.2)
        writer.write(bytes(100 * LIMIT))
    trimmer.look(103.0)
    assert len(trimmer) == 0
    assert occupied(file.stat()) <= LIMIT + 4096


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGIO])
def test_the_program(file: Path, number: signal.Signals) -> None:
    """It trims what it is told, outlives Ctrl-C, stays while somebody writes, and then ends by itself."""
    import subprocess
    import sys

    code = "from crond.launcher.trimming import main; main()"
    told = b"%d %s\0" % (LIMIT, os.fsencode(file))
    with file.open("ab", buffering=0) as writer:
        process: Any = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
        process.stdin.write(told[:3])
        process.stdin.flush()
        process.stdin.write(told[3:])
        process.stdin.close()
        until(lambda: occupied(file.stat()) <= LIMIT + 4096)
        process.send_signal(number)
        for _ in range(3):
            writer.write(b"x" * BIG)
            until(lambda: occupied(file.stat()) <= LIMIT + 4096)
        assert process.poll() is None
    assert process.wait(20) == 0
