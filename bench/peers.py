"""The crons that are compared: how each is found and started.

Owns command lines and settings. Knows nothing of minutes and measurements.
"""

from __future__ import annotations

import functools
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench import tables
from bench.cage import SCHEDULER, free_uid
from bench.fetched import Missing, from_pypi, unpacked
from bench.tables import Entry, Tables

ROOT = pathlib.Path(__file__).resolve().parent.parent


Form = Callable[[Sequence[Entry], str, str], Tables]


@dataclass(frozen=True, slots=True)
class Peer:
    """`command` returns the daemon's command line; its arguments are a folder of its own and the crontab's
    owner. Raises Missing.

    `no_mail` is the crontab line by which this cron mails nothing; `one` and `many` write a few entries and
    any number of them. `crontab` returns the command that shows and installs a crontab, if there is such a
    thing; `reads` is the file of the crontab that the daemon reads, in its cage.
    """

    name: str
    title: str
    command: Callable[[pathlib.Path, str], list[str]]
    no_mail: str = 'MAILTO=""'
    one: Form = tables.crontab
    many: Form = tables.spread
    crontab: Callable[[pathlib.Path], list[str]] | None = None
    reads: str = "/var/spool/cron/crontabs/{owner}"
    #: Whether it runs the jobs of accounts other than root's.
    users: bool = True
    #: Whether it runs an entry of @reboot when it starts.
    reboot: bool = True


def _crond(folder: pathlib.Path, _owner: str, *, dialect: str = "debian") -> list[str]:
    settings = folder / "crontabx.toml"
    settings.write_text(
        f'[daemon]\naccount = "{SCHEDULER}"\ndialect = "{dialect}"\n[paths]\nstate = "{folder}/state"\n',
        encoding="utf-8",
    )
    return [interpreter(), "-m", "crond.cli.daemon", "-f", "--settings", str(settings)]


def _crond_alone(folder: pathlib.Path, owner: str) -> list[str]:
    return [*_crond(folder, owner), "--no-recorder"]


def _crond_of_cronie(folder: pathlib.Path, owner: str) -> list[str]:
    return _crond(folder, owner, dialect="cronie")


def crontabx(_folder: pathlib.Path) -> list[str]:
    """Return the command of our client."""
    script = pathlib.Path(interpreter()).with_name("crontabx")
    return [str(script)] if script.exists() else [interpreter(), "-m", "crond.cli.entry"]


def _debian_crontab(_folder: pathlib.Path) -> list[str]:
    return ["/usr/bin/crontab"]


def _debian(_folder: pathlib.Path, _owner: str) -> list[str]:
    if not os.access("/usr/sbin/cron", os.X_OK):
        raise Missing("Debian's cron is not installed: apt-get install cron")
    return ["/usr/sbin/cron", "-f"]


def _busybox(folder: pathlib.Path, _owner: str) -> list[str]:
    # Not the spool: busybox wants root to own the crontab of a user, the others want the user to.
    return [_busybox_program(), "crond", "-f", "-L", "/dev/null", "-c", str(folder / "crontabs")]


def _busybox_crontab(folder: pathlib.Path) -> list[str]:
    return [_busybox_program(), "crontab", "-c", str(folder / "crontabs")]


def _busybox_program() -> str:
    path = shutil.which("busybox")
    if path is None or subprocess.run([path, "crond", "--help"], check=False, capture_output=True).returncode:
        path = str(unpacked("busybox-static", "bin/busybox"))
    return path


def _yacron(folder: pathlib.Path, owner: str) -> list[str]:
    return _with_yaml(str(from_pypi("yacron", (3, 7))), folder, owner)


def _cronstable(folder: pathlib.Path, owner: str) -> list[str]:
    return _with_yaml(str(from_pypi("cronstable", (3, 13))), folder, owner)


def _with_yaml(program: str, folder: pathlib.Path, owner: str) -> list[str]:
    return ["env", f"HOME={folder}", program, "-l", "WARNING", "-c", str(folder / "crontabs" / owner)]


_OWN_FOLDER = "{folder}/crontabs/{owner}"
CROND = Peer("crond", "crond", _crond, crontab=crontabx)
PEERS = (
    CROND,
    Peer("debian", "Debian's cron", _debian, crontab=_debian_crontab),
    # busybox knows no quotes: with them it mails to an address of two quotes. It has no cron.d.
    Peer(
        "busybox", "busybox crond", _busybox, no_mail="MAILTO=", many=tables.crontab,
        crontab=_busybox_crontab, reads=_OWN_FOLDER, reboot=False,
    ),
    Peer("yacron", "yacron", _yacron, one=tables.yaml, many=tables.yaml, reads=_OWN_FOLDER, users=False),
    Peer(
        "cronstable", "cronstable", _cronstable, one=tables.yaml, many=tables.yaml, reads=_OWN_FOLDER,
        users=False,
    ),
)  # fmt: skip
#: Not a peer but a part: crond that keeps no history.
ALONE = Peer("crond-alone", "crond --no-recorder", _crond_alone, crontab=crontabx)
#: Takes crontabs of more than 10,000 lines, which Debian's cron does not.
OF_CRONIE = Peer("crond-of-cronie", "crond", _crond_of_cronie, crontab=crontabx)


@functools.cache
def interpreter() -> str:
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
