"""Durations, and the schedules that stand in place of five fields."""

from __future__ import annotations

import pytest

from crond.model.specials import BadSpecial, parse_duration, parse_special


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        ("1d2h3m4s", 93784),
        ("1h5", 3605),
        ("0", 0),
        ("", None),
        ("s", None),
        ("1m1h", None),
        ("1.5h", None),
        ("-1", None),
        ("1 h", None),
        ("1H", None),
        ("²", None),
        ("1" * 10, None),
    ],
)
def test_durations(text: str, seconds: int | None) -> None:
    """Units in falling order, each at most once; a bare number is seconds."""
    assert parse_duration(text) == seconds


def test_an_unknown_word_says_nothing_of_its_own() -> None:
    """The caller lists the nicknames there."""
    with pytest.raises(BadSpecial) as caught:
        parse_special("@noon", "")
    assert str(caught.value) == ""
