"""Crontabs made to be slow to read: launcher and scheduler read them for all users, so they give up early."""

from __future__ import annotations

import random
import time
import tracemalloc

import pytest

from crond.model.crontab import parse_crontab
from crond.model.job import jobs_of


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


def test_nothing_is_kept_of_huge_lines() -> None:
    """One user's crontabs with fields of 100 kB filled the daemon's memory: their texts were kept."""
    draw = random.Random(1)
    tracemalloc.start()
    try:
        for number in range(5):
            field = ",".join(str(draw.randrange(60)) for _ in range(40000))
            text = f"{field} * * * * {number}{'x' * 100_000}\n"
            jobs = jobs_of(parse_crontab(text, extensions=True), owner="ann", uid=1, origin="", version=1)
            assert [job.uid for job in jobs] == [1]
            jobs = ()
        assert tracemalloc.get_traced_memory()[0] < 600_000
    finally:
        tracemalloc.stop()
