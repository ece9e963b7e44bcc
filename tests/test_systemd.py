"""The files for systemd are ones that systemd takes, and say what the daemon needs."""

from __future__ import annotations

import configparser
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "contrib" / "systemd"
UNIT = FOLDER / "crontabx.service"


def program(name: str) -> str:
    """Return the path of systemd's `name`, or skip."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_systemd_verifies_the_unit(tmp_path: pathlib.Path) -> None:
    """`systemd-analyze verify` finds nothing, once the program is where the unit says."""
    stand_in = tmp_path / "crond"
    stand_in.write_text("#!/bin/sh\n")
    stand_in.chmod(0o755)
    unit = tmp_path / UNIT.name
    text = UNIT.read_text()
    assert "ExecStart=/opt/crontabx/bin/crond " in text
    unit.write_text(text.replace("/opt/crontabx/bin/crond", str(stand_in)))
    done = subprocess.run(
        [program("systemd-analyze"), "verify", "--man=no", "--recursive-errors=no", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (done.returncode, ours) == (0, [])


def unit() -> configparser.ConfigParser:
    """Return the unit, read."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNIT)
    return parser


def test_what_the_unit_promises() -> None:
    """Jobs outlive the daemon, two crons never run at once, a hang is noticed, reload reads the tables."""
    service = unit()["Service"]
    assert service["Type"] == "notify"
    # The journal is to hold the lines of a cron, and not those of the foreground.
    assert service["ExecStart"].split()[1:3] == ["-f", "--syslog"]
    assert service["KillMode"] == "process"
    assert service["ExecReload"] == "/bin/kill -URG $MAINPID"
    assert service["Restart"] == "on-failure"
    assert int(service["WatchdogSec"]) > 0
    assert service["OOMPolicy"] == "continue"
    assert {"cron.service", "crond.service"} <= set(unit()["Unit"]["Conflicts"].split())


def test_the_manual_that_the_unit_names_is_ours() -> None:
    """`systemctl help crontabx` must find a page."""
    assert unit()["Unit"]["Documentation"] == "man:crond(8)"
    assert (ROOT / "docs" / "man" / "crond.8").exists()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="makes an account in a folder that stands for /")
def test_the_account_and_the_folders(tmp_path: pathlib.Path) -> None:
    """The account is made by sysusers; the folders by tmpfiles, closed as they must be."""
    (tmp_path / "etc").mkdir()
    for command in (
        [program("systemd-sysusers"), f"--root={tmp_path}", str(FOLDER / "crontabx.sysusers.conf")],
        [
            program("systemd-tmpfiles"),
            f"--root={tmp_path}",
            "--create",
            str(FOLDER / "crontabx.tmpfiles.conf"),
        ],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    fields = next(
        line.split(":")
        for line in (tmp_path / "etc" / "passwd").read_text().splitlines()
        if line.startswith("crontabx:")
    )
    assert fields[6] == "/usr/sbin/nologin"
    modes = {
        "run/crontabx": 0o755,
        "var/lib/crontabx": 0o711,
        "var/lib/crontabx/outputs": 0o700,
        "var/lib/crontabx/scheduler": 0o700,
    }
    assert {name: (tmp_path / name).stat().st_mode & 0o7777 for name in modes} == modes
    assert (tmp_path / "var/lib/crontabx/scheduler").stat().st_uid == int(fields[2])
    assert (tmp_path / "var/lib/crontabx/outputs").stat().st_uid == 0
