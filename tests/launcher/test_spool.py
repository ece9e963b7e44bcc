"""Which crontabs exist, and when one has a new version."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from crond.launcher import spool as spool_module
from crond.launcher.accounts import Account, Accounts
from crond.launcher.config import Config
from crond.launcher.log import Log
from crond.launcher.loop import Loop
from crond.launcher.outlet import Outlet
from crond.launcher.spool import Spool
from crond.model.messages import TableGone, TableRefused, TableText

OWN = Account("me", os.geteuid(), os.getegid(), "/", ())
Scan = Callable[..., Spool]


class KnownAccounts(Accounts):
    """Accounts that a test decides on."""

    def __init__(self) -> None:
        super().__init__()
        self.known = {"ann": Account("ann", os.geteuid(), os.getegid(), "/", ())}

    def named(self, name: str) -> Account | None:
        return self.known.get(name)


@pytest.fixture
def accounts() -> KnownAccounts:
    return KnownAccounts()


@pytest.fixture
def make(tmp_path: Path, accounts: Accounts) -> Scan:
    """Makes the spool of a host, or of files, in the test's folder."""
    for name in ("cron.d", "spool"):
        (tmp_path / name).mkdir()

    def spool(
        files: tuple[str, ...] = (), dialect: str = "cronie", seed: int = 1, *, lsb_names: bool = False
    ) -> Spool:
        config = Config(
            mode="files" if files else "host",
            package="",
            state=str(tmp_path / "state"),
            run="",
            files=files,
            dialect=dialect,
            lsb_names=lsb_names,
            permit_any=True,
            system_crontab=str(tmp_path / "crontab"),
            cron_d=str(tmp_path / "cron.d"),
            spool=str(tmp_path / "spool"),
        )
        loop = Loop()
        log = Log(errors=Outlet(2, loop), lines=None, syslog=None, as_json=False, dialect=dialect)
        return Spool(config, accounts=accounts, own=OWN, log=log, seed=seed)

    return spool


NAMES = [
    "plain",
    "with.dot",
    "a_b-C9",
    ".hidden",
    "#auto#",
    "back~",
    "x.rpmsave",
    "x.rpmnew",
    "x.rpmorig",
    "x.dpkg-new",
]


@pytest.mark.parametrize(
    ("dialect", "obeyed"),
    [("cronie", {"plain", "with.dot", "a_b-C9", "x.dpkg-new"}), ("debian", {"plain", "a_b-C9"})],
)
def test_names_in_cron_d(tmp_path: Path, make: Scan, dialect: str, obeyed: set[str]) -> None:
    """Cronie ignores leftovers of editors and of rpm, Debian whatever is not letters, digits, _ and -."""
    for name in NAMES:
        (tmp_path / "cron.d" / name).write_text("")
    assert {os.path.basename(change.origin) for change in make(dialect=dialect).scan()} == obeyed


def test_names_of_the_lsb(tmp_path: Path, make: Scan) -> None:
    """-l of Debian's cron: assigned names, and those of a vendor with its dots; no capitals, no leftovers."""
    obeyed = {"plain", "with-hyphen9", "_example.org-tool", "example.org-tool"}
    for name in (*obeyed, "Capital", "under_score", "with.dot", "x.dpkg-old", "x.dpkg-dist", "-first"):
        (tmp_path / "cron.d" / name).write_text("")
    changes = make(dialect="debian", lsb_names=True).scan()
    assert {os.path.basename(change.origin) for change in changes} == obeyed


def test_an_orphan_is_obeyed_once_its_user_exists(
    tmp_path: Path, make: Scan, accounts: KnownAccounts
) -> None:
    """A file of the spool that is nobody's is told once, and looked at again each time."""
    (tmp_path / "spool" / "bob").write_text("* * * * * x\n")
    spool = make()
    assert spool.scan() == [
        TableRefused(str(tmp_path / "spool" / "bob"), "bob", 0, "ORPHAN (no passwd entry)")
    ]
    assert spool.scan() == []
    accounts.known["bob"] = Account("bob", 77, 77, "/", ())
    (table,) = spool.scan()
    assert isinstance(table, TableText)
    assert (table.owner, table.uid, table.system, table.privileged) == ("bob", 77, False, False)


def test_debian_ignores_unfinished_files_of_crontab(tmp_path: Path, make: Scan) -> None:
    """`tmp.XXXXXX` is what Debian's crontab is writing, not an orphan."""
    (tmp_path / "spool" / "tmp.abc").write_text("")
    assert make(dialect="debian").scan() == []
    assert len(make(dialect="cronie").scan()) == 1


def test_versions(tmp_path: Path, make: Scan) -> None:
    """Touched, edited or forced: a new version, and the old one is no longer held. Removed: gone."""
    path = tmp_path / "spool" / "ann"
    path.write_text("* * * * * x\n")
    os.utime(path, (1, 1))
    spool = make()
    (first,) = spool.scan()
    assert isinstance(first, TableText)
    assert spool.scan() == []
    os.utime(path, (2, 2))
    (second,) = spool.scan()
    (third,) = spool.scan(force=True)
    assert isinstance(second, TableText)
    assert isinstance(third, TableText)
    assert [first.version, second.version, third.version] == [1, 2, 3]
    assert spool.table(1) is None
    assert spool.table(3) == third
    assert spool.current() == [third]
    path.unlink()
    assert spool.scan() == [TableGone(str(path))]
    assert spool.table(3) is None


