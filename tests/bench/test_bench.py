"""The benchmark as a whole: what it refuses, and a short run of one section."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from bench import __main__ as bench
from bench import startup
from bench.peers import ROOT
from bench.processes import together, usage


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It needs namespaces, and says that before it makes anything."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert bench.main([]) == 2
    assert "needs root" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--jobs", "0"],
        ["--jobs", "5001"],
        ["--jobs", "x"],
        ["--jobs", ""],
        ["--only", "start"],
        ["--peers", "cronie"],
    ],
)
def test_a_wrong_choice_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong is named, before anything is started."""
    with pytest.raises(SystemExit):
        bench.main(words)
    assert words[0] in capsys.readouterr().err


def test_it_runs_as_a_module() -> None:
    """`python -m bench` is the command that the documents name."""
    command = [sys.executable, "-m", "bench", "--help"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert "--minutes" in done.stdout


def test_what_a_process_uses_is_what_the_kernel_says() -> None:
    """This one has memory, a thread and has run; one that is gone has nothing."""
    found = usage(os.getpid())
    assert found.rss >= found.pss > 1000
    assert found.threads >= 1
    assert found.cpu > 0
    assert together([os.getpid(), os.getpid()]).processes == 2
    assert usage(2**22 + 1).processes == 0


@pytest.mark.root
@pytest.mark.system
@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_a_start_is_measured_and_kept(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first job ran, its parts are told apart; the figures of other sections stay in the file."""
    monkeypatch.setattr(startup, "_REPEATS", 1)
    kept = tmp_path / "figures.json"
    kept.write_text('{"other": {}}')
    words = ["--only", "startup", "--entries", "1", "--peers", "crond", "--json", str(kept)]
    assert bench.main(words) == 0
    found = json.loads(kept.read_text())
    assert list(found) == ["other", "startup"]
    rows = found["startup"]["rows"]
    assert [row[1].strip() for row in rows[:1]] == ["crond"]
    assert {row[1].strip() for row in rows[1:]} == {
        "launcher",
        "scheduler",
        "recorder",
        "crond --no-recorder",
    }
    assert rows[0][2] > 0
