"""The cage of the benchmark: what a daemon does in it must not reach the host."""

from __future__ import annotations

import os
import pathlib
import shutil
import time

import pytest

from bench.cage import Cage, CageError
from bench.tables import Tables

pytestmark = [
    pytest.mark.root,
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root"),
    pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare"),
]


def caged(folder: pathlib.Path, script: str) -> Cage:
    """Return a cage that runs `script`, which touches FOLDER/done at its end, once that is there."""
    folder.mkdir()
    command = ["sh", "-c", f"{script}; touch {folder}/done; exec sleep 60"]
    cage = Cage(folder, owner="root", tables=Tables(""), command=command, cwd=folder)
    cage.release()
    deadline = time.monotonic() + 20
    while not (folder / "done").exists():
        if time.monotonic() > deadline:
            cage.close()
            pytest.fail((folder / "log").read_text())
        time.sleep(0.02)
    return cage


def test_nothing_written_in_a_cage_reaches_the_host(tmp_path: pathlib.Path) -> None:
    """Spools, mailboxes, logs, /run and /etc of the host stay as they are."""
    name = f"crontabx-bench-test-{os.getpid()}"
    places = [p for p in ("/var/spool", "/var/mail", "/var/log", "/run", "/etc") if os.path.isdir(p)]
    cage = caged(tmp_path / "cage", "; ".join(f"touch {place}/{name} || exit" for place in places))
    cage.close()
    assert [place for place in places if os.path.exists(f"{place}/{name}")] == []


@pytest.mark.skipif(not os.path.exists("/usr/sbin/sendmail"), reason="needs a sendmail to hide")
def test_a_daemon_that_mails_is_found_out(tmp_path: pathlib.Path) -> None:
    """Once busybox took two quotes for an address, and 2000 messages went to the host's mailbox."""
    cage = caged(tmp_path / "cage", "echo hello | /usr/sbin/sendmail root")
    try:
        with pytest.raises(CageError, match="sends mail"):
            cage.require_no_mail()
    finally:
        cage.close()


def test_closing_ends_all_that_runs_in_it(tmp_path: pathlib.Path) -> None:
    """Not even what left the daemon's session stays behind."""
    cage = caged(tmp_path / "cage", "setsid sleep 61 & :")
    living = cage.processes()
    assert len(living) >= 4
    cage.close()
    assert [pid for pid in living if os.path.exists(f"/proc/{pid}")] == []
