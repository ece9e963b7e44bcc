"""The verb `logs`: which attempt is meant, and its output from the launcher's descriptor.

The scheduler knows runs, the recorder those of long ago, the launcher holds outputs: one question to each.
A terminal never gets a control character of a job's output unless --raw asks for it. Loaded by main.
"""

from __future__ import annotations

import codecs
import json
import os
import sys
from datetime import UTC, datetime
from typing import BinaryIO, Protocol

import click

from crond.cli.answers import BadAnswer, RunSeen, list_of, number_of, read_run, run_at
from crond.cli.client import LAUNCHER, RECORDER, Connection, Place, Refused, Reply, ask_once, find_place
from crond.cli.completion import jobs_and_runs
from crond.cli.describe import standing
from crond.cli.failure import Failure, Status
from crond.cli.format import printable
from crond.cli.options import json_option
from crond.cli.times import shown
from crond.launcher.holes import left_out, pieces
from crond.model.messages import attempt_key, is_attempt_key
from crond.model.status import exit_of

_FAILURES = ("failed", "timed_out", "could_not_start", "lost")
#: How often a growing output is looked at, in seconds.
_PERIOD = 0.1


class Sink(Protocol):
    """Where output goes, and in which dress."""

    def write(self, data: bytes) -> None: ...

    def leave_out(self, count: int) -> None:
        """Say that `count` bytes are missing here."""
        ...

    def close(self) -> None: ...


