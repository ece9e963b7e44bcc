"""why: what became of a job at a moment, in words: what the history knows, else what the schedule says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crond.cli.explanation import Verdict
from crond.model.edits import NO_TEXT, Fetch, ListVersions, Piece
from tests.cli.conftest import Client
from tests.cli.fake_daemon import RUNNING, FakeDaemon, no, run_body, yes

SEOUL = ZoneInfo("Asia/Seoul")
DAILY = "0 3 * * *"
DUE = "2026-11-21 03:00:00 KST"
NEVER = {"started_at": None, "exit_code": None, "attempt": None, "attempts": 0, "duration": None}


def why_body(*runs: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {
        "job": "root/backup",
        "instant": "2026-11-20T18:00:00Z",
        "runs": list(runs),
        "intervals": [],
        "crontab": None,
        "before": None,
        "after": None,
        "recorded_since": "2026-11-01T00:00:00Z",
        "behind": 0,
        **changed,
    }


def recorded(**changed: Any) -> dict[str, Any]:
    return run_body(
        instant="2026-11-20T18:00:00Z",
        started_at="2026-11-20T18:00:00.004Z",
        ended_at="2026-11-20T18:00:12.2Z",
        duration=12.2,
        **changed,
    )


def remembers(daemon: FakeDaemon, *runs: dict[str, Any], **changed: Any) -> None:
    """Let the recorder know these runs."""
    daemon.recorder["why"] = lambda _: [yes(why_body(*runs, **changed))]


def coming(moment: datetime, schedule: str) -> dict[str, str]:
    """Return how the scheduler tells a start to come."""
    instant = moment.isoformat().replace("+00:00", "Z")
    return {"job": "root/backup", "instant": instant, "schedule": schedule}


def due_daily(daemon: FakeDaemon, *, schedule: str = DAILY, up_since: str = "2026-11-01T00:00:00Z") -> None:
    """Let the scheduler know the job, which is due at 18:00 UTC each day: 03:00 in Seoul."""

    def following(arguments: dict[str, str]) -> list[Any]:
        after = datetime.fromtimestamp(int(arguments["after"]), UTC)
        due = after.replace(hour=18, minute=0, second=0)
        due += timedelta(days=1) if due <= after else timedelta(0)
        dues = (due + timedelta(days=n) for n in range(int(arguments["count"])))
        return [yes({"next": [coming(moment, schedule) for moment in dues]})]

    daemon.scheduler["next"] = following
    daemon.answers("status", yes({"started_at": up_since}))
    daemon.recorder.setdefault("intervals", lambda _: [yes({"intervals": [], "behind": 0})])
    daemon.edits.setdefault(
        ListVersions, lambda _: [yes({"user": "root", "digest": NO_TEXT, "versions": []})]
    )


@pytest.mark.parametrize(
    ("run", "title", "sentence"),
    [
        (
            recorded(),
            "it ran and succeeded",
            "Run k3f started at 2026-11-21 03:00:00 KST, ran for 12 s and succeeded.",
        ),
        (
            recorded(outcome="failed", exit_code=2),
            "it ran and failed",
            "Run k3f started at 2026-11-21 03:00:00 KST, ran for 12 s and failed: exit status 2.",
        ),
        (
            recorded(outcome="failed", exit_code=None, signal=9),
            "it ran and failed",
            "Run k3f started at 2026-11-21 03:00:00 KST, ran for 12 s and failed: signal 9, SIGKILL.",
        ),
        (
            recorded(outcome="stopped", exit_code=None, signal=15),
            "it ran and was stopped",
            "Run k3f started at 2026-11-21 03:00:00 KST, ran for 12 s and was stopped.",
        ),
        (
            recorded(outcome="lost", exit_code=None, reason="x"),
            "it ran and was lost",
            "Run k3f started at 2026-11-21 03:00:00 KST, was seen for 12 s and how it ended is not known: x.",
        ),
        (
            recorded(outcome="could_not_start", reason="exec: /bin/nosh", exit_code=None),
            "it did not start",
            "Run k3f, for 2026-11-21 03:00:00 KST, could not start: exec: /bin/nosh.",
        ),
        (
            {**recorded(outcome="skipped", reason="the daemon was down"), **NEVER},
            "it was left out",
            "Run k3f, for 2026-11-21 03:00:00 KST, was left out: the daemon was down.",
        ),
        (
            {**recorded(outcome="stopped", reason="stopped before it started"), **NEVER},
            "it did not start",
            "Run k3f, for 2026-11-21 03:00:00 KST, was stopped before it started.",
        ),
        (
            {**recorded(state="waiting", outcome=None, reason="overlap"), **NEVER, "ended_at": None},
            "it waits",
            "Run k3f, for 2026-11-21 03:00:00 KST, has not started yet: it is waiting (overlap).",
        ),
        (
            {
                **recorded(state="waiting", outcome=None, waits="pool", pool="root/gpu"),
                **NEVER,
                "ended_at": None,
            },
            "it waits",
            "Run k3f, for 2026-11-21 03:00:00 KST, has not started yet: it is waiting for pool root/gpu.",
        ),
        (
            {**recorded(state="waiting", outcome=None, waits="retry"), "ended_at": None},
            "it waits",
            "Run k3f started last at 2026-11-21 03:00:00 KST; it is waiting to retry.",
        ),
        (
            recorded(outcome="timed_out", exit_code=None, signal=15),
            "it ran and timed out",
            "Run k3f started at 2026-11-21 03:00:00 KST, ran for 12 s and timed out: signal 15, SIGTERM.",
        ),
        (
            {**recorded(outcome="upstream_failed", reason="root/a failed"), **NEVER},
            "it did not start",
            f"Run k3f, for {DUE}, was not started, since what it depends on failed: root/a failed.",
        ),
    ],
)
def test_what_is_recorded(ask: Client, daemon: FakeDaemon, run: dict, title: str, sentence: str) -> None:
    """A recorded run is told as what it was: when, how long, how it ended and why."""
    remembers(daemon, run)
    result = ask("why", "backup", "2026-11-21T03:00")
    lines = result.stdout.splitlines()
    assert lines[:2] == [f"root/backup: {title}", f"  {sentence}"]
    assert lines[-1].endswith("crontabx show k3f")
    wanted = {"job": "backup", "instant": "1795197600", "upto": "1795197660"}
    assert daemon.asked[0] == ("recorder", "why", wanted)


def test_what_a_failure_may_mean(ask: Client, daemon: FakeDaemon) -> None:
    """127 is what people meet first: cron's PATH is short. Of a job that is gone no more is known."""
    remembers(daemon, recorded(outcome="failed", exit_code=127))
    daemon.answers("job", no("unknown", "there is no job 'root/backup'"))
    told = ask("why", "backup", "2026-11-21T03:00").stdout
    assert "does not find the command" in told
    assert "Jobs have cron's short PATH, not that of your shell: crontabx env root/backup" in told


