"""backfill: which instants are run, in which order and how many at once, and what is said of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import datetime
from typing import Any

import pytest

from tests.cli.conftest import Client
from tests.cli.fake_daemon import DEADLINE, RUNNING, FakeDaemon, Hang, run_body, yes
from tests.cli.test_jobs import job_body

DAYS = ["2026-11-20T18:00:00Z", "2026-11-21T18:00:00Z", "2026-11-22T18:00:00Z", "2026-11-23T18:00:00Z"]
RANGE = ("--from", "2026-11-21", "--to", "2026-11-24")


def epoch_of(day: str) -> float:
    return datetime.fromisoformat(day).timestamp()


@pytest.fixture
def due(daemon: FakeDaemon) -> FakeDaemon:
    """A job that was due at 03:00 on four days, the second of which failed and the third succeeded."""
    daemon.answers("list", yes({"jobs": [job_body()]}))
    daemon.answers("instants", yes({"job": "root/backup", "instants": DAYS}))
    recorded = [
        run_body(id="bad", instant=DAYS[1], outcome="failed", exit_code=1),
        run_body(id="old", instant=DAYS[2], outcome="failed", ended_at="2026-11-22T18:01:00Z"),
        run_body(id="good", instant=DAYS[2], ended_at="2026-11-22T19:00:00Z", trigger="backfill"),
        run_body(id="hand", instant=DAYS[3], trigger="manual"),
    ]
    daemon.recorder["instants"] = lambda _: [yes({"runs": recorded, "more": False, "behind": 0})]

    def start(arguments: dict[str, str]) -> list[Any]:
        day = next(day for day in DAYS if epoch_of(day) == float(arguments["instant"]))
        run = run_body(id=f"r{DAYS.index(day)}", instant=day, trigger="backfill")
        first = {"run": run | RUNNING, "runs": [run | RUNNING]}
        return [yes(first, final=False), yes({"run": run, "runs": [run]})]

    daemon.scheduler["backfill"] = start
    return daemon


def started(daemon: FakeDaemon) -> list[str]:
    """The instants that were started, in order."""
    asked = [arguments for _, verb, arguments in daemon.asked if verb == "backfill"]
    assert all(arguments["wait"] == "yes" for arguments in asked)
    return [next(d for d in DAYS if epoch_of(d) == float(one["instant"])) for one in asked]


def test_what_has_no_run_is_run(ask: Client, due: FakeDaemon) -> None:
    """In order; what has a run already is left out, and counted by how that ended."""
    result = ask("backfill", "backup", *RANGE)
    assert result.exit_code == 0
    assert started(due) == [DAYS[0], DAYS[3]]
    assert result.stdout == (
        "root/backup: 2 of 2 instants ran, 2 success; 2 left out, which have a run (1 failed, 1 success)\n"
    )
    assert result.stderr.splitlines()[0] == "2026-11-21 03:00:00 KST: run r0: success"
    edges = {"from": "1795186800", "to": "1795532399"}  # 2026-11-21T00:00 to 2026-11-24T23:59:59 in Seoul
    assert ("scheduler", "instants", {"job": "root/backup", **edges}) in due.asked
    assert ("recorder", "instants", {"job": "root/backup", **edges}) in due.asked


@pytest.mark.parametrize(("which", "days"), [("failed", [0, 1, 3]), ("all", [0, 1, 2, 3])])
def test_reprocess(ask: Client, due: FakeDaemon, which: str, days: list[int]) -> None:
    """The newest run for an instant counts, not an earlier failure."""
    assert ask("backfill", "backup", *RANGE, "--reprocess", which).exit_code == 0
    assert started(due) == [DAYS[day] for day in days]


def test_dry_run(ask: Client, due: FakeDaemon) -> None:
    """All instants with what would become of each; nothing is started."""
    result = ask("backfill", "backup", *RANGE, "--dry-run")
    assert result.stdout.splitlines() == [
        "INSTANT                  BACKFILL   HAS",
        "2026-11-21 03:00:00 KST  would run  no run",
        "2026-11-22 03:00:00 KST  left out   failed (exit status 1)",
        "2026-11-23 03:00:00 KST  left out   success",
        "2026-11-24 03:00:00 KST  would run  no run",
    ]
    assert started(due) == []
    body = json.loads(ask("backfill", "backup", *RANGE, "--dry-run", "--json").stdout)
    assert [one["starts"] for one in body["instants"]] == [True, False, False, True]
    assert body["instants"][1]["run"]["id"] == "bad"


def test_a_failure_is_the_exit_status(ask: Client, due: FakeDaemon) -> None:
    """The others are run all the same."""
    bad = run_body(id="rx", outcome="failed", exit_code=9)
    due.answers("backfill", yes({"run": bad, "runs": [bad]}))
    result = ask("backfill", "backup", *RANGE)
    assert result.exit_code == 1
    assert "2 of 2 instants ran, 2 failed" in result.stdout
    body = json.loads(ask("backfill", "backup", *RANGE, "--json").stdout)
    assert [one["run"]["id"] for one in body["instants"]] == ["rx", "bad", "good", "rx"]


@pytest.mark.parametrize("most", [1, 3])
def test_how_many_at_once(ask: Client, due: FakeDaemon, most: int) -> None:
    """Never more than asked for; with three, three are begun before the first has ended."""
    going, peak, lock = [0], [0], threading.Lock()
    together = threading.Barrier(most)

    def begun() -> None:
        with lock:
            going[0] += 1
            peak[0] = max(peak[0], going[0])

    def meet() -> None:
        together.wait(DEADLINE)

    def ended() -> None:
        with lock:
            going[0] -= 1

    plain = due.scheduler["backfill"]

    def start(arguments: dict[str, str]) -> list[Any]:
        first, last = plain(arguments)
        return [begun, first, meet, ended, last]

    due.scheduler["backfill"] = start
    days = DAYS if most == 1 else DAYS[:3]
    due.answers("instants", yes({"job": "root/backup", "instants": days}))
    assert ask("backfill", "backup", *RANGE, "--reprocess", "all", "--max-parallel", str(most)).exit_code == 0
    assert peak == [most]


def test_ctrl_c_starts_nothing_more(due: FakeDaemon) -> None:
    """It says which run goes on, what was done and what was not."""
    begun = threading.Event()
    running = run_body(id="r0", instant=DAYS[0], **RUNNING)
    due.answers(
        "backfill",
        yes({"run": running, "runs": [running]}, final=False),
        begun.set,
        Hang(),
    )
    command = "from crond.cli.main import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", command, "--state", str(due.state), "backfill", "backup", *RANGE],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TZ": "Asia/Seoul"},
    ) as process:
        assert begun.wait(DEADLINE)
        # The answer may be on its way; the signal is meant for the wait, and is kept until then.
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130
    assert "root/backup: 0 of 2 instants ran" in said
    assert "not started: 1 instant, the first 2026-11-24 03:00:00 KST" in said
    assert started(due) == [DAYS[0]]


def test_the_zone_of_the_job(ask: Client, due: FakeDaemon) -> None:
    """Times are those of its timezone=, in and out."""
    due.answers("list", yes({"jobs": [job_body(zone="UTC")]}))
    result = ask("backfill", "backup", *RANGE, "--dry-run")
    assert "2026-11-20 18:00:00 UTC  would run" in result.stdout
    edges = {"from": "1795219200", "to": "1795564799"}
    assert ("scheduler", "instants", {"job": "root/backup", **edges}) in due.asked


def test_nothing_was_due(ask: Client, due: FakeDaemon) -> None:
    """Said, and no failure; a range that ends before it begins is one."""
    due.answers("instants", yes({"job": "root/backup", "instants": []}))
    result = ask("backfill", "backup", *RANGE)
    assert (result.exit_code, result.stdout) == (0, "root/backup: it was not due in that time\n")
    assert ask("backfill", "backup", "--from", "2026-11-24", "--to", "2026-11-21").exit_code == 2
    assert ask("backfill", "backup", "--from", "2026-11-24").exit_code == 2
