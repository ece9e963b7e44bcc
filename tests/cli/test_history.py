"""history, show, stats and db: what they ask the recorder, what they show, how they exit."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from crond.cli import db as db_module
from crond.cli import history as history_module
from crond.cli import stats as stats_module
from crond.cli import why as why_module
from crond.cli.answers import read_run
from crond.cli.client import Reply
from crond.cli.describe import standing
from crond.cli.format import cells
from crond.cli.main import crontabx
from crond.cli.stats import rate, sparkline
from crond.model.run import Wait
from tests.cli.conftest import Client
from tests.cli.fake_daemon import RUNNING, FakeDaemon, Hang, no, run_body, yes
from tests.cli.terminal import on_terminal
from tests.cli.test_jobs import JSON, places


def recorded(**changed: Any) -> dict[str, Any]:
    """A RUN as the recorder tells it."""
    more = {
        "owner": "root", "uid": 0, "run_as": "root", "host": "web1", "crontab": "9f", "duration": 1.497,
        "cpu_seconds": 0.4, "max_rss": 2048, "blocks_in": 8, "blocks_out": 0,
    }  # fmt: skip
    return {**run_body(), **more, **changed}


FAILED = {"outcome": "failed", "exit_code": 2}


def attempt_body(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "number": number, "attempt": f"k3f.{number}", "pid": 4711, "started_at": "2026-11-21T03:00:00.003Z",
        "ended_at": "2026-11-21T03:00:01.5Z", "duration": 1.497, "exit_code": 0, "signal": None,
        "cpu_user": 0.3, "cpu_system": 0.1, "max_rss": 2048, "output_size": 12, "blocks_in": 8,
        "blocks_out": 0, **changed,
    }  # fmt: skip


CRONTAB = {"origin": "/etc/cron.d/b", "owner": "root", "uid": 0, "digest": "9f", "at": "2026-11-20T03:00:00Z"}
SHOW = {
    "run": recorded(attempts_detail=[attempt_body(1, signal=9, exit_code=None), attempt_body(2)], attempts=2),
    "crontab": CRONTAB,
    "behind": 0,
}
STATS = {
    "job": "root/backup",
    "runs": 120,
    "outcomes": {"success": 117, "failed": 2, "could_not_start": 1},
    "success_rate": 0.975,
    "durations": {"count": 119, "min": 0.1, "p50": 12.0, "p90": 14.0, "p99": 20.0, "max": 31.0, "mean": 12.3},
    "cpu_seconds": {"mean": 1.25, "max": 3.0},
    "max_rss": 12288,
    "last": [
        {"id": "a", "started_at": "2026-11-21T03:00:00Z", "duration": 1.0, "outcome": "success"},
        {"id": "b", "started_at": "2026-11-21T03:00:00Z", "duration": 8.0, "outcome": "failed"},
        {"id": "c", "started_at": None, "duration": None, "outcome": "skipped"},
        {"id": "d", "started_at": "2026-11-21T03:00:00Z", "duration": 4.1, "outcome": "success"},
    ],
}
DB_STATUS = {
    "database": "sqlite:////var/lib/crontabx/history/history.db", "backend": "sqlite", "revision": "0001",
    "head": "0001", "state": "recording", "trouble": "", "segment": 3, "offset": 400, "behind": 0,
    "runs": 1234, "size": 8192,
}  # fmt: skip


def tells(daemon: FakeDaemon, verb: str, body: dict[str, Any]) -> None:
    daemon.recorder[verb] = lambda _: [yes({"behind": 0, **body})]


# --- history -----------------------------------------------------------------------------------------


def test_history(ask: Client, daemon: FakeDaemon) -> None:
    """A row per run: whose, id, when it started, how long it took, how it ended; the zone is in a title."""
    runs = [
        recorded(**FAILED),
        recorded(
            job="root/x", outcome="skipped", reason="gone", started_at=None, exit_code=None, duration=None
        ),
    ]
    tells(daemon, "history", {"runs": runs, "more": True})
    result = ask("history")
    assert result.stdout.splitlines() == [
        "JOB          RUN  STARTED (KST)        LASTED  OUTCOME",
        "root/backup  k3f  2026-11-21 12:00:00  1.5 s   failed (exit 2)",
        "root/x       k3f  2026-11-21 12:00:00  -       skipped (gone)",
    ]
    assert result.stderr == "There are more; to see them: --last 200\n"
    assert daemon.asked == [("recorder", "history", {"count": "20"})]


def test_history_of_one_job_leaves_its_name_out(ask: Client, daemon: FakeDaemon) -> None:
    """Who asked for a job knows which; a run that goes on shows for how long."""
    tells(daemon, "history", {"runs": [recorded(**RUNNING, duration=None)], "more": False})
    lines = ask("history", "backup").stdout.splitlines()
    assert (
        lines[0] == "RUN  STARTED (KST)        LASTED" + lines[0][len("RUN  STARTED (KST)        LASTED") :]
    )
    assert "running for" in lines[1]


def test_history_asks_for_what_is_meant(ask: Client, daemon: FakeDaemon) -> None:
    """Every filter goes to the recorder in its own words."""
    tells(daemon, "history", {"runs": [], "more": False})
    times = ("--since", "2026-11-20", "--until", "2026-11-21T07:00:00.5+09:00")
    result = ask(
        "history", "b", "--outcome", "lost", "--outcome", "could-not-start", *times, "--slowest", "-n", "5"
    )
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No such runs are recorded.\n")
    wanted = {
        "job": "b", "outcome": "lost,could_not_start", "since": "1795100400", "until": "1795212000.5",
        "slowest": "yes", "count": "5",
    }  # fmt: skip
    assert daemon.asked == [("recorder", "history", wanted)]
    ask("history", "--failed")
    assert daemon.asked[-1][2] == {"failed": "yes", "count": "20"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--failed", "--outcome", "lost"), "exclude each other"),
        (("--since", "today", "--until", "yesterday"), "is not after --since"),
        (("--since", "x"), "--since: 'x' is no time"),
        (("--outcome", "bad"), "bad"),
        (("--last", "0"), "--last"),
    ],
)
def test_command_lines_without_sense(
    ask: Client, daemon: FakeDaemon, arguments: tuple[str, ...], words: str
) -> None:
    """Exit status 2, before anybody is asked."""
    result = ask("history", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert daemon.asked == []


@pytest.mark.parametrize(
    ("verb", "asked", "body", "rest"),
    [
        ("history", "history", {"runs": [recorded(run_as="é\x1b")], "more": False}, ()),
        ("show", "show", SHOW, ("k3f",)),
        ("stats", "stats", {"stats": STATS}, ("b",)),
        ("stats", "stats", {"jobs": [STATS]}, ()),
        ("db", "db", DB_STATUS, ("status",)),
    ],
)
def test_json_is_the_recorders_answer(
    ask: Client, daemon: FakeDaemon, verb: str, asked: str, body: dict, rest: tuple[str, ...]
) -> None:
    """Nothing is lost in JSON, and it is ASCII."""
    tells(daemon, asked, {**body, "later": 1})
    result = ask(verb, *rest, "--json")
    assert json.loads(result.stdout) == {"behind": 0, **body, "later": 1}
    assert result.stdout.isascii()


def test_history_fits_the_screen(ask: Client, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """80 columns show who, when and how even for long names; nothing is longer."""
    monkeypatch.setenv("COLUMNS", "80")
    runs = [recorded(id="0123456789abcd", job="alice/" + "한" * 40, **FAILED)]
    tells(daemon, "history", {"runs": runs, "more": False})
    lines = ask("history").stdout.splitlines()
    assert max(cells(line) for line in lines) <= 80
    assert "0123456789abcd  2026-11-21 12:00:00  1.5 s   failed (exit 2)" in lines[1]


def test_history_on_a_terminal(daemon: FakeDaemon) -> None:
    """Failures are red; with NO_COLOR nothing is; an escape in a name is shown, not obeyed."""
    tells(daemon, "history", {"runs": [recorded(job="root/a\x1b[2J", **FAILED)], "more": False})
    arguments = ("--state", str(daemon.state), "history")
    coloured, _ = on_terminal(*arguments, TZ="UTC")
    plain, _ = on_terminal(*arguments, TZ="UTC", NO_COLOR="1")
    assert b"\x1b[31mfailed (exit 2)\x1b[0m" in coloured
    assert b"root/a^[[2J" in plain
    assert b"\x1b" not in plain


def test_a_history_that_is_behind_says_so(ask: Client, daemon: FakeDaemon) -> None:
    """What is missing yet is no secret."""
    tells(daemon, "history", {"runs": [recorded()], "more": False, "behind": 5000})
    assert ask("history").stderr.startswith("The history is 4.9 KB of journal behind")


# --- who does not answer -----------------------------------------------------------------------------


VERBS = [("history",), ("show", "k3f9"), ("why", "b"), ("stats",), ("db", "check")]


@pytest.mark.parametrize("arguments", VERBS, ids=lambda one: one[0])
def test_no_daemon(client: Client, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Exit status 3, and how one is started."""
    result = client("--state", str(tmp_path), *arguments)
    assert result.exit_code == 3
    assert f"crond --state {tmp_path} FILE" in result.stderr


