"""Which outputs go, and what a prune does to a folder of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crond.launcher.labels import Label, label_of, read, written
from crond.launcher.pruning import Tally, Teller, prune
from crond.launcher.retention import Limits, Output, doomed
from crond.launcher.trimming import occupied
from crond.model.policy import PLAIN, Policy

NOW = 1_800_000_000.0
DAY = 86400.0
NONE = Limits(max_size=0, keep_days=0, keep_runs=0, total_size=0)


def output(
    name: str,
    *,
    age: float,
    job: str | None = "j",
    size: int = 4096,
    uid: int = 7,
    empty: bool = False,
    own: Policy = PLAIN,
) -> Output:
    run = name.rpartition(".")[0]
    label = None if job is None else label_of(job, own)
    return Output(path=name, uid=uid, run=run, label=label, written=NOW - age, size=size, empty=empty)


def gone(outputs: list[Output], **limits: object) -> list[str]:
    return [one.path for one in doomed(outputs, Limits(**{**_plain(NONE), **limits}), NOW)]  # type: ignore[arg-type]


def _plain(limits: Limits) -> dict[str, float]:
    return {name: getattr(limits, name) for name in ("max_size", "keep_days", "keep_runs", "total_size")}


def test_no_limit_keeps_all() -> None:
    """0 is no limit, for each of the three."""
    assert gone([output("a.1", age=1e9), output("b.1", age=0, size=1 << 40)]) == []


def test_by_age() -> None:
    """What was not written to for keep_days goes, the oldest first; a future time is young."""
    outputs = [output("new.1", age=DAY), output("a.1", age=2.1 * DAY), output("b.1", age=9 * DAY)]
    assert gone([*outputs, output("f.1", age=-5 * DAY)], keep_days=2) == ["b.1", "a.1"]


def test_by_count_per_job() -> None:
    """The latest runs of each job stay with all their attempts; users are told apart; no label, no count."""
    outputs = [
        output("r1.1", age=50),
        output("r2.1", age=40),
        output("r2.2", age=35),
        output("r3.1", age=30),
        output("o.1", age=90, job="other"),
        output("u.1", age=95, uid=8),
        output("n.1", age=99, job=None),
    ]
    assert gone(outputs, keep_runs=2) == ["r1.1"]
    assert gone(outputs, keep_runs=1) == ["r1.1", "r2.1", "r2.2"]


def test_an_entry_has_limits_of_its_own() -> None:
    """What the newest output of a job says holds for all of them; 0 keeps all; other jobs are not touched."""
    few, all_of_them = Policy(keep_runs=1, keep_days=3), Policy(keep_runs=0, keep_days=0)
    outputs = [
        output("a1.1", age=30, own=all_of_them),
        output("a2.-3", age=20, own=all_of_them),
        output("a2.0", age=19, own=few),
        output("a2.1", age=10, own=few),
        output("k1.1", age=9 * DAY, job="k", own=all_of_them),
        output("k2.1", age=8 * DAY, job="k", own=all_of_them),
        output("o1.1", age=9 * DAY, job="o"),
        output("y.1", age=4 * DAY, job="y", own=few),
    ]
    assert gone(outputs) == ["y.1", "a1.1"]
    assert gone(outputs, keep_runs=1, keep_days=8.5) == ["o1.1", "y.1", "a1.1"]


def test_who_asks_for_a_limit_means_every_job() -> None:
    """`prune --keep-days` and `--keep-runs` hold whatever an entry says."""
    own = Policy(keep_runs=0, keep_days=0)
    outputs = [output("a.1", age=5 * DAY, own=own), output("b.1", age=DAY, own=own)]
    assert gone(outputs, keep_days=2, keep_runs=1) == []
    assert gone(outputs, keep_days=2, firm=["keep_days"]) == ["a.1"]
    assert gone(outputs, keep_runs=1, firm=["keep_runs"]) == ["a.1"]


def test_a_label_comes_back() -> None:
    """The link's text says all of it; an earlier version wrote the job alone, a later one may say more."""
    for policy in (PLAIN, Policy(keep_runs=0, keep_days=0.5, log_max_size=4096), Policy(keep_runs=7)):
        assert read(written(label_of("me/a b", policy))) == label_of("me/a b", policy)
    assert written(label_of("me/a")) == "me/a"
    assert read("me/a\nkeep_runs=x\nkeep_days=-1\nmax_size=inf\nmore=1\nno word") == Label(job="me/a")
    assert read(written(label_of("a\nkeep_runs=9"))) == Label(job="a keep_runs=9")


def test_by_total() -> None:
    """The oldest go until the rest fits; a large one does not outlive what is younger than it."""
    outputs = [output("a.1", age=1, size=50), output("b.1", age=2, size=60), output("c.1", age=3, size=10)]
    assert gone(outputs, total_size=120) == []
    assert gone(outputs, total_size=110) == ["c.1"]
    assert gone(outputs, total_size=100) == ["c.1", "b.1"]
    assert gone(outputs, total_size=1) == ["c.1", "b.1", "a.1"]


def test_what_went_already_counts_no_more() -> None:
    """Age and count go before the total: space that they free is not freed twice."""
    outputs = [output("a.1", age=1, size=50), output("b.1", age=9 * DAY, size=500)]
    assert gone(outputs, keep_days=2, total_size=100) == ["b.1"]


def test_an_empty_output_of_an_earlier_life() -> None:
    """Nobody removed it when its job ended; a fresh one may still be written to."""
    assert gone([output("a.1", age=7200, empty=True), output("b.1", age=60, empty=True)]) == ["a.1"]


