"""Versions of a crontab: numbered, bounded, whole, and each account's own."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from crond.launcher.versions import Mark, Version, Versions, digest_of
from crond.model import job
from crond.model.crontab import parse_crontab


def mark(action: str = "install", origin: str = "/home/ann/jobs") -> Mark:
    return Mark(action=action, by="ann", uid=1000, origin=origin, at=1795230000.5)


def versions(folder: Path, *, user: str = "ann", **bounds: int) -> Versions:
    return Versions(str(folder / "versions" / "1000"), user=user, **{"count": 100, **bounds})


def test_what_is_kept_comes_back(folder: Path) -> None:
    """Text and mark, byte for byte, whatever is in them; numbers grow; the newest is first."""
    held = versions(folder)
    texts = [b"", b"* * * * * a\n", b"\xff\0\r\n{}\n", b'{"number": 9}\n']
    with held.locked():
        kept = [held.keep(text, mark(origin="/x\n\udcff")) for text in texts]
    assert [version.number for version in kept] == [1, 2, 3, 4]
    assert held.all() == kept[::-1]
    for version, text in zip(kept, texts, strict=True):
        assert held.text(version.number) == (version, text)
    assert held.text(5) is None


def test_only_root_can_read_them(folder: Path) -> None:
    """Folders 0700, files 0600: others' crontabs hold secrets."""
    held = versions(folder)
    with held.locked():
        held.keep(b"x\n", mark())
    for path, mode in (("versions", 0o700), ("versions/1000", 0o700), ("versions/1000/000000001", 0o600)):
        assert stat.S_IMODE((folder / path).stat().st_mode) == mode


def test_the_digest_is_that_of_a_job() -> None:
    """A run says from which text it came: `versions` must name the same text the same."""
    text = b"* * * * * a\n"
    assert digest_of(text) == job.digest_of(parse_crontab(text))


def test_a_number_is_not_used_again(folder: Path) -> None:
    """The newest may be dropped (its text was not installed); older numbers never come back."""
    held = versions(folder, count=2)
    with held.locked():
        for _ in range(5):
            held.keep(b"x\n", mark())
            held.trim()
    assert [version.number for version in held.all()] == [5, 4]


def test_they_are_bounded_by_bytes(folder: Path) -> None:
    """The oldest go when there are too many bytes; the newest stays however long it is."""
    held = versions(folder, size=3000)
    with held.locked():
        for size in (500, 500, 500, 9000):
            held.keep(bytes(size), mark())
            held.trim()
        assert [version.size for version in held.all()] == [9000]
        held.keep(b"x", mark())
        held.trim()
    assert [version.size for version in held.all()] == [1]


def test_a_uid_that_was_somebody_elses(folder: Path) -> None:
    """The versions of a former account with the same uid are not shown to the new one."""
    old, new = versions(folder, user="old"), versions(folder, user="new")
    with old.locked():
        kept = old.keep(b"secret\n", mark())
    assert new.all() == []
    assert new.text(kept.number) is None
    with new.locked():
        assert new.keep(b"mine\n", mark()).number == 2
    assert [version.number for version in new.all()] == [2]


@pytest.mark.parametrize(
    "damage",
    [b"", b"\n", b"{}\n", b"[]\nx", b'{"number": 1', b"\xff\xfe\n", b'{"mark": 3}\n', b"x" * 100_000],
    ids=lambda data: repr(data[:9]),
)
def test_a_damaged_file_is_left_out(folder: Path, damage: bytes) -> None:
    """One bad file costs that version alone."""
    held = versions(folder)
    with held.locked():
        held.keep(b"one\n", mark())
        held.keep(b"two\n", mark())
    (folder / "versions/1000/000000001").write_bytes(damage)
    (folder / "versions/1000/readme").write_text("not ours")
    assert [version.number for version in held.all()] == [2]
    assert held.text(1) is None


def test_a_text_that_was_cut_is_not_given_out(folder: Path) -> None:
    """The size is remembered apart, so that half a crontab is never restored."""
    held = versions(folder)
    with held.locked():
        kept = held.keep(b"one\ntwo\n", mark())
    path = folder / "versions/1000/000000001"
    path.write_bytes(path.read_bytes()[:-2])
    assert isinstance(held.all()[0], Version)
    assert held.text(kept.number) is None
    assert json.loads(path.read_bytes().partition(b"\n")[0])["size"] == 8
