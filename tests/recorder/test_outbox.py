"""The outbox tells each piece of news once, whoever dies when; and what it cannot tell it says."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crond.model.alert import Event, Flip, addressee
from crond.recorder import outbox as outbox_module
from crond.recorder import tries as tries_module
from crond.recorder.outbox import KEPT
from crond.recorder.tries import Manner
from tests.alerts.news import DUE, OPS, flip
from tests.recorder.journal import run, write
from tests.recorder.post import Killed, Post, in_memory, steps_counted

CHAT, PING, BOSS = (
    addressee("slack://token@chat"),
    addressee("https://hc.example/1"),
    addressee("boss@example.org"),
)
HOUR = 3600.0


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path)


@pytest.fixture
def quick() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


def failures(count: int, **more: Any) -> list[Flip]:
    """As many jobs that failed."""
    return [flip(id=f"{number:04x}", job=f"root/j{number}", at=DUE, **more) for number in range(count)]


# --- once -----------------------------------------------------------------------------------------------

STORY = [
    flip(Event.PING_START, id="a1", to=(PING,), at=DUE),
    flip(id="a2", to=(OPS, CHAT), at=DUE),
    flip(Event.PING_FAIL, id="a3", to=(PING,), at=DUE),
]


def tell(post: Post) -> None:
    """Let the story be told, in as many lives as it takes."""
    post.until(DUE + 20)


def test_killed_between_any_two_steps(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorder dies at one step, whichever it is: each message arrives once, and nothing is left over."""
    steps = total_steps(quick, monkeypatch)
    assert steps > 60
    for number in range(steps):
        post = told_with_a_death(quick / str(number), number, monkeypatch, die=False)
        assert set(post.keys().values()) == {1}, f"step {number}: {post.keys()}"
        assert (len(post.keys()), post.states()) == (4, {"sent": 4}), f"step {number}"
        assert (post.launcher.in_hand, post.launcher.results) == ({}, {}), f"step {number}"
        assert pings_of(post) == ["start", "fail"], f"step {number}"


