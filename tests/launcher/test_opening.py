"""Which file is obeyed as a crontab, and cron's own word for one that is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from crond.launcher.opening import Kind, Place, RefusedFile, open_table, read_table

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="owners can only be changed by root"),
]
USER = 1
OTHER = 2


def regular(path: Path) -> None:
    path.write_text("* * * * * x\n")
    path.chmod(0o600)
    os.chown(path, USER, USER)


def fifo(path: Path) -> None:
    os.mkfifo(path, 0o600)
    os.chown(path, USER, USER)


def symlink(path: Path) -> None:
    regular(path.with_name("target"))
    path.symlink_to("target")


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def hard_link(path: Path) -> None:
    regular(path)
    os.link(path, path.with_name("second"))


def folder(path: Path) -> None:
    path.mkdir(0o600)
    os.chown(path, USER, USER)


def mode(bits: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        regular(path)
        path.chmod(bits)

    return make


def owned(uid: int, make: Callable[[Path], None] = regular) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        make(path)
        os.chown(path, uid, uid, follow_symlinks=False)

    return change


def word(path: Path, kind: Kind, dialect: str, *, permit_any: bool = False) -> str:
    place = Place(str(path), kind, "u", USER if kind is Kind.USER else 0, "u", str(path))
    try:
        fd, _ = open_table(place, dialect=dialect, permit_any=permit_any)
    except RefusedFile as refused:
        return refused.word
    os.close(fd)
    return ""


@pytest.mark.parametrize(
    ("make", "cronie", "debian"),
    [
        (regular, "", ""),
        (owned(0), "", ""),
        (mode(0o400), "", "INSECURE MODE (mode 0600 expected)"),
        (mode(0o644), "", "INSECURE MODE (mode 0600 expected)"),
        (mode(0o660), "BAD FILE MODE", "INSECURE MODE (mode 0600 expected)"),
        (mode(0o700), "BAD FILE MODE", "INSECURE MODE (mode 0600 expected)"),
        (mode(0o4600), "BAD FILE MODE", "INSECURE MODE (mode 0600 expected)"),
        (mode(0o200), "BAD FILE MODE", "INSECURE MODE (mode 0600 expected)"),
        (owned(OTHER), "WRONG FILE OWNER", "WRONG FILE OWNER"),
        (hard_link, "BAD LINK COUNT", "NUMBER OF HARD LINKS > 1"),
        (fifo, "NOT REGULAR", "NOT A REGULAR FILE"),
        (folder, "NOT REGULAR", "NOT A REGULAR FILE"),
        (symlink, "NOT REGULAR", "CAN'T OPEN"),
        (dangling, "NOT REGULAR", "CAN'T OPEN"),
    ],
)
def test_spool(tmp_path: Path, make: Callable[[Path], None], cronie: str, debian: str) -> None:
    """The spool: the user's own or root's, regular, one name, no link; each refusal in cron's words."""
    path = tmp_path / "u"
    make(path)
    assert word(path, Kind.USER, "cronie") == cronie
    assert word(path, Kind.USER, "debian") == debian


@pytest.mark.parametrize(
    ("make", "cronie", "debian"),
    [
        (owned(0), "", ""),
        (owned(0, mode(0o755)), "BAD FILE MODE", ""),
        (owned(0, mode(0o664)), "BAD FILE MODE", "INSECURE MODE (group/other writable)"),
        (owned(USER), "WRONG FILE OWNER", "WRONG FILE OWNER"),
        (owned(0, hard_link), "", "NUMBER OF HARD LINKS > 1"),
        (owned(0, fifo), "NOT REGULAR", "NOT REGULAR"),
        (owned(0, symlink), "WRONG FILE OWNER", "WRONG FILE OWNER"),
        (owned(USER, symlink), "WRONG FILE OWNER", "WRONG SYMLINK OWNER"),
        (owned(0, dangling), "CAN'T OPEN", "CAN'T OPEN SYMLINK"),
    ],
)
def test_system(tmp_path: Path, make: Callable[[Path], None], cronie: str, debian: str) -> None:
    """System tables: root's; links are followed if they and what they lead to are root's."""
    path = tmp_path / "s"
    make(path)
    assert word(path, Kind.SYSTEM, "cronie") == cronie
    assert word(path, Kind.SYSTEM, "debian") == debian


def test_a_system_link_of_root_is_followed(tmp_path: Path) -> None:
    """A symlink of root's to a file of root's is a system crontab in both dialects."""
    (tmp_path / "target").write_text("")
    (tmp_path / "s").symlink_to("target")
    assert [word(tmp_path / "s", Kind.SYSTEM, dialect) for dialect in ("cronie", "debian")] == ["", ""]


@pytest.mark.parametrize("dialect", ["cronie", "debian"])
def test_permit_any(tmp_path: Path, dialect: str) -> None:
    """-p permits any mode, owner and number of links, but a FIFO is still no crontab."""
    hard_link(tmp_path / "u")
    os.chown(tmp_path / "u", OTHER, OTHER)
    (tmp_path / "u").chmod(0o777)
    assert word(tmp_path / "u", Kind.USER, dialect, permit_any=True) == ""
    fifo(tmp_path / "f")
    assert "REGULAR" in word(tmp_path / "f", Kind.USER, dialect, permit_any=True)


def test_given_files_follow_links_and_ignore_owners(tmp_path: Path) -> None:
    """`crond FILE`: a ConfigMap is a link, and whose it is does not matter; a FIFO does not hang us."""
    symlink(tmp_path / "f")
    os.chown(tmp_path / "target", OTHER, OTHER)
    assert word(tmp_path / "f", Kind.GIVEN, "debian") == ""
    fifo(tmp_path / "fifo")
    assert word(tmp_path / "fifo", Kind.GIVEN, "cronie") == "NOT REGULAR"


def test_missing(tmp_path: Path) -> None:
    """What is not there is no refusal."""
    with pytest.raises(FileNotFoundError):
        word(tmp_path / "nothing", Kind.USER, "cronie")


def test_a_user_table_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user cannot make root hold as much memory as they like."""
    monkeypatch.setattr("crond.launcher.opening.USER_LIMIT", 10)
    path = tmp_path / "u"
    regular(path)
    place = Place(str(path), Kind.USER, "u", USER, "u", str(path))
    fd, _ = open_table(place, dialect="cronie", permit_any=False)
    try:
        with pytest.raises(RefusedFile, match="TOO LONG"):
            read_table(fd, place)
    finally:
        os.close(fd)
