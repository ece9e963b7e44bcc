"""Every recorded start of cronie, minute for minute, through the public API."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import crond
from crond.model.crontab import parse_crontab
from tests.recordings import recorded

CASES = recorded("fires.jsonl")
#: Some of those in which clocks change.
CHANGES = [case for case in CASES if case.get("transitions")][::7]
CHUNK = 42


def starts_of(case: dict[str, Any]) -> list[crond.Start]:
    table = crond.parse_crontab(f"{case['expr']} cmd\n")
    assert not table.errors
    until = case["end"] + 59.9
    return list(crond.simulate(table, start=case["start"], until=until, timezone=case["tz"]))


def starts_in_its_own_zone(case: dict[str, Any]) -> list[crond.Start]:
    table = parse_crontab(f"#: timezone={case['tz']}\n{case['expr']} cmd\n", extensions=True)
    assert not table.errors
    until = case["end"] + 59.9
    return list(crond.simulate(table, start=case["start"], until=until, timezone="Europe/London"))


def late_or_missing(case: dict[str, Any], seconds: list[int]) -> list[int]:
    """The recorded seconds of made up starts at which none of ours stands.

    A second earlier is right as well: cronie sleeps up to one second past a minute that has just begun, and
    in the recordings that shows where making up ran into the next minute.
    """
    ours = Counter(seconds)
    missing = []
    for second, _ in sorted(case.get("catchup", ())):
        found = next((held for held in (second, second - 1) if ours[held]), None)
        if found is None:
            missing.append(second)
        else:
            ours[found] -= 1
    return missing


@pytest.mark.parametrize("first", range(0, len(CASES), CHUNK))
def test_starts_are_cronies(first: int) -> None:
    """Start minutes, doubles included, equal the recorded ones; what is made up comes when cronie's came."""
    for case in CASES[first : first + CHUNK]:
        starts = starts_of(case)
        seconds = [int(start.started_at.timestamp()) for start in starts]
        assert [second // 60 * 60 for second in seconds] == case["fires"], case["expr"]
        assert not late_or_missing(case, seconds), case["expr"]


@pytest.mark.parametrize("first", range(0, len(CHANGES), CHUNK))
def test_an_entrys_own_zone_gets_the_care_of_the_daemons(first: int) -> None:
    """`timezone=` where its clocks change: the same starts as of a cron that lives in that zone."""
    for case in CHANGES[first : first + CHUNK]:
        seconds = [int(start.started_at.timestamp()) for start in starts_in_its_own_zone(case)]
        assert [second // 60 * 60 for second in seconds] == case["fires"], case["expr"]
        assert not late_or_missing(case, seconds), case["expr"]


def test_nothing_is_missing_from_the_recording() -> None:
    """The recording is whole: a test that read half of it would pass."""
    assert len(CASES) == 844
    assert sum(len(case["fires"]) for case in CASES) == 133_419
