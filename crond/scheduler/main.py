"""The scheduler's start: takes the two sockets it was given, remembers, and turns the loop.

The composition root of its process, started by the launcher as an account of its own. Descriptor 3 is the
wire to the launcher, 4 the listening control socket. Everything is imported before the first message.
"""

from __future__ import annotations

import gc
import json
import os
import socket
from contextlib import suppress
from datetime import date

from crond.core.clockwork import Reading
from crond.core.engine import Engine
from crond.core.memory import BadRecord, Memory
from crond.core.preview import Preview
from crond.link import Link
from crond.model.frames import LARGE_FRAME
from crond.model.messages import FACTS
from crond.scheduler.clock import SystemClock, Waiter
from crond.scheduler.control import Control
from crond.scheduler.journal import FileJournal
from crond.scheduler.log import log
from crond.scheduler.loop import Loop
from crond.zones import HostZone, tzinfo_named, zone_named

_WIRE, _LISTENING = 3, 4
_BACKLOG = 64 * 1024 * 1024


def main(config: str) -> int:
    """Run the scheduler with `config`, JSON text: `journal` (a folder), `heartbeat` (seconds), `recorder`
    (whether one reads the journal) and `random_delay` (the daemon's own RANDOM_DELAY).
    """
    told = json.loads(config)
    with suppress(OSError), open("/proc/self/comm", "w", encoding="ascii") as comm:
        comm.write("crond-scheduler")
    zone = HostZone()
    journal = FileJournal(told["journal"], recorded=told.get("recorder", False))
    engine = Engine(
        memory=_remembered(journal),
        zone=zone,
        zone_named=zone_named,
        rules=_days_of_rule,
        days_off=_day_off,
        is_zone=lambda name: tzinfo_named(name) is not None,
        host=os.uname().nodename,
    )
    launcher = Link(
        socket.socket(fileno=_WIRE), expected=FACTS, receive_limit=LARGE_FRAME, backlog_limit=_BACKLOG
    )
    loop = Loop(
        clock=SystemClock(),
        waiter=Waiter(),
        zone=zone,
        journal=journal,
        launcher=launcher,
        engine=engine,
        heartbeat=told["heartbeat"],
        random_delay=told.get("random_delay", ""),
    )
    for fd in (_WIRE, _LISTENING):
        os.set_inheritable(fd, False)

    def preview(reading: Reading) -> Preview:
        return engine.preview(reading.wall)

    control = Control(socket.socket(fileno=_LISTENING), engine, preview=preview, act=loop.act)
    gc.collect()
    gc.freeze()
    # As in the launcher: what is read holds no cycles.
    gc.set_threshold(50_000)
    return loop.run(control)


def _remembered(journal: FileJournal) -> Memory:
    memory = Memory()
    unknown = 0
    for record in journal.load():
        try:
            memory.apply(record)
        except BadRecord:
            unknown += 1
    if journal.damaged or unknown:
        log(f"the journal has {journal.damaged + unknown} lines that cannot be read; they are left out")
    with suppress(OSError):
        # An old journal begins anew: what was damaged is set aside, and what ended is gone.
        journal.rewrite(memory.records())
    return memory


def _days_of_rule(rule: str, year: int, month: int) -> frozenset[int]:
    # Loaded with the first entry that needs it: it brings croniter along.
    from crond.calendars.rules import days_of_rule

    return days_of_rule(rule, year, month)


def _day_off(source: str, day: date) -> str | None:
    # Loaded with the first entry that needs it, too: holidays of countries are large.
    from crond.calendars.daysoff import day_off

    return day_off(source, day)
