"""Where real daemons stand in tests: a folder that every account can enter, the package, accounts.

pytest's own folders are closed to other accounts, and so may be the checkout and the interpreter: the
package and what it imports are copied, and the interpreter is the system's where ours cannot be reached.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crond.cli.host import first_blocked

#: What the client, the rules of days, recorder and notifier import. A name that is not there is not needed.
_IMPORTED = (
    "crond", "click", "croniter", "dateparser", "regex", "tzlocal", "dateutil", "six", "pytz",
    "typing_extensions", "sqlalchemy", "alembic", "mako", "markupsafe", "greenlet", "apprise", "requests",
    "urllib3", "certifi", "idna", "charset_normalizer", "yaml", "markdown", "requests_oauthlib", "oauthlib",
)  # fmt: skip
_NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Ground:
    """A folder of mode 0755, with the package in `site`, and an interpreter that can be reached."""

    folder: Path
    site: Path
    python: str

    def environment(self, **more: str) -> dict[str, str]:
        """Return an environment in which `python -m crond.…` works, with nothing of ours in it."""
        return {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "PYTHONPATH": str(self.site), **more}

    def new_folder(self, name: str, *, owner: pwd.struct_passwd | None = None) -> Path:
        """Return a fresh folder of mode 0755 that belongs to `owner`, else to us."""
        path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
        path.chmod(0o755)
        if owner is not None:
            os.chown(path, owner.pw_uid, owner.pw_gid)
        return path


@contextmanager
def made_ground() -> Iterator[Ground]:
    """Make a Ground; take it away at the end."""
    folder = Path(tempfile.mkdtemp(prefix="crontabx-system-", dir="/tmp"))
    try:
        folder.chmod(0o755)
        site = folder / "site"
        site.mkdir(mode=0o755)
        for name in _IMPORTED:
            _copy(name, site)
        subprocess.run(["chmod", "-R", "a+rX", site], check=True)
        yield Ground(folder, site, _interpreter())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(name: str, site: Path) -> None:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return
    source = Path(spec.origin)
    if spec.submodule_search_locations:
        shutil.copytree(source.parent, site / name, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, site)


def _interpreter() -> str:
    paths = (sys.executable, os.path.realpath(sys.executable), os.__file__)
    if os.geteuid() != 0 or all(_reached_by_nobody(path) for path in paths):
        return sys.executable
    return "/usr/bin/python3"


def _reached_by_nobody(path: str) -> bool:
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
            os._exit(first_blocked(path) is not None)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


@dataclass(frozen=True, slots=True)
class People:
    """The accounts of a test run: the scheduler's, and three users. `ben` is also in the group `extra`."""

    scheduler: pwd.struct_passwd
    ann: pwd.struct_passwd
    ben: pwd.struct_passwd
    cat: pwd.struct_passwd
    extra: int

    @property
    def users(self) -> tuple[pwd.struct_passwd, ...]:
        return (self.ann, self.ben, self.cat)


@contextmanager
def made_people(ground: Ground) -> Iterator[People]:
    """Make the accounts on this host; take them away at the end. Only root can."""
    mark = os.getpid() % 100000
    homes = ground.folder / "home"
    homes.mkdir(mode=0o755)
    names = [f"cx{mark}{end}" for end in ("s", "ann", "ben", "cat")]
    group = f"cx{mark}x"
    made: list[str] = []
    _admin("groupadd", group)
    try:
        for name in names:
            _admin("useradd", "-m", "-d", str(homes / name), "-s", "/bin/sh", "-K", "UMASK=022", name)
            made.append(name)
        _admin("usermod", "-a", "-G", group, names[2])
        scheduler, ann, ben, cat = (pwd.getpwnam(name) for name in names)
        extra = int(subprocess.check_output(["getent", "group", group]).split(b":")[2])
        yield People(scheduler, ann, ben, cat, extra)
    finally:
        for name in made:
            _admin("userdel", "-f", name)
        _admin("groupdel", group)


def _admin(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 and command[0] != "userdel":
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
