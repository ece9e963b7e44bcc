"""Crontabs made to be slow to read: launcher and scheduler read them for all users, so they give up early."""

from __future__ import annotations

import time

import pytest

from crond.model.crontab import parse_crontab


@pytest.mark.parametrize(
    "line", [b"x\n", b"a b\n", b"\n", b"A=1\n"], ids=["junk", "bad", "empty", "settings"]
)
@pytest.mark.parametrize("dialect", ["cronie", "debian"])
def test_a_huge_file_is_refused_before_it_is_read_whole(line: bytes, dialect: str) -> None:
    """Sixteen megabytes of bad lines stopped all jobs of the host for two minutes, and again after that."""
    text = line * (16 * 1024 * 1024 // len(line)) + b"* * * * * true\n"
    began = time.process_time()
    table = parse_crontab(text, dialect=dialect, extensions=True)
    assert time.process_time() - began < 5
    assert not table.entries
    assert any("too " in problem.message or "longer than" in problem.message for problem in table.errors)


def test_many_errors_leave_the_good_lines_in_force() -> None:
    """Below the limit cron's rule holds: a bad line is left out, and the others stay."""
    table = parse_crontab(b"x\n" * 9999 + b"* * * * * true\n")
    assert len(table.entries) == 1
    assert len(table.errors) == 9999
