"""Folders, daemons and their ends for the launcher's tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crond.launcher.config import Config
from tests.launcher.alerting import Alerting
from tests.launcher.daemon import PACKAGE, Daemon


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users may enter, as pytest's own is not."""
    path = Path(tempfile.mkdtemp(prefix="crontabx-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def daemon(folder: Path) -> Iterator[Callable[..., Daemon]]:
    """Starts launchers and ends them."""
    begun: list[Daemon] = []

    def begin(config: Config, **more: Any) -> Daemon:
        begun.append(Daemon(config, folder, **more))
        return begun[-1]

    yield begin
    for each in begun:
        each.close()


@pytest.fixture
def host(folder: Path) -> Callable[..., Config]:
    """Makes a host: system crontab, cron.d and spool in the test's folder."""
    for name in ("cron.d", "spool"):
        (folder / name).mkdir(mode=0o755)

    def make(**more: Any) -> Config:
        settings: dict[str, Any] = {
            "mode": "host",
            "package": PACKAGE,
            "state": str(folder / "state"),
            "run": str(folder / "run"),
            "system_crontab": str(folder / "crontab"),
            "cron_d": str(folder / "cron.d"),
            "spool": str(folder / "spool"),
            "account": "daemon" if os.geteuid() == 0 else None,
            "pid_file": str(folder / "crond.pid"),
            "reboot_marker": str(folder / "reboot"),
            "kill_timeout": 2.0,
            "recorder": False,
            "mail": "off",
        }
        return Config(**(settings | more))

    return make


@pytest.fixture
def alerting(folder: Path) -> Iterator[Alerting]:
    """A recorder that is the test, and a notifier that does as it is told."""
    made = Alerting(folder)
    yield made
    made.close()