def test_a_run_that_goes_on(ask: Client, daemon: FakeDaemon) -> None:
    """It is said since when."""
    remembers(daemon, {**recorded(), **RUNNING, "duration": None})
    lines = ask("why", "backup", "2026-11-21T03:00").stdout.splitlines()
    assert lines[0] == "root/backup: it runs"
    assert ", since 2026-11-21 03:00:00 KST." in lines[1]


def test_a_day_of_runs_is_summed_up(ask: Client, daemon: FakeDaemon) -> None:
    """Many runs are counted by how they ended, and the last is named."""
    runs = [recorded(id=f"aaa{n}") for n in range(5)] + [recorded(outcome="failed", exit_code=2)]
    remembers(daemon, *runs)
    lines = ask("why", "backup", "2026-11-21").stdout.splitlines()
    assert lines[:2] == ["root/backup: 6 runs", "  They ended so: 5 success, 1 failed (exit 2)."]
    assert lines[2].startswith("  The last one: k3f, for 2026-11-21 03:00:00 KST, failed")
    assert daemon.asked[0][2]["upto"] == "1795273200"


def verdict(ask: Client, *arguments: str) -> tuple[str, str]:
    """The verdict and the first sentence."""
    body = json.loads(ask("why", *arguments, "--json").stdout)
    return body["verdict"], body["answer"][0]


