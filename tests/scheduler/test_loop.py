"""The loop keeps one crontab's trouble to itself."""

from __future__ import annotations

import socket

import pytest

from crond.core.engine import Engine
from crond.core.memory import Memory
from crond.link import Link
from crond.model.events import Woke
from crond.model.frames import LARGE_FRAME
from crond.model.messages import FACTS, PROTOCOL, Hello, TableRefused, TablesComplete, TableText
from crond.scheduler import loop as loop_module
from crond.scheduler.clock import SystemClock, Waiter
from crond.scheduler.loop import Loop
from crond.zones import HostZone, zone_named
from tests.fakes import MemoryJournal


def loop_on(launcher: socket.socket, journal: MemoryJournal) -> Loop:
    """A loop that nobody turns."""
    zone = HostZone()
    return Loop(
        clock=SystemClock(),
        waiter=Waiter(),
        zone=zone,
        journal=journal,
        launcher=Link(launcher, expected=FACTS, receive_limit=LARGE_FRAME, backlog_limit=LARGE_FRAME),
        engine=Engine(memory=Memory(), zone=zone, zone_named=zone_named),
        heartbeat=30.0,
    )


def test_a_crontab_that_breaks_the_parser_is_refused_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One user's crontab met a bug of the parser, and nobody's jobs ran any more."""

    def broken(*_text: object, **_options: object) -> None:
        raise OverflowError("days=1000000000")

    monkeypatch.setattr(loop_module, "parse_crontab", broken)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        loop = loop_on(ours, MemoryJournal())
        event = loop._event(TableText(1, "/spool/ann", "ann", 1001, False, False, 0, b"@every 1s x\n"))
    assert event == TableRefused("/spool/ann", "ann", 1001, "an error of crond itself; it is in the log")
    assert "/spool/ann: OverflowError while reading it: days=1000000000" in capsys.readouterr().err


def test_news_of_a_full_disk_is_not_lost() -> None:
    """While the journal could not be written a job failed, and when there was room again nobody was told: the
    snapshot holds how jobs stand, and no news.
    """
    ours, theirs = socket.socketpair()
    journal = MemoryJournal()
    clock = SystemClock()
    with ours, theirs:
        loop = loop_on(ours, journal)
        hello = Hello(PROTOCOL, "life", "boot", True, 0, "cronie", 0.0, trouble=(("d1", "ops"),))
        loop.act(clock.read(), hello, TablesComplete())
        journal.room = 0
        refused = TableRefused("/spool/ann", "ann", 1001, "WRONG OWNER")
        loop.act(clock.read(), refused, Woke())
        assert not any(record[0] == "flip" for record in journal.load())
        journal.room = 2**20
        loop._rewrite()
        told = [record for record in journal.load() if record[0] == "flip"]
        assert [(one[1]["event"], one[1]["reason"]) for one in told] == [
            ("trouble", "/spool/ann: WRONG OWNER")
        ]
        loop._rewrite()
        assert not any(record[0] == "flip" for record in journal.load())
