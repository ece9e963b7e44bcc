"""The language page's first example, in the real daemon, with seconds in the place of hours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import StartFiles
from tests.system.daemon import Crond, wait_for
from tests.system.ground import Ground

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = """\
#: defaults retries=2 retry_delay=1s
#: pool gpu=1

#: name=weather timeout=10m schedule='@every 4s'
0 6 * * *   echo weather
#: name=sales timeout=10m schedule='@every 4s'
0 6 * * *   {sales}
#: name=features depends_on=weather,sales schedule='@every 4s'
0 6 * * *   echo features
#: name=train depends_on=features timeout=2h concurrency=forbid pool=gpu schedule='@every 4s'
0 6 * * *   {train}
#: name=deploy depends_on=train condition='[ "$OUT_TRAIN_BETTER" = yes ]' schedule='@every 4s'
0 6 * * *   echo deployed "$OUT_TRAIN_BETTER"
#: name=report depends_on=train,deploy trigger_rule=all_done schedule=@after
0 9 * * *   echo report
"""
BETTER = 'echo BETTER=yes >>"$CRONTABX_OUTPUT"'
FAILS_TWICE = f'test "$CRONTABX_ATTEMPT" -eq 3 && {BETTER}'


@pytest.fixture
def folder(ground: Ground) -> Path:
    return ground.new_folder("files")


def first_instant(crond: Crond) -> dict[str, dict[str, Any]]:
    """Return the runs of the first instant, by the names of their jobs, once all of them have ended."""

    def found() -> dict[str, dict[str, Any]] | None:
        runs = crond.runs()
        first = min((run["instant"] for run in runs), default="")
        mine = {run["job"].partition("/")[2]: run for run in runs if run["instant"] == first}
        return mine if len(mine) == 6 and all(run["state"] == "finished" for run in mine.values()) else None

    return wait_for(found, "all six jobs end for one instant")


def played(folder: Path, start_files: StartFiles, **commands: str) -> tuple[Crond, dict[str, Any]]:
    path = folder / "pipeline"
    path.write_text(EXAMPLE.format(**{"sales": "echo sales", "train": BETTER, **commands}))
    crond = start_files(folder, str(path)).up()
    return crond, first_instant(crond)


def outcomes(runs: dict[str, Any]) -> dict[str, str]:
    return {name: run["outcome"] for name, run in runs.items()}


def test_train_fails_twice_and_then_succeeds(folder: Path, start_files: StartFiles) -> None:
    """The third attempt counts; what it left reaches deploy, whose condition asks for it."""
    crond, runs = played(folder, start_files, train=FAILS_TWICE)
    assert outcomes(runs) == dict.fromkeys(
        ("weather", "sales", "features", "train", "deploy", "report"), "success"
    )
    assert runs["train"]["attempts"] == 3
    assert crond.output(runs["deploy"]["attempt"]) == b"deployed yes\n"
    # In the order of the graph, whatever the order of the lines.
    assert runs["features"]["ended_at"] <= runs["train"]["started_at"]
    assert runs["train"]["ended_at"] <= runs["deploy"]["started_at"]
    assert runs["deploy"]["ended_at"] <= runs["report"]["started_at"]


def test_sales_fails_for_good(folder: Path, start_files: StartFiles) -> None:
    """What depends on it is upstream_failed and says because of whom; the report goes out."""
    _, runs = played(folder, start_files, sales="echo no sales; exit 3")
    assert outcomes(runs) == {
        "weather": "success",
        "sales": "failed",
        "features": "upstream_failed",
        "train": "upstream_failed",
        "deploy": "upstream_failed",
        "report": "success",
    }
    assert runs["sales"]["attempts"] == 3
    for name in ("features", "train", "deploy"):
        assert runs[name]["reason"] == "sales: failed"
        assert runs[name]["started_at"] is None


def test_the_condition_is_false(folder: Path, start_files: StartFiles) -> None:
    """Deploy is skipped, which is no failure, and the report goes out."""
    _, runs = played(folder, start_files, train="echo BETTER=no >>$CRONTABX_OUTPUT")
    assert outcomes(runs) == {
        **dict.fromkeys(("weather", "sales", "features", "train", "report"), "success"),
        "deploy": "skipped",
    }
    assert runs["deploy"]["reason"] == "its condition was not met"


def test_the_example_of_the_tutorial(folder: Path, start_files: StartFiles) -> None:
    """examples/pipeline.crontab does what docs/tutorial/first-pipeline.md says, within its ten seconds."""
    crond = start_files(folder, str(ROOT / "examples" / "pipeline.crontab")).up()
    runs = first_instant(crond)
    deployed = runs["deploy"]["outcome"]
    assert outcomes(runs) == {
        **dict.fromkeys(("weather", "sales", "features", "train", "report"), "success"),
        "deploy": deployed,
    }
    assert runs["train"]["attempts"] == 2
    # The loss is the second in which it was trained.
    assert deployed == ("success" if int(runs["train"]["started_at"][17:19]) < 50 else "skipped")
