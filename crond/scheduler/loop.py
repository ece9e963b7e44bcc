"""The loop: the only one of the scheduler. It reads the clock, feeds the engine and carries out its
actions.

Order is its whole duty: what a step wants remembered is in the journal before anything of it leaves, and
a fact is acknowledged only after that. Decides nothing. Put together by `crond.scheduler.main`.
"""

from __future__ import annotations

import select
import signal
from collections.abc import Iterable
from itertools import chain
from typing import Any

from crond.core.clockwork import Reading
from crond.core.engine import Engine
from crond.core.memory import news_in
from crond.link import Link, LinkClosed
from crond.model.actions import Action, Changed, Notice, Record, Remember, Send
from crond.model.codec import Message
from crond.model.crontab import parse_crontab
from crond.model.events import Event, TableParsed, Woke
from crond.model.host import NO_HOST, read_host
from crond.model.messages import (
    PROTOCOL,
    Ack,
    BadMessage,
    Exited,
    Heartbeat,
    Hello,
    NotStarted,
    Started,
    TableRefused,
    TableText,
    Vanished,
)
from crond.ports import Clock, Journal
from crond.scheduler.clock import Waiter
from crond.scheduler.control import Control
from crond.scheduler.log import log
from crond.zones import HostZone

_SLACK = 0.0002
#: Most news that waits for a journal that cannot be written; the newest is kept.
_MOST_UNTOLD = 10_000
#: Seconds for which the launcher may go unheard while dues wait to be started.
_DEAF = 0.25
#: Seconds after which no further client is served before what became due meanwhile.
_FOR_CLIENTS = 0.05


