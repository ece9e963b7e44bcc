"""cron.allow and cron.deny: the first that exists decides, and whole lines are names."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from crond.launcher.config import Config
from crond.launcher.permission import may_edit

Make = Callable[..., Config]


@pytest.mark.parametrize(
    ("allow", "deny", "cronie", "debian"),
    [
        (None, None, False, True),
        ("ann\n", None, True, True),
        ("ben\n", None, False, False),
        ("ben\nann", "ann\n", True, True),
        ("", None, False, False),
        (None, "", True, True),
        (None, "ann\n", False, False),
        (None, "ben\n", True, True),
        (" ann\n", None, False, False),
        ("ann \n", None, False, False),
        ("ANN\n#ann\nanna\nan\n", None, False, False),
    ],
)
def test_who_may(
    folder: Path, host: Make, allow: str | None, deny: str | None, cronie: bool, debian: bool
) -> None:
    """Names are whole lines; where neither file is, the crons differ; root may whatever they say."""
    for name, text in (("cron.allow", allow), ("cron.deny", deny)):
        if text is not None:
            (folder / name).write_text(text)
    host_config = host()
    for dialect, expected in (("cronie", cronie), ("debian", debian)):
        config = dataclasses.replace(host_config, dialect=dialect)
        assert may_edit("ann", 1000, config) is expected, dialect
        assert may_edit("root", 0, config)


def test_a_file_that_cannot_be_read_lets_nobody(folder: Path, host: Make) -> None:
    """Where we cannot know who is listed, nobody but root is."""
    (folder / "cron.allow").mkdir()
    assert not may_edit("ann", 1000, host(dialect="debian"))