# --- on a folder -----------------------------------------------------------------------------------------


@pytest.fixture
def _no_sigio() -> Iterator[None]:
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGIO, before)


@pytest.fixture
def outputs(tmp_path: Path, _no_sigio: None) -> Path:
    """Outputs of two users: old and new ones, one that is too large, and what does not belong there."""
    for uid in ("7", "8"):
        folder = tmp_path / uid
        folder.mkdir()
        for key, age in (("old.1", 9 * DAY), ("new.1", 60.0)):
            file = folder / key
            file.write_bytes(b"x" * 5000)
            os.utime(file, times=(time.time() - age, time.time() - age))
            file.with_name(f"{key}.job").symlink_to("j/../../etc")
        (folder / "gone.1.job").symlink_to("j")
        (folder / "README").write_text("of somebody")
    (tmp_path / "8" / "big.1").write_bytes(b"x" * 1_000_000)
    (tmp_path / "lost+found").mkdir()
    return tmp_path


def pruned(folder: Path, *, uid: int | None = None, dry_run: bool = False, **limits: float) -> Tally:
    tally = Tally()
    chosen = Limits(**{**_plain(NONE), **limits})  # type: ignore[arg-type]
    prune(str(folder), uid=uid, limits=chosen, dry_run=dry_run, tally=tally, teller=Teller(None))
    return tally


def names(folder: Path) -> list[str]:
    return sorted(f"{path.parent.name}/{path.name}" for path in folder.glob("*/*"))


def test_a_prune(outputs: Path) -> None:
    """Old outputs go with their labels, large ones are cut, labels of nothing go, the rest is untouched."""
    tally = pruned(outputs, keep_days=2, max_size=65536)
    assert names(outputs) == [
        "7/README",
        "7/new.1",
        "7/new.1.job",
        "8/README",
        "8/big.1",
        "8/new.1",
        "8/new.1.job",
    ]
    assert (tally.removed, tally.trimmed, tally.kept) == (2, 1, 3)
    assert 900_000 < tally.freed < 1_000_000
    assert tally.kept_size == sum(
        occupied(path.stat()) for path in outputs.glob("*/*") if path.suffix == ".1"
    )
    assert tally.oldest == pytest.approx(time.time() - 60, abs=30)


def test_a_dry_run_counts_and_changes_nothing(outputs: Path) -> None:
    """The figures of a dry run are those of the prune that follows."""
    before = names(outputs)
    dry = pruned(outputs, dry_run=True, keep_days=2, max_size=65536)
    assert names(outputs) == before
    assert (outputs / "8" / "big.1").stat().st_blocks * 512 >= 999_000
    wet = pruned(outputs, keep_days=2, max_size=65536)
    assert (dry.removed, dry.trimmed, dry.kept, dry.oldest) == (
        wet.removed,
        wet.trimmed,
        wet.kept,
        wet.oldest,
    )
    assert dry.freed == pytest.approx(wet.freed, abs=8192)


def test_an_output_is_cut_to_what_its_own_entry_says(outputs: Path) -> None:
    """`log_max_size` holds also for what was written before anybody watched; 0 is no limit."""
    (outputs / "8" / "big.1.job").symlink_to(written(label_of("j", Policy(log_max_size=100_000))))
    assert pruned(outputs, uid=8, max_size=0).trimmed == 1
    assert occupied((outputs / "8" / "big.1").stat()) <= 100_000 + 4096
    (outputs / "7" / "big.1").write_bytes(b"x" * 1_000_000)
    (outputs / "7" / "big.1.job").symlink_to(written(label_of("j", Policy(log_max_size=0))))
    assert pruned(outputs, uid=7, max_size=65536).trimmed == 0


def test_only_ones_own(outputs: Path) -> None:
    """A user's prune does not look at other folders."""
    tally = pruned(outputs, uid=7, keep_days=2, max_size=65536)
    assert (tally.looked, tally.removed, tally.kept) == (2, 1, 1)
    assert "8/old.1" in names(outputs)
    assert pruned(outputs, uid=9, keep_days=2).looked == 0


def test_what_is_written_stays(outputs: Path) -> None:
    """A job of an earlier life may be silent for long and still write: its output is not taken away."""
    with (outputs / "7" / "old.1").open("ab"):
        tally = pruned(outputs, uid=7, keep_days=2)
        assert (tally.removed, tally.kept) == (0, 2)
    assert pruned(outputs, uid=7, keep_days=2).removed == 1


def test_links_are_not_followed(outputs: Path, tmp_path: Path) -> None:
    """An output that is a link is none of ours: at most the link goes, never what it points to."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"x" * 1_000_000)
    os.utime(victim, times=(0, 0))
    link = outputs / "7" / "link.1"
    link.symlink_to(victim)
    os.utime(link, times=(0, 0), follow_symlinks=False)
    pruned(outputs, keep_days=2, max_size=65536)
    assert victim.stat().st_blocks * 512 >= 999_000


def test_a_client_that_goes_ends_it(outputs: Path) -> None:
    """Ctrl-C: the next word to the client fails, and no further file is touched."""

    class Gone(Teller):
        def progress(self, phase: str, done: int, of: int | None) -> None:
            if phase == "removing" and done == 1:
                raise BrokenPipeError

    tally = Tally()
    limits = Limits(max_size=0, keep_days=2, keep_runs=0, total_size=0)
    with pytest.raises(BrokenPipeError):
        prune(str(outputs), uid=None, limits=limits, dry_run=False, tally=tally, teller=Gone(None))
    assert tally.removed == 1
    assert len([name for name in names(outputs) if name.endswith("old.1")]) == 1
