"""How figures are shown and kept."""

from __future__ import annotations

import math

import pytest

from bench.report import Sheet, aligned, shown


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, "-"),
        ("crond", "crond"),
        (3, "3"),
        (0.01234, "0.012"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (1234.5, "1234"),
    ],
)
def test_a_number_has_the_digits_that_it_is_worth(cell: str | float | None, text: str) -> None:
    """Three or four; what was not measured is a dash."""
    assert shown(cell) == text


def test_words_stand_left_and_numbers_right() -> None:
    """Even where a number is missing."""
    assert aligned([("peer", "ms"), ("a", "12.5"), ("bcd", "-")]) == "peer    ms\na     12.5\nbcd      -"


def test_a_sheet_is_a_table_and_plain_values() -> None:
    """What is no number is null for JSON, which knows none."""
    sheet = Sheet("title", ("peer", "ms"))
    sheet.add("crond", math.nan)
    sheet.remarks.append("a remark")
    found = sheet.findings()
    assert found.data["rows"] == [["crond", None]]
    assert found.text.splitlines()[-1] == "a remark"
