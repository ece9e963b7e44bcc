"""list, status, run and stop: what they ask, what they show, how they exit."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from crond.cli import dashboard as dashboard_module
from crond.cli import jobs as jobs_module
from crond.cli.answers import read_run
from crond.cli.dashboard import share
from crond.cli.describe import exit_status
from crond.cli.format import cells
from crond.cli.main import crontabx
from tests.cli.conftest import Client
from tests.cli.fake_daemon import RUNNING, FakeDaemon, no, run_body, yes
from tests.cli.terminal import on_terminal


def job_body(**changed: Any) -> dict[str, Any]:
    return {
        "job": "root/backup",
        "owner": "root",
        "origin": "/etc/cron.d/backup",
        "line": 3,
        "schedule": "0 3 * * *",
        "command": "backup --all",
        "user": "root",
        "next": "2026-11-22T03:00:00Z",
        "running": [],
        "last": run_body(),
        "problems": [],
        **changed,
    }


def status_body(**changed: Any) -> dict[str, Any]:
    return {
        "now": "2026-11-21T03:00:05Z",
        "zone": "Asia/Seoul",
        "started_at": "2026-11-20T03:00:05Z",
        "planned_upto": "2026-11-21T03:00:00Z",
        "running": [],
        "next": [],
        "failed": [],
        "problems": [],
        **changed,
    }


def test_list(ask: Client, daemon: FakeDaemon) -> None:
    """One row per job: due next in local time with its zone, how the last run ended, the command."""
    daemon.answers("list", yes({"jobs": [job_body(), job_body(job="root/x", next=None, last=None)]}))
    result = ask("list")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "JOB          NEXT                     LAST     SCHEDULE   COMMAND",
        "root/backup  2026-11-22 12:00:00 KST  success  0 3 * * *  backup --all",
        "root/x       -                        -        0 3 * * *  backup --all",
    ]
    assert daemon.asked == [("scheduler", "list", {}), ("recorder", "jobs", {})]


def test_list_knows_from_the_history_what_the_scheduler_forgot(ask: Client, daemon: FakeDaemon) -> None:
    """The last run of a job is shown though the scheduler no longer remembers it; one that runs is none."""
    forgot, runs = job_body(job="root/x", last=None), job_body(job="root/y", last=None)
    daemon.answers("list", yes({"jobs": [forgot, runs]}))
    last = run_body(job="root/x", outcome="failed", exit_code=4)
    recorded = [{"job": "root/x", "last": last}, {"job": "root/y", "last": run_body(**RUNNING)}]
    daemon.recorder["jobs"] = lambda _: [yes({"jobs": recorded, "behind": 0})]
    lines = ask("list").stdout.splitlines()
    assert "failed (exit 4)" in lines[1]
    assert lines[2].split()[4] == "-"
    assert [job["last"] for job in json.loads(ask("list", "--json").stdout)["jobs"]] == [last, None]


def test_list_json_is_the_daemons_answer(ask: Client, daemon: FakeDaemon) -> None:
    """Nothing is lost or added in JSON, and non-ASCII is escaped."""
    body = {"jobs": [job_body(command="é\x1b\udc80")], "later": 1}
    daemon.answers("list", yes(body))
    result = ask("list", "--json")
    assert json.loads(result.stdout) == body
    assert result.stdout.isascii()
    assert "\x1b" not in result.stdout


def test_names_and_commands_are_made_printable(ask: Client, daemon: FakeDaemon) -> None:
    """A command with an escape sequence cannot move the cursor of who lists it."""
    daemon.answers("list", yes({"jobs": [job_body(job="root/a\x1b[2J", command="x\u202ey\udcff\n")]}))
    result = ask("list")
    assert "root/a^[[2J" in result.stdout
    assert "x\\u202ey\\377^J" in result.stdout


def test_list_fits_the_screen(ask: Client, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """With COLUMNS no line is longer, wide letters counted twice; the times are never cut."""
    monkeypatch.setenv("COLUMNS", "80")
    failed = run_body(outcome="failed", signal=15)
    jobs = [job_body(command="c" * 300), job_body(command="한글" * 50, last=failed, job="root/" + "j" * 50)]
    daemon.answers("list", yes({"jobs": jobs}))
    lines = ask("list").stdout.splitlines()
    assert max(cells(line) for line in lines) <= 80
    assert all("2026-11-22 12:00:00 KST" in line for line in lines[1:])
    assert lines[1].endswith("…")
    assert "failed (SIGTERM)" in lines[2]


def test_list_on_a_terminal(daemon: FakeDaemon) -> None:
    """Fitted to the terminal; in colours, and in none if NO_COLOR is set."""
    failed = run_body(outcome="failed", exit_code=2)
    daemon.answers("list", yes({"jobs": [job_body(command="c" * 300, last=failed)]}))
    arguments = ("--state", str(daemon.state), "list")
    coloured, _ = on_terminal(*arguments, columns=100, TZ="UTC")
    plain, _ = on_terminal(*arguments, columns=100, TZ="UTC", NO_COLOR="1")
    assert b"\x1b[31mfailed (exit 2)\x1b[0m" in coloured
    assert b"\x1b" not in plain
    lines = plain.decode().splitlines()
    assert len(lines) == 2
    assert len(lines[1]) == 100


def test_list_says_that_there_is_nothing(ask: Client, daemon: FakeDaemon) -> None:
    """No jobs: nothing on stdout for a script, a word on stderr for a person."""
    daemon.answers("list", yes({"jobs": []}))
    result = ask("list")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No jobs.\n")


def test_status_of_an_idle_daemon(ask: Client, daemon: FakeDaemon) -> None:
    """Since when it is up, in which zone, and that nothing runs."""
    daemon.answers("status", yes(status_body()))
    lines = ask("status").stdout.splitlines()
    assert lines[0] == (
        f"crond at {daemon.state}/run, up since 2026-11-20 12:00:05 KST (1 d), zone Asia/Seoul"
    )
    assert "Nothing runs." in lines
    assert "Nothing is to come." in lines


def test_status_of_a_busy_daemon(ask: Client, daemon: FakeDaemon) -> None:
    """What runs and since when, what is next, what failed and why, what is wrong and where."""
    problem = {
        "origin": "/etc/cron.d/x",
        "line": 3,
        "column": 5,
        "severity": "error",
        "message": "bad minute",
        "hint": "from 0 to 59",
    }
    body = status_body(
        running=[run_body(**RUNNING)],
        next=[{"job": "root/x", "instant": "2026-11-21T03:01:05Z"}],
        failed=[run_body(id="k3e", outcome="failed", exit_code=2), run_body(outcome="failed", signal=9)],
        problems=[problem],
    )
    daemon.answers("status", yes(body))
    text = ask("status").stdout
    assert "root/backup  k3f  4711  running for 5.0 s" in text
    assert "2026-11-21 12:01:05 KST  1 min  root/x" in text
    assert "2026-11-21 12:00:01 KST  root/backup  k3e  failed (exit 2)" in text
    assert "failed (SIGKILL)" in text
    assert "  /etc/cron.d/x:3:5: error: bad minute (from 0 to 59)\n" in text


def test_status_says_that_it_is_behind(ask: Client, daemon: FakeDaemon) -> None:
    """A scheduler that stopped planning is seen at once."""
    daemon.answers("status", yes(status_body(planned_upto="2026-11-21T02:00:00Z")))
    assert "It is behind: planned up to 2026-11-21 11:00:00 KST only." in ask("status").stdout


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (60, 21), (132, 43)])
def test_status_fits_the_screen(
    ask: Client, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch, columns: int, lines: int
) -> None:
    """However much there is to say, it fits, and the prompt has a line too; each part has at least a row."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(lines))
    problem = {"origin": "/etc/" + "x" * 90, "line": 1, "column": 1, "severity": "error", "message": "bad"}
    body = status_body(
        running=[run_body(**RUNNING, job="root/" + "j" * 90)] * 30,
        next=[{"job": "root/x", "instant": "2026-11-21T03:01:05Z"}] * 10,
        failed=[run_body(outcome="failed", exit_code=2)] * 10,
        problems=[problem] * 9,
    )
    daemon.answers("status", yes(body))
    daemon.recorder["stats"] = lambda _: [yes({"jobs": [], "behind": 5})]
    shown = ask("status").stdout.splitlines()
    assert len(shown) <= lines - 1
    assert max(cells(line) for line in shown) <= columns
    assert sum("running for" in line or "running f" in line for line in shown) >= 1
    assert any(line.startswith("Running (") and line.endswith(" of 30)") for line in shown)
    assert any(line.startswith("Problems (") for line in shown)


