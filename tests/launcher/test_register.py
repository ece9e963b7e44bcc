"""What the file of running processes is worth after whatever happened to it."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crond.launcher.boottime import UNKNOWN
from crond.launcher.register import Line, Register

BOOT = "boot.1"
LINES = [Line(f"r{number}.1", 100 + number, 5 * number, "job é", 0, "root", 1.5) for number in range(5)]
NEXT = Line("next.-1", 7, 7, "next", 65534, "nobody", 2.0)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file grows beyond `size` bytes: what a full disk does to a write, whoever is root."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def whole(path: Path) -> bytes:
    """Write LINES to `path`; return the bytes."""
    Register(str(path), BOOT).add(LINES)
    return path.read_bytes()


def test_what_was_added_is_read_in_the_next_life(tmp_path: Path) -> None:
    """In its order, by a file that nobody else reads."""
    path = tmp_path / "processes"
    first = Register(str(path), BOOT)
    first.add(LINES[:2])
    first.add(LINES[2:])
    assert Register(str(path), BOOT).read() == LINES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_replacing_leaves_what_is_named(tmp_path: Path) -> None:
    """And what is added later stands behind it."""
    path = tmp_path / "processes"
    register = Register(str(path), BOOT)
    register.add(LINES)
    register.replace(LINES[3:4])
    register.add([NEXT])
    assert Register(str(path), BOOT).read() == [LINES[3], NEXT]
    assert os.listdir(tmp_path) == ["processes"]


@given(st.integers(min_value=0))
@example(0)
def test_a_torn_end_costs_one_line(cut: int) -> None:
    """Killed in the middle of a write: the lines before it are read, and each that is added after."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "processes"
        text = whole(path)
        path.write_bytes(text[: cut % len(text)])
        later = Register(str(path), BOOT)
        survived = later.read()
        later.add([NEXT])
        assert survived == LINES[: len(survived)]
        assert len(survived) >= text[: cut % len(text)].count(b"]")
        assert Register(str(path), BOOT).read() == [*survived, NEXT]


@given(st.integers(min_value=0), st.binary(max_size=300))
@example(0, b'\n["boot.1", "r.1", 0, 1, "job", 0, "root", 1.0]')
@example(0, b'\n["boot.1", "r.1", true, 1, "job", 0, "root", 1.0]')
@example(0, b'\n["boot.1", "../x.1", 5, 1, "job", 0, "root", 1.0]')
@example(0, b'\n["boot.1", "r.1", 5, 1, "job", -1, "root", 1.0]')
@example(0, b'\n["boot.1", "r.1", 5, 1, "job", 0, "root", NaN]')
@example(0, b'\n["boot.1", "r.1", 5, 1, "job", 0, "root"]')
@example(0, b"\n" + b"[" * 200)
def test_garbage_is_no_line(place: int, garbage: bytes) -> None:
    """Bytes put over others: no error, and nothing that was not written before."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "processes"
        text = whole(path)
        at = place % len(text)
        path.write_bytes(text[:at] + garbage + b"\n" + text[at:])
        read = Register(str(path), BOOT).read()
        assert set(read) <= set(LINES)
        assert len(read) >= len(LINES) - 1


def test_another_boot_has_other_processes(tmp_path: Path) -> None:
    """Numbers begin anew with each boot, and a boot that cannot be told from others is none."""
    path = tmp_path / "processes"
    whole(path)
    assert Register(str(path), "boot.2").read() == []
    Register(str(path), UNKNOWN).add(LINES)
    assert Register(str(path), UNKNOWN).read() == []


def test_a_later_version_may_say_more(tmp_path: Path) -> None:
    """A downgrade reads what it knows: the file is read at an upgrade above all."""
    path = tmp_path / "processes"
    path.write_bytes(whole(path).replace(b"]", b', "more"]'))
    assert Register(str(path), BOOT).read() == LINES


def test_a_mark_is_kept(tmp_path: Path) -> None:
    """Earlier versions wrote none, and what is no mark is none."""
    path = tmp_path / "processes"
    marked = NEXT._replace(mark=2**62 + 5)
    Register(str(path), BOOT).add([marked])
    assert Register(str(path), BOOT).read() == [marked]
    for other in (b'"x"]', b"true]", b"-1]", b"9223372036854775808]"):
        path.write_bytes(path.read_bytes().rpartition(b" ")[0] + b" " + other)
        assert Register(str(path), BOOT).read() == [NEXT]
    path.write_bytes(path.read_bytes().rpartition(b",")[0] + b"]")
    assert Register(str(path), BOOT).read() == [NEXT]


def test_a_full_disk(tmp_path: Path) -> None:
    """Half a batch is an error; lines before it are still there, and those after it once there is room."""
    path = tmp_path / "processes"
    room = len(whole(path)) + 20
    register = Register(str(path), BOOT)
    with largest_file(room), pytest.raises(OSError, match="No space"):
        register.add([NEXT])
    with largest_file(room), pytest.raises(OSError, match="too large"):
        register.add([NEXT])
    with largest_file(room), pytest.raises(OSError, match="No space"):
        register.replace([*LINES, NEXT])
    assert os.listdir(tmp_path) == ["processes"]
    register.add([NEXT])
    assert Register(str(path), BOOT).read() == [*LINES, NEXT]


def test_what_others_may_write_is_not_believed(tmp_path: Path) -> None:
    """Nor what a link leads to; a file of our own takes its place."""
    path, elsewhere = tmp_path / "processes", tmp_path / "elsewhere"
    whole(path)
    path.chmod(0o622)
    with pytest.raises(OSError, match="crond's own"):
        Register(str(path), BOOT).read()
    path.chmod(0o600)
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    register = Register(str(path), BOOT)
    with pytest.raises(OSError, match="symbolic"):
        register.read()
    register.replace([NEXT])
    assert Register(str(path), BOOT).read() == [NEXT]
    assert Register(str(elsewhere), BOOT).read() == LINES


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away needs root")
def test_a_file_of_somebody_else_is_not_believed(tmp_path: Path) -> None:
    """Whoever it belongs to may have written what it says."""
    path = tmp_path / "processes"
    whole(path)
    os.chown(path, 65534, -1)
    with pytest.raises(OSError, match="crond's own"):
        Register(str(path), BOOT).read()