@pytest.mark.parametrize(
    ("kind", "expected", "words"),
    [
        ("outage", Verdict.DOWN, "the daemon was down"),
        ("suspend", Verdict.SUSPENDED, "the machine was suspended"),
        ("pause", Verdict.PAUSED, "jobs were paused"),
    ],
)
def test_an_interval_answers(
    ask: Client, daemon: FakeDaemon, kind: str, expected: Verdict, words: str
) -> None:
    """Where there is no run, the interval in which the due lay is why."""
    interval = {"kind": kind, "from": "2026-11-20T17:50:00Z", "upto": "2026-11-20T18:05:00Z", "reason": "x"}
    remembers(daemon, intervals=[interval])
    due_daily(daemon)
    assert verdict(ask, "backup", "2026-11-21T03:00") == (
        expected,
        f"It did not run at {DUE}: {words} from 2026-11-21 02:50:00 KST to 2026-11-21 03:05:00 KST (15 min).",
    )


@pytest.mark.parametrize(("kind", "words"), [("pause", "it was paused"), ("disabled", "it was disabled")])
def test_an_interval_of_the_job_itself(ask: Client, daemon: FakeDaemon, kind: str, words: str) -> None:
    """Who paused it, or why it was disabled, is said too."""
    edges = {"from": "2026-11-20T17:50:00Z", "upto": "2026-11-20T18:05:00Z"}
    remembers(daemon, intervals=[{"kind": kind, **edges, "reason": "by root", "job": "root/backup"}])
    due_daily(daemon)
    span = "from 2026-11-21 02:50:00 KST to 2026-11-21 03:05:00 KST (15 min)"
    assert verdict(ask, "backup", "2026-11-21T03:00") == (
        Verdict.PAUSED if kind == "pause" else Verdict.DISABLED,
        f"It did not run at {DUE}: {words} {span}: by root.",
    )


def test_the_minute_in_which_the_daemon_came_up(ask: Client, daemon: FakeDaemon) -> None:
    """A daemon does not serve the minute it comes up in: 20 s after the due it was down all the same."""
    interval = {
        "kind": "outage",
        "from": "2026-11-20T17:50:00Z",
        "upto": "2026-11-20T18:00:20Z",
        "reason": "",
    }
    remembers(daemon, intervals=[interval])
    due_daily(daemon)
    assert verdict(ask, "backup", "2026-11-21T03:00")[0] == Verdict.DOWN


def test_an_outage_is_no_excuse_for_what_was_not_due(ask: Client, daemon: FakeDaemon) -> None:
    """What was not due at 10:00 would not have run with a daemon either; the dues around are told."""
    interval = {
        "kind": "outage",
        "from": "2026-11-20T00:00:00Z",
        "upto": "2026-11-20T18:05:00Z",
        "reason": "",
    }
    remembers(daemon, intervals=[interval])
    due_daily(daemon)
    result = ask("why", "backup", "2026-11-20T10:00")
    assert result.stdout.splitlines() == [
        "root/backup: it was not due",
        "  It was not due at 2026-11-20 10:00:00 KST: its schedule is 0 3 * * *.",
        "  The due before is 2026-11-20 03:00:00 KST, the next is 2026-11-21 03:00:00 KST.",
    ]


def test_a_schedule_that_may_have_been_another(ask: Client, daemon: FakeDaemon) -> None:
    """The schedule is that of today; a crontab that is younger than the question makes it doubtful."""
    crontab = {"origin": "/etc/cron.d/b", "digest": "9f", "at": "2026-11-20T12:00:00Z"}
    remembers(daemon, crontab=crontab)
    due_daily(daemon)
    assert "But /etc/cron.d/b as it is now was seen first at 2026-11-20 21:00:00 KST" in (
        ask("why", "backup", "2026-11-20T10:00").stdout
    )


@pytest.mark.parametrize(
    ("since", "words"),
    [
        (
            "2026-11-20T20:00:00Z",
            "Nothing is known of that time: the history begins at 2026-11-21 05:00:00 KST.",
        ),
        (None, "Nothing is recorded of that time, though it was due at 2026-11-21 03:00:00 KST."),
        (
            "2026-11-01T00:00:00Z",
            f"By its schedule, {DAILY}, it was due at {DUE}, but no run is recorded and no outage either.",
        ),
    ],
)
def test_what_nobody_knows(ask: Client, daemon: FakeDaemon, since: str | None, words: str) -> None:
    """No guess is made: it is said what is not known, and since when there is a history."""
    remembers(daemon, recorded_since=since)
    due_daily(daemon)
    assert verdict(ask, "backup", "2026-11-21T03:00") == (Verdict.UNKNOWN, words)


