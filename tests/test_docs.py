"""The documents: links lead somewhere, examples are right, news and decisions are in order."""

from __future__ import annotations

import pathlib
import re
import runpy
from typing import Any

import pytest

from crond import parse_crontab

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def check() -> dict[str, Any]:
    """Return the names of docs/check.py."""
    return runpy.run_path(str(ROOT / "docs" / "check.py"))


def test_links_and_paths(check: dict[str, Any]) -> None:
    """Every relative link of a document leads somewhere; no file names a folder of this machine."""
    assert [*check["broken_links"](ROOT), *check["machine_paths"](ROOT)] == []


def test_broken_links_are_seen(check: dict[str, Any], tmp_path: pathlib.Path) -> None:
    """The check sees a missing file and a missing heading, and leaves code and the web alone."""
    (tmp_path / "b.md").write_text("# One two\n\n## One two\n")
    (tmp_path / "a.md").write_text(
        "# Top\n[1](b.md) [2](b.md#one-two-1) [3](#top) [4](https://x.example/y) `[5](none)`\n"
        "```\n[6](none)\n```\n[7](c.md) [8](b.md#three) ![9](pic.png) [10](#bottom)\n"
    )
    assert [line.split(": ")[1] for line in check["broken_links"](tmp_path)] == [
        "link to c.md",
        "link to b.md#three",
        "link to pic.png",
        "link to #bottom",
    ]


def test_machine_paths_are_seen(check: dict[str, Any], tmp_path: pathlib.Path) -> None:
    """The checkout's own folder is named in no file; one that only begins alike is another folder."""
    (tmp_path / "a.txt").write_text(
        "x\nsee /srv/house/project/docs\n/srv/house/project2\n/other/srv/house/project\n"
    )
    found = list(check["machine_paths"](tmp_path, pathlib.Path("/srv/house/project")))
    assert [line.partition(": ")[0] for line in found] == ["a.txt:2"]
    assert list(check["machine_paths"](tmp_path, pathlib.Path("/srv"))) == []
    assert len(list(check["machine_paths"](tmp_path, pathlib.Path("/other/srv")))) == 1


@pytest.mark.parametrize("dialect", ["cronie", "debian"])
@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.crontab")), ids=lambda path: path.name)
def test_examples_have_no_problem(path: pathlib.Path, dialect: str) -> None:
    """What we show to people is right in both dialects."""
    table = parse_crontab(path.read_bytes(), dialect=dialect, extensions=True)
    assert list(table.problems) == []
    assert len(table.entries) > 0


def test_the_first_example_shows_what_the_readme_says() -> None:
    """Within 15 seconds a job starts, one fails with output on stderr, one reads its text after %."""
    table = parse_crontab((ROOT / "examples" / "first.crontab").read_bytes(), extensions=True)
    assert [entry.name for entry in table.entries] == ["hello", "fails", "sorted", "minute"]
    assert any("exit 2" in entry.command and ">&2" in entry.command for entry in table.entries)
    assert [entry.stdin for entry in table.entries if entry.stdin] == ["pear\napple\nfig\n"]


def test_news_fragments_are_named_by_their_kind() -> None:
    """A fragment with another name would be left out of the changelog."""
    names = [path.name for path in (ROOT / "docs" / "news").iterdir() if path.name != "README.md"]
    wrong = [n for n in names if not re.fullmatch(r"[a-z0-9-]+\.(added|changed|fixed|removed)\.md", n)]
    assert wrong == []


def test_the_page_of_messages_is_what_they_say() -> None:
    """docs/reference/messages.md is what docs/generate_messages.py writes today."""
    made = runpy.run_path(str(ROOT / "docs" / "generate_messages.py"))
    assert made["PAGE"].read_text() == made["page"](), "run docs/generate_messages.py"


def test_every_decision_is_in_the_index() -> None:
    """A record that the index does not name is not found by anybody."""
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [name for name in records if f"({name})" not in index] == []


def test_the_page_of_alerts_is_of_today() -> None:
    """docs/reference/alerts.md is what docs/generate_alerts.py writes today."""
    made = runpy.run_path(str(ROOT / "docs" / "generate_alerts.py"))
    assert made["PAGE"].read_text() == made["page"](), "run docs/generate_alerts.py"


def test_the_page_of_runs_is_of_today() -> None:
    """docs/reference/runs.md is what docs/generate_runs.py writes today."""
    made = runpy.run_path(str(ROOT / "docs" / "generate_runs.py"))
    assert made["PAGE"].read_text() == made["page"](), "run docs/generate_runs.py"
