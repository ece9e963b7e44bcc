"""The verbs that ask a daemon about its jobs and order runs: list, run, stop.

Owns how they are worded and shown. Knows nothing of sockets (crond.cli.client) or of the wire's
JSON (crond.cli.answers); crond.cli.main loads it when one of the verbs is used.
"""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from typing import Any

import click

from crond.cli.answers import (
    JobSeen,
    RunSeen,
    list_of,
    read_job,
    read_run,
    run_at,
)
from crond.cli.client import SCHEDULER, Connection, Place, Reply, ask_once, find_place
from crond.cli.completion import jobs, jobs_and_runs
from crond.cli.describe import OUTCOME, brief, exit_status, standing
from crond.cli.failure import Failure, Status
from crond.cli.format import Cell, Column, printable, show_table
from crond.cli.options import json_option, show_json
from crond.cli.recorded import ask_briefly
from crond.cli.times import shown

#: How long (seconds) the history is waited for.
_PATIENCE = 2.0


@click.command("list", short_help="List the jobs of a running daemon.")
@json_option
@click.pass_obj
def list_jobs(state: str | None, *, as_json: bool) -> None:
    """List your jobs (root: everybody's): when each is due next and how its last run ended.

    What the scheduler no longer remembers of a last run, the history tells.
    """
    place = find_place(state)
    body = ask_once(place, "list")
    jobs = list_of(body, "jobs", read_job)
    if any(job.last is None and not job.running for job in jobs):
        jobs = _recall(place, body, jobs)
    if as_json:
        show_json(body)
        return
    if not jobs:
        click.echo("No jobs.", err=True)
    now = datetime.now(UTC)
    show_table(
        [
            Column("JOB", True),
            Column("NEXT"),
            Column("LAST", True, OUTCOME),
            Column("SCHEDULE", True),
            Column("COMMAND", True),
        ],
        [_job_row(job, now) for job in jobs],
    )
    troubled = [job for job in jobs if job.problems]
    if troubled:
        click.echo(f"{len(troubled)} of these have problems: crontabx status", err=True)


def _recall(place: Place, body: dict[str, Any], jobs: list[JobSeen]) -> list[JobSeen]:
    """Return the jobs, with the last runs that only the history knows, which are put into `body` too."""
    answer = ask_briefly(place, "jobs", _PATIENCE)
    if answer is None:
        return jobs
    held = {job.get("job"): job.get("last") for job in list_of(answer, "jobs", dict)}
    for job in body["jobs"]:
        if job.get("last") is None:
            last = held.get(job.get("job"))
            # What has not ended is nobody's last run yet.
            job["last"] = last if isinstance(last, dict) and last.get("outcome") else None
    return list_of(body, "jobs", read_job)


def _job_row(job: JobSeen, now: datetime) -> list[Cell]:
    if job.running:
        last = brief(job.running[0], now)
        if len(job.running) > 1:
            last = Cell(f"{len(job.running)} running", last.colour)
    else:
        last = brief(job.last, now) if job.last else Cell("-")
    command = f"{job.options} {job.command}" if job.options else job.command
    return [Cell(job.name), Cell(shown(job.next)), last, Cell(job.schedule), Cell(command)]


@click.command(short_help="Start a run of a job now.")
@click.argument("job", shell_complete=jobs)
@click.option("-w", "--wait", is_flag=True, help="Wait for its end; exit as the job did.")
@json_option
@click.pass_context
def run(context: click.Context, *, job: str, wait: bool, as_json: bool) -> None:
    """Start a run of JOB now, beside its schedule.

    JOB is a name, owner/name, or the unambiguous beginning of one. With --wait the exit status is the job's
    own, 128+N if signal N ended it, 125 if its process could not be made.
    """
    with Connection(find_place(context.obj), SCHEDULER) as scheduler:
        reply = scheduler.ask("run", job=job, wait="yes" if wait else "no")
        seen = run_at(reply.body, "run")
        if wait and not reply.final:
            reply = _awaited(scheduler, seen, quiet=as_json)
            seen = run_at(reply.body, "run")
    if as_json:
        show_json(reply.body)
    elif wait:
        click.echo(f"{seen.job}: run {seen.id}: {standing(seen, datetime.now(UTC)).text}", err=True)
    else:
        click.echo(f"{seen.job}: run {seen.id} {'ended' if seen.ended else 'started'}")
    if wait or seen.ended:
        context.exit(exit_status(seen))


def _awaited(scheduler: Connection, seen: RunSeen, *, quiet: bool) -> Reply:
    # Ctrl-C ends the waiting only: the job is a child of the daemon, and whoever waits should know it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if not quiet:
            click.echo(f"{seen.job}: run {seen.id} started", err=True)
        return scheduler.wait()
    except KeyboardInterrupt:
        raise Failure(
            f"{seen.job}: run {seen.id} goes on; to end it: crontabx stop {seen.id}",
            Status.INTERRUPTED,
        ) from None
    finally:
        signal.signal(signal.SIGINT, before)


@click.command(short_help="Stop what runs of a job, or one run.")
@click.argument("target", metavar="JOB|RUN|ATTEMPT", shell_complete=jobs_and_runs)
@json_option
@click.pass_obj
def stop(state: str | None, *, target: str, as_json: bool) -> None:
    """Stop every run of a job, one run, or one attempt (RUN.N), with all processes that it started.

    They get TERM, and KILL if they do not end. Returns at once; exit status 1 if nothing was running.
    """
    body = ask_once(find_place(state), "stop", target=target)
    runs = list_of(body, "stopping", read_run)
    if as_json:
        show_json(body)
    for seen in () if as_json else runs:
        process = "" if seen.pid is None else f" (pid {seen.pid})"
        click.echo(f"{seen.job}: stopping run {seen.id}{process}")
    if not runs:
        raise Failure(f"nothing of '{printable(target)}' is running")
