"""The disk is full, or the launcher itself is killed: jobs go before our memory of them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.conftest import StartHost
from tests.system.daemon import host_folder, install, is_alive, wait_for
from tests.system.ground import Ground, People


@pytest.fixture
def small(ground: Ground, people: People) -> Iterator[Path]:
    """A host's folder whose state lies on a disk of one megabyte."""
    folder = host_folder(ground, people, dialect="cronie")
    state = folder / "state"
    state.mkdir(mode=0o711)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=711", "tmpfs", state], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", state], check=True)


def test_a_full_disk_stops_no_job(start_host: StartHost, people: People, small: Path) -> None:
    """A full disk was reported as `None`. Jobs run on without output, and all is well once there is room."""
    crond, folder = start_host(folder=small)
    proof = folder / "proof"
    proof.touch()
    proof.chmod(0o666)
    install(folder, people.ann, f"#: name=t\n@every 1s echo hello; echo ran >> {proof}\n")
    crond.up()
    wait_for(lambda: "ran" in proof.read_text(), "jobs run")
    filler = folder / "state" / "filler"
    subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=4k"], capture_output=True, check=False)
    crond.line("is kept", errors=True)
    said = crond.line("the journal cannot be written: ", errors=True)
    assert "None" not in said
    before = proof.read_text().count("ran")
    wait_for(lambda: proof.read_text().count("ran") >= before + 2, "jobs run on")
    assert crond.runs("t")[0]["outcome"] in ("success", None)

    filler.unlink()
    crond.line("the journal is complete again", errors=True)
    wait_for(lambda: crond.output(crond.ended("t")[-1]["attempt"]) == b"hello\n", "outputs are kept again")
    os.kill(crond.scheduler_pid(), signal.SIGKILL)
    crond.line("starting another", errors=True)
    wait_for(lambda: len(crond.runs("t")) >= 3, "what ran is known to the next scheduler")
    assert crond.end() == 0


def test_a_killed_launcher_takes_nothing_with_it(start_host: StartHost, people: People) -> None:
    """Jobs of a launcher that got SIGKILL run on into their outputs. The next daemon knows that they live, so
    that they still keep others out, and calls them lost only once they have gone.
    """
    crond, folder = start_host()
    gate = folder / "gate"
    install(
        folder,
        people.ann,
        "#: name=long concurrency=forbid\n"
        f"0 0 31 2 * echo begun; while [ ! -e {gate} ]; do sleep 0.05; done; echo ended\n",
    )
    crond.up()
    wait_for(crond.jobs, "the table is loaded")
    run = crond.ask("run", job="long")["run"]
    pid = wait_for(lambda: crond.runs("long")[0]["pid"], "the job runs")
    scheduler = crond.scheduler_pid()
    os.kill(crond.pid, signal.SIGKILL)
    crond.process.wait(20)
    wait_for(lambda: not is_alive(scheduler), "its scheduler ends by itself")
    assert is_alive(pid)

    following, _ = start_host(folder=folder)
    following.up()
    wait_for(lambda: following.runs("long"), "it is remembered")
    (alive,) = following.runs("long")
    assert (alive["id"], alive["state"], alive["pid"]) == (run["id"], "running", pid)
    kept_out = following.run_now("long")
    assert (kept_out["outcome"], kept_out["reason"]) == ("skipped", "the run before it was still alive")
    key = f"{run['id']}.1"
    assert following.output(key) == b"begun\n"
    gate.touch()
    lost = wait_for(
        lambda: next((one for one in following.ended("long") if one["id"] == run["id"]), None),
        "it is gone",
    )
    assert (lost["outcome"], lost["exit_code"]) == ("lost", None)
    assert following.output(key) == b"begun\nended\n"
    assert following.run_now("long")["outcome"] == "success"
    assert following.end() == 0


def test_a_damaged_journal_stops_nobody(start_host: StartHost, people: People) -> None:
    """Lines that are none are left out, said and set aside; runs that can be read are still known."""
    crond, folder = start_host()
    install(folder, people.ann, "#: name=one\n0 0 31 2 * echo one\n")
    crond.up()
    wait_for(crond.jobs, "the table is loaded")
    run = crond.run_now("one")
    scheduler = crond.scheduler_pid()
    os.kill(scheduler, signal.SIGSTOP)
    journal = max((folder / "state" / "scheduler").glob("journal.[0-9]*"))
    with journal.open("ab") as file:
        file.write(b'no json\n["unknown"]\n{"a":1}\n["run",5]\n["due",[["a"]]]\n\xff\xfe\n["planned"')
    os.kill(scheduler, signal.SIGKILL)
    crond.line("lines that cannot be read; they are left out", errors=True)
    assert [one["id"] for one in crond.runs("one")] == [run["id"]]
    assert crond.run_now("one")["outcome"] == "success"
    assert list(journal.parent.glob("*damaged*"))
    assert crond.end() == 0
