"""Nothing can wedge, with real processes: who holds the output open, and who will not end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.system.conftest import StartFiles
from tests.system.daemon import is_alive, wait_for
from tests.system.ground import Ground


@pytest.fixture
def folder(ground: Ground) -> Path:
    return ground.new_folder("files")


def test_a_helper_that_keeps_the_output_open(folder: Path, start_files: StartFiles) -> None:
    """A run never ended because its grandchild held the pipe, and `forbid` kept all others out for ever."""
    waits = f"(while [ ! -e {folder}/gate ]; do sleep 0.05; done)"
    (folder / "tab").write_text(f"#: name=job concurrency=forbid\n@every 1s {waits} & echo\n")
    crond = start_files(folder, str(folder / "tab")).up()
    runs = crond.ended("job", count=3)
    assert [run["outcome"] for run in runs[:3]] == ["success"] * 3
    (folder / "gate").touch()


def test_a_tree_that_will_not_end(folder: Path, start_files: StartFiles) -> None:
    """Only the top process got the signal: the rest, in a session of its own and deaf to TERM, ran on."""
    (folder / "deaf.sh").write_text(
        "trap '' TERM; echo $$ >>%s/pids; while :; do sleep 0.1; done\n" % folder  # noqa: UP031 - braces
    )
    # It leaves its parent, its session and its process group.
    away = f"setsid sh -c 'setsid sh {folder}/deaf.sh & exit' & sh {folder}/deaf.sh"
    (folder / "tab").write_text(
        f"#: name=job concurrency=forbid timeout=1s kill_timeout=1s\n@every 5s {away}\n"
    )
    crond = start_files(folder, str(folder / "tab")).up()
    (run,) = crond.ended("job")[:1]
    assert run["outcome"] == "timed_out"
    pids = [int(line) for line in (folder / "pids").read_text().split()][:2]
    assert len(pids) == 2
    wait_for(lambda: not any(is_alive(pid) and _is_ours(pid, folder) for pid in pids), "both are gone")


def _is_ours(pid: int, folder: Path) -> bool:
    """True while `pid` is still that process, and not another one that got its number."""
    try:
        return os.fsencode(f"{folder}/deaf.sh") in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
