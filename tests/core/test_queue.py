"""Dues that wait are served in turns, so that nobody's thousands make another one late."""

from __future__ import annotations

from crond.core.queue import Queue, Waiting
from crond.model.crontab import parse_crontab
from crond.model.events import TableParsed
from crond.model.run import Trigger
from tests.core.driving import Driver

NOON = 1_790_000_040.0


def due(job: str, instant: float = 0.0) -> Waiting:
    return Waiting(job, instant, 0, Trigger.SCHEDULE)


def served(queue: Queue) -> list[str]:
    """Empty `queue`, and say whose turn it was each time."""
    jobs = []
    while queue:
        first = queue.first()
        jobs.append(first.job)
        queue.take(first)
    return jobs


def test_owners_take_turns() -> None:
    """Within an owner the order stays; between owners nobody goes twice before another has gone once."""
    queue = Queue()
    queue.extend([due("a/1"), due("a/2"), due("a/3"), due("b/1"), due("c/1"), due("c/2")])
    assert served(queue) == ["a/1", "b/1", "c/1", "a/2", "c/2", "a/3"]


def test_who_comes_later_does_not_wait_for_all() -> None:
    """An owner who has just come is next after one of each other's."""
    queue = Queue()
    queue.extend([due("a/1"), due("a/2"), due("a/3")])
    queue.take(queue.first())
    queue.extend([due("b/1")])
    assert served(queue) == ["a/2", "b/1", "a/3"]


def test_a_queue_made_of_its_own_dues_is_the_same() -> None:
    """A snapshot keeps whose turn it is."""
    queue, again = Queue(), Queue()
    queue.extend([due("a/1"), due("b/1"), due("a/2"), due("b/2")])
    queue.take(queue.first())
    again.extend(queue)
    assert served(again) == served(queue) == ["b/1", "a/2", "b/2"]


def test_taking_what_does_not_wait_changes_nothing() -> None:
    """A run changes often after it has left the queue; the same job may wait with another due."""
    queue = Queue()
    queue.extend([due("a/1", 60.0)])
    queue.take(due("a/1", 0.0))
    queue.take(due("b/1"))
    assert (len(queue), queue.holds("a/1"), queue.holds("b/1")) == (1, True, False)


def test_one_users_thousands_do_not_starve_another() -> None:
    """A colleague put 3000 times `@every 1s` into his crontab, and my job was never started again."""
    driver = Driver(wall=NOON)
    driver.begin("".join(f"@every 1s c{n}\n" for n in range(3000)))
    table = parse_crontab("@every 1s mine\n", extensions=True)
    driver.step(TableParsed(9, "other", "other", 8, table))
    mine = 0
    for _ in range(10):
        driver.pass_by(1)
        # One step a second: far fewer starts than there are dues.
        driver.wake()
        mine += sum(start.table == 9 for start in driver.starts())
    assert mine >= 9
    assert len(driver.engine.memory.queue) <= 3001
