"""The host as the `crond` command finds it: whose rules it keeps, what an account can reach and read.

Looks and decides nothing: each function returns what is so, or raises StartError with words for the
person at the terminal and the cure. Called before the launcher replaces this program.
"""

from __future__ import annotations

import os
import pwd
import shlex
import stat
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crond.model.host import Host

#: The host's own files, and where newer systems keep those of packages.
_PAM_FOLDERS = ("/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d")
_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")


class StartError(Exception):
    """The daemon cannot start. The text says why and, where there is one, the cure."""


def rules_of_host() -> Host:
    """Return what the settings of this host say of every crontab; nothing where they cannot be read.

    A wrong file is told by the daemon, which does not start with it.
    """
    from crond import settings as of_host
    from crond.model.host import NO_HOST, read_host

    try:
        settings = of_host.read_settings(of_host.SETTINGS_FILE, required=False)
    except of_host.SettingsError:
        return NO_HOST
    return read_host(settings.defaults, settings.pools)


def dialect_of_host(os_release: Iterable[str] = _OS_RELEASE, marker: str = "/etc/debian_version") -> str:
    """Return "debian" on Debian and what descends from it, else "cronie"."""
    for path in os_release:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        return "debian" if _is_debian(text) else "cronie"
    return "debian" if os.path.exists(marker) else "cronie"


def _is_debian(os_release: str) -> bool:
    words: list[str] = []
    for line in os_release.splitlines():
        key, _, value = line.partition("=")
        if key.strip() in ("ID", "ID_LIKE"):
            try:
                words += " ".join(shlex.split(value, comments=True)).lower().split()
            except ValueError:  # a quote left open: os-release is another program's file
                continue
    return "debian" in words or "ubuntu" in words


def pam_service(wanted: str, dialect: str, folders: Iterable[str] = _PAM_FOLDERS) -> str | None:
    """Return the PAM service of the dialect's cron; None: PAM is not to be used. Raises StartError.

    `wanted` is "yes", "no" or "auto": if there are the library and a file for that service.
    """
    service = "cron" if dialect == "debian" else "crond"
    if wanted == "no":
        return None
    from crond.launcher.libpam import load

    try:
        load()
    except (ImportError, OSError) as error:  # ImportError: a Python without ctypes
        if wanted == "yes":
            raise StartError(f"pam is set to yes, but PAM cannot be used: {error}") from None
        return None
    if any(os.path.exists(os.path.join(folder, service)) for folder in folders):
        return service
    if wanted == "yes":
        raise StartError(
            f"pam is set to yes, but there is no file for the service {service}\n"
            f"  make /etc/pam.d/{service}; it can include the accounts and sessions of other services"
        )
    return None


def state_of_user(environ: Mapping[str, str]) -> str:
    """Return where `crond FILE` keeps its state, by the XDG base directory specification.

    A relative XDG_STATE_HOME is ignored, as the specification asks. Raises StartError.
    """
    base = environ.get("XDG_STATE_HOME", "")
    if not base.startswith("/"):
        home = environ.get("HOME", "")
        if not home.startswith("/"):
            home = _home_of_user()
        base = os.path.join(home, ".local", "state")
    return os.path.join(base, "crontabx")


def _home_of_user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        raise StartError(
            "no place to keep state: HOME is not set and this user has no account; use --state DIR"
        ) from None


def require_account(name: str) -> pwd.struct_passwd:
    """Return the account of the scheduler. Raises StartError with the command that makes it."""
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        raise StartError(
            f"there is no account {name}, which the scheduler runs as\n"
            "  make it with: systemd-sysusers crontabx.sysusers.conf  (in contrib/systemd)\n"
            f"  or with:      useradd --system --user-group --no-create-home --shell /usr/sbin/nologin {name}"
        ) from None
    if account.pw_uid == 0:
        raise StartError(f"the account {name} has uid 0: the scheduler must not have root's privilege")
    return account


def require_files(files: Iterable[str]) -> None:
    """Check that we can read each crontab; "-" is standard input. Raises StartError naming all that fail."""
    problems: list[str] = []
    seen: set[str] = set()
    for path in files:
        problem = "is given twice" if os.path.abspath(path) in seen else _unreadable(path)
        seen.add(os.path.abspath(path))
        if problem:
            problems.append(f"{path}: {problem}")
    if problems:
        raise StartError("\n".join(problems))


def _unreadable(path: str) -> str | None:
    if path == "-":
        return None
    if not path or "\0" in path:
        return "is no name of a file"
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            return "is a directory"
        if not stat.S_ISREG(mode):
            return "is not a regular file; use - to read standard input"
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.strerror
    return None


def programs(package: str) -> list[str]:
    """Return the paths that the scheduler's account must be able to reach to start our programs.

    The interpreter by the name we know it and by its true name (a virtual environment links to it),
    the standard library, and the folder of the package.
    """
    executable = sys.executable
    library = os.path.dirname(os.path.abspath(os.__file__))
    found = [executable, os.path.realpath(executable), library, os.path.join(package, "crond")]
    return list(dict.fromkeys(path for path in found if path))


def require_reach(account: pwd.struct_passwd, paths: Iterable[str]) -> None:
    """Check that `account` can reach and read `paths`. Raises StartError naming the place that stops it."""
    for path in paths:
        blocked = _as_account(account, path)
        if blocked is not None:
            raise StartError(
                f"the account {account.pw_name} cannot enter {blocked}, which lies on the way to {path}\n"
                "  install crontabx where everybody may read it, with an interpreter for everybody:\n"
                "    /usr/bin/python3 -m venv /opt/crontabx && /opt/crontabx/bin/pip install crontabx"
            )


def first_blocked(path: str) -> str | None:
    """Return the first part of `path` that this process cannot pass, None if `path` can be read."""
    parts = os.path.abspath(path).split("/")
    for count in range(2, len(parts)):
        folder = "/".join(parts[:count])
        if not os.access(folder, os.X_OK, effective_ids=True):
            return folder
    wanted = os.R_OK | os.X_OK if os.path.isdir(path) else os.R_OK
    return None if os.access(path, wanted, effective_ids=True) else path


def _as_account(account: pwd.struct_passwd, path: str) -> str | None:
    """Ask `first_blocked` as `account`: only the kernel knows about groups, ACLs and mounts."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(os.getgrouplist(account.pw_name, account.pw_gid))
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            os.write(writer, os.fsencode(first_blocked(path) or ""))
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writer)
    with open(reader, "rb") as answer:
        blocked = os.fsdecode(answer.read())
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise StartError(f"cannot become the account {account.pw_name}: not enough privilege")
    return blocked or None
