"""metrics: the daemon's text, on stdout or in place of a file."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Client
from tests.cli.fake_daemon import FakeDaemon, yes

TEXT = '# TYPE crontabx_running gauge\ncrontabx_running 1\ncrontabx_runs_total{job="a/b\\n"} 2\n'


def test_the_text_as_it_is(ask: Client, daemon: FakeDaemon) -> None:
    """Byte for byte what the scheduler said; with --json, its answer."""
    daemon.answers("metrics", yes({"text": TEXT}))
    assert ask("metrics").stdout == TEXT
    assert json.loads(ask("metrics", "--json").stdout) == {"text": TEXT}


def test_a_terminal_is_not_obeyed(ask: Client, daemon: FakeDaemon) -> None:
    """A name with an escape sequence is shown, not sent."""
    daemon.answers("metrics", yes({"text": "x \x1b[2J\n"}))
    assert ask("metrics").stdout == "x ^[[2J\n"


def test_a_textfile(ask: Client, daemon: FakeDaemon, tmp_path: Path) -> None:
    """The file is replaced whole, can be read by the collector, and nothing else is left beside it."""
    daemon.answers("metrics", yes({"text": TEXT}))
    folder = tmp_path / "textfiles"
    folder.mkdir()
    path = folder / "crontabx.prom"
    path.write_text("old")
    result = ask("metrics", "--textfile", str(path))
    assert (result.exit_code, result.stdout) == (0, "")
    assert path.read_text() == TEXT
    assert path.stat().st_mode & 0o777 & ~0o022 == 0o644
    assert [each.name for each in folder.iterdir()] == ["crontabx.prom"]


def test_a_textfile_that_cannot_be(ask: Client, daemon: FakeDaemon, tmp_path: Path) -> None:
    """The reason, and nothing left behind."""
    daemon.answers("metrics", yes({"text": TEXT}))
    (tmp_path / "folder").mkdir()
    result = ask("metrics", "--textfile", str(tmp_path / "none" / "x.prom"))
    assert (result.exit_code, result.stderr) == (
        1,
        f"crontabx: {tmp_path}/none/x.prom: No such file or directory\n",
    )
    result = ask("metrics", "--textfile", str(tmp_path / "folder"))
    assert (result.exit_code, list(tmp_path.glob("*.new"))) == (1, [])


def test_no_text(ask: Client, daemon: FakeDaemon) -> None:
    """An answer that is none is told as one, and replaces no file."""
    daemon.answers("metrics", yes({"text": 3}))
    assert ask("metrics").exit_code == 3
