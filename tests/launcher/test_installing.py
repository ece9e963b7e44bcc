"""Changing a crontab in the spool: all or nothing, kept before it is obeyed, never through a link."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crond.launcher.config import Config
from crond.launcher.installing import Crontab, Refused, mark
from crond.launcher.versions import digest_of
from crond.model.edits import NO_TEXT

Make = Callable[..., Config]
ME = pwd.getpwuid(os.geteuid())
ONE, TWO = b"1 * * * * one\n", b"2 * * * * two\n"


@pytest.fixture
def crontab(folder: Path, host: Make) -> Iterator[Crontab]:
    (folder / "state").mkdir(mode=0o711)
    yield Crontab(host(), ME)
    names = {path.name for path in (folder / "spool").iterdir()}
    assert names <= {ME.pw_name}, "nothing is left in the spool"


def install(crontab: Crontab, text: bytes, *, base: str = "") -> int:
    return crontab.install(text, base=base, by=mark("install", ME, "test")).version.number


def texts(crontab: Crontab) -> list[tuple[str, bytes]]:
    """What is kept, oldest first: action and text."""
    found = [crontab.versions.text(version.number) for version in crontab.versions.all()[::-1]]
    return [(version.mark.action, text) for version, text in filter(None, found)]


def test_install_read_remove(crontab: Crontab, folder: Path) -> None:
    """The file is the user's, 0600, holds the very bytes; removed, it can be restored."""
    assert crontab.read() is None
    install(crontab, ONE)
    found = (folder / "spool" / ME.pw_name).stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o600, ME.pw_uid)
    assert crontab.read() == ONE
    undo = crontab.remove(by=mark("remove", ME))
    assert crontab.read() is None
    assert undo is not None
    crontab.restore(undo.number, by=mark("restore", ME, "version 1"))
    assert crontab.read() == ONE
    assert texts(crontab) == [("install", ONE), ("remove", b""), ("restore", ONE)]


def test_the_fewest_versions_undo_a_removal(folder: Path, host: Make) -> None:
    """With the least that may be set the text that was removed is still there to be restored."""
    (folder / "state").mkdir(mode=0o711)
    crontab = Crontab(host(keep_versions=2), ME)
    for text in (ONE, TWO, ONE):
        install(crontab, text)
    assert texts(crontab) == [("install", TWO), ("install", ONE)]
    undo = crontab.remove(by=mark("remove", ME))
    assert undo is not None
    crontab.restore(undo.number, by=mark("restore", ME))
    assert crontab.read() == ONE


def test_a_text_with_errors_changes_nothing(crontab: Crontab) -> None:
    """All errors are told, with their places; neither the crontab nor its versions are touched."""
    install(crontab, ONE)
    with pytest.raises(Refused) as caught:
        install(crontab, b"61 * * * * a\n* * * * * fine\n@dayly b\n* * * * * no end")
    assert caught.value.code == "invalid"
    problems = caught.value.more["problems"]
    assert [(problem["line"], problem["message"]) for problem in problems] == [
        (1, "bad minute"),
        (3, "bad time specifier"),
        (4, "missing newline before EOF"),
    ]
    assert crontab.read() == ONE
    assert texts(crontab) == [("install", ONE)]


def test_an_annotation_in_error_is_not_installed(crontab: Crontab) -> None:
    """The daemon would forgive it; who installs it now can still mend it."""
    with pytest.raises(Refused) as caught:
        install(crontab, b"#: name=a retires=3\n* * * * * fine\n")
    (problem,) = caught.value.more["problems"]
    assert (problem["line"], problem["column"], problem["hint"]) == (1, 11, "did you mean retries?")
    install(crontab, b"#: name=a retries=3\n* * * * * fine\n")


def test_warnings_do_not_refuse(crontab: Crontab) -> None:
    """A reversed range is a warning: installed, and told."""
    changed = crontab.install(b"0 5-1 * * * x\n", base="", by=mark("install", ME))
    assert [problem["severity"] for problem in changed.problems] == ["warning"]


def test_many_errors_are_counted_and_few_are_told(crontab: Crontab) -> None:
    """The answer to half a megabyte of nonsense stays an answer."""
    with pytest.raises(Refused) as caught:
        install(crontab, b"x\n" * 5000)
    assert len(caught.value.more["problems"]) == 1000
    assert caught.value.more["count"] == 5000


def test_what_was_put_there_by_hand_is_kept(crontab: Crontab, folder: Path) -> None:
    """Replaced or removed: the text that did not come through us is a version first, once."""
    path = folder / "spool" / ME.pw_name
    path.write_bytes(b"broken\n")
    path.chmod(0o644)
    install(crontab, ONE)
    path.write_bytes(TWO)
    crontab.remove(by=mark("remove", ME))
    path.write_bytes(ONE)
    install(crontab, ONE)
    assert texts(crontab) == [
        ("by hand", b"broken\n"),
        ("install", ONE),
        ("by hand", TWO),
        ("remove", b""),
        ("by hand", ONE),
        ("install", ONE),
    ]


def test_a_restored_text_may_have_errors(crontab: Crontab, folder: Path) -> None:
    """What a cron obeyed, though one line was wrong, comes back as it was; the error is told."""
    (folder / "spool" / ME.pw_name).write_bytes(b"broken\n")
    install(crontab, ONE)
    changed = crontab.restore(1, by=mark("restore", ME))
    assert crontab.read() == b"broken\n"
    assert [problem["severity"] for problem in changed.problems] == ["error"]


