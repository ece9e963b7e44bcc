"""A job whose child goes where neither parents nor sessions lead to it, and daemons that own no cgroup."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.launcher.daemon import Daemon, until

#: Forks until no parent of its own and no session lead to it, ignores TERM, and tells its pid.
_ESCAPE = """\
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(3):
    if os.fork():
        os._exit(0)
    os.setsid()
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(os.getpid()))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(1000)
"""


def escaping(folder: Path) -> str:
    """Return a command that makes such a child and goes on itself."""
    (folder / "escape.py").write_text(_ESCAPE)
    return f"/usr/bin/python3 -S {folder}/escape.py {folder}/pid; exec sleep 1000"


def as_user(user: str, daemon: Callable[..., Daemon], folder: Path) -> Callable[..., Daemon]:
    """Return what starts daemons of `user`, whose the folder of their state is from now on. Needs root."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("becoming users needs root, and setpriv")
    uid = pwd.getpwnam(user).pw_uid
    os.chown(folder, uid, -1)
    wrapper = ("setpriv", "--reuid", str(uid), "--clear-groups")
    return lambda config: daemon(config, wrapper=wrapper)


def escaped(folder: Path) -> int:
    """Return the pid of the child, once it has gone as far as it can."""
    until((folder / "pid").exists)
    return int((folder / "pid").read_text())