@pytest.mark.parametrize(
    ("room", "wanted", "given"),
    [
        (9, [5, 5, 5], [3, 3, 3]),
        (9, [1, 20, 2], [1, 6, 2]),
        (100, [4, 0, 2], [4, 0, 2]),
        (-3, [4, 0, 2], [1, 0, 1]),
    ],
)
def test_lines_are_shared(room: int, wanted: list[int], given: list[int]) -> None:
    """Who wants little gets it all, the others share the rest; nobody is left out."""
    assert share(room, wanted) == given


def test_status_tells_of_the_last_day(ask: Client, daemon: FakeDaemon) -> None:
    """The history adds the figures of 24 hours up to the daemon's now; without it, that is said."""
    daemon.answers("status", yes(status_body()))
    jobs = [
        {"job": "root/a", "runs": 3, "outcomes": {"success": 2, "failed": 1}},
        {"job": "root/b", "runs": 1, "outcomes": {"success": 1}},
    ]
    daemon.recorder["stats"] = lambda _: [yes({"jobs": jobs, "behind": 0})]
    assert "Last 24 hours: 4 runs, 3 success, 1 failed" in ask("status").stdout
    assert daemon.asked[-1] == ("recorder", "stats", {"since": "1795143605"})
    assert json.loads(ask("status", "--json").stdout)["last_day"]["jobs"] == jobs
    daemon.recorder.clear()
    result = ask("status")
    assert result.exit_code == 0
    assert "The history does not answer" in result.stdout