def test_two_edits_within_one_tick_are_both_seen(
    tmp_path: Path, make: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same times, same size: what was read right after it was written is read again."""
    monkeypatch.setattr(spool_module, "_identity", lambda found: (1, 2**62, 3, 4, 5))
    path = tmp_path / "spool" / "ann"
    path.write_text("* * * * * a\n")
    spool = make()
    spool.scan()
    assert spool.scan() == []
    path.write_text("* * * * * b\n")
    (table,) = spool.scan()
    assert isinstance(table, TableText)
    assert table.text == b"* * * * * b\n"


def test_an_account_with_a_new_uid_is_a_new_owner(
    tmp_path: Path, make: Scan, accounts: KnownAccounts
) -> None:
    """The table of an account whose uid changed is told again."""
    (tmp_path / "spool" / "ann").write_text("")
    spool = make()
    spool.scan()
    accounts.known["ann"] = Account("ann", 4242, 1, "/", ())
    (table,) = spool.scan()
    assert isinstance(table, TableText)
    assert table.uid == 4242


def test_a_refused_table_is_gone(tmp_path: Path, make: Scan) -> None:
    """What fails the checks loses what it had; what is mended comes back."""
    path = tmp_path / "spool" / "ann"
    path.write_text("")
    spool = make()
    (table,) = spool.scan()
    assert isinstance(table, TableText)
    path.unlink()
    path.mkdir()
    (refused,) = spool.scan()
    assert isinstance(refused, TableRefused)
    assert refused.reason == "NOT REGULAR"
    assert spool.table(table.version) is None
    path.rmdir()
    path.write_text("")
    assert [type(change) for change in spool.scan()] == [TableText]


def test_seeds_are_stable(tmp_path: Path, make: Scan) -> None:
    """The same life, origin and version draw the same; another life draws something else."""
    (tmp_path / "spool" / "ann").write_text("")
    seeds = []
    for life in (1, 1, 2):
        (table,) = make(seed=life).scan()
        assert isinstance(table, TableText)
        seeds.append(table.seed)
    assert seeds[0] == seeds[1] != seeds[2]
    assert all(0 <= seed < 2**53 for seed in seeds)


def test_folders_to_watch(tmp_path: Path, make: Scan) -> None:
    """A host: its folders, and one name beside the system crontab. Files: their folders and names. Both: the
    tables of one-shots.
    """
    at = str(tmp_path / "state" / "at")
    assert make().folders() == {
        str(tmp_path): frozenset({"crontab"}),
        str(tmp_path / "cron.d"): frozenset(),
        str(tmp_path / "spool"): frozenset(),
        at: frozenset(),
    }
    assert make(files=("/a/x", "/a/y", "/b/z", "-")).folders() == {
        "/a": frozenset({"x", "y", "..data"}),
        "/b": frozenset({"z", "..data"}),
        at: frozenset({"me"}),
    }


@pytest.fixture
def at(tmp_path: Path) -> Path:
    """The folder of the tables of one-shots."""
    folder = tmp_path / "state" / "at"
    folder.mkdir(parents=True)
    return folder


def test_one_shots_are_their_owners(at: Path, make: Scan) -> None:
    """A table of one-shots is told like a crontab of its owner; what is written aside is none."""
    for name in ("ann", "nobody-there", ".crontabx.7"):
        (at / name).write_text("@at 2100-01-01T00:00:00+00:00 x\n")
    table, orphan = make().scan()
    assert isinstance(table, TableText)
    assert (table.origin, table.owner, table.system) == (str(at / "ann"), "ann", False)
    assert table.uid == os.geteuid()
    assert isinstance(orphan, TableRefused)
    assert orphan.reason.startswith("ORPHAN")


def test_one_shots_beside_files(at: Path, tmp_path: Path, make: Scan) -> None:
    """With `crond FILE` they are those of who runs it; nobody else has any."""
    (tmp_path / "file").write_text("")
    for name in ("me", "ann"):
        (at / name).write_text("")
    changes = make(files=(str(tmp_path / "file"),)).scan()
    assert [change.origin for change in changes] == [str(tmp_path / "file"), str(at / "me")]


def test_former_one_shots(at: Path, tmp_path: Path, make: Scan) -> None:
    """A table of one-shots that was replaced is held for a while, a crontab is not."""
    spool = make()
    versions = []
    for text in ("1 * * * * one\n", "2 * * * * two\n"):
        for path in (at / "ann", tmp_path / "spool" / "ann"):
            path.write_text(text)
        versions.append([change.version for change in spool.scan() if isinstance(change, TableText)])
    (former, former_crontab), (newest, newest_crontab) = versions
    assert [spool.one_shots(version) is not None for version in (former, newest)] == [True, True]
    assert spool.one_shots(former_crontab) is None
    assert spool.one_shots(newest_crontab) is None
    assert spool.table(former) is None


def test_former_one_shots_are_few(at: Path, make: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for one after the other fills no memory: of those replaced the oldest are forgotten."""
    monkeypatch.setattr(spool_module, "_FORMER_LIMIT", 100)
    spool = make()
    versions = []
    for number in range(4):
        (at / "ann").write_text(f"{number} * * * * {'x' * 30}\n")
        (change,) = spool.scan()
        assert isinstance(change, TableText)
        versions.append(change.version)
    assert [spool.one_shots(version) is not None for version in versions] == [False, True, True, True]
