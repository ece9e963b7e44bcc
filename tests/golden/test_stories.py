"""Each story in this folder, told again; `pytest tests/golden --update-golden` writes them anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.story import Story

FOLDER = Path(__file__).parent
STORIES = sorted(FOLDER.glob("*.txt"))


@pytest.mark.parametrize("path", STORIES, ids=[path.stem for path in STORIES])
def test_story(path: Path, pytestconfig: pytest.Config) -> None:
    """What came of it once comes of it now, line by line."""
    written = path.read_text("utf-8")
    told = Story().tell(written)
    if pytestconfig.getoption("--update-golden", default=False):
        path.write_text(told, "utf-8")
    else:
        assert told == written


def test_there_are_stories() -> None:
    """An empty folder would pass."""
    assert len(STORIES) >= 12
