"""The verbs about pipelines against a real daemon: a small pipeline is run, broken, mended and explained."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.system.daemon import Crond, wait_for
from tests.system.ground import Ground

TABLE = """\
#: name=fetch params=RESULT
0 0 31 2 * exit "${RESULT:-$(cat FOLDER/result)}"
#: name=join depends_on=fetch
0 0 31 2 * true
#: name=mail schedule=@after depends_on=join
0 0 31 2 * true
#: name=tick
@every 1s true
#: name=tock depends_on=tick schedule=@after
@every 1s true
#: name=lonely depends_on=nobody
0 0 31 2 * true
"""


@pytest.fixture(scope="module")
def crond(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crond]:
    folder = tmp_path_factory.mktemp("pipeline")
    (folder / "result").write_text("4")
    (folder / "jobs").write_text(TABLE.replace("FOLDER", str(folder)))
    state = folder / "state"
    crond = Crond(ground, ["--state", str(state), str(folder / "jobs")], state=state)
    try:
        crond.up()
        wait_for(lambda: len(crond.jobs()) == 6, "the table is loaded")
        wait_for(lambda: crond.client("history").returncode == 0, "the recorder answers")
        yield crond
    finally:
        crond.close()


def test_a_pipeline_fails_and_is_run_again(crond: Crond) -> None:
    """What follows a failure is not started and says whose fault it was; run again, all of it succeeds."""
    done = crond.client("run", "fetch", "--downstream", "--wait")
    assert done.returncode == 4
    assert "join: run" in done.stderr
    assert "upstream failed (fetch: failed)" in done.stderr
    told = wait_for(lambda: _with(crond, "The cause: ", "why", "mail"), "the history has it")
    assert "fetch, for" in told
    assert "failed (exit status 4)" in told
    picture = crond.client("graph", "mail").stdout
    assert picture.startswith("mail: 3 jobs\n")
    assert "failed (exit 4)" in picture
    (crond.state.parent / "result").write_text("0")
    done = crond.client("rerun", "fetch", "--downstream", "--failed", "--wait", "--json")
    assert done.returncode == 0, done.stderr
    runs = json.loads(done.stdout)["runs"]
    assert [run["outcome"] for run in runs] == ["success"] * 3
    assert runs[0]["attempts"] == 2
    history = wait_for(lambda: _with(crond, "success", "history", "--pipeline", "mail"), "it is recorded")
    assert "3 success" in history


def _with(crond: Crond, words: str, *arguments: str) -> str | None:
    text = crond.client(*arguments).stdout
    return text if words in text else None


def test_variables_and_marks(crond: Crond) -> None:
    """`--env` gives what params= names; a failure may be marked a success, by somebody who has a name."""
    assert crond.client("run", "fetch", "--env", "RESULT=7", "--wait").returncode == 7
    refused = crond.client("run", "fetch", "--env", "PATH=/tmp")
    assert (refused.returncode, "its params= names RESULT" in refused.stderr) == (1, True)
    marked = crond.client("mark", "success", "fetch")
    assert marked.returncode == 0, marked.stderr
    assert "counts as success; it was failed (exit status 7)" in marked.stdout
    assert "success (marked by " in crond.client("list").stdout


def test_pause_and_resume(crond: Crond) -> None:
    """A paused job starts no more, nor does what follows it; resumed, both go on."""
    crond.ended("tock")
    paused = crond.client("pause", "tick", "--for", "1h", "--note", "too loud")
    assert "tick: paused until " in paused.stdout
    runs = {run["id"] for run in crond.runs("tick")}
    assert "too loud" in crond.client("status").stdout
    assert "too loud" in crond.client("why", "tick").stdout
    until = crond.ask("list", job="tick")["jobs"][0]["paused"]["until"]
    assert all(
        crond.ask("next", job=job, count="1")["next"][0]["instant"] >= until for job in ("tick", "tock")
    )
    # What was due before may have come to an end; nothing else has.
    assert len({run["id"] for run in crond.runs("tick")} - runs) <= 1
    assert "resumed; it was paused" in crond.client("resume", "tick").stdout
    newest = crond.runs("tock")[0]["instant"]
    wait_for(lambda: crond.runs("tock")[0]["instant"] > newest, "they go on")


def test_what_is_held(crond: Crond) -> None:
    """Nothing but that job, with its reason, in each picture."""
    for verb in ("graph", "status"):
        assert "held: there is no job 'nobody'" in crond.client(verb).stdout
    assert "It is held: there is no job 'nobody'." in crond.client("why", "lonely", "2096-01-01").stdout


def test_backfill(crond: Crond) -> None:
    """Instants that had no run get one, in order; then there is nothing left to do."""
    first = crond.ask("instants", **{"job": "tick", "from": "1795143600", "to": "1795143602"})["instants"]
    assert len(first) == 3
    span = ("--from", "2026-11-20T03:00:00Z", "--to", "2026-11-20T03:00:02Z")
    plan = crond.client("backfill", "tick", *span, "--dry-run")
    assert plan.stdout.count("would run  no run") == 3, plan.stderr
    done = crond.client("backfill", "tick", *span, "--json")
    assert done.returncode == 0, done.stderr
    runs = [one["run"] for one in json.loads(done.stdout)["instants"]]
    assert [(run["instant"], run["outcome"]) for run in runs] == [(moment, "success") for moment in first]
    assert [run["started_at"] for run in runs] == sorted(run["started_at"] for run in runs)
    again = wait_for(lambda: _nothing_left(crond, *span), "the history has them")
    assert "3 left out, which have a run (3 success)" in again


def _nothing_left(crond: Crond, *span: str) -> str | None:
    text = crond.client("backfill", "tick", *span, "--dry-run").stderr
    return text if "0 instants would run" in text else None
