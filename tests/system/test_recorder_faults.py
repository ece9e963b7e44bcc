"""A recorder in trouble: killed, locked out, robbed of its file; afterwards it remembers what jobs proved."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from bench.subject import Remembered, Tally

ROOT = Path(__file__).resolve().parents[2]


def test_history_and_proofs_agree_after_each_fault() -> None:
    """Killed ten times, its database locked, then deleted: no start is missing and none is there twice."""
    options = ("--starts", "100", "--kills", "10", "--life", "0.6", "--lock-seconds", "3")
    done = subprocess.run(
        [sys.executable, "-m", "bench.faults", *options, "killed", "locked", "deleted"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [row[0] for row in rows] == ["none", "killed", "locked", "deleted", "none"], done.stderr
    assert [(row[5], row[6]) for row in rows] == [("0", "0")] * 5, done.stdout
    assert all(int(row[1]) >= 100 for row in rows)
    assert done.returncode == 0


def test_the_account_finds_what_is_missing_and_what_is_double() -> None:
    """A proof without a run is missing; a run without a proof, or a second one of an instant, is double."""
    second = 1_000_000
    runs = [Remembered("a", n * second, n * second + 500, 10 + n) for n in range(3)]
    proofs = Counter({("a", 10): 1, ("a", 11): 1, ("a", 12): 1})
    assert (Tally(runs, proofs).missing(), Tally(runs, proofs).double()) == (0, 0)
    assert (Tally(runs[1:], proofs).missing(), Tally(runs[1:], proofs).double()) == (1, 0)
    assert Tally([*runs, Remembered("a", 9 * second, 1, 99)], proofs).double() == 1
    assert Tally([*runs, runs[0]], proofs).double() == 2
    assert Tally([runs[0], runs[2]], proofs).unanswered(1, 0.0) == 1
    assert Tally(runs, proofs).lateness(1.0, 2.0) == [0.5]
