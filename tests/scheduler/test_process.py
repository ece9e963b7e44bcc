"""The scheduler as a process: it starts on time, remembers before it speaks, and survives its own death."""

from __future__ import annotations

import json
import signal
import time

import pytest

from crond.model.alert import Event, addressee, flip_of
from crond.model.messages import (
    Ack,
    Exited,
    Heartbeat,
    Hello,
    News,
    NotStarted,
    Start,
    Started,
    TableGone,
    attempt_key,
)
from tests.scheduler.process import Scheduler

SECONDLY = "#: name=tick\n@every 1s c\n"


def journal_text(scheduler: Scheduler) -> str:
    return "".join(path.read_text("ascii") for path in scheduler.journal.iterdir())


def test_a_start_comes_at_its_instant(scheduler: Scheduler) -> None:
    """Not before the second, and soon after it; it names table, entry and job, and no command."""
    scheduler.greet(scheduler.table(SECONDLY))
    start = scheduler.next_start()
    assert (start.table, start.entry, start.part, start.job, start.attempt) == (1, 0, "command", "tick", 1)
    late = []
    for _ in range(3):
        scheduler.next_start()
        late.append(time.time() % 1)
    # A busy machine may be late, but not three times in a row.
    assert min(late) < 0.3


def test_it_beats_while_nothing_happens(scheduler: Scheduler) -> None:
    """The launcher kills a scheduler that falls silent."""
    scheduler.greet()
    for _ in range(2):
        scheduler.read_until(lambda wish: isinstance(wish, Heartbeat))


def test_a_fact_is_acknowledged_when_the_journal_has_it(scheduler: Scheduler) -> None:
    """After the Ack the launcher forgets it, so by then it must be in the file."""
    scheduler.greet(scheduler.table(SECONDLY))
    start = scheduler.next_start()
    key = attempt_key(start.run, 1)
    scheduler.tell(Started(7, key, 4711, time.time()))
    scheduler.read_until(lambda wish: wish == Ack(7))
    assert '"pid":4711' in journal_text(scheduler)
    scheduler.tell(Exited(8, key, time.time(), 0x2A00, 0.0, 0.0, 0, 0))
    scheduler.read_until(lambda wish: wish == Ack(8))
    assert '"exit_code":42' in journal_text(scheduler)


def test_news_is_in_the_journal_when_it_is_said(scheduler: Scheduler) -> None:
    """In the line of the run that brought it about, with how its job stands; no line holds the target."""
    scheduler.greet(scheduler.table(SECONDLY.replace("tick", "tick on_failure=json://host/token")))
    start = scheduler.next_start()
    key = attempt_key(start.run, 1)
    scheduler.tell(Started(7, key, 4711, time.time()))
    scheduler.tell(Exited(8, key, time.time(), 0x2A00, 0.0, 0.0, 0, 0))
    scheduler.read_until(lambda wish: isinstance(wish, News))
    records = [json.loads(line) for line in journal_text(scheduler).splitlines()]
    (news,) = [record[2] for record in records if record[0] == "run" and len(record) > 2]
    (flip,) = map(flip_of, news["flips"])
    assert (flip.event, flip.run, flip.exit_code) == (Event.FAILURE, start.run, 42)
    assert flip.addressees == (addressee("json://host/token"),)
    assert news["health"][:3] == ["root/tick", 1, True]
    assert "token" not in journal_text(scheduler)


def test_a_start_is_in_the_journal_before_it_leaves(scheduler: Scheduler) -> None:
    """Else a crash in between would start it again as another run."""
    scheduler.greet(scheduler.table(SECONDLY))
    start = scheduler.next_start()
    assert start.run in journal_text(scheduler)


def test_killed_and_started_again_it_repeats_nothing(scheduler: Scheduler) -> None:
    """What was only asked for is asked for again as the same attempt; what started is not."""
    scheduler.greet(scheduler.table(SECONDLY))
    first = scheduler.next_start()
    second = scheduler.next_start()
    scheduler.tell(Started(1, attempt_key(first.run, 1), 11, time.time()))
    scheduler.read_until(lambda wish: wish == Ack(1))
    scheduler.kill()
    scheduler.start()
    scheduler.greet(scheduler.table(SECONDLY))
    again = scheduler.next_start()
    assert (again.run, again.attempt, again.table) == (second.run, 1, 2)
    seen = {first.run}
    while len(seen) < 4:
        run = scheduler.next_start().run
        assert run not in seen
        seen.add(run)


