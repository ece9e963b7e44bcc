"""The control socket: what clients ask of the scheduler, and who they are.

One request per connection; a client is known by the credentials that the kernel gives, and by nothing
that it says. Whatever bytes come, the loop neither waits nor breaks. What a request means is told by
`crond.scheduler.verbs`; what it wants goes to the engine. Called by the loop.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from crond.core.clockwork import Reading
from crond.core.engine import Engine
from crond.core.preview import Preview
from crond.link import Link, LinkClosed, briskly, peer_of
from crond.model.actions import Action
from crond.model.frames import SMALL_FRAME
from crond.model.messages import Answer, Ask, BadMessage
from crond.model.run import Run, State
from crond.scheduler.log import log
from crond.scheduler.metrics import Metrics
from crond.scheduler.refusal import Refusal
from crond.scheduler.shapes import shown
from crond.scheduler.verbs import Answered, Ordered, Verbs

T = TypeVar("T")

_MOST_CLIENTS = 64
#: Of one user, so that none of them keeps the others out; root and our own account are let in regardless.
_CLIENTS_EACH = 16
#: Seconds in which a client must have said what it wants.
_PATIENCE = 5.0
#: Bytes that may wait for a client that does not read.
_BACKLOG = 64 * 1024 * 1024


@dataclass(slots=True)
class _Client:
    link: Link
    uid: int
    since: float  #: monotonic
    waits_for: set[str] = field(default_factory=set)  #: the runs whose end it wants to hear of
    ordered: dict[str, Run] = field(default_factory=dict)  #: the runs that it asked for, as they stand
    answered: bool = False


class Control:
    """All clients of the scheduler. `act` hands events to the engine and carries out what follows."""

    def __init__(
        self,
        listening: socket.socket,
        engine: Engine,
        *,
        preview: Callable[[Reading], Preview],
        act: Callable[..., list[Action]],
    ) -> None:
        listening.setblocking(False)
        self._listening = listening
        self._act = act
        self._metrics = Metrics(engine)
        self._verbs = Verbs(engine, self._metrics, preview)
        self._clients: dict[int, _Client] = {}

    def fileno(self) -> int:
        return self._listening.fileno()

    def interests(self) -> dict[int, bool]:
        """The clients' descriptors, and whether each has something to be written."""
        return {fd: client.link.wants_write for fd, client in self._clients.items()}

    def accept(self, reading: Reading) -> None:
        """Take in a client that knocked."""
        try:
            sock, _ = self._listening.accept()
        except OSError:
            return  # it went away again
        uid = peer_of(sock).uid
        if self._is_full_for(uid):
            with briskly():
                sock.close()
            return
        link = Link(sock, expected=(Ask,), receive_limit=SMALL_FRAME, backlog_limit=_BACKLOG)
        self._clients[sock.fileno()] = _Client(link, uid, reading.mono)

    def _is_full_for(self, uid: int) -> bool:
        same = sum(client.uid == uid for client in self._clients.values())
        if uid in (0, os.geteuid()):
            return same >= _MOST_CLIENTS
        return len(self._clients) >= _MOST_CLIENTS or same >= _CLIENTS_EACH

    def ready(self, fd: int, reading: Reading) -> None:
        """A client said something, can be written to, or is gone."""
        client = self._clients[fd]
        try:
            client.link.flush()
            asks = client.link.receive()
        except (LinkClosed, BadMessage):
            self._close(client)
            return
        for ask in asks:
            if client.answered:
                self._close(client)  # one request per connection
                return
            client.answered = True
            self._serve(client, ask, reading)
        self._close_if_done(client)

    def deadline(self, reading: Reading) -> float:
        """Return in how many seconds a client will have been silent for too long; infinite if none is."""
        silent = [client.since for client in self._clients.values() if not client.answered]
        return min(silent) + _PATIENCE - reading.mono if silent else float("inf")

    def drop_silent(self, reading: Reading) -> None:
        """Close the connections of clients that never said what they want."""
        for client in list(self._clients.values()):
            if not client.answered and reading.mono - client.since >= _PATIENCE:
                self._close(client)

    def changed(self, run: Run) -> None:
        """Count `run`, and tell those who wait for it that it has ended."""
        self._metrics.changed(run)
        if run.state is not State.FINISHED:
            return
        for client in list(self._clients.values()):
            if run.id in client.waits_for:
                client.waits_for.remove(run.id)
                client.ordered[run.id] = run
                if not client.waits_for:
                    self._refusing(client, "wait", partial(self._tell_end, client))
                    self._close_if_done(client)

    # --- requests ----------------------------------------------------------------------------------------

    def _serve(self, client: _Client, ask: Ask, reading: Reading) -> None:
        asked = self._refusing(client, ask.verb, lambda: self._verbs.understood(ask, client.uid, reading))
        if asked is None:
            return
        # Nothing is refused here: a step that broke off half-way ends this life, and the next one begins with
        # what the journal has.
        actions = self._act(reading, *asked.events) if asked.events else []
        self._refusing(client, ask.verb, lambda: self._tell(client, asked, actions))

    def _refusing(self, client: _Client, verb: str, do: Callable[[], T]) -> T | None:
        """Return what `do` does; whatever goes wrong with it is a refusal to `client`, who alone is to suffer
        from it. It must change nothing but clients.
        """
        try:
            return do()
        except Refusal as refusal:
            self._refuse(client, refusal)
        except Exception as error:  # noqa: BLE001 - a question must not end everybody's scheduler
            log(f"{verb!r}, asked by uid {client.uid}: {error!r}")
            self._refuse(client, Refusal("internal", "an error of crond itself; it is in the log"))
        return None

    def _tell(self, client: _Client, asked: Answered | Ordered, actions: list[Action]) -> None:
        if isinstance(asked, Ordered):
            self._take(client, asked.runs(actions), waits=asked.waits)
        else:
            self._answer(client, asked.body(actions), final=True)

    def _take(self, client: _Client, runs: list[Run], *, waits: bool) -> None:
        """Tell `client` of the runs that it made, and remember whose end it wants to hear of."""
        client.ordered = {run.id: run for run in runs}
        if waits:
            client.waits_for = {run.id for run in runs if run.state is not State.FINISHED}
        self._answer(client, _told(client.ordered), final=not client.waits_for)

    def _tell_end(self, client: _Client) -> None:
        self._answer(client, _told(client.ordered), final=True)

    # --- replies -----------------------------------------------------------------------------------------

    def _refuse(self, client: _Client, refusal: Refusal) -> None:
        body: dict[str, Any] = {"error": str(refusal), "code": refusal.code}
        if refusal.candidates:
            body["candidates"] = refusal.candidates
        self._answer(client, body, final=True, ok=False)

    def _answer(self, client: _Client, body: dict[str, Any], *, final: bool, ok: bool = True) -> None:
        try:
            client.link.send(Answer(ok, final, json.dumps(body)))
        except LinkClosed:
            self._close(client)

    def _close_if_done(self, client: _Client) -> None:
        if client.answered and not client.waits_for and not client.link.wants_write:
            self._close(client)

    def _close(self, client: _Client) -> None:
        fd = client.link.fileno()
        if fd >= 0:
            self._clients.pop(fd, None)
            client.link.close()


def _told(runs: Mapping[str, Run]) -> dict[str, Any]:
    """The runs that a wish made; `run` is the one that was asked for, the others follow it."""
    told = [shown(run) for run in runs.values()]
    return {"run": told[0], "runs": told}
