"""The loop keeps one crontab's trouble to itself."""

from __future__ import annotations

import socket

import pytest

from crond.core.engine import Engine
from crond.core.memory import Memory
from crond.link import Link
from crond.model.frames import LARGE_FRAME
from crond.model.messages import FACTS, TableRefused, TableText
from crond.scheduler import loop as loop_module
from crond.scheduler.clock import SystemClock, Waiter
from crond.scheduler.loop import Loop
from crond.zones import HostZone, zone_named
from tests.fakes import MemoryJournal


def test_a_crontab_that_breaks_the_parser_is_refused_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One user's crontab met a bug of the parser, and nobody's jobs ran any more."""

    def broken(*_text: object, **_options: object) -> None:
        raise OverflowError("days=1000000000")

    monkeypatch.setattr(loop_module, "parse_crontab", broken)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        zone = HostZone()
        loop = Loop(
            clock=SystemClock(),
            waiter=Waiter(),
            zone=zone,
            journal=MemoryJournal(),
            launcher=Link(ours, expected=FACTS, receive_limit=LARGE_FRAME, backlog_limit=LARGE_FRAME),
            engine=Engine(memory=Memory(), zone=zone, zone_named=zone_named),
            heartbeat=30.0,
        )
        event = loop._event(TableText(1, "/spool/ann", "ann", 1001, False, False, 0, b"@every 1s x\n"))
    assert event == TableRefused("/spool/ann", "ann", 1001, "an error of crond itself; it is in the log")
    assert "/spool/ann: OverflowError while reading it: days=1000000000" in capsys.readouterr().err
