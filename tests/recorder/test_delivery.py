"""The recorder as a process tells what is to be told, also when nothing else of it works."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crond.model.alert import Event, Flip
from crond.model.message import Message
from crond.model.messages import Heartbeat, News
from crond.model.orders import InHand, Noted, Notified, Notify
from tests.alerts.news import flip
from tests.recorder.journal import run, write
from tests.recorder.program import Recorder

#: A history that nobody answers for.
NOWHERE = '[history]\nurl = "postgresql://nobody@127.0.0.1:1/none"\n'
QUICK = "[alerts]\nsettle = 0\n"


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path, settings=NOWHERE + QUICK)
    yield made
    made.close()


def happen(recorder: Recorder, *flips: Flip) -> None:
    """Let the scheduler note a run with `flips`, and say that there is news."""
    write(recorder.journal, 1, [*run(1), {"flips": [one.values() for one in flips], "health": None}])


def now(name: str = "00f1", **more: Any) -> Flip:
    return flip(id=name, at=time.time(), **more)


def outbox_of(recorder: Recorder) -> Path:
    return recorder.history / "outbox.db"


def test_news_is_told_while_the_history_is_down(recorder: Recorder) -> None:
    """Asked for, told of, noted: and the verbs know of it, without a database."""
    recorder.start()
    recorder.tell(InHand(()))
    happen(recorder, now())
    recorder.tell(News())
    order = recorder.said(Notify)
    message = Message.from_json(order.message)
    assert (order.origin, order.attempt, message.key) == ("/etc/crontab", "0123456789abcd.1", "00f1")
    assert listed(recorder) == [("sending", 1)]
    recorder.tell(Notified(order.delivery, "again", "503 try later"))
    assert recorder.said(Noted) == Noted(order.delivery)
    (one,) = recorder.ask("alerts", state="pending")["alerts"]
    assert (one["error"], one["tries"], one["job"], one["flips"]) == ("503 try later", 1, "root/train", 1)
    assert one["next_try"]
    assert recorder.ask("db")["outbox"]["pending"] == 1
    assert recorder.ask("alerts-retry", ids=str(one["id"]))["retried"] == 1
    order = recorder.said(Notify)
    recorder.tell(Notified(order.delivery, "sent"))
    assert recorder.said(Noted) == Noted(order.delivery)
    (one,) = recorder.ask("alerts")["alerts"]
    assert (one["state"], bool(one["sent_at"]), one["target"]) == ("sent", True, "ops@example.org")


def listed(recorder: Recorder, **arguments: str) -> list[tuple[str, int]]:
    return [(one["state"], one["tries"]) for one in recorder.ask("alerts", **arguments)["alerts"]]


def refuse(recorder: Recorder, count: int) -> None:
    """Let so many messages be refused for good."""
    while count:
        order = recorder.said(Notify | Noted)
        if isinstance(order, Notify):
            recorder.tell(Notified(order.delivery, "never", "no"))
        count -= isinstance(order, Noted)


def test_nothing_is_sent_before_it_is_known_what_is_in_hand(recorder: Recorder) -> None:
    """A new life asks for nothing that an earlier one asked for, as long as the launcher has it in hand."""
    recorder.start()
    recorder.tell(InHand(()))
    happen(recorder, now())
    recorder.tell(News())
    first = recorder.said(Notify)
    recorder.kill()
    recorder.start()
    recorder.said(Heartbeat)
    happen(recorder, now("00f2", job="root/other"))
    recorder.tell(InHand((first.delivery,)))
    recorder.tell(Notified(first.delivery, "sent"))
    assert recorder.said(Noted) == Noted(first.delivery)
    second = recorder.said(Notify)
    assert Message.from_json(second.message).key == "00f2"
    recorder.kill()
    recorder.start()
    recorder.tell(InHand(()))
    again = recorder.said(Notify)
    assert again.message == second.message
    assert again.delivery != second.delivery


def test_a_file_that_cannot_be_written(recorder: Recorder) -> None:
    """Said once; tried again; told as soon as it can be."""
    outbox_of(recorder).mkdir()
    recorder.start()
    recorder.tell(InHand(()))
    happen(recorder, now())
    recorder.tell(News())
    recorder.wait_for("alerts wait")
    assert json.loads(recorder.reply("alerts").body)["code"] == "unavailable"
    recorder.heartbeat()
    outbox_of(recorder).rmdir()
    order = recorder.said(Notify)
    recorder.tell(Notified(order.delivery, "sent"))
    recorder.said(Noted)
    recorder.wait_for("alerts are sent again")
    assert sum("alerts wait" in line for line in recorder.lines) == 1


def test_a_damaged_outbox_is_set_aside(recorder: Recorder) -> None:
    """What comes is told; the damaged file stays for whoever wants to look."""
    outbox_of(recorder).write_bytes(b"no database at all, and longer than a page's header" * 100)
    recorder.start()
    recorder.tell(InHand(()))
    happen(recorder, now())
    recorder.tell(News())
    recorder.said(Notify)
    assert (recorder.history / "outbox.db.damaged").exists()


def test_a_deleted_outbox_begins_anew(recorder: Recorder) -> None:
    """Somebody deletes the file under it: a try that was under way is noted, and what is new is told."""
    recorder.start()
    recorder.tell(InHand(()))
    happen(recorder, now())
    recorder.tell(News())
    first = recorder.said(Notify)
    for path in recorder.history.glob("outbox.db*"):
        path.unlink()
    (recorder.journal / "journal.000001").unlink()
    happen(recorder, now("00f2", job="root/other"))
    recorder.tell(Notified(first.delivery, "sent"))
    found = [recorder.said(Notify | Noted) for _ in range(2)]
    assert found[0] == Noted(first.delivery)
    assert Message.from_json(found[1].message).key == "00f2"


def test_settings_that_became_wrong(recorder: Recorder) -> None:
    """They are said to be; alerts go on as before."""
    recorder.start()
    recorder.tell(InHand(()))
    recorder.said(Heartbeat)
    happen(recorder, now())
    recorder.tell(News())
    recorder.said(Notify)
    recorder.settings.write_text("[alerts]\nsettle = -1\n")
    happen(recorder, now("00f2", job="root/other", to=(flip().addressees[0]._replace(digest="0d"),)))
    recorder.tell(News())
    assert Message.from_json(recorder.said(Notify).message).key == "00f2"
    recorder.wait_for("alerts go on as before")


def test_many_orders_do_not_choke_the_wire(recorder: Recorder) -> None:
    """The launcher reads slowly: what does not fit waits, and nobody is given up."""
    recorder.start()
    reason = "x" * 900
    many = [
        now(f"{n:04x}", uid=n, job=f"u{n}/j", reason=reason, trigger="catchup", held_up=(reason,))
        for n in range(256)
    ]
    happen(recorder, *many)
    recorder.tell(InHand(()))
    orders = [recorder.said(Notify) for _ in range(256)]
    assert len({order.delivery for order in orders}) == 256
    recorder.heartbeat()


def test_bad_questions(recorder: Recorder) -> None:
    recorder.start()
    recorder.wait_for("nobody")  # that history; by now there is an outbox
    recorder.tell(InHand(()))
    for verb, arguments in (
        ("alerts", {"state": "lost"}),
        ("alerts", {"count": "0"}),
        ("alerts-retry", {"ids": "1,x"}),
        ("alerts-retry", {"ids": ",".join(["1"] * 1001)}),
    ):
        body = json.loads(recorder.reply(verb, **arguments).body)
        assert body["code"] == "bad_request", (verb, arguments)
    assert json.loads(recorder.reply("alerts-retry", ids="77").body)["code"] == "unknown"
    assert recorder.ask("alerts-retry")["retried"] == 0


def test_alerts_are_found_by_job_and_state(recorder: Recorder) -> None:
    """The newest first; a digest is found by any of its jobs; failed pings are not said anew unasked."""
    recorder.start()
    pings = [now("a1", event=Event.PING_START, job="root/p"), now("a2", event=Event.PING_FAIL, job="root/p")]
    digest = [now(f"b{n}", job=f"alice/j{n}", uid=1000) for n in range(5)]
    happen(recorder, *pings, *digest, now("c1", muted=True))
    recorder.tell(InHand(()))
    refuse(recorder, 3)
    states = [one["state"] for one in recorder.ask("alerts")["alerts"]]
    assert states == ["muted", "failed", "failed", "failed"]
    (one,) = recorder.ask("alerts", job="j3")["alerts"]
    assert (one["flips"], one["state"], one["uid"]) == (5, "failed", 1000)
    assert recorder.ask("alerts", count="1")["more"] is True
    assert recorder.ask("alerts-retry")["retried"] == 1
    assert Message.from_json(recorder.said(Notify).message).title == one["title"]
    assert [found["flips"] for found in recorder.ask("alerts", state="sending,pending")["alerts"]] == [5]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_user_sees_and_retries_what_is_theirs(recorder: Recorder, tmp_path: Path) -> None:
    """Who asks is what the kernel says."""
    recorder.start()
    happen(recorder, now("a1", uid=0), now("b1", uid=5, job="games/b"))
    recorder.tell(InHand(()))
    refuse(recorder, 2)
    os.chmod(recorder.path, 0o666)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.owner() == "root" and str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    everything = {one["job"]: one["id"] for one in recorder.ask("alerts")["alerts"]}
    os.seteuid(5)
    try:
        mine = [one["job"] for one in recorder.ask("alerts")["alerts"]]
        refused = json.loads(recorder.reply("alerts-retry", ids=str(everything["root/train"])).body)["code"]
        retried = recorder.ask("alerts-retry")["retried"]
    finally:
        os.seteuid(0)
    assert (mine, refused, retried) == (["games/b"], "unknown", 1)
    assert Message.from_json(recorder.said(Notify).message).key == "b1"


def test_the_outbox_is_read_by_others_meanwhile(recorder: Recorder) -> None:
    """Somebody who looks into the file with another program does not stop anything."""
    recorder.start()
    recorder.tell(InHand(()))
    happen(recorder, now())
    recorder.tell(News())
    order = recorder.said(Notify)
    with closing(sqlite3.connect(outbox_of(recorder), isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT COUNT(*) FROM deliveries").fetchone()
        recorder.tell(Notified(order.delivery, "sent"))
        assert recorder.said(Noted) == Noted(order.delivery)