def test_run(ask: Client, daemon: FakeDaemon) -> None:
    """It asks for one run and says its id; the exit status is the asking's."""
    daemon.answers("run", yes({"run": run_body(**RUNNING)}))
    result = ask("run", "backup")
    assert (result.exit_code, result.stdout) == (0, "root/backup: run k3f started\n")
    assert daemon.asked == [("scheduler", "run", {"job": "backup", "wait": "no"})]


@pytest.mark.parametrize(
    ("ended", "status", "words"),
    [
        ({}, 0, "success"),
        ({"outcome": "failed", "exit_code": 7}, 7, "failed (exit status 7)"),
        ({"outcome": "failed", "exit_code": None, "signal": 15}, 143, "failed (signal 15, SIGTERM)"),
        (
            {"outcome": "could_not_start", "exit_code": None, "reason": "exec: /bin/nosh"},
            125,
            "could not start (exec: /bin/nosh)",
        ),
        ({"outcome": "skipped", "exit_code": None, "reason": "overlap"}, 1, "skipped (overlap)"),
        ({"outcome": "lost", "exit_code": None}, 1, "lost"),
    ],
)
def test_run_wait_exits_as_the_job_did(
    ask: Client, daemon: FakeDaemon, ended: dict, status: int, words: str
) -> None:
    """--wait gives the job's status, 128+N for a signal, 125 where no process was made."""
    daemon.answers("run", yes({"run": run_body(**RUNNING)}, final=False), yes({"run": run_body(**ended)}))
    result = ask("run", "--wait", "backup")
    assert result.exit_code == status
    assert result.stdout == ""
    assert result.stderr == f"root/backup: run k3f started\nroot/backup: run k3f: {words}\n"


def test_run_wait_json_is_one_document(ask: Client, daemon: FakeDaemon) -> None:
    """With --wait the JSON is that of the end, and it is all that is printed."""
    body = {"run": run_body(exit_code=3, outcome="failed")}
    daemon.answers("run", yes({"run": run_body(**RUNNING)}, final=False), yes(body))
    result = ask("run", "--wait", "--json", "backup")
    assert result.exit_code == 3
    assert json.loads(result.stdout) == body


