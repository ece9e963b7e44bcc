"""Runs that somebody asked for: what is said when they begin, waiting for their end, and the exit status.

Called by the verbs that make runs: run and rerun. Knows nothing of how each is asked for.
"""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from typing import Any

import click

from crond.cli.answers import RunSeen, list_of, read_run, run_at
from crond.cli.client import SCHEDULER, Connection, Place, Reply
from crond.cli.describe import exit_status, is_waiting, standing
from crond.cli.failure import Failure, Status
from crond.cli.options import show_json

#: What a run that only follows may end as without making a failure of the whole.
_NO_FAILURE = ("success", "skipped")


def order(place: Place, verb: str, *, said: str, wait: bool, as_json: bool, **arguments: str | None) -> int:
    """Ask the scheduler for runs by `verb`, tell of them, and return the exit status.

    `said` is what became of the first, such as `started`. With `wait` it returns when all have ended.
    """
    with Connection(place, SCHEDULER) as scheduler:
        reply = scheduler.ask(verb, **arguments, wait="yes" if wait else "no")
        runs = runs_of(reply.body)
        if wait and not reply.final:
            reply = _awaited(scheduler, runs, said=said, quiet=as_json)
            runs = runs_of(reply.body)
    if as_json:
        show_json(reply.body)
    else:
        _tell(runs, said=said, wait=wait)
    return status_of(runs) if wait or runs[0].ended else Status.OK


def runs_of(body: dict[str, Any]) -> list[RunSeen]:
    """Return the runs that an answer tells of, the one that was asked for first."""
    return [run_at(body, "run"), *list_of({"runs": [], **body}, "runs", read_run)[1:]]


def status_of(runs: list[RunSeen]) -> int:
    """Return the first run's own exit status; 1 where that is 0 and one that follows it failed."""
    status = exit_status(runs[0])
    if status == Status.OK and any(run.ended and run.outcome not in _NO_FAILURE for run in runs[1:]):
        return Status.FAILED
    return status


def _tell(runs: list[RunSeen], *, said: str, wait: bool) -> None:
    now = datetime.now(UTC)
    for number, run in enumerate(runs):
        text = standing(run, now).text
        if not wait and number == 0 and not is_waiting(run):
            text = "ended" if run.ended else said
        click.echo(f"{run.job}: run {run.id}{':' if wait else ''} {_is(text)}", err=wait)


def _is(text: str) -> str:
    """`waiting for x` as a sentence goes on."""
    return f"is {text}" if text.startswith("waiting") else text


def _awaited(scheduler: Connection, runs: list[RunSeen], *, said: str, quiet: bool) -> Reply:
    # Ctrl-C ends the waiting only: jobs are children of the daemon, and whoever waits should know it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if not quiet:
            click.echo(f"{runs[0].job}: run {runs[0].id} {said}", err=True)
            for run in runs[1:]:
                click.echo(f"{run.job}: run {run.id} follows", err=True)
        return scheduler.wait()
    except KeyboardInterrupt:
        raise Failure(
            f"{runs[0].job}: run {runs[0].id} goes on; to end it: crontabx stop {runs[0].id}",
            Status.INTERRUPTED,
        ) from None
    finally:
        signal.signal(signal.SIGINT, before)
