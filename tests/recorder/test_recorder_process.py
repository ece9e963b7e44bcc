"""The recorder as a process: killed, locked out, robbed of its file, and never missing or doubling a run."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from crond.cli.recorded import listed, read_instant
from crond.recorder import migrate
from crond.recorder.database import database_url, open_engine
from crond.recorder.schema import HEAD
from tests.contract.databases import BACKENDS, fresh_database
from tests.recorder.journal import NOON, run, write
from tests.recorder.program import DEADLINE, Recorder


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path)
    yield made
    made.close()


def database_of(recorder: Recorder) -> Path:
    return recorder.history / "history.db"


def test_it_tells_what_it_reads(recorder: Recorder) -> None:
    """What is in the journal is in the next answer, without a pause between; and it shows that it lives."""
    write(recorder.journal, 1, run(1))
    recorder.start()
    recorder.heartbeat()
    recorder.until({1})
    for number in range(2, 12):
        write(recorder.journal, 1, run(number))
        answer = recorder.ask("history", count="1")
        assert (int(answer["runs"][0]["id"], 16), answer["behind"]) == (number, 0)


def test_the_launcher_hangs_up(recorder: Recorder) -> None:
    """It ends by itself, and what the scheduler wrote last is in the history."""
    recorder.start()
    write(recorder.journal, 1, run(1))
    recorder.until({1})
    write(recorder.journal, 1, run(2))
    assert recorder.hang_up() == 0
    with sqlite3.connect(database_of(recorder)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM runs").fetchone() == (2,)
    connection.close()


@pytest.mark.parametrize("backend", BACKENDS)
def test_killed_at_any_moment(backend: str, tmp_path: Path) -> None:
    """Killed again and again while the journal grows and new segments begin: none missing, none double."""
    with fresh_database(backend, tmp_path) as url:
        recorder = Recorder(tmp_path, settings=settings_for(url))
        try:
            _kill_again_and_again(recorder, kills=12)
        finally:
            recorder.close()


def settings_for(url: URL) -> str:
    return f"[history]\nurl = {json.dumps(url.render_as_string(hide_password=False))}\n"


def _kill_again_and_again(recorder: Recorder, *, kills: int) -> None:
    chance = random.Random(3)
    done = threading.Event()
    written: set[int] = set()

    def schedule() -> None:
        segment, number = 1, 0
        while not done.is_set():
            number += 1
            write(recorder.journal, segment, run(number, state="running", outcome=None, ended_at=None))
            write(recorder.journal, segment, run(number))
            written.add(number)
            if number % 50 == 0:
                segment += 1
            done.wait(0.002)

    thread = threading.Thread(target=schedule)
    thread.start()
    try:
        for _ in range(kills):
            recorder.start()
            time.sleep(chance.uniform(0.2, 0.9))  # not a wait for anything: any moment must do
            recorder.kill()
    finally:
        done.set()
        thread.join(DEADLINE)
    recorder.start()
    found = recorder.until(written)
    assert len(found) == len(set(found)) == len(written)
    answer = recorder.ask("history", count="99999")
    assert {one["outcome"] for one in answer["runs"]} == {"success"}


def test_a_locked_database_is_waited_for(recorder: Recorder) -> None:
    """While somebody holds SQLite's lock nothing is lost, it lives, answers, and does not spin."""
    write(recorder.journal, 1, run(1))
    recorder.start()
    recorder.until({1})
    lock = sqlite3.connect(database_of(recorder), isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    write(recorder.journal, 1, run(2))
    recorder.wait_for("locked")
    before = recorder.threads_cpu
    recorder.heartbeat()
    answer = recorder.ask("history")
    assert [int(one["id"], 16) for one in answer["runs"]] == [1]
    assert answer["behind"] > 0
    status = recorder.ask("db")
    assert (status["state"], "locked" in status["trouble"]) == ("waiting", True)
    assert recorder.threads_cpu - before < 2.0
    lock.execute("ROLLBACK")
    lock.close()
    recorder.until({1, 2})
    recorder.wait_for("recording again")
    assert sum("locked" in line for line in recorder.lines) == 1


def test_a_database_that_is_locked_from_the_beginning(recorder: Recorder) -> None:
    """`db status` said `waiting` and not why, as long as the database had not answered once."""
    recorder.start()
    write(recorder.journal, 1, run(1))
    recorder.until({1})
    recorder.hang_up()
    with closing(sqlite3.connect(database_of(recorder), isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        recorder.start()
        status = recorder.ask("db")
        assert status["state"] == "waiting"
        assert "locked" in status["trouble"]
        lock.execute("ROLLBACK")
    recorder.until({1})


def test_a_deleted_database_is_put_back(recorder: Recorder) -> None:
    """The file is gone, also with its log: what it held is there again, and what came since."""
    write(recorder.journal, 1, run(1))
    recorder.start()
    recorder.until({1})
    (recorder.journal / "journal.000001").unlink()  # so that the journal cannot be its source
    for names in (("history.db",), ("history.db", "history.db-wal", "history.db-shm")):
        for name in names:
            (recorder.history / name).unlink()
        write(recorder.journal, 2, run(2))
        recorder.until({1, 2})
    assert recorder.ask("db", action="check")["problems"] == []


def test_a_database_deleted_while_nobody_recorded(recorder: Recorder) -> None:
    """What the journal still holds fills the new one."""
    write(recorder.journal, 1, run(1))
    write(recorder.journal, 2, run(2))
    recorder.start()
    recorder.until({1, 2})
    recorder.kill()
    database_of(recorder).unlink()
    recorder.start()
    assert sorted(recorder.until({1, 2})) == [1, 2]


def test_a_newer_schema_is_left_alone(recorder: Recorder) -> None:
    """A database of a newer program is neither written nor read, and that is said; it is used again later."""
    write(recorder.journal, 1, run(1))
    recorder.start()
    recorder.until({1})
    recorder.kill()
    with sqlite3.connect(database_of(recorder)) as connection:
        connection.execute("UPDATE crontabx_version SET version_num = '9999'")
    connection.close()
    write(recorder.journal, 1, run(2))
    recorder.start()
    recorder.wait_for("newer crontabx")
    recorder.heartbeat()
    refused = json.loads(recorder.reply("history").body)
    assert (refused["code"], "newer" in refused["error"]) == ("unavailable", True)
    assert recorder.ask("db")["state"] == "newer"
    with sqlite3.connect(database_of(recorder)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM runs").fetchone() == (1,)
        connection.execute(f"UPDATE crontabx_version SET version_num = '{HEAD}'")
    connection.close()
    recorder.kill()
    recorder.start()
    recorder.until({1, 2})


def test_an_older_schema_is_not_read_before_it_is_upgraded(recorder: Recorder) -> None:
    """Who asks meanwhile is told so, not of a column that is missing; then all is told."""
    engine = open_engine(database_url(None, str(recorder.history)), writer=True)
    with engine.connect() as connection, connection.begin():
        migrate._run(connection, "0001")
    engine.dispose()
    write(recorder.journal, 1, run(1))
    with closing(sqlite3.connect(database_of(recorder), isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        recorder.start()
        recorder.heartbeat()
        refused = json.loads(recorder.reply("history").body)
        assert (refused["code"], refused["error"]) == (
            "unavailable",
            f"the history is being brought to schema {HEAD}",
        )
        lock.execute("ROLLBACK")
    recorder.until({1})


def test_runs_by_their_instants(recorder: Recorder) -> None:
    """A pipeline's instants, and those of one job, by arguments as a client sends them."""
    odd = 'ann/a,"b\udcff'
    records = (run(1), run(2, job=odd, at=NOON + 60, outcome="failed"), run(3))
    write(recorder.journal, 1, *records)
    recorder.start()
    recorder.until({1, 2, 3})
    answer = recorder.ask("pipeline", jobs=json.dumps(["ann/backup", odd]), count="1")
    assert ([one["state"] for one in answer["instants"]], answer["more"]) == (["success"], True)
    answer = recorder.ask("pipeline", jobs=json.dumps(["ann/backup", odd]), until=str(NOON + 61))
    [seen] = map(read_instant, answer["instants"])
    assert (seen.instant, seen.state, len(seen.runs)) == (
        datetime.fromtimestamp(NOON + 60, UTC),
        "failed",
        2,
    )
    many = listed("jobs", [*(f"ann/{'x' * 60}{number}" for number in range(600)), "ann/backup", odd])
    assert len(many) > 5
    assert len(recorder.ask("pipeline", **many)["instants"]) == 2
    answer = recorder.ask("instants", job="ann/backup", **{"from": str(NOON + 60), "to": str(NOON + 180)})
    assert [int(one["id"], 16) for one in answer["runs"]] == [1, 3]


def test_settings_that_became_wrong(tmp_path: Path) -> None:
    """A URL that cannot be used is said without what may be a password in it; a right one is taken up."""
    recorder = Recorder(tmp_path, settings='[history]\nurl = "oracle://u:secret@h/d"\n')
    try:
        write(recorder.journal, 1, run(1))
        recorder.start()
        assert "secret" not in recorder.wait_for("only sqlite, postgresql")
        recorder.settings.write_text('[history]\nurl = "postgresql://u:secret@127.0.0.1:1/d"\n')
        said = recorder.wait_for("refused")
        assert said.endswith("(postgresql+psycopg://u:***@127.0.0.1:1/d); it is tried again, and jobs run on")
        assert not any("secret" in line for line in recorder.lines)
        assert "secret" not in json.dumps(recorder.ask("db"))
        recorder.settings.write_text("")
        recorder.until({1})
    finally:
        recorder.close()


def test_what_makes_no_request_is_answered_or_closed(recorder: Recorder) -> None:
    """Wrong verbs and arguments are refused by name; another's silence and noise harm nobody."""
    write(recorder.journal, 1, run(1))
    recorder.start()
    recorder.until({1})
    for verb, arguments in (
        ("nothing", {}),
        ("history", {"count": "0"}),
        ("history", {"count": "1e3"}),
        ("history", {"since": "yesterday"}),
        ("history", {"until": "nan"}),
        ("history", {"outcome": "good"}),
        ("show", {}),
        ("why", {"instant": "1"}),
        ("pipeline", {}),
        ("pipeline", {"jobs": "ann/backup"}),
        ("pipeline", {"jobs": '["ann/backup", 1]'}),
        ("pipeline", {"jobs": "[" * 4000}),
        ("pipeline", {"jobs": "[]", "jobs1": "{}"}),
        ("instants", {"from": "0", "to": "1"}),
        ("instants", {"job": "ann/backup", "from": "0"}),
        ("instants", {"job": "ann/backup", "from": "0", "to": "inf"}),
        ("db", {"action": "drop"}),
        ("db", {"action": "prune", "keep_days": "x"}),
        ("db", {"action": "prune", "keep_runs": "0"}),
    ):
        answer = recorder.reply(verb, **arguments)
        assert (answer.ok, json.loads(answer.body)["code"]) == (False, "bad_request"), (verb, arguments)
    recorder.until({1})


def test_the_databases_own_verbs(recorder: Recorder) -> None:
    """Status, check, upgrade, a copy that can be opened, and pruning, first dry."""
    write(recorder.journal, 1, *(run(number) for number in range(30)))
    recorder.start()
    recorder.until(set(range(30)))
    status = recorder.ask("db")
    assert (status["backend"], status["state"], status["runs"]) == ("sqlite", "recording", 30)
    assert recorder.ask("db", action="check") == {"ok": True, "problems": [], "behind": 0}
    assert recorder.ask("db", action="upgrade")["revision"] == HEAD
    copy = recorder.ask("db", action="backup")
    with sqlite3.connect(copy["path"]) as connection:
        assert connection.execute("SELECT COUNT(*) FROM runs").fetchone() == (30,)
    connection.close()
    assert recorder.ask("db", action="prune", keep_runs="10", dry_run="yes")["runs"] == 20
    assert len(recorder.until(set(range(30)))) == 30
    assert recorder.ask("db", action="prune", keep_runs="10")["runs"] == 20
    assert sorted(recorder.until(set(range(20, 30)))) == list(range(20, 30))


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_a_full_disk_is_waited_for(tmp_path: Path) -> None:
    """On a disk without room it waits and says so; with room again nothing is missing."""
    history = tmp_path / "history"
    history.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", history], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("nothing can be mounted here")
    recorder = Recorder(tmp_path)
    try:
        recorder.start()
        write(recorder.journal, 1, *(run(number, reason="x" * 1000) for number in range(2000)))
        recorder.wait_for("full")
        recorder.heartbeat()
        subprocess.run(["mount", "-o", "remount,size=64m", history], check=True)
        assert len(recorder.until(set(range(2000)))) == 2000
    finally:
        recorder.close()
        subprocess.run(["umount", history], check=True)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_another_user_sees_nothing_of_others(recorder: Recorder, tmp_path: Path) -> None:
    """Who asks is what the kernel says: a user gets their own runs, and no verb of the database."""
    write(recorder.journal, 1, run(1, job="root/a", uid=0), run(2, job="games/b", uid=5))
    recorder.start()
    recorder.until({1, 2})
    os.chmod(recorder.path, 0o666)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.owner() == "root" and str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    os.seteuid(5)
    try:
        mine = [int(one["id"], 16) for one in recorder.ask("history")["runs"]]
        refused = [json.loads(recorder.reply("db").body)["code"]]
        refused.append(json.loads(recorder.reply("show", run=f"{1:014x}").body)["code"])
        jobs = [one["job"] for one in recorder.ask("jobs")["jobs"]]
    finally:
        os.seteuid(0)
    assert (mine, refused, jobs) == ([2], ["forbidden", "unknown"], ["games/b"])
