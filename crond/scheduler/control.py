"""The control socket: what clients ask of the scheduler, and who may ask what.

One request per connection; a client is known by the credentials that the kernel gives, and by nothing
that it says. Whatever bytes come, the loop neither waits nor breaks. Commands become events of the
engine; questions are answered by `crond.scheduler.views`. Called by the loop.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crond.core.clockwork import Reading
from crond.core.engine import Engine
from crond.core.preview import Preview
from crond.link import Link, LinkClosed, briskly, peer_of
from crond.model.actions import Action, Changed
from crond.model.events import Event
from crond.model.frames import SMALL_FRAME
from crond.model.job import Job
from crond.model.messages import Answer, Ask, BadMessage
from crond.model.run import Run, State
from crond.scheduler import wishes
from crond.scheduler.metrics import Metrics
from crond.scheduler.refusal import Refusal
from crond.scheduler.views import Views, shown

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
    waits_for: str | None = None  #: the run whose end it wants to hear of
    answered: bool = False


class Control:
    """All clients of the scheduler. `act` hands an event to the engine and carries out what follows."""

    def __init__(
        self,
        listening: socket.socket,
        engine: Engine,
        *,
        preview: Callable[[Reading], Preview],
        act: Callable[[Reading, Event], list[Action]],
    ) -> None:
        listening.setblocking(False)
        self._listening = listening
        self._engine = engine
        self._preview = preview
        self._act = act
        self._metrics = Metrics(engine)
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
            for ask in client.link.receive():
                if client.answered:
                    raise BadMessage("one request per connection")
                client.answered = True
                self._serve(client, ask, reading)
        except (LinkClosed, BadMessage):
            self._close(client)
        else:
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
            if client.waits_for == run.id:
                client.waits_for = None
                self._answer(client, {"run": shown(run)}, final=True)
                self._close_if_done(client)

    # --- requests ----------------------------------------------------------------------------------------

    def _serve(self, client: _Client, ask: Ask, reading: Reading) -> None:
        arguments = dict(ask.arguments)
        try:
            views = Views(
                self._engine,
                _from_moment(self._preview(reading), arguments),
                uid=client.uid,
                everything=client.uid in (0, os.geteuid()),
                wall=reading.wall,
            )
            if ask.verb == "run":
                self._run(client, views, arguments, reading)
            else:
                self._answer(client, self._body(client, views, ask.verb, arguments, reading), final=True)
        except Refusal as refusal:
            body: dict[str, Any] = {"error": str(refusal), "code": refusal.code}
            if refusal.candidates:
                body["candidates"] = refusal.candidates
            self._answer(client, body, final=True, ok=False)

    def _body(
        self, client: _Client, views: Views, verb: str, arguments: dict[str, str], reading: Reading
    ) -> dict[str, Any]:
        if verb == "list":
            return views.job_list([self._job(views, arguments["job"])] if "job" in arguments else None)
        if verb == "names":
            return {"names": [job.id for job in views.jobs()]}
        if verb == "job":
            job = self._job(views, arguments.get("job", ""))
            return {"job": job.id, "table": job.version, "entry": job.index}
        if verb == "status":
            return views.status()
        if verb == "next":
            jobs = [self._job(views, arguments["job"])] if "job" in arguments else []
            return views.next_dues(jobs, _count(arguments))
        if verb == "runs":
            return {"runs": [shown(run) for run in self._runs(views, arguments)[: _count(arguments)]]}
        if verb == "stop":
            return self._stop(client, views, arguments, reading)
        if verb in wishes.OF_JOBS:
            job = self._job(views, arguments.get("job", ""))
            return self._carry_out(wishes.OF_JOBS[verb](job, arguments, client.uid, reading), reading)
        if verb in wishes.OF_RUNS:
            run = self._runs(views, {"run": arguments.get("run", "")})[0]
            return self._carry_out(wishes.OF_RUNS[verb](run, arguments, client.uid), reading)
        if verb == "unsettled":
            return views.unsettled()
        if verb == "graph":
            return views.graph([self._job(views, arguments["job"])] if "job" in arguments else [])
        if verb == "standing":
            return views.standing(
                self._job(views, arguments.get("job", "")), wishes.moment(arguments, "instant")
            )
        if verb == "instants":
            job = self._job(views, arguments.get("job", ""))
            return views.instants(job, wishes.moment(arguments, "from"), wishes.moment(arguments, "to"))
        if verb == "metrics":
            return {"text": views.measured(self._metrics)}
        raise Refusal("bad_request", f"the scheduler knows no {verb!r}")

    def _carry_out(self, event: Event, reading: Reading) -> dict[str, Any]:
        """Let the engine take `event`; return the runs that it changed, as they are now."""
        actions = self._act(reading, event)
        changed = dict.fromkeys(action.run.id for action in actions if isinstance(action, Changed))
        held = self._engine.memory.runs
        return {"runs": [shown(held[run]) for run in changed if run in held]}

    def _run(self, client: _Client, views: Views, arguments: dict[str, str], reading: Reading) -> None:
        job = self._job(views, arguments.get("job", ""))
        actions = self._act(reading, wishes.run(job, arguments, client.uid))
        first = next(
            action.run for action in actions if isinstance(action, Changed) and action.run.job == job.id
        )
        # It may have ended in the same step.
        run = self._engine.memory.runs.get(first.id, first)
        waits = arguments.get("wait") == "yes" and run.state is not State.FINISHED
        if waits:
            client.waits_for = run.id
        self._answer(client, {"run": shown(run)}, final=not waits)

    def _stop(
        self, client: _Client, views: Views, arguments: dict[str, str], reading: Reading
    ) -> dict[str, Any]:
        runs = self._targets(views, arguments.get("target", ""))
        active = [run for run in runs if run.state is not State.FINISHED]
        for run in active:
            self._act(reading, wishes.stop(run, client.uid))
        held = self._engine.memory.runs
        return {"stopping": [shown(held[run.id]) for run in active]}

    def _runs(self, views: Views, arguments: dict[str, str]) -> list[Run]:
        if "run" in arguments:
            runs = self._runs_named(views, arguments["run"])
            if not runs:
                raise Refusal("unknown", f"no run {arguments['run']!r} is remembered")
            return runs
        if "job" in arguments:
            return self._runs_of(views, self._job(views, arguments["job"]))
        return views.runs()

    def _targets(self, views: Views, text: str) -> list[Run]:
        """The runs that `text` means: those of a job, else one by its id. A job's name goes first."""
        try:
            return self._runs_of(views, self._job(views, text))
        except Refusal as refusal:
            runs = self._runs_named(views, text) if refusal.code == "unknown" else []
            if not runs:
                raise
            return runs

    def _runs_named(self, views: Views, text: str) -> list[Run]:
        """The run whose id, or the id of whose attempt, `text` is or begins; none if there is no such run."""
        identity = text.partition(".")[0]
        runs = [run for run in views.runs() if len(identity) >= 4 and run.id.startswith(identity)]
        if len(runs) > 1:
            raise Refusal("ambiguous", f"{text!r} may be {len(runs)} runs", [run.id for run in runs[:20]])
        return runs

    def _runs_of(self, views: Views, job: Job) -> list[Run]:
        return [run for run in views.runs() if run.job == job.id]

    def _job(self, views: Views, text: str) -> Job:
        """The job that `text` names: OWNER/NAME, NAME, or the beginning of either."""
        jobs = views.jobs()
        for matches in (
            [job for job in jobs if job.id == text],
            [job for job in jobs if job.name == text],
            [job for job in jobs if text and (job.id.startswith(text) or job.name.startswith(text))],
        ):
            if len(matches) == 1:
                return matches[0]
            if matches:
                names = sorted(job.id for job in matches)
                raise Refusal("ambiguous", f"{text!r} may be {len(names)} jobs", names[:20])
        raise Refusal("unknown", f"there is no job {text!r}; crontabx list shows those there are")

    # --- replies -----------------------------------------------------------------------------------------

    def _answer(self, client: _Client, body: dict[str, Any], *, final: bool, ok: bool = True) -> None:
        try:
            client.link.send(Answer(ok, final, json.dumps(body)))
        except LinkClosed:
            self._close(client)

    def _close_if_done(self, client: _Client) -> None:
        if client.answered and client.waits_for is None and not client.link.wants_write:
            self._close(client)

    def _close(self, client: _Client) -> None:
        fd = client.link.fileno()
        if fd >= 0:
            self._clients.pop(fd, None)
            client.link.close()


def _from_moment(preview: Preview, arguments: dict[str, str]) -> Preview:
    """Return the look ahead from the moment `after`, whole epoch seconds, where that is asked for."""
    if "after" not in arguments:
        return preview
    text = arguments["after"]
    if not (text.isascii() and text.isdigit() and len(text) <= 11):
        raise Refusal("bad_request", f"after must be epoch seconds, not {text!r}")
    return preview.looking_from(float(text))


def _count(arguments: dict[str, str]) -> int:
    text = arguments.get("count", "20")
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise Refusal("bad_request", f"count must be a number, not {text!r}")
    return int(text)