@pytest.mark.parametrize("number", [2, 3, 10**9])
def test_what_cannot_be_restored(crontab: Crontab, number: int) -> None:
    """A removal has no text, an unknown number no version; nothing happens."""
    install(crontab, ONE)
    crontab.remove(by=mark("remove", ME))
    with pytest.raises(Refused, match=f"version {number} "):
        crontab.restore(number, by=mark("restore", ME))
    assert crontab.read() is None


def test_a_change_in_the_meantime_is_noticed(crontab: Crontab) -> None:
    """An edit says which text it began with; any other text there, or none, refuses it."""
    install(crontab, ONE, base=NO_TEXT)
    for base in (NO_TEXT, digest_of(TWO)):
        with pytest.raises(Refused) as caught:
            install(crontab, TWO, base=base)
        assert caught.value.code == "changed"
    assert crontab.read() == ONE
    install(crontab, TWO, base=digest_of(ONE))
    crontab.remove(by=mark("remove", ME))
    with pytest.raises(Refused, match="changed meanwhile"):
        install(crontab, ONE, base=digest_of(TWO))
    assert crontab.read() is None


def test_removing_what_is_not_there(crontab: Crontab) -> None:
    """It is said in cron's words, and leaves no version."""
    with pytest.raises(Refused, match=f"^no crontab for {ME.pw_name}$"):
        crontab.remove(by=mark("remove", ME))
    assert crontab.versions.all() == []


@pytest.mark.parametrize("kind", ["link", "hard link", "fifo"])
def test_what_is_no_crontab_is_not_read_but_replaced(crontab: Crontab, folder: Path, kind: str) -> None:
    """A link in the spool shows nobody another's file, and what it leads to is not written to."""
    secret = folder / "secret"
    secret.write_bytes(b"# secret\n")
    path = folder / "spool" / ME.pw_name
    if kind == "link":
        path.symlink_to(secret)
    elif kind == "hard link":
        path.hardlink_to(secret)
    else:
        os.mkfifo(path)
    with pytest.raises(Refused, match="install a crontab to replace it") as caught:
        crontab.read()
    assert caught.value.code == "odd"
    install(crontab, ONE)
    assert crontab.read() == ONE
    assert secret.read_bytes() == b"# secret\n"
    assert texts(crontab) == [("install", ONE)]


def test_a_trap_under_our_own_name(crontab: Crontab, folder: Path) -> None:
    """A link laid where the text is written aside is not followed."""
    secret = folder / "secret"
    secret.write_bytes(b"keep\n")
    (folder / "spool" / f".crontabx.{ME.pw_uid}").symlink_to(secret)
    install(crontab, ONE)
    assert secret.read_bytes() == b"keep\n"
    assert crontab.read() == ONE


def test_a_folder_in_its_place(crontab: Crontab, folder: Path) -> None:
    """A folder cannot be replaced: said, and no version claims that it was."""
    (folder / "spool" / ME.pw_name).mkdir()
    with pytest.raises(OSError, match="directory"):
        install(crontab, ONE)
    assert crontab.versions.all() == []


@pytest.mark.parametrize(("mode", "used"), [(0o700, True), (0o1730, True), (0o770, False), (0o1777, False)])
def test_a_spool_that_others_may_write_to(crontab: Crontab, folder: Path, mode: int, used: bool) -> None:
    """0700 as cronie's and 1730 as Debian's are used; where others could swap files nothing is installed."""
    (folder / "spool").chmod(mode)
    if used:
        install(crontab, ONE)
    else:
        with pytest.raises(Refused, match="others can write there"):
            install(crontab, ONE)
        assert crontab.versions.all() == []


def test_a_spool_that_is_not_there_is_made(crontab: Crontab, folder: Path) -> None:
    """A host on which no cron was installed before."""
    (folder / "spool").rmdir()
    install(crontab, ONE)
    assert stat.S_IMODE((folder / "spool").stat().st_mode) == 0o700


@pytest.mark.parametrize("call", ["rename", "fsync", "fchmod"])
def test_a_failure_on_the_way(crontab: Crontab, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """A disk that fails at any step: the old text is there, nothing lies beside it, no version is left."""
    install(crontab, ONE)

    def fails(*_arguments: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails)
        with pytest.raises(OSError, match="No space left"):
            install(crontab, TWO)
    assert crontab.read() == ONE
    assert texts(crontab) == [("install", ONE)]


@pytest.mark.parametrize("call", ["rename", "fsync", "fchmod"])
def test_a_death_on_the_way(crontab: Crontab, call: str) -> None:
    """Killed at any step: the old text is obeyed, and the next change works and tidies up."""
    install(crontab, ONE)
    child = os.fork()
    if child == 0:
        setattr(os, call, lambda *_arguments, **_named: os._exit(9))
        install(crontab, TWO)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert crontab.read() == ONE
    install(crontab, TWO, base=digest_of(ONE))
    assert crontab.read() == TWO


def test_pools_of_the_host_are_known_where_a_crontab_is_installed(folder: Path, host: Make) -> None:
    """What the settings declare is no warning, and taking more of it than there is, is refused."""
    (folder / "state").mkdir(mode=0o711)
    crontab = Crontab(host(pools=(("gpu", "2"),)), ME)
    text = b"#: pool=gpu pool_slots=%d\n1 * * * * one\n"
    assert crontab.install(text % 2, base="", by=mark("install", ME, "test")).problems == []
    with pytest.raises(Refused):
        install(crontab, text % 3)