class Loop:
    """Runs until the launcher hangs up or a signal ends it."""

    def __init__(
        self,
        *,
        clock: Clock,
        waiter: Waiter,
        zone: HostZone,
        journal: Journal,
        launcher: Link,
        engine: Engine,
        heartbeat: float,
        random_delay: str = "",
    ) -> None:
        self._clock = clock
        self._waiter = waiter
        self._zone = zone
        self._journal = journal
        self._launcher = launcher
        self._engine = engine
        self._heartbeat = heartbeat
        self._random_delay = random_delay
        self._beaten = float("-inf")  # monotonic
        self._dialect = "cronie"
        self._host = NO_HOST
        self._numbered = 0
        self._heard = float("-inf")  # monotonic
        self._behind = False
        self._untold: list[Record] = []
        self._watched: dict[int, bool] = {}
        self._served = -1  # the client served last

    def run(self, control: Control) -> int:
        """Turn until the end; return the exit status."""
        self._waiter.catch(signal.SIGTERM)
        self._waiter.catch(signal.SIGINT)
        self._waiter.watch(self._launcher.fileno(), writing=False)
        self._waiter.watch(control.fileno(), writing=False)
        self._control = control
        while True:
            reading = self._clock.read()
            try:
                ready, signals = self._waiter.wait(self._wait(reading))
                if signals:
                    return 0
                self._turn(ready)
            except LinkClosed:
                return 0  # the launcher ended, or gave us up
            except BadMessage as error:
                log(f"the launcher said what is no message: {error}")
                return 1

    def act(self, reading: Reading, *events: Event) -> list[Action]:
        """Give `events` to the engine and carry out all that follows."""
        return self._act(reading, events)

    def _act(self, reading: Reading, events: Iterable[Event], ack: Ack | None = None) -> list[Action]:
        actions: list[Action] = []
        for event in events:
            actions += self._engine.step(reading, event)
        self._carry_out(actions, ack)
        return actions

    def _wait(self, reading: Reading) -> float:
        beat = self._beaten + self._heartbeat - reading.mono
        wait = min(self._engine.deadline(reading), beat, self._control.deadline(reading))
        # The alarm may ring a hair before the clock shows the deadline, which would cost a second wake-up.
        return wait + _SLACK if wait > 0 else 0.0

    def _turn(self, ready: list[tuple[int, int]]) -> None:
        reading = self._clock.read()
        self._zone.reread()
        self.act(reading, Woke())
        # Not before what is due: the launcher would wake for this first.
        if reading.mono - self._beaten >= self._heartbeat / 2:
            self._beaten = reading.mono
            self._launcher.send(Heartbeat())
        self._control.drop_silent(reading)
        for fd, events in ready:
            if fd == self._launcher.fileno() and not self._busy_starting(reading):
                self._hear_launcher(reading, events)
        self._serve([fd for fd, _ in ready])
        # Last, since those who just hung up make room.
        if any(fd == self._control.fileno() for fd, _ in ready):
            self._control.accept(reading)
        self._watch()
        if self._journal.grown or self._behind:
            self._rewrite()

    def _serve(self, ready: list[int]) -> None:
        """Serve the clients that are ready, for as long as a start may wait: the others are met again next
        turn, after what is due then. They take turns, so that none is left out for ever.
        """
        began = self._clock.read().mono
        for fd in sorted(ready, key=lambda fd: (fd <= self._served, fd)):
            if fd not in self._control.interests():
                continue  # not a client, or closed by what another one did
            reading = self._clock.read()
            if reading.mono - began > _FOR_CLIENTS:
                return
            self._served = fd
            self._control.ready(fd, reading)

    def _busy_starting(self, reading: Reading) -> bool:
        """True while many are due at once: what became of the first can wait until the last is sent."""
        return bool(self._engine.memory.queue) and reading.mono - self._heard < _DEAF

    def _hear_launcher(self, reading: Reading, events: int) -> None:
        self._heard = reading.mono
        if events & select.POLLOUT:
            self._launcher.flush()
        if not events & ~select.POLLOUT:
            return
        numbered = self._numbered
        told = [self._event(message) for message in self._launcher.receive()]
        self._act(reading, told, Ack(self._numbered) if self._numbered > numbered else None)

    def _event(self, message: Any) -> Event:
        if isinstance(message, Hello):
            if message.protocol != PROTOCOL:
                raise BadMessage(f"protocol {message.protocol}, where this scheduler speaks {PROTOCOL}")
            self._dialect = message.dialect
            self._host = read_host(message.defaults, message.pools)
        elif isinstance(message, TableText):
            try:
                return self._parsed(message)
            except Exception as error:  # noqa: BLE001 - one crontab must not stop everybody's jobs
                log(f"{message.origin}: {type(error).__name__} while reading it: {error}")
                reason = "an error of crond itself; it is in the log"
                return TableRefused(message.origin, message.owner, message.uid, reason)
        elif isinstance(message, (Started, NotStarted, Exited, Vanished)):
            self._numbered = max(self._numbered, message.number)
        event: Event = message
        return event

    def _parsed(self, message: TableText) -> TableParsed:
        table = parse_crontab(
            message.text,
            system=message.system,
            privileged=message.privileged,
            dialect=self._dialect,
            extensions=True,
            seed=message.seed,
            random_delay=self._random_delay,
            host=self._host,
        )
        return TableParsed(message.version, message.origin, message.owner, message.uid, table)

    # --- actions -----------------------------------------------------------------------------------------

    def _carry_out(self, actions: list[Action], ack: Ack | None) -> None:
        records = [action.record for action in actions if isinstance(action, Remember)]
        if records:
            self._write(records)
        # All at once: each time that the launcher wakes, the jobs that it starts wait for that.
        said: list[Message] = [action.wish for action in actions if isinstance(action, Send)]
        if ack is not None:
            said.append(ack)
        self._launcher.send(*said)
        for action in actions:
            if isinstance(action, Changed):
                self._control.changed(action.run)
            elif isinstance(action, Notice):
                log(action.text)

    def _write(self, records: list[Record]) -> None:
        try:
            if not self._behind:
                self._journal.append(records)
                return
        except OSError as error:
            # Jobs are more important than our memory of them: go on, and write all of it once there is
            # room.
            log(f"the journal cannot be written: {error.strerror or error}; a restart now would forget")
            self._behind = True
        # The whole memory is written as soon as that is possible; it holds no news, and a disk that is full
        # is news itself.
        self._untold = [*self._untold, *news_in(records)][-_MOST_UNTOLD:]

    def _rewrite(self) -> None:
        try:
            self._journal.rewrite(chain(self._engine.memory.records(), self._untold))
        except OSError:
            self._behind = True
        else:
            if self._behind:
                log("the journal is complete again")
            self._behind = False
            self._untold = []

    def _watch(self) -> None:
        """Tell the waiter which sockets matter now, and only what changed."""
        wanted = self._control.interests()
        wanted[self._launcher.fileno()] = self._launcher.wants_write
        for fd in self._watched.keys() - wanted.keys():
            self._waiter.forget(fd)
        for fd, writing in wanted.items():
            if self._watched.get(fd) is not writing:
                self._waiter.watch(fd, writing=writing)
        self._watched = wanted