def test_the_first_daemon_came_up_too_late(ask: Client, daemon: FakeDaemon) -> None:
    """Before the first daemon there is no outage, and still it was not there."""
    remembers(daemon, recorded_since=None)
    due_daily(daemon, up_since="2026-11-20T18:00:30Z")
    assert verdict(ask, "backup", "2026-11-21T03:00") == (
        Verdict.DOWN,
        f"It was due at {DUE}; the daemon came up at 2026-11-21 03:00:30 KST, too late for it.",
    )


def test_a_daemon_that_came_up_again_is_no_excuse(ask: Client, daemon: FakeDaemon) -> None:
    """An outage later than the due shows that there was a daemon between: when it came up is not known."""
    interval = {
        "kind": "outage",
        "from": "2026-11-20T19:00:00Z",
        "upto": "2026-11-20T19:05:00Z",
        "reason": "",
    }
    daemon.recorder["intervals"] = lambda _: [yes({"intervals": [interval], "behind": 0})]
    remembers(daemon, recorded_since=None)
    due_daily(daemon, up_since="2026-11-20T19:05:00Z")
    assert verdict(ask, "backup", "2026-11-21T03:00")[0] == Verdict.UNKNOWN


OLD = "2026-11-20 21:00:00 KST"


@pytest.mark.parametrize(
    ("action", "text", "words"),
    [
        (
            "install",
            "#: name=backup\n0 2 * * * backup\n",
            f"But its schedule has changed since: it was 0 2 * * * in version 1 of the crontab, {OLD}.",
        ),
        (
            "install",
            "#: name=other\n0 3 * * * backup\n",
            f"But the crontab has changed since: the job was not in version 1, {OLD} (crontabx diff 1).",
        ),
        ("install", f"#: name=backup\n{DAILY} another command\n", None),
        ("remove", "", f"But there was no crontab of root's then: it was removed at {OLD}."),
    ],
    ids=["rescheduled", "added", "same schedule", "removed"],
)
def test_the_crontab_was_another(
    ask: Client, daemon: FakeDaemon, action: str, text: str, words: str | None
) -> None:
    """The schedule is that of today: a kept version of that time says what it was then."""

    def version(number: int, at: str, digest: str, action: str = "install") -> dict[str, Any]:
        moment = datetime.fromisoformat(at).timestamp()
        mark = {"at": moment, "by": "root", "uid": 0, "action": action, "origin": "editor"}
        return {"number": number, "digest": digest, "size": len(text), "mark": mark}

    remembers(daemon)
    due_daily(daemon)
    kept = [version(2, "2026-11-21T12:00:00Z", "new"), version(1, "2026-11-20T12:00:00Z", "old", action)]
    daemon.edits[ListVersions] = lambda _: [yes({"user": "root", "digest": "new", "versions": kept})]
    told = {"user": "root", "dialect": "cronie", "digest": "old", "size": len(text)}
    daemon.edits[Fetch] = lambda _: [yes(told, final=False), Piece(text.encode())]
    sentences = json.loads(ask("why", "--json", "backup", "2026-11-21T02:00").stdout)["answer"]
    assert sentences[0].startswith("It was not due at 2026-11-21 02:00:00 KST")
    assert [one for one in sentences if one.startswith("But")] == ([] if words is None else [words])
    assert [message.user for message in daemon.edited] == ["root"] * len(daemon.edited)


def test_what_is_to_come(ask: Client, daemon: FakeDaemon) -> None:
    """A moment of the future is no riddle."""
    remembers(daemon)
    due_daily(daemon)
    assert verdict(ask, "backup", "2099-01-01T03:00")[0] == Verdict.TO_COME
    lines = ask("why", "backup", "2099-01-01").stdout.splitlines()
    assert lines[2] == "  It will be due at 2099-01-01 03:00:00 KST."
    assert ask("why", "backup", "2099-01-01T04:00").stdout.splitlines()[2].startswith("  The due before is ")


