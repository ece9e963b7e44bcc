"""The crons that are compared: how each is found and started.

Owns command lines and settings. Knows nothing of minutes and measurements.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from bench.cage import SCHEDULER, free_uid

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Missing(Exception):
    """A peer cannot be started here; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Peer:
    """`command` returns the daemon's command line; its argument is a folder of its own. Raises Missing.

    `no_mail` is the crontab line by which this cron mails nothing.
    """

    name: str
    title: str
    command: Callable[[pathlib.Path], list[str]]
    no_mail: str = 'MAILTO=""'


def _crond(folder: pathlib.Path) -> list[str]:
    settings = folder / "crontabx.toml"
    settings.write_text(
        f'[daemon]\naccount = "{SCHEDULER}"\ndialect = "debian"\n[paths]\nstate = "{folder}/state"\n',
        encoding="utf-8",
    )
    return [_interpreter(), "-m", "crond.cli.daemon", "-f", "--settings", str(settings)]


def _debian(_folder: pathlib.Path) -> list[str]:
    if not os.access("/usr/sbin/cron", os.X_OK):
        raise Missing("Debian's cron is not installed: apt-get install cron")
    return ["/usr/sbin/cron", "-f"]


def _busybox(folder: pathlib.Path) -> list[str]:
    path = shutil.which("busybox")
    if path is None or subprocess.run([path, "crond", "--help"], check=False, capture_output=True).returncode:
        raise Missing("busybox has no crond here: apt-get install busybox-static")
    # Not the spool: busybox wants root to own the crontab of a user, the others want the user to.
    return [path, "crond", "-f", "-L", "/dev/null", "-c", str(folder / "crontabs")]


PEERS = (
    Peer("crond", "crond", _crond),
    Peer("debian", "Debian's cron", _debian),
    # busybox knows no quotes: with them it mails to an address of two quotes.
    Peer("busybox", "busybox crond", _busybox, no_mail="MAILTO="),
)


def _interpreter() -> str:
    """Return a Python that an account without privilege can run, as crond's scheduler must."""
    for path in (sys.executable, str(ROOT / ".venv" / "bin" / "python"), "/usr/bin/python3"):
        if _runs(path):
            return path
    raise Missing("no Python 3.11 that other accounts can run, or they cannot read this checkout")


def _runs(path: str) -> bool:
    uid = free_uid()
    code = "import sys; sys.path.insert(0, sys.argv[1]); import tomllib, crond.settings"
    command = [path, "-I", "-S", "-c", code, str(ROOT)]
    try:
        tried = subprocess.run(
            command, check=False, capture_output=True, user=uid, group=uid, extra_groups=[]
        )
    except OSError:
        return False
    return tried.returncode == 0
