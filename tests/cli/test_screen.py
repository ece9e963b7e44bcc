"""The screen of top: what is on it, how lists share it, and that the chosen row is seen."""

from __future__ import annotations

from typing import Any

import pytest

from crond.cli.answers import read_next, read_run
from crond.cli.format import cells
from crond.cli.screen import Look, Style, rows_of, screen
from crond.cli.times import parse_iso
from crond.cli.trees import Usage
from tests.cli.fake_daemon import RUNNING, run_body

NOW = parse_iso("2026-11-21T03:00:10Z")


def look(running: int = 1, coming: int = 1, failed: int = 1, **changed: Any) -> Look:
    begun = {"started_at": "2026-11-21T03:00:00Z"}
    return Look(
        **{
            "place": "/run/crontabx",
            "now": NOW,
            "began": parse_iso("2026-11-21T01:00:10Z"),
            "running": [
                read_run(
                    run_body(**{**RUNNING, **begun, "id": f"r{n}", "job": f"root/job{n}", "pid": 100 + n})
                )
                for n in range(running)
            ],
            "coming": [
                read_next({"job": f"root/next{n}", "instant": "2026-11-21T03:05:00Z"}) for n in range(coming)
            ],
            "failed": [
                read_run(run_body(id=f"f{n}", job=f"root/bad{n}", outcome="failed", exit_code=2))
                for n in range(failed)
            ],
            "usage": {100: Usage(1.5, 3 * 1024 * 1024, 4)},
            **changed,
        }
    )


def texts(found: Look, **how: Any) -> list[str]:
    return [line.text for line in screen(found, **{"width": 80, "height": None, "chosen": -1, **how})]


@pytest.mark.usefixtures("_seoul")
def test_a_screen() -> None:
    """Each list with its columns; what a tree uses stands beside its job."""
    assert texts(look()) == [
        "crond at /run/crontabx, up 2 h   1 running   2026-11-21 12:00:10 KST",
        "",
        "Running",
        "  JOB        PID  CPU    MEMORY  PROCS  STATE",
        "  root/job0  100  150 %  3.0 MB  4      running for 10 s",
        "",
        "Next",
        "  JOB         WHEN                     IN",
        "  root/next0  2026-11-21 12:05:00 KST  4 min 50 s",
        "",
        "Failed lately",
        "  JOB        WHEN                     RUN  OUTCOME",
        "  root/bad0  2026-11-21 12:00:01 KST  f0   failed (exit status 2)",
    ]


def test_nothing_to_show() -> None:
    """Empty lists say so; a process that is gone, or not ours to see, has no figures."""
    assert [text for text in texts(look(0, 0, 0))[1:] if text] == [
        "Nothing runs.",
        "Nothing is to come.",
        "Nothing failed lately.",
    ]
    assert "100  -    -       -" in "".join(texts(look(usage={}))[4])


@pytest.mark.parametrize("width", [20, 40, 79, 200])
@pytest.mark.parametrize("height", [6, 10, 23, 60])
@pytest.mark.parametrize("sizes", [(0, 0, 0), (1, 1, 1), (50, 10, 10), (0, 10, 10), (3, 0, 10)])
def test_it_fits(width: int, height: int, sizes: tuple[int, int, int]) -> None:
    """No line is wider than the screen; on a screen of 13 lines or more all rows that are shown fit."""
    found = look(*sizes)
    lines = screen(found, width=width, height=height, chosen=0)
    assert max(cells(line.text) for line in lines) <= width
    if height >= 13:
        assert len(lines) <= height


@pytest.mark.parametrize("height", [13, 23, 40])
def test_the_chosen_row_is_seen(height: int) -> None:
    """Wherever one goes, in whatever list: its row is on the screen, marked, and only that one."""
    found = look(50, 10, 10)
    for chosen, row in enumerate(rows_of(found)):
        marked = [
            line.text
            for line in screen(found, width=80, height=height, chosen=chosen)[:height]
            if line.style is Style.CHOSEN
        ]
        assert len(marked) == 1
        assert marked[0].split()[0] == row.job


def test_what_keys_act_on() -> None:
    """Only a running row can be stopped; each knows the attempt whose log is meant, if there is one."""
    rows = rows_of(look())
    assert [(row.job, row.run, row.attempt, row.running) for row in rows] == [
        ("root/job0", "r0", "k3f.1", True),
        ("root/next0", None, None, False),
        ("root/bad0", "f0", "k3f.1", False),
    ]


def test_a_long_list_says_what_is_shown() -> None:
    """One sees that there is more."""
    assert any("Running (1 to " in text and "of 50)" in text for text in texts(look(50), height=23, chosen=0))