class RawSink:
    """The very bytes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._last = b"\n"

    def write(self, data: bytes) -> None:
        self._last = data[-1:] or self._last
        self._stream.write(data)
        self._stream.flush()

    def leave_out(self, count: int) -> None:
        """Put a line of its own in the place of the bytes."""
        self.write((b"" if self._last == b"\n" else b"\n") + left_out(count))

    def close(self) -> None:
        self._stream.flush()


class VisibleSink:
    """For a terminal: line feeds and tabs work, every other control character is shown."""

    def __init__(self) -> None:
        self._decoder: codecs.IncrementalDecoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._last = "\n"

    def write(self, data: bytes, final: bool = False) -> None:
        text = self._decoder.decode(data, final)
        self._last = text[-1:] or self._last
        click.echo(printable(text, keep="\n\t"), nl=False)

    def leave_out(self, count: int) -> None:
        """Put a line of its own in the place of the bytes."""
        self.write(b"", final=True)
        self.write((b"" if self._last == "\n" else b"\n") + left_out(count))

    def close(self) -> None:
        self.write(b"", final=True)


class JsonSink:
    """One JSON object whose `output` is written as it comes: outputs may be larger than memory."""

    def __init__(self, head: dict[str, object]) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._left_out = 0
        self._last = "\n"
        click.echo(json.dumps(head)[:-1] + ', "output": "', nl=False)

    def write(self, data: bytes, final: bool = False) -> None:
        text = self._decoder.decode(data, final)
        self._last = text[-1:] or self._last
        click.echo(json.dumps(text)[1:-1], nl=False)

    def leave_out(self, count: int) -> None:
        """Put a line of its own in the place of the bytes, and count them."""
        self._left_out += count
        self.write(b"", final=True)
        self.write((b"" if self._last == "\n" else b"\n") + left_out(count))

    def close(self) -> None:
        self.write(b"", final=True)

    def end(self, exit_code: int | None, signal: int | None, running: bool) -> None:
        """Finish the object with what is known once the output was read."""
        tail = json.dumps(
            {"left_out": self._left_out, "running": running, "exit_code": exit_code, "signal": signal}
        )
        click.echo('", ' + tail[1:])


@click.command(short_help="Show the output of a run.")
@click.argument("target", metavar="[JOB|RUN|ATTEMPT]", required=False, shell_complete=jobs_and_runs)
@click.option("-f", "--follow", is_flag=True, help="Go on while it runs, until it ends.")
@click.option(
    "--attempt", type=click.IntRange(min=1), metavar="N", help="The Nth attempt of the run, not the last."
)
@click.option("--failed", is_flag=True, help="The latest run that failed, not the latest of all.")
@click.option("--raw", is_flag=True, help="Let control characters through to the terminal.")
@json_option
@click.pass_obj
def logs(
    state: str | None,
    *,
    target: str | None,
    follow: bool,
    attempt: int | None,
    failed: bool,
    raw: bool,
    as_json: bool,
) -> None:
    """Show what a run wrote: of a job's latest run, of the run or attempt (RUN.N) that is named, or of your
    latest run of all.

    To a terminal, control characters are shown as ^X; anywhere else the output comes as it is. Where an
    output was larger than the settings allow, a line says how much of its middle was left out.
    """
    place = find_place(state)
    key, run = (find_failed if failed else find_attempt)(place, target, attempt)
    with Connection(place, LAUNCHER) as launcher:
        reply = _ask_output(launcher, key, run)
        if as_json:
            job = run.job if run else None
            sink: Sink = JsonSink({"attempt": key, "run": key.rpartition(".")[0], "job": job})
        elif sys.stdout.isatty():
            _show_heading(key, run)
            sink = RawSink(sys.stdout.buffer) if raw else VisibleSink()
        else:
            sink = RawSink(sys.stdout.buffer)
        last = _copy(launcher, reply, sink, follow=follow)
    if isinstance(sink, JsonSink):
        code, signal = _exit_of(last)
        sink.end(code, signal, last.body.get("running") is True)


def find_failed(place: Place, target: str | None, number: int | None) -> tuple[str, RunSeen | None]:
    """As `find_attempt`, for the latest run of the job `target` (None: of all) that failed."""
    try:
        known = _ask_runs(place, job=target)
    except Refused as refusal:
        if refusal.code != "unknown":
            raise
        known = []
    runs = [run for run in known if run.outcome in _FAILURES]
    # The scheduler remembers a few runs of each job; the last failure may be longer ago.
    if not any(run.attempt for run in runs):
        runs = _from_history(place, job=target, failed="yes") or runs
    whose = "yours" if target is None else f"'{printable(target)}'"
    return _of_latest(runs, f"{whose} that failed", number)


def find_attempt(place: Place, target: str | None, number: int | None) -> tuple[str, RunSeen | None]:
    """Return the key of the attempt that is meant, and its run where scheduler or recorder know it."""
    try:
        return _find(place, target, number)
    except Refused as refusal:
        if refusal.code != "unknown" or target is None:
            raise
        # Outputs are kept longer than the scheduler remembers their runs, and jobs leave their tables.
        runs = _from_history(place, job=target) or _from_history(place, run=target)
        if not runs:
            raise
        return _of_latest(runs, f"'{printable(target)}'", number)


def _from_history(place: Place, *, run: str | None = None, **asked: str | None) -> list[RunSeen]:
    """Ask the recorder for a run, or for runs, newest first; nothing if it cannot say."""
    try:
        with Connection(place, RECORDER) as recorder:
            if run is not None:
                return [run_at(recorder.ask("show", run=run).body, "run")]
            return list_of(recorder.ask("history", count="50", **asked).body, "runs", read_run)
    except Failure:
        return []  # what the scheduler said stands


def _find(place: Place, target: str | None, number: int | None) -> tuple[str, RunSeen | None]:
    if target is None:
        return _of_latest(_ask_runs(place), "yours", number)
    shown_target = f"'{printable(target)}'"
    try:
        return _of_latest(_ask_runs(place, job=target), shown_target, number)
    except Refused as refusal:
        if refusal.code != "unknown" or "/" in target:
            raise
    except Failure as failure:
        # The launcher answers even while there is no scheduler.
        if failure.exit_code != Status.UNREACHABLE or not is_attempt_key(target):
            raise
        return target, None
    # A job may be called "a.1" too, so the key of an attempt is what is left when no job fits.
    if not is_attempt_key(target):
        return _of_latest(_ask_runs(place, run=target), shown_target, number)
    return _of_key(place, target, number)


def _of_key(place: Place, key: str, number: int | None) -> tuple[str, RunSeen | None]:
    """The attempt KEY itself, whether or not the scheduler still remembers its run."""
    run, _, named = key.rpartition(".")
    if number is not None and number != int(named):
        raise Failure(f"{key} is attempt {int(named)}, and --attempt says {number}", Status.USAGE)
    try:
        found = _ask_runs(place, run=run)
    except Refused as refusal:
        if refusal.code != "unknown":
            raise
        return key, None
    return (attempt_key(found[0].id, int(named)), found[0]) if found else (key, None)


def _ask_runs(place: Place, *, job: str | None = None, run: str | None = None) -> list[RunSeen]:
    """Ask the scheduler for runs, newest first: of a job, by the beginning of an id, or all."""
    return list_of(ask_once(place, "runs", job=job, run=run, count="50"), "runs", read_run)


def _of_latest(runs: list[RunSeen], whose: str, number: int | None) -> tuple[str, RunSeen]:
    """The attempt `number` (None: the last) of the latest run that has started."""
    run = next((run for run in runs if run.attempt), None)
    if run is None or run.attempt is None:
        if not runs:
            raise Failure(f"no run of {whose} is remembered", Status.UNKNOWN)
        told = standing(runs[0], datetime.now(UTC)).text
        raise Failure(f"no run of {whose} has started yet; the latest, {runs[0].id}: {told}", Status.UNKNOWN)
    if number is None:
        return run.attempt, run
    if number > run.attempts:
        count = "1 attempt" if run.attempts == 1 else f"{run.attempts} attempts"
        raise Failure(f"run {run.id} of {run.job} has had {count}, not {number}", Status.UNKNOWN)
    return attempt_key(run.id, number), run


def _ask_output(launcher: Connection, key: str, run: RunSeen | None) -> Reply:
    try:
        return launcher.ask("logs", attempt=key)
    except Refused as refusal:
        if refusal.code != "unknown":
            raise
        told = f"; {run.job}: {standing(run, datetime.now(UTC)).text}" if run else ""
        raise Failure(f"no output of attempt {printable(key)} is kept{told}", Status.UNKNOWN) from None


def _show_heading(key: str, run: RunSeen | None) -> None:
    """Say on a terminal what is shown, on stderr: it is no part of the output."""
    text = f"attempt {key}"
    if run is not None:
        text = f"{run.job}, {text}, {shown(run.started_at)}: {standing(run, datetime.now(UTC)).text}"
    click.echo(f"==> {text}", err=True)


def _copy(launcher: Connection, reply: Reply, sink: Sink, *, follow: bool) -> Reply:
    """Copy the output to `sink`, to the attempt's end if `follow`; return the last answer."""
    held = reply.descriptor
    offset = _drain(held, 0, sink)
    while follow and not reply.final:
        reply = launcher.poll(_PERIOD) or reply
        # Once more after the last answer: what was written before the end may have come since.
        offset = _drain(held, offset, sink)
    sink.close()
    return reply


def _drain(descriptor: int | None, offset: int, sink: Sink) -> int:
    """Copy what is there from `offset` on; return where that ended."""
    # What grows while it is read is read up to the size seen first: without -f the end must come.
    if descriptor is None:
        return offset
    for piece in pieces(descriptor, offset, os.fstat(descriptor).st_size):
        if isinstance(piece, int):
            sink.leave_out(piece)
            offset += piece
        else:
            sink.write(piece)
            offset += len(piece)
    return offset


def _exit_of(reply: Reply) -> tuple[int | None, int | None]:
    """Return (exit code, signal) of the raw wait status in `reply`."""
    status = number_of(reply.body, "exit")
    if status is None:
        return None, None
    if not 0 <= status <= 0xFFFF:
        raise BadAnswer("exit is no wait status")
    ended = exit_of(status)
    return ended.code, ended.signal
