"""What every journal promises: order, whole records, lives, and nothing half done when the disk is full."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from crond.model.actions import Record
from crond.ports import Journal
from crond.scheduler.journal import FileJournal
from tests.fakes import MemoryJournal

Lives = Callable[[], Journal]
RECORDS: list[Record] = [
    ["life", "a"],
    ["due", [["me/\udcff", 1.5, 0, "schedule"]]],
    ["run", {"id": "ü", "x": None}],
]


@pytest.fixture(params=["file", "memory"])
def lives(request: pytest.FixtureRequest, tmp_path: Path) -> Lives:
    """Each call opens the same journal in another life of the scheduler."""
    lines: list[bytes] = []

    def open_one() -> Journal:
        return FileJournal(str(tmp_path)) if request.param == "file" else MemoryJournal(lines)

    return open_one


def test_a_new_journal_is_empty(lives: Lives) -> None:
    """No file is no error."""
    journal = lives()
    assert journal.load() == []
    assert journal.damaged == 0
    assert not journal.grown


def test_what_is_appended_is_there_in_the_next_life(lives: Lives) -> None:
    """In order, whatever stands in it; without a close, since nobody closes in a crash."""
    journal = lives()
    journal.load()
    journal.append(RECORDS[:1])
    journal.append(RECORDS[1:])
    assert lives().load() == RECORDS


def test_lives_follow_each_other(lives: Lives) -> None:
    """A life appends behind what the last one left."""
    for record in RECORDS:
        journal = lives()
        journal.load()
        journal.append([record])
    assert lives().load() == RECORDS


def test_a_rewrite_replaces_everything(lives: Lives) -> None:
    """Then appending goes on behind it."""
    journal = lives()
    journal.append(RECORDS)
    journal.rewrite(RECORDS[1:2])
    journal.append(RECORDS[2:])
    assert lives().load() == RECORDS[1:]


def test_an_empty_rewrite_forgets(lives: Lives) -> None:
    """Nothing is nothing."""
    journal = lives()
    journal.append(RECORDS)
    journal.rewrite([])
    assert lives().load() == []


def test_growth_asks_for_a_rewrite_and_a_rewrite_answers_it(lives: Lives) -> None:
    """`grown` becomes true by appending alone, and false by rewriting."""
    journal = lives()
    journal.load()
    for _ in range(200):
        journal.append([["life", "x" * 50_000]])
        if journal.grown:
            break
    assert journal.grown
    journal.rewrite(RECORDS)
    assert not journal.grown


# --- the file alone ------------------------------------------------------------------------------------


def segment(folder: Path) -> Path:
    """The newest file of the journal."""
    return max(path for path in folder.iterdir() if path.name[-1].isdigit())


@pytest.mark.parametrize("torn", [b'["life","to', b"\x00\x00\x00", b'{"a":1}\n', b"\xff\n"])
def test_a_torn_line_is_left_out_and_kept_aside(tmp_path: Path, torn: bytes) -> None:
    """A crash in the middle of a write, or zeros after a power loss: the rest counts, people may look."""
    journal = FileJournal(str(tmp_path))
    journal.append(RECORDS)
    whole = segment(tmp_path).read_bytes()
    segment(tmp_path).write_bytes(whole + torn)
    second = FileJournal(str(tmp_path))
    assert second.load() == RECORDS
    assert second.damaged == 1
    aside = [path for path in tmp_path.iterdir() if "damaged" in path.name]
    assert [path.read_bytes() for path in aside] == [whole + torn]


def test_a_torn_line_does_not_swallow_the_next_record(tmp_path: Path) -> None:
    """With no room for a rewrite the next life appends at once: its first record was lost."""
    journal = FileJournal(str(tmp_path))
    journal.append(RECORDS[:1])
    with segment(tmp_path).open("ab") as file:
        file.write(b'["life","to')
    second = FileJournal(str(tmp_path))
    second.load()
    second.append(RECORDS[1:])
    assert FileJournal(str(tmp_path)).load() == RECORDS


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Names of everybody's jobs stand in it."""
    journal = FileJournal(str(tmp_path))
    journal.append(RECORDS)
    assert segment(tmp_path).stat().st_mode & 0o777 == 0o600
    journal.rewrite(RECORDS)
    assert segment(tmp_path).stat().st_mode & 0o777 == 0o600


def in_a_small_world(folder: Path, limit: int, action: Callable[[], None]) -> int:
    """Run `action` in a child that may write files of `limit` bytes; return its exit status."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        status = 99
        try:
            action()
            status = 0
        except OSError:
            status = 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_an_append_that_does_not_fit_leaves_no_torn_line(tmp_path: Path) -> None:
    """Half a line is taken away again, so that what comes once there is room can be read."""
    FileJournal(str(tmp_path)).append(RECORDS)
    size = segment(tmp_path).stat().st_size

    def append_much() -> None:
        journal = FileJournal(str(tmp_path))
        journal.load()
        journal.append([["life", "x" * 1000]])

    assert in_a_small_world(tmp_path, size + 100, append_much) == 1
    journal = FileJournal(str(tmp_path))
    assert journal.load() == RECORDS
    assert journal.damaged == 0
    journal.append([["life", "later"]])
    assert FileJournal(str(tmp_path)).load() == [*RECORDS, ["life", "later"]]


def test_a_rewrite_that_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    """All or nothing: the old journal stays, and is appended to."""
    FileJournal(str(tmp_path)).append(RECORDS)
    size = segment(tmp_path).stat().st_size

    def rewrite_much() -> None:
        journal = FileJournal(str(tmp_path))
        try:
            journal.rewrite([["life", "x" * 5000]])
        finally:
            journal.append([["boot", "b"]])

    assert in_a_small_world(tmp_path, size + 100, rewrite_much) == 1
    assert FileJournal(str(tmp_path)).load() == [*RECORDS, ["boot", "b"]]


def test_closing_twice_is_no_error(tmp_path: Path) -> None:
    """And an append opens it again."""
    journal = FileJournal(str(tmp_path))
    journal.append(RECORDS[:1])
    journal.close()
    journal.close()
    journal.append(RECORDS[1:])
    assert FileJournal(str(tmp_path)).load() == RECORDS
