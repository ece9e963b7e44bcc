"""The verbs over the history against a real recorder: what happened is told, to whom it may be told."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import StartFiles
from tests.system.daemon import Crond, host_crond, install, wait_for
from tests.system.ground import Ground, People

TABLE = """\
#: name=ok
0 0 31 2 * echo fine
#: name=fails
0 0 31 2 * echo "to stderr" >&2; exit 7
#: name=daily
30 4 * * * true
"""


@pytest.fixture(scope="module")
def crond(ground: Ground, people: People) -> Iterator[Crond]:
    crond, folder = host_crond(ground, people)
    try:
        install(folder, people.ann, TABLE)
        install(folder, people.ben, "#: name=bens\n0 0 31 2 * echo of ben\n")
        crond.up()
        wait_for(lambda: len(crond.jobs()) == 4, "both tables are loaded")
        for job in ("ok", "fails", "fails", "bens"):
            crond.run_now(job)
        wait_for(lambda: len(history(crond)) == 4, "the history has all four runs")
        yield crond
    finally:
        crond.close()


def history(crond: Crond, *arguments: str, **options: Any) -> list[dict[str, Any]]:
    done = crond.client("history", "--json", *arguments, **options)
    # The recorder comes up after the daemon.
    return json.loads(done.stdout)["runs"] if done.returncode == 0 else []


def test_the_filters(crond: Crond, people: People) -> None:
    """By job, by outcome, by time, the slowest, the last; a user sees their own, root all."""
    names = [run["job"].rpartition("/")[2] for run in history(crond)]
    assert names == ["bens", "fails", "fails", "ok"]
    assert len(history(crond, user=people.ann)) == 3
    assert [run["exit_code"] for run in history(crond, "fails", "--failed")] == [7, 7]
    assert [run["exit_code"] for run in history(crond, "--outcome", "success", "-n", "1")] == [0]
    assert history(crond, "--until", "1h") == []
    assert len(history(crond, "--since", "1h")) == 4
    lengths = [run["duration"] for run in history(crond, "--slowest")]
    assert lengths == sorted(lengths, reverse=True)


def test_a_failure_is_explained(crond: Crond, people: People) -> None:
    """From `why` to its output: each verb takes what the one before has named."""
    told = crond.client("why", "fails", user=people.ann)
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[0].endswith("/fails: it ran and failed")
    assert "failed: exit status 7." in told.stdout
    run = told.stdout.split()[-1]
    seen = crond.client("show", run, user=people.ann).stdout
    assert "  because of   a request of root" in seen
    assert f"  ran as       {people.ann.pw_name} on " in seen
    assert crond.client("logs", run, user=people.ann).stdout == "to stderr\n"
    figures = crond.client("stats", "fails", user=people.ann).stdout
    assert "/fails: 2 runs, 2 failed" in figures
    assert "  success      0 %" in figures
    assert "Last 24 hours: 3 runs, 2 failed, 1 success" in crond.client("status", user=people.ann).stdout


def test_what_never_ran_was_not_due_or_the_daemon_was_down(crond: Crond) -> None:
    """A job without a run is judged by its schedule and by when the daemon came up."""
    done = crond.client("why", "daily", "2020-01-01T04:31")
    assert done.stdout.splitlines()[0].endswith("/daily: it was not due"), done.stderr
    done = crond.client("why", "daily", "2020-01-01T04:30", "--json")
    body = json.loads(done.stdout)
    assert (body["verdict"], body["due"]["within"]) == ("down", "2020-01-01T04:30:00Z")
    assert body["due"]["next"] == "2020-01-02T04:30:00Z"
    assert body["due"]["previous"] == "2019-12-31T04:30:00Z"
    # It has no run of its own, and still it is said since when there would be one.
    assert body["recorded_since"] == history(crond)[-1]["started_at"]


def test_nobody_learns_of_others(crond: Crond, people: People) -> None:
    """Another's job and run are as if they were not there; the database is root's business."""
    run = history(crond, "fails")[0]["id"]
    for arguments in (("history", "fails"), ("show", run), ("why", "fails"), ("stats", "fails")):
        done = crond.client(*arguments, user=people.ben)
        assert (done.returncode, done.stdout) == (4, ""), arguments
    for action in ("status", "check", "backup", "upgrade", "prune"):
        done = crond.client("db", action, user=people.ben)
        assert (done.returncode, done.stdout) == (1, ""), action


def test_the_database_is_looked_after(crond: Crond) -> None:
    """It is in order, of this version, and a copy of it is made while it is written."""
    assert "writes what happens" in crond.client("db", "status").stdout
    assert crond.client("db", "check").stdout == "The database is in order.\n"
    assert "already" in crond.client("db", "upgrade").stdout
    assert (
        "4 runs of the history would be deleted"
        in crond.client("db", "prune", "-n", "--keep-days", "0").stdout
    )
    assert "0 runs of the history would be deleted" in crond.client("prune", "-n").stdout
    copy = json.loads(crond.client("db", "backup", "--json").stdout)
    assert Path(copy["path"]).stat().st_size == copy["size"] > 0


def test_an_outage_is_why(start_files: StartFiles, tmp_path: Path) -> None:
    """What was due each second while the daemon was away: the history says from when to when it was."""
    table = tmp_path / "tab"
    table.write_text("#: name=tick\n@every 1s true\n")
    crond = start_files(tmp_path, str(table)).up()
    wait_for(lambda: history(crond), "the first tick is in the history")
    crond.end(signal.SIGTERM)
    missed = math.ceil(time.time())
    missed += 1 if missed % 60 == 0 else 0  # a whole minute would be asked for
    wait_for(lambda: time.time() > missed + 0.5, "a tick is missed")
    crond = start_files(tmp_path, str(table)).up()
    moment = datetime.fromtimestamp(missed, UTC).isoformat()

    def is_told() -> bool:
        done = crond.client("why", "tick", moment, "--json")
        return done.returncode == 0 and json.loads(done.stdout)["verdict"] == "down"

    wait_for(lambda: is_told() or None, "the recorder has read of the outage")
    assert "the daemon was down from" in crond.client("why", "tick", moment).stdout
