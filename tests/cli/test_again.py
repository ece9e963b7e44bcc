"""rerun, mark, and run with more than one run: what they ask, what they say, how they exit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Client
from tests.cli.fake_daemon import RUNNING, FakeDaemon, no, run_body, yes

FAILED = run_body(outcome="failed", exit_code=3)


def runs(*bodies: dict[str, Any], final: bool = True) -> Any:
    return yes({"run": bodies[0], "runs": list(bodies)}, final=final)


def asked(daemon: FakeDaemon) -> dict[str, str]:
    """What the scheduler was asked last."""
    return [arguments for side, _, arguments in daemon.asked if side == "scheduler"][-1]


def test_rerun(ask: Client, daemon: FakeDaemon) -> None:
    """The run by its id; what follows it is named, too."""
    child = run_body(id="c2d", job="root/join", state="waiting", outcome=None, waits="dependencies")
    daemon.answers("rerun", runs(run_body(**RUNNING), child | {"awaits": ["root/backup"], "ended_at": None}))
    result = ask("rerun", "k3f", "--downstream", "--failed")
    assert result.stdout.splitlines() == [
        "root/backup: run k3f started again",
        "root/join: run c2d is waiting for backup",
    ]
    assert asked(daemon) == {"run": "k3f", "downstream": "yes", "failed": "yes", "wait": "no"}


@pytest.mark.parametrize(
    ("first", "child", "status"),
    [
        (run_body(), run_body(), 0),
        (run_body(), run_body(outcome="skipped"), 0),
        (run_body(), run_body(outcome="upstream_failed"), 1),
        (FAILED, run_body(outcome="failed"), 3),
    ],
)
@pytest.mark.parametrize("verb", ["run", "rerun"])
def test_the_status_of_waiting_for_several(
    ask: Client, daemon: FakeDaemon, verb: str, first: Any, child: Any, status: int
) -> None:
    """The job's own; where that is 0, 1 if one that follows failed."""
    daemon.answers(verb, runs(run_body(**RUNNING), run_body(**RUNNING), final=False), runs(first, child))
    assert ask(verb, "k3f", "--downstream", "--wait").exit_code == status
    assert asked(daemon)["wait"] == "yes"


def test_failed_without_downstream(ask: Client, daemon: FakeDaemon) -> None:
    """It would say nothing, and whoever types it means something."""
    assert ask("rerun", "k3f", "--failed").exit_code == 2
    assert daemon.asked == []


def test_a_run_by_its_job_and_instant(ask: Client, daemon: FakeDaemon) -> None:
    """The minute is asked for, in local time."""
    daemon.answers("rerun", runs(run_body(**RUNNING)))
    assert ask("rerun", "backup@2026-11-21T03:00").exit_code == 0
    assert asked(daemon) == {"run": "backup", "instant": "1795197600", "upto": "1795197660", "wait": "no"}
    assert ask("rerun", "backup@whenever").exit_code == 2


@pytest.mark.parametrize(
    ("text", "verb", "body"),
    [
        ("k3f9", "show", {"run": run_body()}),
        ("backup", "history", {"runs": [run_body()]}),
        ("backup@2026-11-21T12:00", "why", {"runs": [run_body()]}),
    ],
)
@pytest.mark.parametrize("command", [("rerun",), ("mark", "success")])
def test_what_only_the_history_remembers(
    ask: Client, daemon: FakeDaemon, command: tuple[str, ...], text: str, verb: str, body: dict[str, Any]
) -> None:
    """It is said which run it is, and which command runs that instant again."""
    daemon.answers(command[0], no("forgotten", "no run of root/backup is remembered by the scheduler"))
    daemon.recorder[verb] = lambda _: [yes(body)]
    result = ask(*command, text)
    assert result.exit_code == 4
    assert result.stderr == (
        "crontabx: run k3f of root/backup, for 2026-11-21 12:00:00 KST, is in the history, but the scheduler"
        " no longer remembers it\nTo run the job again for that instant: crontabx backfill root/backup --from"
        " 2026-11-21T12:00 --to 2026-11-21T12:00 --reprocess all\n"
    )


def test_what_nobody_remembers(ask: Client, daemon: FakeDaemon) -> None:
    """The scheduler's own words."""
    daemon.answers("rerun", no("unknown", "there is no job 'x'"))
    result = ask("rerun", "x")
    assert (result.exit_code, result.stderr) == (4, "crontabx: there is no job 'x'\n")


def test_mark(ask: Client, daemon: FakeDaemon) -> None:
    """What it counts as now, and what it was; who marked it has a name."""
    after = run_body(outcome="success", exit_code=3, reason="marked by uid 0")
    daemon.answers("mark", yes({"run": after, "before": FAILED}))
    result = ask("mark", "success", "k3f")
    assert result.stdout == "root/backup: run k3f counts as success; it was failed (exit status 3)\n"
    assert asked(daemon) == {"run": "k3f", "outcome": "success"}
    assert json.loads(ask("mark", "success", "k3f", "--json").stdout)["run"] == after
    daemon.answers("runs", yes({"runs": [after]}))


def test_mark_what_runs(ask: Client, daemon: FakeDaemon) -> None:
    """It has to end first."""
    daemon.answers("mark", yes({"run": run_body(**RUNNING, reason=""), "before": run_body(**RUNNING)}))
    assert "is being ended, and will count as failed" in ask("mark", "failed", "k3f").stdout
    assert ask("mark", "lost", "k3f").exit_code == 2


def test_run_with_variables(ask: Client, daemon: FakeDaemon) -> None:
    """Each NAME=VALUE as it is; what the scheduler says against one is shown."""
    daemon.answers("run", runs(run_body(**RUNNING)))
    assert ask("run", "backup", "--env", "A=1", "-e", "B=x=y z").exit_code == 0
    assert json.loads(asked(daemon)["environment"]) == {"A": "1", "B": "x=y z"}
    daemon.answers("run", no("bad_request", "root/backup cannot be given PATH: it has no params="))
    result = ask("run", "backup", "--env", "PATH=/tmp")
    assert (result.exit_code, result.stderr) == (
        1,
        "crontabx: root/backup cannot be given PATH: it has no params=\n",
    )
    assert ask("run", "backup", "--env", "=x").exit_code == 2
    assert ask("run", "backup", "--env", "x").exit_code == 2


def test_run_that_has_to_wait(ask: Client, daemon: FakeDaemon) -> None:
    """It is not called started."""
    waiting = run_body(
        state="waiting", outcome=None, ended_at=None, started_at=None, waits="pool", pool="/gpu"
    )
    daemon.answers("run", runs(waiting))
    assert ask("run", "backup").stdout == "root/backup: run k3f is waiting for pool gpu\n"
