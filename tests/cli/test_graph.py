"""graph, and the history of a pipeline: the order of jobs, what a picture says of each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Client
from tests.cli.fake_daemon import RUNNING, FakeDaemon, run_body, yes

PAUSE = {"since": "2026-11-21T02:00:00Z", "until": None, "by": 0, "note": "moving"}


def node(job: str, **changed: Any) -> dict[str, Any]:
    return {
        "job": f"root/{job}",
        "schedule": "0 6 * * *",
        "trigger_rule": "all_success",
        "enabled": True,
        "held": "",
        "paused": None,
        "pipeline": "report",
        "last": None,
        **changed,
    }


def link(parent: str, child: str, want: str = "success") -> dict[str, str]:
    return {"parent": f"root/{parent}", "child": f"root/{child}", "want": want}


NET = {
    "jobs": [
        node("report", schedule="@after", trigger_rule="all_done"),
        node("weather", last=run_body()),
        node("sales", last=run_body(outcome="failed", exit_code=3), paused=PAUSE),
        node("features", last=run_body(outcome="upstream_failed", reason="sales: failed", exit_code=None)),
        node("lonely", pipeline="", held="there is no job 'x'"),
    ],
    "links": [
        link("weather", "features"),
        link("sales", "features"),
        link("features", "report"),
        link("sales", "report", "done"),
    ],
}


def test_the_tree(ask: Client, daemon: FakeDaemon) -> None:
    """Each job once, below the last of its parents, with its other parents and what keeps it."""
    daemon.answers("graph", yes(NET))
    lines = ask("graph").stdout.splitlines()
    assert lines[0] == "report: 4 jobs"
    rows = [line.split("  0 6")[0].split("  @after")[0].strip() for line in lines[2:6]]
    assert rows == ["root/weather", "root/sales", "└─ root/features", "└─ root/report"]
    assert lines[3].endswith("failed (exit 3)  paused until it is resumed, by root: moving")
    assert lines[4].endswith("upstream failed  also after weather")
    assert lines[5].endswith("-                also after sales:done; all_done")
    assert lines[7] == "In no pipeline:"
    assert lines[9].endswith("held: there is no job 'x'")


def test_members_of_a_cycle_are_all_shown(ask: Client, daemon: FakeDaemon) -> None:
    """They have no order, and the drawing must not go round."""
    held = "these wait for each other: a -> b -> a"
    jobs = [node("a", held=held), node("b", held=held), node("c"), node("d")]
    daemon.answers(
        "graph",
        yes({"jobs": jobs, "links": [link("b", "a"), link("a", "b"), link("b", "c"), link("d", "c")]}),
    )
    lines = ask("graph", "a").stdout.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["root/a", "root/b", "root/c", "root/d"]
    assert "held: these wait for each other" in lines[2]
    assert daemon.asked == [("scheduler", "graph", {"job": "a"})]


def test_dot(ask: Client, daemon: FakeDaemon) -> None:
    """Names are quoted; a link says what it wants."""
    daemon.answers("graph", yes(NET | {"jobs": [*NET["jobs"], node('q"\\')]}))
    text = ask("graph", "--dot").stdout
    assert text.startswith("digraph crontabx {\n")
    assert '"root/weather" [label="root/weather\\nsuccess", fillcolor=palegreen];' in text
    assert '"root/sales" -> "root/report" [label="done"];' in text
    assert '"root/weather" -> "root/features";' in text
    assert '"root/q\\"\\\\"' in text


def test_mermaid(ask: Client, daemon: FakeDaemon) -> None:
    """Nothing of a name is obeyed."""
    daemon.answers("graph", yes(NET | {"jobs": [*NET["jobs"], node('x"]<b>')]}))
    lines = ask("graph", "--mermaid").stdout.splitlines()
    assert lines[0] == "flowchart LR"
    assert '    n2["root/sales<br/>failed (exit 3)<br/>paused"]' in lines
    assert '  n2 -->|"done"| n0' in lines
    assert '    n5["root/x#34;#93;#60;b#62;<br/>no run yet"]' in lines


def test_json_and_what_excludes_what(ask: Client, daemon: FakeDaemon) -> None:
    """The scheduler's answer as it is."""
    daemon.answers("graph", yes(NET))
    assert json.loads(ask("graph", "--json").stdout) == NET
    assert ask("graph", "--dot", "--mermaid").exit_code == 2


def test_no_pipelines(ask: Client, daemon: FakeDaemon) -> None:
    """Said, and no failure."""
    daemon.answers("graph", yes({"jobs": [], "links": []}))
    result = ask("graph")
    assert (result.exit_code, result.stderr) == (0, "No job depends on another.\n")


# --- the history of a pipeline -----------------------------------------------------------------------------


def instant(state: str, *runs: dict[str, Any]) -> dict[str, Any]:
    return {"instant": "2026-11-20T18:00:00Z", "state": state, "runs": list(runs)}


def test_the_instants_of_a_pipeline(ask: Client, daemon: FakeDaemon) -> None:
    """What went wrong is named, what went well counted; of several runs of a job the newest counts."""
    daemon.answers("graph", yes(NET))
    runs = [
        run_body(job="root/sales", outcome="failed"),
        run_body(job="root/features", outcome="upstream_failed"),
        run_body(job="root/weather", outcome="failed", ended_at="2026-11-20T19:00:00Z"),
        run_body(job="root/weather"),
    ]
    going = [run_body(job="root/sales", **RUNNING), run_body(job="root/weather")]
    body = {"instants": [instant("failed", *runs), instant("running", *going)], "more": True, "behind": 0}
    daemon.recorder["pipeline"] = lambda _: [yes(body)]
    result = ask("history", "--pipeline", "report", "-n", "2")
    assert result.stdout.splitlines() == [
        "INSTANT (KST)        STATE    JOBS",
        "2026-11-21 03:00:00  failed   failed: sales; upstream failed: features; 1 success",
        "2026-11-21 03:00:00  running  running: sales; 1 success",
    ]
    assert "--last 20" in result.stderr
    asked = daemon.asked[-1]
    assert asked[:2] == ("recorder", "pipeline")
    assert json.loads(asked[2]["jobs"]) == ["root/weather", "root/sales", "root/features", "root/report"]
    told = json.loads(ask("history", "--pipeline", "report", "--json").stdout)
    assert (told["pipeline"], told["instants"]) == ("report", body["instants"])


@pytest.mark.parametrize("more", [("backup",), ("--failed",), ("--slowest",), ("--outcome", "lost")])
def test_what_does_not_go_with_a_pipeline(ask: Client, more: tuple[str, ...]) -> None:
    """Filters of runs do not filter instants."""
    assert ask("history", "--pipeline", "report", *more).exit_code == 2


def test_an_unknown_pipeline(ask: Client, daemon: FakeDaemon) -> None:
    """Those that there are, are named."""
    daemon.answers("graph", yes(NET))
    result = ask("history", "--pipeline", "x")
    assert (result.exit_code, result.stderr) == (4, "crontabx: no pipeline is called 'x' (report)\n")
    assert ask("history", "--pipeline", "").exit_code == 4
