"""The verbs that ask a daemon about its jobs and order runs: list, status, run, stop.

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
    NextSeen,
    ProblemSeen,
    RunSeen,
    list_of,
    moment_of,
    read_job,
    read_next,
    read_problem,
    read_run,
    run_at,
    text_of,
)
from crond.cli.client import SCHEDULER, Connection, Place, Reply, ask_once, find_place
from crond.cli.describe import exit_status, standing
from crond.cli.failure import Failure, Status
from crond.cli.format import Cell, Column, duration, printable, show_table, wants_colour
from crond.cli.options import json_option, show_json
from crond.cli.times import shown

#: A scheduler that has planned nothing for this long (seconds) is not keeping up.
_BEHIND = 120


@click.command("list", short_help="List the jobs of a running daemon.")
@json_option
@click.pass_obj
def list_jobs(state: str | None, *, as_json: bool) -> None:
    """List your jobs (root: everybody's): when each is due next and how its last run ended."""
    body = ask_once(find_place(state), "list")
    jobs = list_of(body, "jobs", read_job)
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
            Column("LAST", True),
            Column("SCHEDULE", True),
            Column("COMMAND", True),
        ],
        [_job_row(job, now) for job in jobs],
    )
    troubled = [job for job in jobs if job.problems]
    if troubled:
        click.echo(f"{len(troubled)} of these have problems: crontabx status", err=True)


def _job_row(job: JobSeen, now: datetime) -> list[Cell]:
    if job.running:
        last = standing(job.running[0], now)
        if len(job.running) > 1:
            last = Cell(f"{len(job.running)} running", last.colour)
    else:
        last = standing(job.last, now) if job.last else Cell("-")
    return [Cell(job.name), Cell(shown(job.next)), last, Cell(job.schedule), Cell(job.command)]


@click.command(short_help="Show what runs now, what is next and what is wrong.")
@json_option
@click.pass_obj
def status(state: str | None, *, as_json: bool) -> None:
    """Show what runs now, what is next and what is wrong.

    The exit status is 0 whenever the daemon answers, whatever it has to say.
    """
    place = find_place(state)
    body = ask_once(place, "status")
    running = list_of(body, "running", read_run)
    coming = list_of(body, "next", read_next)
    failed = list_of(body, "failed", read_run)
    problems = list_of(body, "problems", read_problem)
    now = moment_of(body, "now") or datetime.now(UTC)
    opening = _opening(place, body, now)
    if as_json:
        show_json(body)
        return
    click.echo(opening)
    _show_running(running, now)
    _show_coming(coming, now)
    _show_failed(failed, now)
    _show_problems(problems)


def _opening(place: Place, body: dict[str, Any], now: datetime) -> str:
    began, planned = moment_of(body, "started_at"), moment_of(body, "planned_upto")
    text = f"crond at {printable(place.run)}"
    if began is not None:
        text += f", up since {shown(began)} ({duration((now - began).total_seconds())})"
    zone = text_of(body, "zone")
    if zone:
        text += f", zone {zone}"
    if planned is not None and (now - planned).total_seconds() > _BEHIND:
        text += f"\nIt is behind: planned up to {shown(planned)} only."
    return text


def _show_running(runs: list[RunSeen], now: datetime) -> None:
    click.echo("\nRunning" if runs else "\nNothing runs.")
    show_table(
        [Column("JOB", True), Column("RUN"), Column("PID"), Column("STATE", True)],
        [
            [Cell(run.job), Cell(run.id), Cell("-" if run.pid is None else str(run.pid)), standing(run, now)]
            for run in runs
        ],
        indent="  ",
    )


def _show_coming(coming: list[NextSeen], now: datetime) -> None:
    click.echo("\nNext" if coming else "\nNothing is to come.")
    show_table(
        [Column("WHEN"), Column("IN"), Column("JOB", True)],
        [[Cell(shown(n.instant)), Cell(_until(n.instant, now)), Cell(n.job)] for n in coming],
        indent="  ",
    )


def _until(instant: datetime | None, now: datetime) -> str:
    return "-" if instant is None else duration((instant - now).total_seconds())


def _show_failed(runs: list[RunSeen], now: datetime) -> None:
    if not runs:
        return
    click.echo("\nFailed lately")
    show_table(
        [Column("WHEN"), Column("JOB", True), Column("RUN"), Column("OUTCOME", True)],
        [
            [Cell(shown(r.ended_at or r.started_at or r.instant)), Cell(r.job), Cell(r.id), standing(r, now)]
            for r in runs
        ],
        indent="  ",
    )


def _show_problems(problems: list[ProblemSeen]) -> None:
    if not problems:
        return
    colour = wants_colour()
    click.echo("\nProblems")
    for problem in problems:
        place = ":".join(str(part) for part in (problem.origin, problem.line, problem.column) if part)
        word = click.style(problem.severity, fg="red" if problem.severity == "error" else "yellow")
        click.echo(f"  {place}: {word}: {problem.message}", color=colour)
        if problem.hint:
            click.echo(f"    {problem.hint}")


@click.command(short_help="Start a run of a job now.")
@click.argument("job")
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
@click.argument("target", metavar="JOB|RUN|ATTEMPT")
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
