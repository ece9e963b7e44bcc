"""prune: what is asked for, how the figures are worded, and the way there on a terminal."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Client
from tests.cli.fake_daemon import FakeDaemon, no, yes

DONE = {
    "dry_run": False,
    "removed": 1200,
    "freed": 3_500_000,
    "trimmed": 1,
    "kept": 1,
    "kept_size": 512,
    "oldest": "2026-11-20T18:00:00Z",
}


def test_the_figures(ask: Client, daemon: FakeDaemon) -> None:
    """What went, what it freed, what stays; the options go along as numbers."""
    progress = yes({"phase": "removing", "done": 3, "of": 1200}, final=False)
    daemon.launcher["prune"] = lambda _: [progress, yes(DONE)]
    result = ask("prune", "--keep-runs", "5", "--total-size", "1M")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "1,200 outputs removed, 3.3 MB set free",
        "1 output cut to max_size",
        "1 output kept, 512 B, the oldest of 2026-11-21 03:00:00 KST",
    ]
    assert result.stderr == ""
    asked = {"dry_run": "no", "keep_runs": "5", "total_size": "1048576"}
    assert daemon.asked[0] == ("launcher", "prune", asked)
    # The limits are those of outputs alone.
    assert daemon.asked[1:] == [("recorder", "db", {"action": "prune", "dry_run": "no"})]


@pytest.mark.parametrize(("dry", "verb"), [(True, "would be deleted"), (False, "deleted")])
def test_the_history(ask: Client, daemon: FakeDaemon, dry: bool, verb: str) -> None:
    """Runs that would go, or went, by `prune` and by `db prune` alike; for others than root nothing of it."""
    words = f"1,500 runs of the history {verb}; the oldest that is kept began at 2026-11-21 03:00:00 KST"
    body = {"runs": 1500, "dry_run": dry, "oldest_kept": "2026-11-20T18:00:00Z", "behind": 0}
    daemon.launcher["prune"] = lambda _: [yes({**DONE, "dry_run": dry})]
    daemon.recorder["db"] = lambda _: [yes(body)]
    flags = ["-n"] if dry else []
    assert ask("prune", *flags).stdout.splitlines()[-1] == words
    assert ask("db", "prune", "--keep-days", "3", *flags).stdout.splitlines() == [words]
    asked = {"action": "prune", "keep_days": "3.0"} | ({"dry_run": "yes"} if dry else {})
    assert daemon.asked[-1] == ("recorder", "db", asked)
    daemon.recorder["db"] = lambda _: [no("forbidden", "only root may ask about the database")]
    assert len(ask("prune", *flags).stdout.splitlines()) == 3
    assert ask("db", "prune").exit_code == 1


def test_limits_go_with_prune(ask: Client) -> None:
    """`db status --keep-days 3` would do nothing with it."""
    assert ask("db", "status", "--keep-days", "3").exit_code == 2


def test_a_dry_run_says_would(ask: Client, daemon: FakeDaemon) -> None:
    """Nobody may think that something went."""
    body = {**DONE, "dry_run": True, "trimmed": 0, "removed": 0, "freed": 0, "kept": 0, "oldest": None}
    daemon.launcher["prune"] = lambda _: [yes(body)]
    assert ask("prune", "-n").stdout.splitlines() == [
        "0 outputs would be removed, 0 B set free",
        "0 outputs kept, 512 B",
    ]
    assert daemon.asked[0][2] == {"dry_run": "yes"}


def test_json(ask: Client, daemon: FakeDaemon) -> None:
    """The daemon's own figures."""
    daemon.launcher["prune"] = lambda _: [
        yes({"phase": "looking", "done": 1, "of": None}, final=False),
        yes(DONE),
    ]
    assert json.loads(ask("prune", "--json").stdout) == {**DONE, "history": None}


def test_a_refusal(ask: Client, daemon: FakeDaemon) -> None:
    """The daemon's reason is the message."""
    daemon.launcher["prune"] = lambda _: [no("busy", "outputs are being pruned already")]
    result = ask("prune")
    assert (result.exit_code, result.stderr) == (1, "crontabx: outputs are being pruned already\n")


@pytest.mark.parametrize("verb", [["prune"], ["db", "prune"]])
def test_days_with_a_unit(ask: Client, verb: list[str]) -> None:
    """`--keep-days 7d` was "not a valid float range"."""
    result = ask(*verb, "--keep-days", "7d")
    assert result.exit_code == 2
    assert "'7d' is no number of days; write 7, or 0.5" in result.stderr


@pytest.mark.parametrize("arguments", [["--total-size", "1 GB"], ["--keep-runs", "-1"], ["--keep-days", "x"]])
def test_what_is_no_limit(client: Client, arguments: list[str]) -> None:
    """Refused before any daemon is asked."""
    assert client("prune", *arguments).exit_code == 2