def test_a_job_that_never_ran(ask: Client, daemon: FakeDaemon) -> None:
    """The history does not know it and the scheduler does: outages answer, under the job's whole name."""
    daemon.recorder["why"] = lambda _: [no("unknown", "no run of a job 'backup' is recorded")]
    interval = {
        "kind": "outage",
        "from": "2026-11-20T17:50:00Z",
        "upto": "2026-11-20T18:05:00Z",
        "reason": "",
    }
    daemon.recorder["intervals"] = lambda _: [yes({"intervals": [interval], "behind": 0})]
    due_daily(daemon)
    body = json.loads(ask("why", "backup", "2026-11-21T03:00", "--json").stdout)
    assert (body["job"], body["verdict"]) == ("root/backup", "down")
    assert body["due"] == {
        "schedule": DAILY,
        "previous": "2026-11-19T18:00:00Z",
        "within": "2026-11-20T18:00:00Z",
        "next": "2026-11-21T18:00:00Z",
    }


def test_a_job_nobody_knows(ask: Client, daemon: FakeDaemon) -> None:
    """Exit status 4, in the recorder's words."""
    daemon.recorder["why"] = lambda _: [no("unknown", "no run of a job 'x' is recorded")]
    daemon.scheduler["next"] = lambda _: [no("unknown", "there is no job 'x'")]
    for arguments in (("x",), ("x", "yesterday")):
        result = ask("why", *arguments)
        assert (result.exit_code, result.stderr) == (4, "crontabx: no run of a job 'x' is recorded\n")


def test_without_an_instant_the_latest_due_counts(ask: Client, daemon: FakeDaemon) -> None:
    """A night without a run is what is asked about, not the last run before it."""
    remembers(daemon, recorded(), instant="2026-01-01T18:00:00Z")
    due_daily(daemon)
    ask("why", "backup")
    asked = [arguments for side, verb, arguments in daemon.asked if (side, verb) == ("recorder", "why")]
    assert asked[0] == {"job": "backup"}
    latest = datetime.fromtimestamp(int(asked[1]["instant"]), UTC)
    assert (latest.hour, latest.minute) == (18, 0)
    assert timedelta(0) < datetime.now(UTC) - latest <= timedelta(days=1, seconds=10)


@pytest.mark.parametrize(
    ("schedule", "start", "gap", "dues"),
    [
        ("59 23 1 6 *", "2026-06-01T23:59:00Z", timedelta(days=365), 1),
        ("* 3 * * *", "2026-11-20T03:00:00Z", timedelta(days=1), 60),
    ],
)
def test_the_due_before_is_found_by_few_questions(
    ask: Client, daemon: FakeDaemon, schedule: str, start: str, gap: timedelta, dues: int
) -> None:
    """`why` of a job that is due once a year asked the scheduler more than sixty times."""
    first = datetime.fromisoformat(start)
    minutes = [first + gap * day + timedelta(minutes=n) for day in range(-2, 3) for n in range(dues)]

    def following(arguments: dict[str, str]) -> list[Any]:
        later = [due for due in minutes if due.timestamp() > int(arguments["after"])]
        return [yes({"next": [coming(due, schedule) for due in later[: int(arguments["count"])]]})]

    remembers(daemon)
    due_daily(daemon)
    daemon.scheduler["next"] = following
    said = ask("why", "backup", "2026-11-20T12:00Z").stdout
    expected = max(due for due in minutes if due < datetime(2026, 11, 20, 12, tzinfo=UTC))
    assert f"The due before is {expected.astimezone(SEOUL):%Y-%m-%d %H:%M:%S} KST" in said
    assert len([verb for _side, verb, _ in daemon.asked if verb == "next"]) <= 30


def test_without_an_instant_a_manual_run_counts_too(ask: Client, daemon: FakeDaemon) -> None:
    """The newest run is what is asked about if it is later than the latest due."""
    moment = (datetime.now(UTC) - timedelta(seconds=1)).replace(second=7, microsecond=123000)
    remembers(daemon, recorded(trigger="manual"), instant=moment.isoformat())
    due_daily(daemon)
    assert "it ran and succeeded" in ask("why", "backup").stdout
    asked = [arguments for side, verb, arguments in daemon.asked if (side, verb) == ("recorder", "why")]
    assert asked == [{"job": "backup"}]


def test_while_there_is_no_scheduler(ask: Client, daemon: FakeDaemon) -> None:
    """The history answers alone: what it knows is told, what it does not is not guessed."""
    (daemon.state / "run" / "scheduler.sock").unlink()
    remembers(daemon, recorded())
    assert "it ran and succeeded" in ask("why", "backup").stdout
    remembers(daemon)
    result = ask("why", "backup", "2026-11-21T03:00")
    assert result.exit_code == 0
    assert "nobody knows whether it was due" in result.stdout