@pytest.mark.parametrize("arguments", VERBS, ids=lambda one: one[0])
def test_no_recorder(ask: Client, daemon: FakeDaemon, arguments: tuple[str, ...]) -> None:
    """Exit status 3, and that jobs run without it: a missing recorder is no missing daemon."""
    (daemon.state / "run" / "recorder.sock").unlink()
    result = ask(*arguments)
    assert result.exit_code == 3
    assert f"no recorder answers at {daemon.state}/run/recorder.sock" in result.stderr
    assert "runs jobs" in result.stderr


@pytest.mark.parametrize(
    ("code", "status"), [("unavailable", 3), ("unknown", 4), ("ambiguous", 4), ("forbidden", 1)]
)
@pytest.mark.parametrize("arguments", VERBS[1:], ids=lambda one: one[0])
def test_refusals(
    ask: Client, daemon: FakeDaemon, arguments: tuple[str, ...], code: str, status: int
) -> None:
    """In the recorder's words; a database that is away is as a recorder that is away."""
    daemon.recorder[arguments[0]] = lambda _: [no(code, "because \x1b[2J", candidates=["a", "b"])]
    daemon.scheduler["next"] = lambda _: [no("unknown", "no job")]
    result = ask(*arguments)
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr == "crontabx: because ^[[2J: a, b\n"