def test_a_stopped_scheduler_makes_up_no_periods(scheduler: Scheduler) -> None:
    """Three seconds of SIGSTOP are one due of an `@every 1s` entry when it goes on, and no burst."""
    scheduler.greet(scheduler.table(SECONDLY))
    scheduler.next_start()
    scheduler.process.send_signal(signal.SIGSTOP)
    time.sleep(3.2)  # the time itself is what is tested
    scheduler.process.send_signal(signal.SIGCONT)
    ticks = set()
    for _ in range(3):
        scheduler.next_start()
        ticks.add(int(time.time()))
    assert len(ticks) == 3


def test_a_new_life_of_the_launcher_ends_what_ran(scheduler: Scheduler) -> None:
    """Its processes' ends are unknown: lost."""
    scheduler.greet(scheduler.table("#: name=j\n@every 1s c\n"))
    start = scheduler.next_start()
    scheduler.tell(Started(1, attempt_key(start.run, 1), 11, time.time()))
    scheduler.read_until(lambda wish: wish == Ack(1))
    scheduler.kill()
    scheduler.start()
    scheduler.began = time.time()
    scheduler.greet(scheduler.table("#: name=j\n0 0 1 1 * c\n"), life="another")
    scheduler.read_until(lambda wish: isinstance(wish, Heartbeat))
    assert scheduler.ask("runs", run=start.run)["runs"][0]["outcome"] == "lost"


def test_a_stale_start_is_planned_again(scheduler: Scheduler) -> None:
    """With the version that is held now."""
    scheduler.greet(scheduler.table(SECONDLY))
    start = scheduler.next_start()
    scheduler.tell(
        scheduler.table(SECONDLY), NotStarted(1, attempt_key(start.run, 1), time.time(), "stale", "")
    )
    again = scheduler.read_until(lambda wish: isinstance(wish, Start) and wish.run == start.run)
    assert again.table == 2


def test_a_table_that_is_gone_starts_nothing(scheduler: Scheduler) -> None:
    """The jobs leave with it."""
    scheduler.greet(scheduler.table(SECONDLY))
    scheduler.next_start()
    scheduler.tell(TableGone("/tabs/root"))
    assert scheduler.ask("list") == {"jobs": []}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(scheduler: Scheduler, number: signal.Signals) -> None:
    """Quietly, with status 0: the launcher asked."""
    scheduler.greet()
    scheduler.read_until(lambda wish: isinstance(wish, Heartbeat))
    scheduler.process.send_signal(number)
    assert scheduler.wait() == (0, "")


def test_it_ends_with_the_launcher(scheduler: Scheduler) -> None:
    """A closed wire is the end: nobody is there to start anything."""
    scheduler.greet()
    scheduler.wire.close()
    assert scheduler.wait() == (0, "")


@pytest.mark.parametrize(
    "data", [b"\0\0\0\x08nonsense", b"\xff\xff\xff\xff", b'\0\0\0\x07["ack"]', b'\0\0\0\x0b["ack",1,2]']
)
def test_a_launcher_that_says_nonsense_is_left(scheduler: Scheduler, data: bytes) -> None:
    """It says what was wrong, and ends with an error."""
    scheduler.wire.sendall(data)
    status, said = scheduler.wait()
    assert status == 1
    assert "what is no message" in said


def test_another_protocol_is_refused(scheduler: Scheduler) -> None:
    """Two versions of the package would misread each other."""
    scheduler.tell(Hello(999, "life", "boot", True, 0, "cronie", 0.0))
    status, said = scheduler.wait()
    assert status == 1
    assert "protocol 999" in said


def test_a_damaged_journal_is_said_and_survived(scheduler: Scheduler) -> None:
    """What can be read counts; a line of nonsense is left out, with a word in the log."""
    scheduler.greet(scheduler.table(SECONDLY))
    start = scheduler.next_start()
    scheduler.kill()
    newest = max(path for path in scheduler.journal.iterdir() if path.name[-1].isdigit())
    newest.write_bytes(newest.read_bytes() + b'["nonsense",1]\n["run",{"id":')
    scheduler.start()
    scheduler.greet(scheduler.table(SECONDLY))
    assert scheduler.next_start().run == start.run
    scheduler.process.terminate()
    assert "2 lines that cannot be read" in scheduler.wait()[1]