def test_an_instant_in_two_words(ask: Client, daemon: FakeDaemon) -> None:
    """`why backup yesterday 03:00` needs no quotes; what is no time is exit status 2."""
    remembers(daemon, recorded())
    ask("why", "backup", "yesterday", "03:00")
    moment = datetime.fromtimestamp(int(daemon.asked[0][2]["instant"]), UTC)
    assert (moment.hour, moment.minute) == (18, 0)
    assert ask("why", "backup", "once").exit_code == 2


# --- how it stands now -----------------------------------------------------------------------------------


def standing_body(*runs: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """How the scheduler tells of a job that nothing keeps."""
    return {
        "job": "root/backup",
        "held": "",
        "enabled": True,
        "starts_at": None,
        "expires_at": None,
        "day_off": "",
        "paused": None,
        "after": [],
        "jitter": 0,
        "queued": 0,
        "runs": list(runs),
        **changed,
    }


BY_ROOT = "paused by root since 2026-11-21 02:00:00 KST, until somebody resumes it"
PAUSE = {"since": "2026-11-20T17:00:00Z", "until": None, "by": 0, "note": "the source is down"}


@pytest.mark.parametrize(
    ("changed", "expected", "words"),
    [
        (
            {"paused": PAUSE},
            Verdict.PAUSED,
            f"It did not run at {DUE}: it is {BY_ROOT}: the source is down.",
        ),
        ({"enabled": False}, Verdict.DISABLED, "It is not enabled (enabled=no)."),
        (
            {"starts_at": "2026-12-01T00:00:00Z"},
            Verdict.DISABLED,
            "It lives from 2026-12-01 09:00:00 KST on (starts_at).",
        ),
        (
            {"expires_at": "2026-11-01T00:00:00Z"},
            Verdict.DISABLED,
            "Its time was over at 2026-11-01 09:00:00 KST (expires_at).",
        ),
        ({"queued": 1}, Verdict.TO_START, f"It was due at {DUE}, and is to start at once."),
        ({"held": "there is no job 'x'"}, Verdict.DISABLED, "It is held: there is no job 'x'."),
    ],
)
def test_a_due_without_a_run_that_something_keeps(
    ask: Client, daemon: FakeDaemon, changed: dict[str, Any], expected: Verdict, words: str
) -> None:
    """What the history cannot know yet, the scheduler says: a pause that still holds, a window, a key."""
    remembers(daemon)
    due_daily(daemon)
    daemon.answers("standing", yes(standing_body(**changed)))
    body = json.loads(ask("why", "backup", "2026-11-21T03:00", "--json").stdout)
    assert (body["verdict"], body["answer"][-1]) == (expected, words)


def test_what_is_to_come_is_kept_or_waits(ask: Client, daemon: FakeDaemon) -> None:
    """Of a moment to come: what will keep it then, else what it will wait for."""
    remembers(daemon)
    due_daily(daemon)
    pause = PAUSE | {"until": "2097-01-01T00:00:00Z"}
    daemon.answers("standing", yes(standing_body(paused=pause)))
    assert "It is paused by root" in ask("why", "backup", "2096-11-21T03:00").stdout
    after = {"after": ["root/sales", "alice/x"], "jitter": 90}
    daemon.answers("standing", yes(standing_body(paused=pause, **after)))
    told = ask("why", "backup", "2098-11-21T03:00").stdout
    assert "It will wait for sales, alice/x." in told
    assert "It starts 1 min 30 s after its instant (jitter)." in told


WAITING = {**NEVER, "state": "waiting", "outcome": None, "ended_at": None}
DETAIL = {"spent": 0, "retries": 3, "max_load": 2.5, "parents": [], "others": [], "pool_held": None}


@pytest.mark.parametrize(
    ("changed", "sentences"),
    [
        (
            {
                "waits": "dependencies",
                "until": "2097-11-20T18:00:00Z",
                "parents": [
                    {"job": "root/sales", "run": "b2c", "outcome": None, "reason": "", "state": "running"},
                    {"job": "root/weather", "run": "a1b", "outcome": "success", "reason": "", "state": ""},
                ],
            },
            ["sales (run b2c) has not ended: it is running.", "weather has ended: success."],
        ),
        (
            {"waits": "retry", "attempts": 2, "exit_code": 5},
            ["Attempt 2 of 4 failed (exit status 5)."],
        ),
        (
            {"waits": "overlap", "others": [run_body(**RUNNING, id="old1")]},
            ["Run old1 of the same job is in its way: running for"],
        ),
        (
            {
                "waits": "pool",
                "pool_held": {
                    "name": "gpu",
                    "size": 2,
                    "taken": 2,
                    "holders": [{"job": "root/train", "run": "c3d", "slots": [0, 1]}],
                },
            },
            ["Slots of the pool gpu that are taken: 2 of 2, by root/train (run c3d)."],
        ),
        (
            {"waits": "pool", "pool_held": {"name": "gpu", "size": 1, "taken": 1, "holders": []}},
            ["Slots of the pool gpu that are taken: 1 of 1, by jobs of others."],
        ),
        ({"waits": "load"}, ["The load of the host is not below 2.5 (max_load)."]),
        ({"waits": "past"}, ["The run of this job before it has not ended (depends_on_past)."]),
        ({"waits": "sensor"}, ["What its wait_for asks for is not there yet"]),
        ({"waits": "jitter"}, ["Its start is put off by its jitter."]),
    ],
)
def test_what_a_run_waits_for(
    ask: Client, daemon: FakeDaemon, changed: dict[str, Any], sentences: list[str]
) -> None:
    """Whoever is in its way is named, with how long that may last."""
    run = {**recorded(), **WAITING, **changed}
    remembers(daemon, run)
    daemon.answers("standing", yes(standing_body({**run, **DETAIL, **changed})))
    told = ask("why", "backup", "2026-11-21T03:00").stdout
    assert told.startswith("root/backup: it waits\n")
    for sentence in sentences:
        assert f"  {sentence}" in told
    assert ("It waits no longer than until 2097-11-21 03:00:00 KST" in told) is ("until" in changed)


def test_what_keeps_a_job_from_now_on(ask: Client, daemon: FakeDaemon) -> None:
    """Without an instant the question is about now, too: its last run is told, and that it is paused."""
    remembers(daemon, recorded())
    due_daily(daemon)
    daemon.answers("standing", yes(standing_body(paused=PAUSE)))
    told = ask("why", "backup").stdout
    assert "It is paused by root since" in told


def shown_body(**changed: Any) -> list[Any]:
    return [yes({"run": {**recorded(**changed), "attempts_detail": []}, "crontab": None, "behind": 0})]


def parent(job: str, run: str | None, outcome: str, reason: str = "") -> dict[str, Any]:
    return {"job": f"root/{job}", "run": run, "outcome": outcome, "exit_code": None, "reason": reason}


def test_the_cause_is_followed_through_the_parents(ask: Client, daemon: FakeDaemon) -> None:
    """Three jobs further up one has failed: it is named, with what to ask about it, and no other."""
    remembers(daemon, {**recorded(id="rep", outcome="upstream_failed", reason="train: x"), **NEVER})
    told = {
        "rep": shown_body(
            id="rep",
            outcome="upstream_failed",
            parents=[parent("train", "tra", "upstream_failed"), parent("ok", "okk", "success")],
        ),
        "tra": shown_body(id="tra", outcome="upstream_failed", parents=[parent("sales", "sal", "failed")]),
        "sal": shown_body(id="sal", job="root/sales", outcome="failed", exit_code=3),
    }
    daemon.recorder["show"] = lambda arguments: told[arguments["run"]]
    text = ask("why", "report", "2026-11-21T03:00").stdout
    assert f"  The cause: run sal of root/sales, for {DUE}: failed (exit status 3)." in text
    assert "crontabx why root/sales 2026-11-21T03:00" in text
    assert text.count("The cause") == 1


def test_the_cause_of_what_was_skipped(ask: Client, daemon: FakeDaemon) -> None:
    """A parent without a run says why there was none; parents that name each other end the search."""
    remembers(daemon, {**recorded(id="rep", outcome="skipped", reason="sales: skipped"), **NEVER})
    parents = [parent("sales", None, "skipped", "it is paused"), parent("loop", "rep", "skipped")]
    daemon.recorder["show"] = lambda _: shown_body(id="rep", outcome="skipped", parents=parents)
    text = ask("why", "report", "2026-11-21T03:00").stdout
    assert "  The cause: root/sales was not to run: it is paused." in text
    assert text.count("The cause") == 1
