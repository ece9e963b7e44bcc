"""The examples of the Python interface run as they stand in its page."""

from __future__ import annotations

import pathlib
import re

import pytest

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "reference" / "python.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=["parse_crontab", "simulate", "annotations"])
def test_an_example_runs(example: str) -> None:
    """Each asserts what it shows."""
    assert "assert" in example
    exec(compile(example, str(PAGE), "exec"), {})
