"""One history, three databases: what the store promises and what the queries answer is the same on all."""

from __future__ import annotations

import pwd
from typing import Any

import pytest
from sqlalchemy.engine import URL

from crond.recorder import statistics
from crond.recorder.feed import Position
from crond.recorder.prune import Keep, prunable, prune
from crond.recorder.queries import UNSUCCESSFUL, Filter, Refusal
from crond.recorder.records import RunRecord
from crond.recorder.schema import (
    attempts,
    crontabs,
    intervals,
    jobs,
    parents,
    runs,
    variables,
)
from crond.recorder.store import Store
from tests.contract.histories import ANN, BEN, ROOT, TOKEN, asked, count, ids, micro, shown
from tests.recorder.journal import NOON, attempt, batch, run

# --- none missing, none double ---------------------------------------------------------------------------


def test_rows_and_position_go_together(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the position cannot be written, neither is the batch: the journal is read from there again."""
    store.write(batch(run(1), end=Position(1, 50)))
    with monkeypatch.context() as patched:

        def fail(*_: object) -> None:
            raise OSError("the power went")

        patched.setattr(store, "_write_position", fail)
        with pytest.raises(OSError, match="power"):
            store.write(batch(run(2, job="ann/new"), end=Position(1, 90)))
    assert ids(store) == [1]
    assert store.begin(TOKEN, "host", "/journal") == Position(1, 50)
    store.write(batch(run(2, job="ann/new"), end=Position(1, 90)))
    assert ids(store) == [2, 1]
    assert store.begin(TOKEN, "renamed", "/elsewhere") == Position(1, 90)


def test_what_is_read_twice_is_stored_once(store: Store) -> None:
    """Every record has a key of its own, so a journal may be read again from any place."""
    everything = batch(
        run(1),
        run(2, attempts=[attempt(1), attempt(2)]),
        ["interval", "outage", NOON, NOON + 60, "down"],
        ["crontab", "/spool/ann", "ann", ANN, "digest1", NOON],
    )
    for _ in range(3):
        store.write(everything)
    assert [count(store, table) for table in (jobs, runs, attempts, intervals, crontabs)] == [1, 2, 3, 1, 1]


def test_the_newest_record_of_a_run_holds(store: Store) -> None:
    """Records are absolute: a run that was running is replaced by the same run, ended."""
    begun = [attempt(ended_at=None, exit_code=None, output_size=0)]
    store.write(batch(run(1, state="running", outcome=None, ended_at=None, attempts=begun)))
    assert asked(store, lambda queries: queries.history(Filter()))["runs"][0]["state"] == "running"
    ended = [
        attempt(exit_code=3),
        attempt(2, started_at=NOON + 10, ended_at=NOON + 11, exit_code=None, signal=9),
    ]
    store.write(batch(run(1, outcome="failed", ended_at=NOON + 11, attempts=ended)))
    shown = asked(store, lambda queries: queries.show("0000"))["run"]
    assert (shown["state"], shown["outcome"], shown["exit_code"], shown["signal"]) == (
        "finished",
        "failed",
        None,
        9,
    )
    assert (shown["attempts"], shown["duration"], shown["cpu_seconds"]) == (2, 1.0, 0.75)
    assert [one["exit_code"] for one in shown["attempts_detail"]] == [3, None]
    assert shown["attempts_detail"][0]["attempt"] == "00000000000001.1"


WAITING: dict[str, Any] = {"state": "waiting", "outcome": None, "ended_at": None, "attempts": []}


def test_what_a_run_waits_for(store: Store) -> None:
    """For what, until when and for which pool; nothing of a wait is left when it is over."""
    held: dict[str, Any] = {"waits": "pool", "until": NOON + 90, "pool": "ann/gpu", "follows": "f" * 14}
    store.write(batch(run(1, **WAITING, **held)))
    told = shown(store)
    assert (told["state"], told["waits"], told["until"]) == ("waiting", "pool", "2026-11-21T12:01:30Z")
    assert (told["pool"], told["follows"], told["attempt"]) == ("ann/gpu", "f" * 14, None)
    store.write(batch(run(1, pool="ann/gpu")))
    assert [shown(store)[key] for key in ("waits", "until", "pool")] == [None, None, "ann/gpu"]


def test_a_run_that_is_run_again(store: Store) -> None:
    """It is as one that has not ended; what the first time left is not told of the second."""
    parent = ["ann/a", "a" * 14, "success", 0, ""]
    first = attempt(outcome="success", data=[["X", "1"], ["Y", "2"]])
    store.write(batch(run(1, attempts=[first], parents=[parent, parent], environment=[["LR", "0.1"]])))
    told = shown(store)
    assert (told["data"], told["environment"]) == ({"X": "1", "Y": "2"}, {"LR": "0.1"})
    assert (
        told["parents"]
        == [{"job": "ann/a", "run": "a" * 14, "outcome": "success", "exit_code": 0, "reason": ""}] * 2
    )
    again: dict[str, Any] = {"state": "due", "outcome": None, "ended_at": None, "by": ANN, "spent": 1}
    store.write(batch(run(1, **again, attempts=[first])))
    told = shown(store)
    assert (told["state"], told["outcome"], told["ended_at"]) == ("due", None, None)
    assert (told["by"], told["spent"], told["attempts"], told["parents"]) == (ANN, 1, 1, [])
    second = attempt(2, started_at=NOON + 900, ended_at=NOON + 903, data=[["X", "3"]])
    store.write(batch(run(1, by=ANN, spent=1, attempts=[first, second], parents=[parent])))
    told = shown(store)
    assert (told["data"], told["environment"], len(told["parents"])) == ({"X": "3"}, {}, 1)
    assert (told["attempts"], told["attempt"], told["duration"]) == (2, f"{1:014x}.2", 3.0)


def test_a_skip_that_is_run_again_forgets_its_parents(store: Store) -> None:
    """No attempt was spent, and still what its parents were to it the first time is over."""
    parent = ["ann/a", "", "skipped", None, "not due yet"]
    store.write(batch(run(1, outcome="skipped", attempts=[], parents=[parent])))
    store.write(batch(run(1, **{**WAITING, "state": "due"}, by=ROOT)))
    assert shown(store)["parents"] == []


def test_a_run_that_the_scheduler_had_forgotten_keeps_its_attempts(store: Store) -> None:
    """Run again after long, its record begins with the next attempt; the history has the first ones."""
    store.write(batch(run(1, outcome="failed", attempts=[attempt(1), attempt(2, exit_code=3)])))
    store.write(batch(run(1, **WAITING, by=ANN, spent=2)))
    assert (shown(store)["attempts"], len(shown(store)["attempts_detail"])) == (2, 2)
    store.write(batch(run(1, by=ANN, spent=2, attempts=[attempt(3)])))
    told = shown(store)
    assert (told["attempts"], told["attempt"]) == (3, f"{1:014x}.3")
    assert [one["number"] for one in told["attempts_detail"]] == [1, 2, 3]


def test_conditions_and_sensors_are_no_starts_of_the_command(store: Store) -> None:
    """Of the tries of `wait_for` the latest stays; only the command's own time is the run's."""
    polled = attempt(-1, exit_code=1, outcome="failed")
    store.write(batch(run(1, **{**WAITING, "attempts": [polled]}, waits="sensor")))
    assert (shown(store)["attempts"], shown(store)["started_at"], shown(store)["duration"]) == (0, None, None)
    later = attempt(-2, started_at=NOON + 60, ended_at=NOON + 61)
    asking = attempt(0, started_at=NOON + 70, ended_at=NOON + 71, exit_code=1)
    store.write(batch(run(1, outcome="skipped", reason="condition", attempts=[later, asking])))
    told = shown(store)
    assert [(one["number"], one["part"]) for one in told["attempts_detail"]] == [
        (-2, "wait_for"),
        (0, "condition"),
    ]
    assert (told["attempt"], told["attempts"], told["exit_code"]) == (f"{1:014x}.0", 0, 1)
    figures = asked(store, lambda queries: statistics.of_job(queries, "backup", Filter()))["stats"]
    assert (figures["durations"], figures["cpu_seconds"], figures["max_rss"]) == (None, None, None)
    # Run again, the condition is asked anew: the newest start is not the latest attempt any more.
    ran = attempt(1, started_at=NOON + 80, ended_at=NOON + 85)
    store.write(batch(run(1, outcome="skipped", by=ANN, spent=1, attempts=[later, ran, asking])))
    told = shown(store)
    assert (told["attempts"], told["duration"], told["started_at"]) == (1, 5.0, "2026-11-21T12:01:20Z")


def test_what_a_job_leaves_is_bounded(store: Store) -> None:
    """As much as a job may leave is kept, to the byte; nothing that it holds is refused."""
    most = "x" * (64 * 1024 - 3)
    odd = [["N" * 5000, "nul\0\udcff"], ["E", "é" * 40_000], *([f"K{n}", ""] for n in range(5000))]
    store.write(batch(run(1, attempts=[attempt(data=[["A", most]])]), run(2, attempts=[attempt(data=odd)])))
    assert shown(store)["data"] == {"A": most}
    told = shown(store, 2)["data"]
    assert (told["N" * 320], len(told), told["E"]) == ("nul\\0\\udcff", 1024, "é" * (65535 // 2))


def test_one_refused_record_does_not_stop_the_others(store: Store) -> None:
    """What a database refuses is left out and named; the position goes on."""
    wrong = batch(run(1), run(2), run(3), end=Position(2, 7))
    broken = wrong.runs[f"{2:014x}"]
    wrong.runs[f"{2:014x}"] = RunRecord(broken.job, {**broken.row, "reason": None}, broken.attempts)
    refused = store.write(wrong)
    assert len(refused) == 1
    assert f"{2:014x}" in refused[0]
    assert ids(store) == [3, 1]
    assert store.begin(TOKEN, "host", "/journal") == Position(2, 7)


@pytest.mark.parametrize(
    "more",
    [
        {"job": "ann/" + "x" * 5000, "reason": "y" * 100_000, "run_as": "z" * 5000},
        {"job": "ann/nul\0", "reason": "\0\0", "run_as": "\0"},
        {"job": "ann/\udcff\ud800", "reason": "\udcff", "run_as": "\udcff"},
        {"job": "ann/\U0001f600é", "reason": "'; DROP TABLE runs; --\\", "run_as": "ünïcode"},
        {"uid": 2**70, "by": -(2**70), "ordinal": 2**70, "instant": 1e300},
    ],
)
def test_no_text_or_number_is_too_much(store: Store, more: dict[str, Any]) -> None:
    """Whatever a job's name or a reason holds, the run is recorded and can be told."""
    store.write(batch(run(1, **more), run(2)))
    assert sorted(ids(store)) == [1, 2]


def test_a_journal_that_was_deleted_leaves_no_run_running(store: Store) -> None:
    """Of what an earlier journal at the same place knew to be running, nothing will be heard any more."""
    store.write(batch(run(1), run(2, state="running", outcome=None, ended_at=None)))
    assert store.begin("other", "host", "/journal") == Position(0, 0)
    told = asked(store, lambda queries: queries.history(Filter()), token="other")["runs"]
    assert [(one["state"], one["outcome"]) for one in told] == [("finished", "lost"), ("finished", "success")]


def test_daemons_that_share_a_database_do_not_mix(store: Store, url: URL) -> None:
    """The same run id on two machines is two runs, and each daemon tells its own."""
    other = Store(url)
    other.begin("token2", "host2", "/journal")
    store.write(batch(run(1), run(2)))
    other.write(batch(run(1, outcome="failed")))
    assert ids(store) == [2, 1]
    told = asked(store, lambda queries: queries.history(Filter()), token="token2")["runs"]
    assert [(one["outcome"], one["host"]) for one in told] == [("failed", "host2")]
    other.close()


# --- what is asked ---------------------------------------------------------------------------------------


def test_history_and_its_filters(store: Store) -> None:
    """By job, outcome and time; newest or slowest first; as many as are asked for."""
    store.write(
        batch(
            run(1, lasted=9),
            run(2, outcome="failed"),
            run(3, outcome="lost", lasted=5),
            run(4, job="ann/other", outcome="could_not_start", lasted=30),
            run(5, outcome="skipped", attempts=[], ended_at=NOON + 300),
            run(6, outcome="stopped", lasted=7),
        )
    )
    assert ids(store) == [6, 5, 4, 3, 2, 1]
    assert ids(store, count=2) == [6, 5]
    assert ids(store, job="ann/backup") == [6, 5, 3, 2, 1]
    assert ids(store, outcomes=("skipped",)) == [5]
    assert ids(store, outcomes=UNSUCCESSFUL) == [4, 3, 2]
    assert ids(store, outcomes=UNSUCCESSFUL, count=2) == [4, 3]
    assert ids(store, outcomes=UNSUCCESSFUL, job="backup") == [3, 2]
    assert ids(store, since=micro(NOON + 120), until=micro(NOON + 240)) == [3, 2]
    assert ids(store, slowest=True, count=3) == [4, 1, 6]
    assert ids(store, slowest=True, job="backup", outcomes=("success", "lost")) == [1, 3]
    more = asked(store, lambda queries: queries.history(Filter(count=5)))["more"]
    all_of_them = asked(store, lambda queries: queries.history(Filter(count=6)))["more"]
    assert (more, all_of_them) == (True, False)


def test_what_failed_for_a_parents_sake_is_shown_and_not_counted(store: Store) -> None:
    """What never started after another's failure is among the failed; the rate is of the job's own."""
    ends = ("success", "timed_out", "upstream_failed", "success")
    store.write(batch(*(run(number, outcome=outcome) for number, outcome in enumerate(ends))))
    assert ids(store, outcomes=UNSUCCESSFUL) == [2, 1]
    figures = asked(store, lambda queries: statistics.of_job(queries, "backup", Filter()))["stats"]
    assert figures["success_rate"] == pytest.approx(2 / 3)


def test_a_run_is_told_as_the_scheduler_tells_it(store: Store) -> None:
    """All keys of a RUN with their values, and what only the history knows."""
    store.write(batch(run(1, trigger="manual", by=ANN)))
    [told] = asked(store, lambda queries: queries.history(Filter()))["runs"]
    assert told == {
        "id": "00000000000001", "job": "ann/backup", "instant": "2026-11-21T12:01:00Z", "ordinal": 0,
        "trigger": "manual", "by": ANN, "state": "finished", "outcome": "success", "reason": "",
        "waits": None, "until": None, "pool": None, "follows": None,
        "started_at": "2026-11-21T12:01:00Z", "ended_at": "2026-11-21T12:01:02Z", "exit_code": 0,
        "signal": None, "attempt": "00000000000001.1", "attempts": 1, "pid": 4711, "output_size": 5,
        "owner": "ann", "uid": ANN, "run_as": "ann", "host": "host", "crontab": "digest1",
        "duration": 2.0, "cpu_seconds": 0.75, "max_rss": 2048, "blocks_in": 8, "blocks_out": 16,
    }  # fmt: skip


def test_users_see_what_is_theirs(store: Store) -> None:
    """Another's runs are in no answer, by no name; what is theirs and what does not exist sound alike."""
    store.write(batch(run(1), run(2, job="ben/secret", uid=BEN, run_as="ben"), run(3, job="root/sys", uid=0)))
    assert (ids(store), ids(store, uid=ANN), ids(store, uid=BEN)) == ([3, 2, 1], [1], [2])
    assert asked(store, lambda queries: queries.known_jobs(), uid=ANN)["jobs"][0]["job"] == "ann/backup"
    assert len(asked(store, lambda queries: queries.known_jobs(), uid=ANN)["jobs"]) == 1
    assert statistics_of_all(store, ANN) == {"ann/backup"}
    for what in (
        lambda queries: queries.history(Filter(job="ben/secret")),
        lambda queries: queries.show("00000000000002"),
        lambda queries: queries.why("secret", None, None),
        lambda queries: statistics.of_job(queries, "ben/secret", Filter()),
    ):
        with pytest.raises(Refusal) as refused:
            asked(store, what, uid=ANN)
        assert (refused.value.code, refused.value.candidates) == ("unknown", [])


def statistics_of_all(store: Store, uid: int) -> set[str]:
    return {one["job"] for one in asked(store, lambda q: statistics.of_all(q, Filter()), uid=uid)["jobs"]}


def test_a_skip_of_a_vanished_job_is_still_its_owners(store: Store) -> None:
    """A run that was skipped because its job is gone has no uid; its owner may see it."""
    store.write(batch(run(1), run(2, uid=None, outcome="skipped", attempts=[])))
    store.write(batch(run(3, uid=None, outcome="skipped", attempts=[])))
    assert ids(store, uid=ANN) == [3, 2, 1]
    assert ids(store, uid=BEN) == []


@pytest.mark.parametrize(
    ("text_", "job"),
    [
        ("ann/backup", "ann/backup"),
        ("backup", "ann/backup"),
        ("Backup", "ben/Backup"),
        ("back_up%", "ann/back_up%"),
        ("mon", "ann/monthly"),
        ("ben/B", "ben/Backup"),
    ],
)
def test_jobs_by_name(store: Store, text_: str, job: str) -> None:
    """OWNER/NAME, NAME, or the beginning of either; capitals differ, and no character means another."""
    names = ("ann/backup", "ben/Backup", "ann/back_up%", "ann/monthly", "ann/backXupY")
    store.write(batch(*(run(number, job=name) for number, name in enumerate(names))))
    assert asked(store, lambda queries: queries.named(text_)).job == job


def test_names_differ_by_capitals_and_accents(store: Store) -> None:
    """What a database would sort together are jobs of their own, and words from all the world are kept."""
    names = ("ann/cafe", "ann/Cafe", "ann/café", "ann/CAFÉ", "ann/コーヒー", "ann/☕\U0001f600")
    store.write(batch(*(run(number, job=name, run_as=name) for number, name in enumerate(names))))
    assert count(store, jobs) == len(names)
    for number, name in enumerate(names):
        told = asked(store, lambda queries, name=name: queries.history(Filter(job=name)))["runs"]
        assert [(int(one["id"], 16), one["job"], one["run_as"]) for one in told] == [(number, name, name)]


def test_names_that_fit_many_or_none(store: Store) -> None:
    """What may be several jobs is answered with their names; so it is for runs."""
    store.write(batch(run(0xABCD01), run(0xABCD02, job="ben/backup", uid=BEN)))
    with pytest.raises(Refusal) as refused:
        asked(store, lambda queries: queries.named("backup"))
    assert (refused.value.code, refused.value.candidates) == ("ambiguous", ["ann/backup", "ben/backup"])
    with pytest.raises(Refusal) as refused:
        asked(store, lambda queries: queries.show("00000000abcd"))
    assert (refused.value.code, len(refused.value.candidates)) == ("ambiguous", 2)
    for nothing in ("", "%", "_", "nothing", "\udcff", "a\0"):
        with pytest.raises(Refusal) as refused:
            asked(store, lambda queries, text=nothing: queries.named(text))
        assert refused.value.code == "unknown"
        with pytest.raises(Refusal):
            asked(store, lambda queries, text=nothing: queries.show(text))


def test_show_a_job(store: Store) -> None:
    """`show backup` said "no run 'backup' is recorded", while `logs` and `why` took its newest run."""
    store.write(batch(run(1), run(2), run(3, job="ben/backup", uid=BEN), run(4, job="ann/other")))
    assert int(asked(store, lambda queries: queries.show("ann/backup"))["run"]["id"], 16) == 2
    for text, code in (("backup", "ambiguous"), ("bakup", "unknown")):
        with pytest.raises(Refusal) as refused:
            asked(store, lambda queries, text=text: queries.show(text))
        assert refused.value.code == code


def test_why_an_instant_was_not_answered(store: Store) -> None:
    """The runs of that minute, what stopped the daemon then, the version in force, and its neighbours."""
    store.write(
        batch(
            ["crontab", "/spool/ann", "ann", ANN, "digest1", NOON - 1000],
            ["crontab", "/spool/ann", "ann", ANN, "digest2", NOON + 1000],
            run(1),
            run(9),
            ["interval", "outage", NOON + 100, NOON + 200, "the daemon was down"],
            ["interval", "suspend", NOON + 900, NOON + 950, "the machine slept"],
        )
    )
    why = asked(store, lambda queries: queries.why("backup", micro(NOON + 120), None))
    assert (why["job"], why["instant"], why["runs"]) == ("ann/backup", "2026-11-21T12:02:00Z", [])
    assert [(one["kind"], one["reason"]) for one in why["intervals"]] == [("outage", "the daemon was down")]
    assert (int(why["before"]["id"], 16), int(why["after"]["id"], 16)) == (1, 9)
    assert why["crontab"]["digest"] == "digest1"
    assert why["recorded_since"] == "2026-11-21T12:01:00Z"
    latest = asked(store, lambda queries: queries.why("backup", None, None))
    assert ([int(one["id"], 16) for one in latest["runs"]], latest["intervals"]) == ([9], [])


def test_intervals_of_one_job_are_no_others(store: Store) -> None:
    """What paused one job explains that job alone, and is shown to nobody else; many may begin together."""
    times = (NOON + 100, NOON + 200)
    store.write(
        batch(
            run(1),
            run(2, job="ben/b", uid=BEN),
            ["interval", "outage", *times, "down"],
            ["interval", "pause", *times, "by ann", "ann/backup"],
            ["interval", "pause", *times, "by ben", "ben/b"],
            ["interval", "disabled", *times, "enabled=no", "ann/backup"],
        )
    )

    def kept(job: str | None, uid: int) -> set[tuple[str, str | None]]:
        told = asked(store, lambda q: q.overlapping(micro(NOON + 120), micro(NOON + 180), job=job), uid=uid)
        return {(one["kind"], one["job"]) for one in told}

    both = {("outage", None), ("pause", "ann/backup"), ("disabled", "ann/backup")}
    assert kept("ann/backup", ANN) == kept("ann/backup", ROOT) == both
    assert kept("ann/backup", BEN) == kept(None, ROOT) == {("outage", None)}
    why = asked(store, lambda queries: queries.why("backup", micro(NOON + 120), None))
    assert {(one["kind"], one["job"]) for one in why["intervals"]} == both


def test_a_pause_of_a_job_that_never_ran_is_its_owners(store: Store) -> None:
    """The history knows no such job, and still its owner is told what kept it from running."""
    store.write(batch(["interval", "pause", NOON, NOON + 60, "by root", "daemon/new"]))
    for uid, seen in ((pwd.getpwnam("daemon").pw_uid, 1), (pwd.getpwnam("nobody").pw_uid, 0)):
        told = asked(store, lambda queries: queries.overlapping(None, None, job="daemon/new"), uid=uid)
        assert len(told) == seen


def test_figures_of_a_job(store: Store) -> None:
    """Counts by outcome, the share of successes among what was tried, quantiles of what it took."""
    outcomes = ["success"] * 6 + ["failed", "lost", "skipped", "stopped"]
    store.write(
        batch(
            *(run(n, outcome=outcome, lasted=n + 1.0) for n, outcome in enumerate(outcomes)),
            run(99, job="x/y"),
        )
    )
    figures = asked(store, lambda queries: statistics.of_job(queries, "backup", Filter(count=3)))["stats"]
    assert figures["outcomes"] == {"success": 6, "failed": 1, "lost": 1, "skipped": 1, "stopped": 1}
    assert (figures["runs"], figures["success_rate"]) == (10, 0.75)
    assert figures["durations"] == {
        "count": 10, "min": 1.0, "p50": 6.0, "p90": 10.0, "p99": 10.0, "max": 10.0, "mean": 5.5,
    }  # fmt: skip
    assert (figures["cpu_seconds"], figures["max_rss"]) == ({"mean": 0.75, "max": 0.75}, 2048)
    assert [one["duration"] for one in figures["last"]] == [8.0, 9.0, 10.0]
    assert statistics_of_all(store, ROOT) == {"ann/backup", "x/y"}


# --- pruning ---------------------------------------------------------------------------------------------


def test_pruning_by_age_and_count_while_recording_goes_on(store: Store) -> None:
    """Between any two of its transactions a batch can be written; what runs, or is new, stays."""
    store.write(
        batch(
            *(run(n) for n in range(1500)),
            *(run(5000 + n, job="ann/often", at=NOON + 60 * 1500 + n) for n in range(700)),
            run(9000, at=NOON, state="running", outcome=None, ended_at=None),
            run(9001, at=NOON, parents=[["a/b", "", None, None, ""]], environment=[["A", "b"]]),
            ["interval", "outage", NOON - 100, NOON, "old"],
            ["crontab", "/spool/ann", "ann", ANN, "old", NOON - 100],
            ["crontab", "/spool/ann", "ann", ANN, "digest1", NOON - 50],
        )
    )
    keep = Keep(since=micro(NOON + 60 * 1400), count=50)
    with store.transaction() as connection:
        expected = prunable(connection, store.feed, keep)
    taken = written = 0
    for step in prune(store, keep):
        taken += step
        written += 1
        store.write(batch(run(20_000 + written, job="ann/new")))
    assert (taken, expected, written >= 4) == (1401 + 50 + 650, 1401 + 50 + 650, True)
    assert (count(store, parents), count(store, variables)) == (0, 0)
    left = ids(store, count=99999)
    assert len(left) == 50 + 50 + 1 + written
    assert {9000, 1499, 5699, 20_001} <= set(left)
    assert 1399 not in left
    assert count(store, attempts) == len(left)
    assert (count(store, intervals), count(store, crontabs)) == (0, 1)


def test_a_job_without_runs_is_forgotten_and_comes_back(store: Store) -> None:
    """The last run takes its job along; a new run makes the job anew."""
    store.write(batch(run(1)))
    list(prune(store, Keep(since=micro(NOON + 9999))))
    assert (count(store, runs), count(store, jobs)) == (0, 0)
    store.write(batch(run(2)))
    assert ids(store, job="backup") == [2]


def test_the_owner_of_a_job_may_change(store: Store) -> None:
    """A name that another account took over: new runs are the new owner's, old ones stay the old's."""
    store.write(batch(run(1)))
    store.write(batch(run(2, uid=BEN)))
    assert (ids(store, uid=ANN), ids(store, uid=BEN)) == ([1], [2])