def test_ctrl_c_ends_a_question(daemon: FakeDaemon) -> None:
    """A verb that waits for the recorder ends at once and silently, as any Unix tool."""
    import signal
    import subprocess
    import sys

    daemon.recorder["db"] = lambda _: [Hang()]
    program = [sys.executable, "-c", "from crond.cli.main import main; main()"]
    arguments = ["--state", str(daemon.state), "db", "backup"]
    process = subprocess.Popen([*program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert daemon.arrived.wait(10)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10)[0] == b""
    assert process.returncode == -signal.SIGINT


# --- show --------------------------------------------------------------------------------------------


def test_show(ask: Client, daemon: FakeDaemon) -> None:
    """All that is known, with each attempt where there were several."""
    tells(daemon, "show", SHOW)
    result = ask("show", "k3f")
    assert result.stdout.splitlines() == [
        "Run k3f of root/backup: success",
        "  instant      2026-11-21 12:00:00 KST",
        "  because of   its schedule",
        "  started      2026-11-21 12:00:00 KST (attempt 2)",
        "  ended        2026-11-21 12:00:01 KST",
        "  lasted       1.5 s",
        "  ran as       root on web1",
        "  CPU time     0.4 s",
        "  most memory  2.0 MB",
        "  disks        4.0 KB read, 0 B written",
        "  output       12 B",
        "  crontab      /etc/cron.d/b",
        "               version 9f, seen first 2026-11-20 12:00:00 KST",
        "",
        "  ATTEMPT  STARTED (KST)        LASTED  ENDED BY       OUTPUT",
        "  k3f.1    2026-11-21 12:00:00  1.5 s   SIGKILL        12 B",
        "  k3f.2    2026-11-21 12:00:00  1.5 s   exit status 0  12 B",
    ]
    assert daemon.asked == [("recorder", "show", {"run": "k3f"})]


def test_a_retry_is_not_late(ask: Client, daemon: FakeDaemon) -> None:
    """A run that failed, waited a minute and was tried again had started "1 min late"."""
    tells(daemon, "show", {**SHOW, "run": recorded(attempts_detail=[attempt_body(1)])})
    assert "(3 ms after its instant)" in ask("show", "k3f").stdout
    tells(daemon, "show", SHOW)
    assert "(attempt 2)" in ask("show", "k3f").stdout


def test_show_of_what_never_started(ask: Client, daemon: FakeDaemon) -> None:
    """What is not known is left out, and who asked for a run is named."""
    never = {"started_at": None, "duration": None, "run_as": "", "attempts": 0, "attempt": None}
    body = recorded(**never, outcome="skipped", reason="gone", trigger="manual", by=0, attempts_detail=[])
    tells(daemon, "show", {"run": body, "crontab": None})
    assert ask("show", "k3f").stdout.splitlines() == [
        "Run k3f of root/backup: skipped (gone)",
        "  instant      2026-11-21 12:00:00 KST",
        "  because of   a request of root",
        "  ended        2026-11-21 12:00:01 KST",
    ]


def test_show_of_a_run_in_a_pipeline(ask: Client, daemon: FakeDaemon) -> None:
    """What came before its command, what it depended on, was given and left, each in words."""
    attempts = [
        attempt_body(-3, outcome="success"),
        attempt_body(0, outcome="success"),
        attempt_body(1, outcome="timed_out", signal=15, exit_code=None),
        attempt_body(2, outcome="lost", exit_code=None, ended_at=None, duration=None),
    ]
    parents = [
        {"job": "root/sales", "run": "abc", "outcome": "failed", "exit_code": 3, "reason": ""},
        {
            "job": "root/weather",
            "run": None,
            "outcome": "skipped",
            "exit_code": None,
            "reason": "not due yet",
        },
        {"job": "root/slow", "run": "abd", "outcome": None, "exit_code": None, "reason": ""},
    ]
    body = recorded(
        outcome="lost", reason="", exit_code=None, attempts=2, attempt="k3f.2", attempts_detail=attempts,
        parents=parents, environment={"LR": "0.1", "DATE": "x\x1b"}, data={"BETTER": "yes"}, pool="root/gpu",
        by=0, spent=1,
    )  # fmt: skip
    tells(daemon, "show", {"run": body, "crontab": None})
    lines = ask("show", "k3f").stdout.splitlines()
    assert lines[2] == "  because of   its schedule; run again for root"
    assert lines[lines.index("  pool         root/gpu") :] == [
        "  pool         root/gpu",
        "  was given    LR=0.1",
        "               DATE=x^[",
        "  left         BETTER=yes",
        "",
        "  PARENT        RUN  STOOD AS",
        "  root/sales    abc  failed (exit status 3)",
        "  root/weather  -    skipped (not due yet)",
        "  root/slow     abd  not ended yet",
        "",
        "  ATTEMPT  OF               STARTED (KST)        LASTED  ENDED BY             OUTPUT",
        "  k3f.-3   wait_for, try 3  2026-11-21 12:00:00  1.5 s   exit status 0        12 B",
        "  k3f.0    condition        2026-11-21 12:00:00  1.5 s   exit status 0        12 B",
        "  k3f.1    command          2026-11-21 12:00:00  1.5 s   timed out (SIGTERM)  12 B",
        "  k3f.2    command          2026-11-21 12:00:00  -       lost                 12 B",
    ]


def test_show_of_a_run_that_its_condition_left_out(ask: Client, daemon: FakeDaemon) -> None:
    """What the condition used is not told as the run's; who asked for it and what it follows is."""
    body = recorded(
        outcome="skipped", reason="condition", exit_code=1, started_at=None, duration=None, attempts=0,
        attempt="k3f.0", attempts_detail=[attempt_body(0, exit_code=1, outcome="skipped")],
        trigger="manual", by=0, follows="abc",
    )  # fmt: skip
    tells(daemon, "show", {"run": body, "crontab": None})
    assert ask("show", "k3f").stdout.splitlines() == [
        "Run k3f of root/backup: skipped (condition)",
        "  instant      2026-11-21 12:00:00 KST",
        "  because of   a request of root, after run abc",
        "  ended        2026-11-21 12:00:01 KST",
        "  ran as       root on web1",
        "",
        "  ATTEMPT  OF         STARTED (KST)        LASTED  ENDED BY       OUTPUT",
        "  k3f.0    condition  2026-11-21 12:00:00  1.5 s   exit status 1  12 B",
    ]


@pytest.mark.parametrize(
    ("wait", "text"),
    [
        ({"waits": "retry", "until": 240}, "waiting to retry in 4 min"),
        ({"waits": "jitter", "until": 240}, "waiting to start in 4 min"),
        ({"waits": "dependencies", "until": 86400}, "waiting for its parents, at most 1 d"),
        ({"waits": "pool", "pool": "root/gpu"}, "waiting for pool root/gpu"),
        ({"waits": "overlap", "reason": "1 runs"}, "waiting for another run (1 runs)"),
        ({"waits": "sensor", "until": -60}, "waiting for its wait_for"),
        ({"waits": "a later word"}, "waiting"),
    ],
)
def test_what_a_run_waits_for(wait: dict[str, Any], text: str) -> None:
    """For what and how long yet, whether or not it had an attempt before: that is over."""
    now = datetime(2026, 11, 21, 4, tzinfo=UTC)
    if "until" in wait:
        wait = {**wait, "until": (now + timedelta(seconds=wait["until"])).isoformat()}
    body = recorded(state="waiting", outcome=None, ended_at=None, **wait)
    assert standing(read_run(body), now).text == text


def test_every_wait_has_words() -> None:
    """A kind of wait that the model knows and the client does not would be a bare `waiting`."""
    waiting = {"state": "waiting", "outcome": None, "ended_at": None}
    now = datetime.now(UTC)
    texts = {standing(read_run(recorded(**waiting, waits=wait.value)), now).text for wait in Wait}
    assert "waiting" not in texts
    assert len(texts) == len(Wait)


# --- stats -------------------------------------------------------------------------------------------


def test_stats_of_a_job(ask: Client, daemon: FakeDaemon) -> None:
    """Counts, rate, lengths and a bar per run, marked below where it did not succeed."""
    tells(daemon, "stats", {"stats": STATS})
    assert ask("stats", "backup").stdout.splitlines() == [
        "root/backup: 120 runs, 117 success, 2 failed, 1 could not start",
        "  success      97.5 %",
        "  duration     median 12 s, mean 12 s",
        "               from 0.1 s to 31 s",
        "               90 % within 14 s, 99 % within 20 s",
        "  CPU time     mean 1.2 s, at most 3.0 s",
        "  most memory  12 MB",
        "  last 4       ▂█ ▅",
        "                x-",
        "               (x failed, - stopped or skipped)",
    ]
    assert daemon.asked == [("recorder", "stats", {"job": "backup", "count": "30"})]


def test_stats_do_not_blame_a_job_for_its_parents(ask: Client, daemon: FakeDaemon) -> None:
    """What did not start since a parent failed is marked as what was skipped; a time-out is a failure."""
    ends = ("upstream_failed", "timed_out", "success")
    last = [{"id": end, "started_at": None, "duration": 1.0, "outcome": end} for end in ends]
    tells(daemon, "stats", {"stats": {**STATS, "last": last}})
    assert ask("stats", "b").stdout.splitlines()[-2:] == [
        "               -x",
        "               (x failed, - stopped, skipped or upstream failed)",
    ]


def test_stats_of_all_jobs(ask: Client, daemon: FakeDaemon) -> None:
    """A line per job, and 100 % only for what never failed."""
    tells(
        daemon,
        "stats",
        {"jobs": [STATS, {**STATS, "job": "root/x", "runs": 0, "outcomes": {}, "success_rate": None}]},
    )
    assert ask("stats", "--since", "2026-11-20").stdout.splitlines() == [
        "JOB          RUNS  SUCCESS  ENDS",
        "root/backup  120   97.5 %   117 success, 2 failed, 1 could not start",
        "root/x       0     -",
    ]
    assert daemon.asked == [("recorder", "stats", {"since": "1795100400", "count": "30"})]


def test_stats_fit_the_screen(ask: Client, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a picture wider than the screen, the latest runs are seen."""
    monkeypatch.setenv("COLUMNS", "40")
    old, new = dict(STATS["last"][1]), dict(STATS["last"][0])  # type: ignore[index]
    tells(daemon, "stats", {"stats": {**STATS, "last": [old] * 100 + [new] * 25}})
    lines = ask("stats", "b").stdout.splitlines()
    assert "  last 25      █████████████████████████" in lines


@pytest.mark.parametrize(
    ("lengths", "bars"),
    [
        ([], ""),
        ([None, None], "  "),
        ([0.0, 0.0], "▁▁"),
        ([1, 2, 3, 4, 5, 6, 7, 8.0], "▂▃▄▅▆▇██"),
        ([5.0], "█"),
    ],
)
def test_sparkline(lengths: list[float | None], bars: str) -> None:
    """The longest is the highest, nothing is the lowest, and what never ran has no bar."""
    assert sparkline(lengths) == bars


@pytest.mark.parametrize(
    ("share", "text"), [(None, "-"), (1.0, "100 %"), (0.99999, "99.9 %"), (0.5, "50 %"), (0.0, "0 %")]
)
def test_rate_never_hides_a_failure(share: float | None, text: str) -> None:
    """One failure in a million is not 100 %."""
    assert rate(share) == text


# --- db ----------------------------------------------------------------------------------------------


def test_db_status(ask: Client, daemon: FakeDaemon) -> None:
    """Where it is, of which kind and schema, and whether it is written to."""
    tells(daemon, "db", DB_STATUS)
    assert ask("db", "status").stdout.splitlines() == [
        "database  sqlite:////var/lib/crontabx/history/history.db",
        "kind      sqlite",
        "schema    0001",
        "recorder  writes what happens",
        "behind    nothing: it is up to date",
        "runs      1,234",
        "size      8.0 KB",
    ]
    assert daemon.asked == [("recorder", "db", {"action": "status"})]


def test_db_status_in_trouble(ask: Client, daemon: FakeDaemon) -> None:
    """Why it waits is said, and so is a schema that is not this version's."""
    trouble = {"state": "waiting", "trouble": "database is locked", "behind": 2048, "revision": None}
    tells(daemon, "db", {**DB_STATUS, **trouble, "runs": None, "size": None})
    lines = ask("db", "status").stdout.splitlines()
    assert lines[2:] == [
        "schema    none yet; this version's is 0001",
        "recorder  waits and will catch up: database is locked",
        "behind    2.0 KB of journal",
    ]


@pytest.mark.parametrize(
    ("action", "body", "status", "text"),
    [
        ("check", {"ok": True, "problems": []}, 0, "The database is in order.\n"),
        ("check", {"ok": False, "problems": ["page 4"]}, 1, "page 4\nThe database is damaged.\n"),
        ("upgrade", {"revision": "0002", "upgraded": True}, 0, "The schema is now 0002.\n"),
        ("upgrade", {"revision": "0002", "upgraded": False}, 0, "The schema is 0002 already.\n"),
        ("backup", {"path": "/a\x1b", "size": 4096}, 0, "/a^[ (4.0 KB)\n"),
    ],
)
def test_db_actions(ask: Client, daemon: FakeDaemon, action: str, body: dict, status: int, text: str) -> None:
    """What was done, in a line; damage is exit status 1."""
    tells(daemon, "db", body)
    result = ask("db", action)
    assert (result.exit_code, result.stdout) == (status, text)


def test_db_waits_as_long_as_it_takes(
    ask: Client, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup that outlasts our patience with other verbs is waited for."""
    monkeypatch.setattr(db_module, "_QUIET", 0.01)
    late = [0.05, 0.05]

    def slowly() -> None:
        import threading

        threading.Event().wait(late.pop())

    daemon.recorder["db"] = lambda _: [slowly, slowly, yes({"path": "/b", "size": 1})]
    assert ask("db", "backup").stdout == "/b (1 B)\n"


# --- whatever comes ----------------------------------------------------------------------------------


BODIES: dict[str, tuple[list[str], dict[str, Any]]] = {
    "history": (["history"], {"runs": [recorded(**FAILED)], "more": True, "behind": 0}),
    "show": (["show", "k3f"], SHOW),
    "stats": (["stats", "b"], {"stats": STATS, "behind": 0}),
    "all": (["stats"], {"jobs": [STATS], "behind": 0}),
    "db": (["db", "status"], DB_STATUS),
    "why": (
        ["why", "b", "03:00"],
        {
            "job": "root/backup",
            "instant": "2026-11-21T03:00:00Z",
            "runs": [recorded(**FAILED)],
            "intervals": [],
            "crontab": CRONTAB,
            "before": recorded(),
            "after": None,
            "recorded_since": "2026-11-01T00:00:00Z",
            "behind": 0,
        },
    ),
}


class FakeConnection:
    """Answers once, with `body`."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def begin(self, verb: str, **_: str) -> None:
        pass

    def poll(self, _seconds: float) -> Reply:
        return Reply(self._body, True, None)


@given(st.data(), st.sampled_from(sorted(BODIES)))
@settings(max_examples=400, deadline=None)
def test_no_answer_makes_a_traceback(data: st.DataObject, name: str) -> None:
    """One wrong value anywhere in an answer is told as such, or shown; the client never breaks."""
    arguments, whole = BODIES[name]
    body = copy.deepcopy(whole)
    *path, last = data.draw(st.sampled_from(places(body)[1:]))
    holder: Any = body
    for key in path:
        holder = holder[key]
    holder[last] = data.draw(JSON)
    with pytest.MonkeyPatch.context() as patch:
        for module in (history_module, stats_module, why_module):
            patch.setattr(module, "ask_recorder", lambda *_args, **_named: body)
        patch.setattr(db_module, "connect", lambda _place: FakeConnection(body))
        patch.setattr(why_module, "ask_once", lambda *_args, **_named: {"next": []})
        result = CliRunner().invoke(crontabx, ["--state", "/nowhere", *arguments])
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert result.exit_code in (0, 1, 3)
    assert "\x1b" not in result.output


def test_no_client_verb_loads_the_database(daemon: FakeDaemon) -> None:
    """The history is asked for over a socket: no SQLAlchemy, which alone takes 240 ms to import."""
    import subprocess
    import sys

    tells(daemon, "history", {"runs": [], "more": False})
    code = (
        "import sys\nfrom crond.cli.main import crontabx\n"
        f"crontabx(['--state', {str(daemon.state)!r}, 'history'], standalone_mode=False)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert not {"sqlalchemy", "alembic", "rich", "psutil", "asyncio"} & set(done.stdout.split())
