"""Whatever happens in whichever order, each piece of news is told once to each of its targets."""

from __future__ import annotations

import json
import random
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crond.model.alert import Event, Flip, addressee
from crond.model.orders import Notify
from crond.recorder import outbox
from crond.recorder.tries import Manner
from tests.alerts.news import DUE, OPS, flip
from tests.recorder.post import Killed, Post, in_memory, steps_counted

TARGETS = (OPS, addressee("slack://a@b"), addressee("https://hc.example/1"))
EVENTS = (Event.FAILURE, Event.RETRY, Event.RECOVERY, Event.SKIP, Event.LATE)
PINGS = (Event.PING_START, Event.PING_SUCCESS)


def some_flip(number: int, chance: random.Random, at: float) -> Flip:
    """News of one of a few jobs; pings go where only pings go."""
    ping = chance.random() < 0.2
    return flip(
        chance.choice(PINGS if ping else EVENTS),
        id=f"{number:04x}",
        at=at,
        job=f"root/j{chance.randrange(6)}",
        uid=chance.choice((0, 0, 1000)),
        to=(TARGETS[2],) if ping else tuple(chance.sample(TARGETS[:2], chance.randint(1, 2))),
        cooldown=chance.choice((0.0, 0.0, 120.0)),
        pipeline=chance.choice(("", "root/report")),
    )


@given(st.integers(0, 2**32), st.integers(1, 40), st.sampled_from([0.0, 3.0]))
@settings(max_examples=25, deadline=None)
def test_each_is_told_once(seed: int, count: int, settle: float) -> None:
    """News comes at any time, receivers take it or do not, and the recorder is killed again and again."""
    chance = random.Random(seed)
    with in_memory() as folder, pytest.MonkeyPatch.context() as patch:
        post = Post(folder, manner=Manner(settle=settle, give_up=1e9))
        flips = [some_flip(number, chance, DUE) for number in range(count)]
        coming = list(flips)

        def happen() -> None:
            if coming and chance.random() < 0.5:
                post.journal(coming.pop(0))

        def step() -> None:
            if chance.random() < 0.02:
                raise Killed

        def result(_order: Notify) -> str:
            return chance.choice(("sent", "sent", "again"))

        post.step, post.result = step, result
        with steps_counted(post, patch):
            while coming or post.now < DUE + 1500:
                try:
                    post.until(post.now + chance.choice((1.0, 30.0)), each=happen)
                except Killed:
                    post.kill()
        post.step, post.result = lambda: None, lambda _order: "sent"
        post.until(post.now + 4000)
        rows = post.rows("flip_id", "target", "state")
        post.kill()
    wanted = Counter((one.id, target.digest) for one in flips for target in one.addressees)
    assert Counter((name, target) for name, target, _ in rows) == wanted
    pings = {one.id for one in flips if one.event.is_ping}
    failed = {name for name, _, state in rows if state == "failed"}
    assert failed <= pings, "pings that waited for ten minutes, and nothing else"
    assert {state for _, _, state in rows} <= {"sent", "failed"}
    assert set(post.keys().values()) <= {1}
    told = Counter(
        (target, job) for _, target, message in post.arrived if message.ping for job in (message.key,)
    )
    assert len(told) == len(pings - failed)


def test_ten_thousand_that_wait_are_one_message(tmp_path: Path) -> None:
    """After a bad night; putting them together took time that grew with the square of their number."""
    post = Post(tmp_path)
    body = {"id": "", "event": "failure", "at": DUE, "origin": "/etc/crontab", "uid": 0}
    lines = [
        json.dumps(["flip", {**body, "id": f"{n:05x}", "job": f"root/j{n}", "addressees": [list(OPS)]}, None])
        for n in range(10_000)
    ]
    (tmp_path / "journal.000001").write_text("\n".join(lines) + "\n")
    post.until(DUE + 40)
    ((_, _, message),) = post.arrived
    assert message.title == "[vm] 10,000 failures — crontabx"
    assert post.states() == {"sent": 10_000}
    post.kill()
    with sqlite3.connect(post.path) as connection:
        assert connection.execute("SELECT MAX(LENGTH(flip)) FROM deliveries").fetchone() == (0,)
    connection.close()


#: Five thousand more such rows, of news that was told.
_MANY = """
WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers LIMIT 5000)
INSERT INTO deliveries ({columns}) SELECT {values} FROM deliveries, numbers
"""


def test_what_is_over_is_not_looked_at(tmp_path: Path) -> None:
    """With a month of news that was told, each turn took a tenth of a second of a processor."""
    post = Post(tmp_path)
    post.journal(flip(id="0001"))
    post.until(DUE + 20)
    assert post.delivery is not None
    outbox = post.delivery._outbox
    assert outbox is not None
    names = [name for _, name, *_ in outbox.all("PRAGMA table_info(deliveries)") if name != "id"]
    values = ["flip_id || number" if name == "flip_id" else name for name in names]
    outbox.do(_MANY.format(columns=", ".join(names), values=", ".join(values)))
    outbox.do("UPDATE deliveries SET head = id")
    post.journal(flip(id="0002"))
    thousands: list[None] = []
    outbox._connection.set_progress_handler(lambda: thousands.append(None), 1000)
    post.turn()
    outbox._connection.set_progress_handler(None, 0)
    assert post.states() == {"sent": 5001, "pending": 1}
    assert len(thousands) < 5, "thousands of steps of SQLite's machine"
    post.kill()


def many_targets(post: Post, count: int, targets: int) -> None:
    """Let a user's job fail `count` times, with so many `targets` that take nothing."""
    to = tuple(addressee(f"json://127.0.0.1/{number}") for number in range(targets))
    about: dict[str, Any] = {"to": to, "job": "eve/x", "uid": 1000, "origin": "/spool/eve", "at": DUE}
    post.journal(*(flip(id=f"{number:04x}", **about) for number in range(count)))


def test_hundreds_of_targets_take_no_megabytes(tmp_path: Path) -> None:
    """Each row named all 256 targets of its flip: one failure wrote 2.4 MB, and a job that fails each second
    filled the disk and held up what others are told.
    """
    post = Post(tmp_path)
    many_targets(post, 4, 256)
    post.start().turn()
    lengths = [length for (length,) in post.rows("LENGTH(flip)")]
    assert (len(lengths), max(lengths) < 1000) == (1024, True)


def test_a_user_with_many_targets_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 pieces of news might wait for each of 256 targets of one user: gigabytes."""
    monkeypatch.setattr(outbox, "MOST_OF_USER", 50)
    post = Post(tmp_path)
    post.journal(flip(id="ff", at=DUE))
    many_targets(post, 10, 10)
    post.start().turn()
    assert post.states() == {"failed": 50, "pending": 51}
    assert [line for line in post.log if "too many" in line] == [
        "alerts of uid 1000: too many wait; the 50 oldest are not sent"
    ]


def test_what_became_of_others_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has very much news pushed everybody else's failed alerts out of the outbox; and until the next
    hour nothing was removed, however much came.
    """
    monkeypatch.setattr(outbox, "KEPT_ROWS", 20)
    monkeypatch.setattr(outbox, "_GROWN", 20)
    post = Post(tmp_path)
    post.result = lambda _order: "never"
    post.journal(flip(id="ff", at=DUE))
    post.until(DUE + 10)
    many_targets(post, 10, 4)
    post.until(DUE + 60)
    post.journal(flip(id="fe", at=DUE + 60))
    many_targets(post, 15, 4)
    post.turn()
    over = Counter(uid for uid, state in post.rows("uid", "state") if state == "failed")
    assert over == {0: 1, 1000: 19}