def test_the_launcher_dies_between_any_two_steps(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not heard of when it died may come twice, and nothing else; nothing is lost."""
    doubles = 0
    for number in range(total_steps(quick, monkeypatch)):
        post = told_with_a_death(quick / str(number), number, monkeypatch, die=True)
        arrived = post.keys()
        assert (len(arrived), post.states()) == (4, {"sent": 4}), f"step {number}"
        more = {key for key, count in arrived.items() if count > 1}
        assert more <= post.unheard, f"step {number}: {more}"
        assert max(arrived.values()) <= 2
        doubles += len(more)
    assert doubles, "the window was never met"


class Mortal(Post):
    """Some post; `unheard` are the messages whose end nobody had noted at the moment of the death."""

    unheard: set[tuple[str, str]]


def told_with_a_death(folder: Path, number: int, monkeypatch: pytest.MonkeyPatch, *, die: bool) -> Mortal:
    folder.mkdir()
    post = Mortal(folder)
    post.unheard = set()
    post.launcher_dies = die
    post.journal(*STORY)
    left = number + 1

    def step() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    post.step = step
    with steps_counted(post, monkeypatch):
        for _ in range(2):
            try:
                tell(post)
                break
            except Killed:
                post.unheard = set(post.keys()) if die else set()
                if die:
                    noted = {(target, key) for target, key, state in _states(post) if state == "sent"}
                    post.unheard -= noted
                    post.die()
                else:
                    post.kill()
    post.kill()
    return post


def _states(post: Post) -> list[tuple[str, str, str]]:
    if not post.path.exists():
        return []
    try:
        return [(row[0], row[1], row[2]) for row in post.rows("target", "flip_id", "state")]
    except sqlite3.OperationalError:
        return []  # it died before there were tables


def total_steps(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    (folder / "whole").mkdir()
    post = Post(folder / "whole")
    post.journal(*STORY)
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    post.step = step
    with steps_counted(post, monkeypatch):
        tell(post)
    post.kill()
    assert set(post.keys().values()) == {1}
    (folder / "whole").rename(folder / f"whole{count}")
    return count


def pings_of(post: Post) -> list[str]:
    return [message.ping for _, target, message in post.arrived if target == PING.digest]


def test_the_same_news_read_again(post: Post) -> None:
    """A journal whose segments were read before, all of it, tells nothing twice."""
    post.journal(*STORY)
    tell(post)
    post.journal(*STORY, segment=2)
    (post.folder / "journal.000001").unlink(missing_ok=True)
    post.now += HOUR
    post.until(post.now + 100)
    assert set(post.keys().values()) == {1}


# --- receivers ------------------------------------------------------------------------------------------


def test_a_receiver_that_is_down_for_an_hour(post: Post) -> None:
    """It gets everything once when it is back, and is not bothered with each piece of news meanwhile."""
    back = DUE + HOUR
    post.result = lambda _order: "sent" if post.now >= back else "again"
    news = failures(60)
    while news:
        post.journal(news.pop(0))
        post.until(post.now + 60)
    assert post.now == back
    assert post.arrived == []
    assert len(post.orders) < 20
    post.until(back + 1000)
    assert (post.states(), set(post.keys().values())) == ({"sent": 60}, {1})
    heads = Counter(head for (head,) in post.rows("head"))
    assert sorted(heads.values()) == [1, 59], "the first that was tried, and a digest"
    assert all(at <= back + 920 for at, _, _ in post.arrived)


def test_a_receiver_that_may_have_it(post: Post) -> None:
    """It said nothing: a few more tries, slowly, and other news is not held up by them."""
    post.result = lambda order: "unsure!" if '"0000"' in order.message else "sent"
    post.journal(*failures(1))
    post.until(DUE + 4)
    post.journal(*failures(2)[1:])
    post.until(DUE + 10)
    assert [message.key for _, _, message in post.arrived] == ["0000", "0001"]
    post.until(DUE + 3 * HOUR)
    assert post.keys()[OPS.digest, "0000"] == 6
    assert post.states() == {"failed": 1, "sent": 1}


def test_five_hundred_failures_of_a_minute_are_one_message(post: Post) -> None:
    """The first twenty are named, the rest is counted."""
    for part in range(20):
        post.journal(*failures(500)[part * 25 : part * 25 + 25])
        post.until(DUE + part)
    post.until(DUE + 60)
    ((_, _, message),) = post.arrived
    assert message.title == "[vm] 500 failures — crontabx"
    assert len(message.lines) == 21
    assert post.states() == {"sent": 500}


def test_a_pipeline_is_one_message(post: Post) -> None:
    """It shows the output of the job that failed first."""
    post.journal(*failures(3, pipeline="root/report", instant=DUE, attempt="aa.1"))
    post.until(DUE + 10)
    assert [(order.attempt, order.target, order.origin) for order in post.orders] == [
        ("aa.1", OPS.digest, "/etc/crontab")
    ]


def test_parts_that_have_it_are_not_told_again(post: Post) -> None:
    """A tag of several URLs, one of which did not take it: the next try says who has it."""
    post.parts = ("d1", "d2")
    post.result = lambda order: "sent" if order.done else "again"
    post.journal(*failures(1))
    post.until(DUE + 30)
    assert [order.done for order in post.orders] == [(), ("d1", "d2")]


def test_refused_is_said_loudly_and_elsewhere(post: Post) -> None:
    """A log line each, and one message a day to those who hear of trouble, but not by the same way."""
    post.manner = Manner(trouble=(OPS, BOSS))
    post.result = lambda order: "never" if order.target == OPS.digest else "sent"
    post.journal(*failures(2))
    post.until(DUE + 30)
    assert [(target, message.tone) for _, target, message in post.arrived] == [(BOSS.digest, "failure")]
    assert "it said never" in post.arrived[0][2].title
    assert sum("given up" in line for line in post.log) == 2
    post.now += 2 * 86400
    post.journal(flip(id="0100", job="root/later", at=post.now))
    post.until(post.now + 30)
    assert len(post.arrived) == 2


def test_nobody_is_told_that_a_target_was_taken_out(post: Post) -> None:
    """Whoever changed the crontab knows."""
    post.manner = Manner(trouble=(BOSS,))
    post.result = lambda _order: "gone"
    post.journal(*failures(1))
    post.until(DUE + 30)
    assert (post.arrived, post.states()) == ([], {"failed": 1})


def test_pings_are_in_order_and_not_for_ever(post: Post) -> None:
    """While the first is not taken no other of its job goes; after ten minutes none of them goes."""
    other = flip(Event.PING_START, id="b1", job="root/other", to=(PING,), at=DUE)
    post.journal(STORY[0], STORY[2], other)
    post.result = lambda order: "sent" if '"b1"' in order.message or post.now > DUE + 100 else "again"
    post.until(DUE + 200)
    assert [(message.key) for _, _, message in post.arrived] == ["b1", "a1", "a3"]
    post.result = lambda _order: "again"
    post.journal(*(flip(Event.PING_START, id=f"c{n}", to=(PING,), at=post.now) for n in range(3)))
    post.until(post.now + 700)
    assert post.states() == {"sent": 3, "failed": 3}


# --- what is not told -----------------------------------------------------------------------------------


def test_muted_news_is_kept_and_not_sent(post: Post) -> None:
    post.journal(*failures(2, muted=True))
    post.until(DUE + 30)
    assert (post.arrived, post.states()) == ([], {"muted": 2})


def test_a_clock_that_is_set_back_makes_no_news_old(post: Post) -> None:
    """The clock was set back by hours after the outbox began, and nothing was told until it had caught up."""
    post.until(DUE)
    post.now -= 5 * HOUR
    post.journal(flip(id="01", at=post.now))
    post.until(post.now + 30)
    assert [message.key for _, _, message in post.arrived] == ["01"]


def test_a_new_outbox_tells_no_old_news(post: Post) -> None:
    """The file was lost: what is older than an hour is kept as failed; also if it dies before it read it."""
    post.journal(flip(id="01", job="root/old", at=DUE - 2 * HOUR))
    post.journal(flip(id="02", job="root/new", at=DUE - 60))
    post.until(DUE + 30)
    assert [message.key for _, _, message in post.arrived] == ["02"]
    assert [row for row in post.rows("state", "error") if row[0] == "failed"] == [
        ("failed", "too old to be told")
    ]


def test_what_was_written_while_nobody_read_is_told(post: Post) -> None:
    """The recorder was down for hours: that is no reason to say nothing."""
    post.until(DUE)
    post.kill()
    post.journal(*failures(1))
    post.now += 5 * HOUR
    post.until(post.now + 30)
    assert len(post.arrived) == 1


def test_another_journal_begins(post: Post) -> None:
    """The scheduler's folder was begun anew: read from its beginning, and old news in it is old."""
    post.journal(*failures(1))
    post.until(DUE + 10)
    post.kill()
    (post.folder / "feed").unlink()
    (post.folder / "journal.000001").unlink()
    post.now += 5 * HOUR
    post.journal(flip(id="01", job="root/old", at=post.now - 2 * HOUR), flip(id="02", at=post.now))
    post.until(post.now + 10)
    assert [message.key for _, _, message in post.arrived] == ["0000", "02"]


def test_too_many_for_one_target(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are given up, with one line in the log; other targets keep theirs."""
    monkeypatch.setattr(outbox_module, "MOST_WAITING", 10)
    post.journal(*failures(25), flip(id="ff", job="alice/x", uid=1000, origin="/spool/alice", at=DUE))
    post.start().turn()
    assert [state for (state,) in post.rows("state")] == ["failed"] * 15 + ["pending"] * 11
    assert sum("too many" in line for line in post.log) == 1
    post.until(DUE + 10)
    assert post.states() == {"failed": 15, "sent": 11}


def test_what_is_over_is_removed(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a month, or when there is too much of it; what waits stays."""
    monkeypatch.setattr(outbox_module, "KEPT_ROWS", 8)
    post.result = lambda order: "sent" if order.target == OPS.digest else "again"
    post.manner = Manner(give_up=60 * 86400)
    post.journal(*failures(6), flip(id="ff", to=(CHAT,), at=DUE))
    post.until(DUE + 60)
    assert post.states() == {"sent": 6, "pending": 1}
    post.journal(*(flip(id=f"e{n}", job="root/x", at=DUE) for n in range(4)))
    post.until(DUE + 2 * HOUR)
    assert post.states() == {"sent": 8, "pending": 1}
    post.now += KEPT - 3 * HOUR
    post.until(post.now + 2 * HOUR + 60)
    assert post.states() == {"pending": 1}


def test_one_owner_leaves_room_for_others(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has a hundred targets that hang does not keep others' messages waiting."""
    monkeypatch.setattr(tries_module, "EACH", 4)
    many = [flip(id=f"{n:04x}", to=(addressee(f"x{n}@example.org"),), uid=1000, at=DUE) for n in range(10)]
    post.journal(*many, flip(id="ff", at=DUE))
    delivery = post.start()
    delivery.turn()
    post.now += 5
    delivery.turn()
    assert len(post.launcher.in_hand) == 5
    post.until(DUE + 20)
    assert post.states() == {"sent": 11}


# --- the file -------------------------------------------------------------------------------------------


def test_only_the_account_reads_it(post: Post) -> None:
    """What jobs are called and why they failed is nobody else's business."""
    old = os.umask(0)
    try:
        post.journal(*failures(1))
        post.start().turn()
    finally:
        os.umask(old)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in post.folder.glob("outbox*")}
    assert set(found.values()) == {0o600}, found
    post.kill()


def test_a_newer_outbox_is_left_alone(post: Post) -> None:
    post.start().turn()
    post.kill()
    with sqlite3.connect(post.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(outbox_module.BadOutbox, match="version 99"):
        post.start().turn()


def test_segments_wait_for_both_readers(tmp_path: Path) -> None:
    """What the history has read stays until the outbox has, and the other way round."""
    from crond.recorder.feed import Feed, Position

    for number in range(1, 6):
        write(tmp_path, number, run(number))
    feed = Feed(str(tmp_path), kept=0, readers=("history", "outbox"))
    feed.drop_read(Position(4, 0))
    assert feed.segments() == [1, 2, 3, 4, 5]
    feed.drop_read(Position(3, 0), "outbox")
    assert feed.segments() == [3, 4, 5]
    feed.drop_read(Position(5, 0), "outbox")
    assert feed.segments() == [4, 5]
