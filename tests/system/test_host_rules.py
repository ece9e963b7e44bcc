"""What a host's settings say of every crontab, in the real daemon."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.conftest import StartFiles
from tests.system.ground import Ground

SETTINGS = """\
[defaults]
working_dir = "{folder}"
retries = 1
retry_delay = 0
on_failure = "json://me:hunter2@h.example/"

[pools]
one = 1
"""


@pytest.fixture
def folder(ground: Ground) -> Path:
    return ground.new_folder("files")


def test_plain_entries_are_reached_and_nothing_secret_is_shown(start_files: StartFiles, folder: Path) -> None:
    """A plain entry starts where the host says and is tried again; a secret there is in no argument."""
    settings, crontab, rest = folder / "settings.toml", folder / "crontab", folder / "rest"
    settings.write_text(SETTINGS.format(folder=folder))
    crontab.write_text(
        f"#: name=pooled pool=one retries=none\n@every 1s true\n@every 1s pwd; env >{rest}; false\n"
    )
    crond = start_files(folder, "--settings", str(settings), str(crontab)).up()
    (plain,) = (job for job in crond.jobs() if not job.endswith("/pooled"))
    run = crond.ended(plain)[0]
    assert (run["outcome"], run["attempts"]) == ("failed", 2)
    assert crond.output(f"{run['id']}.1") == f"{folder}\n".encode()
    pooled = next(job for job in crond.jobs() if job.endswith("/pooled"))
    assert crond.ended(pooled)[0]["outcome"] == "success"
    told = rest.read_text() + "".join(crond.lines + crond.errors)
    for pid in (crond.pid, crond.scheduler_pid()):
        told += Path(f"/proc/{pid}/cmdline").read_text()
    assert "hunter2" not in told
    assert "CRONTABX_PRIVATE" not in told
