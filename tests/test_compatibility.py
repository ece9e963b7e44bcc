"""The compatibility page: all points, each with a verdict, and with tests that exist."""

from __future__ import annotations

import ast
import functools
import pathlib
import re
from dataclasses import dataclass

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "compatibility.md"
VERDICTS = ("*The same.*", "*The same, and more*:", "*Differs on purpose*:", "*Left out*:")
_POINT = re.compile(r"^(\d+)\. \*\*(.+?)\.\*\* (.*?)(?=^\d+\. \*\*|^## |\Z)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[(test_\w+)\]\(\.\./([^)]+)\)")


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the page; `tests` are (file, function)."""

    number: int
    text: str

    @property
    def verdicts(self) -> list[str]:
        return [verdict for verdict in VERDICTS if verdict in self.text]

    @property
    def tests(self) -> list[tuple[str, str]]:
        return [(path, name) for name, path in _LINK.findall(self.text)]


def points() -> list[Point]:
    text = PAGE.read_text(encoding="utf-8")
    return [
        Point(int(number), " ".join(f"{title}. {rest}".split()))
        for number, title, rest in _POINT.findall(text)
    ]


@functools.cache
def functions(path: str) -> frozenset[str]:
    """Return the names of all functions in the file, without running it."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_every_point_is_there_once_and_in_order() -> None:
    """115 points, and none that somebody forgot."""
    assert [point.number for point in points()] == list(range(1, 116))


@pytest.mark.parametrize("point", points(), ids=lambda point: str(point.number))
def test_a_point_has_a_verdict_and_tests_that_exist(point: Point) -> None:
    """The same, differing or left out; a test unless it is left out; nothing that is still to be done."""
    assert len(point.verdicts) == 1, point.text
    assert point.tests or point.verdicts == ["*Left out*:"]
    assert [test for test in point.tests if test[1] not in functions(test[0])] == []
    assert re.search(r"(?i)\b(to ?do|tbd|pending|not yet)\b", point.text) is None


@pytest.mark.parametrize(
    ("heading", "verdict"),
    [("What differs on purpose", "*Differs on purpose*:"), ("What is left out", "*Left out*:")],
)
def test_what_users_must_know_stands_first(heading: str, verdict: str) -> None:
    """The lists at the top of the page name exactly the points that differ or are left out."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    named = sorted(int(number) for number in re.findall(r"\bpoint (\d+)", section))
    assert named == [point.number for point in points() if verdict in point.text]
