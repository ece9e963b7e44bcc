"""What the host allows is found before the launcher starts, and named with its cure."""

from __future__ import annotations

import os
import pathlib
import pwd
import sys

import pytest

from crond.cli.host import (
    StartError,
    dialect_of_host,
    first_blocked,
    pam_service,
    programs,
    require_account,
    require_files,
    require_reach,
    state_of_user,
)
from crond.launcher import libpam

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("ID=debian\n", "debian"),
        ('NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n', "debian"),
        ("ID='ubuntu'\n", "debian"),
        ("ID=pop\nID_LIKE=Ubuntu\n", "debian"),
        ('ID="fedora"\nNAME="not debian"\n', "cronie"),
        ('ID="rhel"\nID_LIKE="fedora"\n', "cronie"),
        ('ID="debian\nID_LIKE=arch\n', "cronie"),
        ("ID=notdebian\n", "cronie"),
        ("", "cronie"),
    ],
)
def test_the_dialect_of_a_host(tmp_path: pathlib.Path, text: str, dialect: str) -> None:
    """Debian and what descends from it keep Debian's rules; a quote left open is no reason to fail."""
    path = tmp_path / "os-release"
    path.write_text(text)
    assert dialect_of_host([str(tmp_path / "none"), str(path)], marker="/nonexistent") == dialect


def test_a_host_without_os_release(tmp_path: pathlib.Path) -> None:
    """Then Debian's own version file tells."""
    marker = tmp_path / "debian_version"
    assert dialect_of_host([], marker=str(marker)) == "cronie"
    marker.write_text("12.1\n")
    assert dialect_of_host([], marker=str(marker)) == "debian"


@pytest.mark.parametrize(("dialect", "service"), [("debian", "cron"), ("cronie", "crond")])
def test_pam_is_used_where_it_knows_this_cron(tmp_path: pathlib.Path, dialect: str, service: str) -> None:
    """`auto` looks for the service of the dialect's own cron; `yes` says what is missing; `no` is no."""
    folders = [str(tmp_path / "none"), str(tmp_path)]
    assert pam_service("auto", dialect, folders) is None
    with pytest.raises(StartError, match=f"no file for the service {service}\n  make /etc/pam.d/{service};"):
        pam_service("yes", dialect, folders)
    (tmp_path / service).write_text("account required pam_permit.so\n")
    assert pam_service("auto", dialect, folders) == service
    assert pam_service("yes", dialect, folders) == service
    assert pam_service("no", dialect, folders) is None


def test_a_host_without_pam(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who asks for it is told."""
    (tmp_path / "crond").write_text("account required pam_permit.so\n")
    monkeypatch.setattr(libpam, "LIBRARY", "libnosuch.so.0")
    assert pam_service("auto", "cronie", [str(tmp_path)]) is None
    with pytest.raises(StartError, match=r"PAM cannot be used: libnosuch\.so\.0"):
        pam_service("yes", "cronie", [str(tmp_path)])


@pytest.mark.parametrize(
    ("environ", "state"),
    [
        ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/crontabx"),
        ({"XDG_STATE_HOME": "", "HOME": "/h"}, "/h/.local/state/crontabx"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/crontabx"),
        ({"HOME": "/h"}, "/h/.local/state/crontabx"),
    ],
)
def test_where_state_is_kept(environ: dict[str, str], state: str) -> None:
    """The XDG base directory specification: a relative value counts as none."""
    assert state_of_user(environ) == state


def test_where_state_is_kept_without_home() -> None:
    """A bare environment still has an account with a home."""
    home = pwd.getpwuid(os.getuid()).pw_dir
    assert state_of_user({}) == f"{home}/.local/state/crontabx"


def test_no_home_and_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run under a uid that nobody has heard of: --state is the way out."""
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    with pytest.raises(StartError, match="--state DIR"):
        state_of_user({})


def test_an_account_that_does_not_exist() -> None:
    """The message says how to make it."""
    with pytest.raises(StartError, match=r"no account no-such-account(.|\n)*systemd-sysusers(.|\n)*useradd"):
        require_account("no-such-account")


def test_an_account_with_all_privilege() -> None:
    """A second name for root would undo the separation."""
    with pytest.raises(StartError, match="uid 0"):
        require_account("root")


def test_files_that_cannot_be_run(tmp_path: pathlib.Path) -> None:
    """Every FILE that will not do is named with its reason, in one go; a FIFO must not make us wait."""
    good, fifo = tmp_path / "good", tmp_path / "fifo"
    good.write_text("")
    os.mkfifo(fifo)
    require_files([str(good), "-"])
    with pytest.raises(StartError) as caught:
        require_files([str(tmp_path / "none"), str(tmp_path), str(fifo), str(good), f"{tmp_path}/./good", ""])
    assert str(caught.value).splitlines() == [
        f"{tmp_path}/none: No such file or directory",
        f"{tmp_path}: is a directory",
        f"{fifo}: is not a regular file; use - to read standard input",
        f"{tmp_path}/./good: is given twice",
        ": is no name of a file",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read(tmp_path: pathlib.Path) -> None:
    """Mode 0 is found now, not at the first minute."""
    path = tmp_path / "secret"
    path.write_text("")
    path.chmod(0)
    with pytest.raises(StartError, match="Permission denied"):
        require_files([str(path)])


def test_a_link_is_followed(tmp_path: pathlib.Path) -> None:
    """Mounted configuration is a link to a link."""
    (tmp_path / "real").write_text("")
    (tmp_path / "link").symlink_to("real")
    require_files([str(tmp_path / "link")])


def test_what_the_scheduler_needs_to_reach() -> None:
    """The interpreter by both names, its library, and the package."""
    found = programs("/some/where")
    assert found[0] == sys.executable
    assert os.path.realpath(sys.executable) in found
    assert os.path.dirname(os.__file__) in found
    assert found[-1] == "/some/where/crond"


def test_what_can_be_reached_is_not_blocked() -> None:
    """Nothing is in the way of a file that everybody reads."""
    assert first_blocked("/etc/passwd") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root passes everywhere")
def test_the_folder_in_the_way_is_named(tmp_path: pathlib.Path) -> None:
    """Not the file, but the first folder that cannot be entered."""
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "closed").chmod(0)
    try:
        assert first_blocked(str(inner / "file")) == str(tmp_path / "closed")
    finally:
        (tmp_path / "closed").chmod(0o700)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_an_interpreter_in_a_closed_home(tmp_path: pathlib.Path) -> None:
    """An interpreter under a folder that only root can enter: the folder and a cure are named."""
    nobody = pwd.getpwnam("nobody")
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python3").write_text("")
    require_reach(nobody, ["/etc/passwd", "/usr/bin"])
    for folder in (home, *tmp_path.parents):
        if str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    tmp_path.chmod(0o755)
    require_reach(nobody, [str(home / "bin" / "python3")])
    home.chmod(0o700)
    with pytest.raises(StartError) as caught:
        require_reach(nobody, [str(home / "bin" / "python3")])
    assert f"account nobody cannot enter {home}," in str(caught.value)
    assert "/usr/bin/python3 -m venv" in str(caught.value)
