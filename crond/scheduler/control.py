"""The control socket: what clients ask of the scheduler, and who may ask what.

One request per connection; a client is known by the credentials that the kernel gives, and by nothing
that it says. Whatever bytes come, the loop neither waits nor breaks. Commands become events of the
engine; questions are answered by `crond.scheduler.views`. Called by the loop.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crond.core.clockwork import Reading
from crond.core.engine import Engine
from crond.core.preview import Preview
from crond.link import Link, LinkClosed, briskly, peer_of
from crond.model.actions import Action, Changed
from crond.model.events import Event, RerunRequested
from crond.model.frames import SMALL_FRAME
from crond.model.job import Job
from crond.model.messages import Answer, Ask, BadMessage
from crond.model.run import Run, State
from crond.scheduler import wishes
from crond.scheduler.metrics import Metrics
from crond.scheduler.refusal import Refusal
from crond.scheduler.shapes import shown
from crond.scheduler.views import Views

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
            if run.id in client.waits_for:
                client.waits_for.remove(run.id)
                client.ordered[run.id] = run
                if not client.waits_for:
                    self._answer(client, _told(client.ordered), final=True)
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
            if ask.verb == "rerun" or ask.verb in wishes.TO_START:
                self._start(client, views, ask.verb, arguments, reading)
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
            key, held = ("muted", views.mute_of) if "mute" in verb else ("paused", views.pause_of)
            before = held(job)
            self._act(reading, wishes.OF_JOBS[verb](job, arguments, client.uid, reading))
            return {"job": job.id, key: held(job), "before": before}
        if verb == "mark":
            run = self._named(views, arguments)
            self._act(reading, wishes.mark(run, arguments, client.uid))
            return {"run": shown(self._engine.memory.runs[run.id]), "before": shown(run)}
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

    def _start(
        self, client: _Client, views: Views, verb: str, arguments: dict[str, str], reading: Reading
    ) -> None:
        """Carry out a wish that makes runs; the first of them is the one that was asked for."""
        if verb == "rerun":
            again = self._named(views, arguments)
            event: Event = wishes.rerun(again, arguments, client.uid)
        else:
            job = self._job(views, arguments.get("job", ""))
            event = wishes.TO_START[verb](job, arguments, client.uid, reading)
        held = self._engine.memory.runs
        # Others may change in the same step: those that give way were on their way before.
        others = {run.id for run in held.values() if run.state is not State.FINISHED}
        actions = self._act(reading, event)
        made = {action.run.id: action.run for action in actions if isinstance(action, Changed)}
        first = event.run if isinstance(event, RerunRequested) else None
        ordered = [run for run in made.values() if run.id not in others]
        ordered.sort(key=lambda run: run.id != first if first else bool(run.follows))
        client.ordered = {run.id: run for run in ordered}
        if arguments.get("wait") == "yes":
            client.waits_for = {run.id for run in ordered if run.state is not State.FINISHED}
        self._answer(client, _told(client.ordered), final=not client.waits_for)

    def _named(self, views: Views, arguments: dict[str, str]) -> Run:
        """The run that is meant: by its id, by its job, whose newest it is, or by its job and a time in which
        its instant lies.
        """
        text = arguments.get("run", "")
        since, upto = wishes.moment(arguments, "instant"), wishes.moment(arguments, "upto")
        try:
            job = self._job(views, text)
        except Refusal as refusal:
            if since is not None or refusal.code != "unknown":
                raise
            runs = self._runs_named(views, text)
            if not runs:
                raise Refusal(
                    "unknown", f"there is no job {text!r}, and no run of that id is remembered"
                ) from None
            return runs[0]
        found = views.newest(job, since, upto)
        if found is None:
            when = "" if since is None else " of that time"
            raise Refusal("forgotten", f"no run{when} of {job.id} is remembered by the scheduler")
        return found

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
