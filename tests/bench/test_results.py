"""What the benchmark makes of its notes: figures that others are to believe."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import time

import pytest

from bench.job import Job, Note, make_job, make_script, read_notes
from bench.results import Boundary, aims, as_json, boundary, cost, rows, table

MINUTE = 1_800_000_000


def measured(peer: str, *after: float, jobs: int = 3) -> Boundary:
    """Return the boundary at which jobs 0, 1, … of `peer` began `after` so many ms."""
    notes = [Note(MINUTE * 10**9 + int(ms * 1e6), number) for number, ms in enumerate(after)]
    return boundary(notes, peer=peer, jobs=jobs, minute=MINUTE, cpu=6.0, others=0.25)


def test_a_boundary_counts_from_the_full_minute() -> None:
    """First, median and last are ms after the minute, whatever the order of the notes; CPU is per job."""
    found = measured("crond", 9.0, 2.5, 4.0)
    assert (found.first, found.median, found.last, found.spread) == (2.5, 4.0, 9.0, 6.5)
    assert (found.starts, found.twice, found.cpu) == (3, 0, 2.0)


def test_rows_are_medians_with_ratios_to_debian() -> None:
    """A row is the median of its boundaries; the ratios compare medians with Debian's of as many jobs."""
    boundaries = [
        measured("crond", 1.0, 11.0),
        measured("crond", 3.0, 13.0),
        measured("debian", 1000.0, 1024.0),
        measured("debian", 1000.0, 1024.0),
        measured("crond", 50.0, jobs=1),
    ]
    single, crond, debian = rows(boundaries)
    assert (single.jobs, single.last_ratio) == (1, None)
    assert (crond.first, crond.last, crond.spread, crond.boundaries) == (2.0, 12.0, 10.0, 2)
    assert (crond.last_ratio, crond.spread_ratio) == (12.0 / 1024.0, 10.0 / 24.0)
    assert (debian.last_ratio, debian.spread_ratio) == (1.0, 1.0)


def test_lost_and_doubled_jobs_are_told() -> None:
    """A job without a note is lost, one with two ran twice; neither hides the other."""
    one = measured("busybox", 1.0, 2.0)
    notes = [Note(MINUTE * 10**9, 0), Note(MINUTE * 10**9, 0), Note(MINUTE * 10**9, 1)]
    other = boundary(notes, peer="busybox", jobs=3, minute=MINUTE, cpu=0.0, others=0.0)
    (row,) = rows([one, other])
    assert (row.lost, row.twice) == (2, 1)


def test_aims_are_judged_for_crond_alone() -> None:
    """5 ms for the first, a sixth of Debian's for the last of 1000; on the border is reached."""
    found = rows(
        [
            measured("crond", 5.0, 50.0, jobs=1000),
            measured("debian", 30.0, 300.0, jobs=1000),
            measured("crond", 5.1, jobs=1),
        ]
    )
    assert [line.rpartition(" ")[2] for line in aims(found)] == ["MISSED", "reached", "reached"]


def test_the_table_lines_up_and_names_the_peers() -> None:
    """One line per row, all as wide as their columns."""
    text = table(rows([measured("crond", 1.0), measured("debian", 1000.0)]), {"debian": "Debian's cron"})
    lines = text.splitlines()
    assert len(lines) == 3
    assert len({len(line) for line in lines}) == 1
    assert "Debian's cron" in lines[2]


def test_json_holds_every_boundary() -> None:
    """Whoever doubts a median finds what it was made of."""
    one = measured("crond", 1.0, 2.0)
    held = json.loads(json.dumps(as_json([one])))
    assert held["boundaries"] == [dataclasses.asdict(one)]
    assert held["rows"][0]["last"] == 2.0


def test_a_peer_that_starts_nothing_has_no_figures() -> None:
    """No start at all: no ratio, null in JSON (which knows no NaN), and the aim is missed."""
    found = rows([measured("crond", jobs=1000), measured("debian", jobs=1000)])
    assert [(row.lost, row.last_ratio, row.spread_ratio) for row in found] == [(1000, None, None)] * 2
    assert [line.rpartition(" ")[2] for line in aims(found)] == ["MISSED"]
    (one,) = as_json([measured("crond")])["boundaries"]
    assert one["first"] is one["last"] is None


@pytest.mark.parametrize("make", [make_job, lambda folder: make_script(folder / "job")])
def test_a_job_notes_its_start_and_prints_it(make: object, tmp_path: pathlib.Path) -> None:
    """Both kinds of job append one whole note, and have output to capture."""
    assert callable(make)
    job: Job = make(tmp_path)
    before = time.time_ns()
    done = subprocess.run([job.program, "17", tmp_path / "notes"], check=True, capture_output=True)
    (note,) = read_notes(tmp_path / "notes")
    assert note.number == 17
    assert before <= note.at <= time.time_ns()
    assert done.stdout == (tmp_path / "notes").read_bytes()


@pytest.mark.parametrize("make", [make_job, lambda folder: make_script(folder / "job")])
def test_a_job_notes_its_end_where_it_is_asked_to(make: object, tmp_path: pathlib.Path) -> None:
    """A note of its own, not before that of its start."""
    assert callable(make)
    job: Job = make(tmp_path)
    command = job.command(3, tmp_path / "began", tmp_path / "ended")
    subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True)
    (began,), (ended,) = read_notes(tmp_path / "began"), read_notes(tmp_path / "ended")
    assert began.number == ended.number == 3
    assert began.at < ended.at


def test_a_torn_note_waits(tmp_path: pathlib.Path) -> None:
    """A note that is still being written is not read; no file yet is no note."""
    assert read_notes(tmp_path / "none") == []
    (tmp_path / "notes").write_text("12 0 7\n13 1")
    assert read_notes(tmp_path / "notes") == [Note(12, 0)]


def test_what_a_history_costs_is_a_part_of_crond_without_one() -> None:
    """The aim is about the last start."""
    told = cost(rows([measured("crond", 2.0, 11.0), measured("crond-alone", 2.0, 10.0)]))
    assert "last 1.10" in told
    assert "first 1.00" in told