def test_run_wait_when_the_daemon_goes(ask: Client, daemon: FakeDaemon) -> None:
    """A daemon that goes away while we wait is no end of the job: status 3."""
    daemon.answers("run", yes({"run": run_body(**RUNNING)}, final=False))
    result = ask("run", "--wait", "backup")
    assert result.exit_code == 3
    assert "closed the connection" in result.stderr


def test_run_of_an_unknown_job(ask: Client, daemon: FakeDaemon) -> None:
    """Status 4, in the daemon's words."""
    daemon.answers("run", no("unknown", "no job 'x'"))
    result = ask("run", "x")
    assert (result.exit_code, result.stderr) == (4, "crontabx: no job 'x'\n")


def test_stop(ask: Client, daemon: FakeDaemon) -> None:
    """It says each run that it stops."""
    daemon.answers("stop", yes({"stopping": [run_body(**RUNNING), run_body(**{**RUNNING, "pid": None})]}))
    result = ask("stop", "backup")
    assert result.exit_code == 0
    assert result.stdout == ("root/backup: stopping run k3f (pid 4711)\nroot/backup: stopping run k3f\n")
    assert daemon.asked == [("scheduler", "stop", {"target": "backup"})]


def test_stop_of_what_does_not_run(ask: Client, daemon: FakeDaemon) -> None:
    """Nothing to stop is status 1, as with pkill; in JSON the list is empty."""
    daemon.answers("stop", yes({"stopping": []}))
    result = ask("stop", "backup")
    assert (result.exit_code, result.stderr) == (1, "crontabx: nothing of 'backup' is running\n")
    result = ask("stop", "backup", "--json")
    assert json.loads(result.stdout) == {"stopping": []}
    assert result.exit_code == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
) | st.sampled_from(["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-21T03:00:00", 2**70, -1])
BODIES = {
    "list": {"jobs": [job_body(running=[run_body(**RUNNING)])]},
    "status": status_body(
        running=[run_body(**RUNNING)],
        next=[{"job": "root/x", "instant": "2026-11-21T03:01:05Z"}],
        failed=[run_body(outcome="failed", exit_code=2)],
        problems=[{"origin": "x", "line": 1, "column": 1, "severity": "error", "message": "", "hint": ""}],
    ),
    "stop": {"stopping": [run_body(**RUNNING)]},
}


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """Every place in a JSON value, as a path of keys and indexes."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, held in inner for place in places(held, (*path, key)))]


@given(st.data(), st.sampled_from(sorted(BODIES)))
@settings(max_examples=300, deadline=None)
def test_no_answer_makes_a_traceback(data: st.DataObject, verb: str) -> None:
    """One wrong value anywhere in an answer is told as such, or shown; the client never breaks."""
    body = copy.deepcopy(BODIES[verb])
    *path, last = data.draw(st.sampled_from(places(body)[1:]))
    holder: Any = body
    for key in path:
        holder = holder[key]
    holder[last] = data.draw(JSON)
    with pytest.MonkeyPatch.context() as patch:
        for module in (jobs_module, dashboard_module):
            patch.setattr(module, "ask_once", lambda *_args, **_named: body)
        arguments = [verb, "x"] if verb == "stop" else [verb]
        result = CliRunner().invoke(crontabx, ["--state", "/nowhere", *arguments])
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert result.exit_code in (0, 1, 3)
    assert "\x1b" not in result.output


@given(st.none() | st.integers(), st.none() | st.integers(), st.none() | st.text())
def test_an_exit_status_is_a_byte(code: int | None, signal: int | None, outcome: str | None) -> None:
    """Whatever a daemon says, a job that did not succeed is never told as status 0."""
    run = read_run(run_body(exit_code=code, signal=signal, outcome=outcome))
    status = exit_status(run)
    assert 0 <= status <= 255
    assert status != 0 or (not signal and (code == 0 or outcome == "success"))
