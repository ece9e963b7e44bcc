"""The feed reads every whole line once, in order, whatever becomes of the segments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crond.recorder.feed import Batch, Feed, Position, made_token, token_of
from crond.recorder.records import clean, record_of
from tests.recorder.journal import NOON, lines, run, write

BEGINNING = Position(0, 0)


def read_all(feed: Feed, position: Position = BEGINNING) -> tuple[list[int], Position, int]:
    """Read to the end; return the runs in their order, the position, and how many lines were broken."""
    found: list[int] = []
    broken = 0
    while (batch := feed.read(position)) is not None:
        found += [int(number, 16) for number in batch.runs]
        broken += batch.broken
        position = batch.end
    return found, position, broken


def test_segments_follow_each_other(tmp_path: Path) -> None:
    """From the oldest segment to the newest; at the end there is nothing, until something is appended."""
    write(tmp_path, 3, run(1), run(2))
    write(tmp_path, 4, run(3))
    feed = Feed(str(tmp_path))
    found, position, _ = read_all(feed)
    assert (found, position.segment, feed.behind(position)) == ([1, 2, 3], 4, 0)
    path = write(tmp_path, 4, run(4))
    assert feed.behind(position) == path.stat().st_size - position.offset > 0
    assert read_all(feed, position)[0] == [4]


def test_a_torn_line_is_waited_for(tmp_path: Path) -> None:
    """A line without its end is not there yet; when its end comes it is read once."""
    whole = lines(run(1), run(2))
    path = tmp_path / "journal.000001"
    path.write_bytes(whole[:-10])
    feed = Feed(str(tmp_path))
    found, position, _ = read_all(feed)
    assert found == [1]
    assert feed.read(position) is None
    path.write_bytes(whole)
    assert read_all(feed, position)[0] == [2]


def test_a_torn_line_with_a_successor_is_left(tmp_path: Path) -> None:
    """A segment that has a successor is not written to any more: what is torn there stays torn."""
    path = write(tmp_path, 1, run(1))
    path.write_bytes(path.read_bytes() + b'["run",{"id"')
    write(tmp_path, 2, run(1), run(2))
    assert read_all(Feed(str(tmp_path)))[0] == [1, 1, 2]


def test_lines_that_were_taken_back(tmp_path: Path) -> None:
    """On a full disk the scheduler cuts its last lines off again: what follows is not missed for it."""
    path = write(tmp_path, 1, run(1), run(2))
    feed = Feed(str(tmp_path))
    _, position, _ = read_all(feed)
    path.write_bytes(lines(run(1)))
    assert sorted(set(read_all(feed, position)[0])) == [1]
    path.write_bytes(lines(run(1), run(33333, reason="longer than what was there"), run(4)))
    assert set(read_all(feed, position)[0]) >= {33333, 4}


def test_a_position_whose_segment_is_gone(tmp_path: Path) -> None:
    """Reading goes on at the next that is there; if all numbers are smaller, the journal began anew."""
    write(tmp_path, 7, run(7))
    feed = Feed(str(tmp_path))
    assert read_all(feed, Position(5, 100))[0] == [7]
    assert read_all(feed, Position(9, 100))[0] == [7]


def test_a_line_longer_than_a_chunk(tmp_path: Path) -> None:
    """The list of a minute's dues may be long; what follows it is found."""
    long = ["due", [["ann/backup", NOON, 0, "schedule"]] * 100_000]
    write(tmp_path, 1, run(1), long, run(2))
    assert read_all(Feed(str(tmp_path)))[0] == [1, 2]


def test_what_was_read_is_dropped_but_for_a_rest(tmp_path: Path) -> None:
    """Only segments before the position go, the oldest first, and some bytes of them stay."""
    sizes = [write(tmp_path, number, run(number)).stat().st_size for number in range(1, 6)]
    feed = Feed(str(tmp_path), kept=2 * sizes[0])
    feed.drop_read(Position(1, 0))
    assert feed.segments() == [1, 2, 3, 4, 5]
    feed.drop_read(Position(5, 0))
    assert feed.segments() == [3, 4, 5]


def test_other_files_are_no_segments(tmp_path: Path) -> None:
    """A segment that is being written aside, or a file of somebody else's, is not read."""
    write(tmp_path, 1, run(1))
    for name in ("journal.000002.new", "journal", "journal.x", "damaged", "feed"):
        (tmp_path / name).write_bytes(lines(run(9)))
    assert read_all(Feed(str(tmp_path)))[0] == [1]


def test_the_token_stays_with_the_journal(tmp_path: Path) -> None:
    """Written once; another folder has another; an empty file is none."""
    assert token_of(str(tmp_path)) == ""
    token = made_token(str(tmp_path))
    assert token == made_token(str(tmp_path)) == token_of(str(tmp_path))
    (tmp_path / "feed").write_text("")
    assert made_token(str(tmp_path)) not in ("", token)


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"3", b"null", b'["run"]', b'["run",3]', b'["run",{}]', b'["interval","x"]',
     b'["run",{"id":null}]', b'["interval","outage",NaN,1,""]', b'["interval","outage",1e999,1,""]',
     b'["crontab",1,2,3,4,5]', b"[" * 100_000],
)  # fmt: skip
def test_nonsense_is_counted_and_left_out(tmp_path: Path, line: bytes) -> None:
    """No line stops the feed: those around it are read."""
    path = write(tmp_path, 1, run(1))
    path.write_bytes(path.read_bytes() + line + b"\n" + lines(run(2)))
    assert read_all(Feed(str(tmp_path)))[::2] == ([1, 2], 1)


@pytest.mark.parametrize("line", [b'["life","x"]', b'["planned",1,2,3,null]', b'["new-kind",{}]'])
def test_what_is_not_for_the_history_is_passed_over(line: bytes) -> None:
    """Kinds of records that the history does not know are no error: a newer scheduler may write some."""
    assert record_of(line) is None


@given(st.text(), st.integers(1, 50))
def test_clean_text_fits_every_database(text: str, limit: int) -> None:
    """No NUL, no lone surrogate, not too long; and what is clean already stays as it is."""
    found = clean(text + "\0\udcff", limit)
    assert len(found) <= limit
    assert "\0" not in found
    found.encode()
    assert clean(found, limit) == found


#: Keys that a run has only where they say something.
SOMETIMES = ("waits", "until", "pool", "follows", "spent", "environment", "parents")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@example("uid", float("inf"))
@given(st.sampled_from([*sorted(run(1)[1]), *SOMETIMES]), json_values)
def test_any_value_anywhere_is_a_record_or_an_error(key: str, value: object) -> None:
    """A run with one wrong value is read, or refused as broken; nothing else is raised."""
    line = json.dumps(["run", {**run(1)[1], key: value}]).encode()
    batch = Batch(Position(0, 0))
    try:
        batch.add(record_of(line))
    except ValueError:
        return
    assert len(batch.runs) == 1


def test_a_minute_in_which_nothing_was_due_is_no_news() -> None:
    """The recorder of an idle daemon looked at the journal eight times a minute, for nothing."""
    batch = Batch(BEGINNING)
    for record in (["planned", 1, 1, 0, None], ["life", "x"], ["due", []]):
        batch.add(record_of(json.dumps(record).encode()))
    assert batch.empty
    batch.add(record_of(json.dumps(run(1)).encode()))
    assert not batch.empty
