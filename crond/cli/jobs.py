"""The verbs that ask a daemon about its jobs and order runs: list, run, stop.

Owns how they are worded and shown. Knows nothing of sockets (crond.cli.client) or of the wire's
JSON (crond.cli.answers); crond.cli.main loads it when one of the verbs is used.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import click

from crond.cli.answers import (
    JobSeen,
    list_of,
    read_job,
    read_run,
)
from crond.cli.client import Place, ask_once, find_place
from crond.cli.completion import jobs, jobs_and_runs
from crond.cli.describe import OUTCOME, brief
from crond.cli.failure import Failure
from crond.cli.format import JOB, Cell, Column, printable, show_table
from crond.cli.options import json_option, show_json
from crond.cli.ordered import order
from crond.cli.recorded import ask_briefly
from crond.cli.times import shown

#: How long (seconds) the history is waited for.
_PATIENCE = 2.0


def _variables(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> str | None:
    """Turn NAME=VALUE words into the JSON object that the scheduler reads."""
    for value in values:
        if "=" not in value[1:]:
            raise click.BadParameter(f"'{printable(value)}' is not NAME=VALUE")
    return json.dumps(dict(value.split("=", 1) for value in values)) if values else None


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
            JOB,
            Column("NEXT"),
            Column("LAST", True, OUTCOME),
            Column("SCHEDULE", True),
            Column("COMMAND", True),
        ],
        [_job_row(job, now) for job in jobs],
    )
    for job in jobs:
        if job.held:
            click.echo(f"{job.name} is held: {job.held}", err=True)
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
    coming = _next(job)
    if job.muted is not None:
        coming = Cell(f"{coming.text}, muted", coming.colour or "yellow")
    return [Cell(job.name), coming, last, Cell(job.schedule), Cell(command)]


def _next(job: JobSeen) -> Cell:
    """When it is due next; what keeps it from that where something does."""
    if job.paused is not None:
        return Cell(
            "paused" if job.paused.until is None else f"paused until {shown(job.paused.until)}", "yellow"
        )
    if job.held:
        return Cell("held", "red")
    return Cell(shown(job.next)) if job.enabled else Cell("not enabled", "yellow")


@click.command(short_help="Start a run of a job now.")
@click.argument("job", shell_complete=jobs)
@click.option(
    "--downstream", is_flag=True, help="And then the jobs that depend on it, each after its parents."
)
@click.option(
    "-e",
    "--env",
    "variables",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_variables,
    help="A variable for this run, one that params= of the job names; may be given more than once.",
)
@click.option("-w", "--wait", is_flag=True, help="Wait for its end; exit as the job did.")
@json_option
@click.pass_context
def run(
    context: click.Context, *, job: str, downstream: bool, variables: str | None, wait: bool, as_json: bool
) -> None:
    """Start a run of JOB now, beside its schedule and whatever it depends on.

    JOB is a name, owner/name, or the unambiguous beginning of one. With --wait the exit status is the job's
    own, 128+N if signal N ended it, 125 if its process could not be made; with --downstream, too, 1 if it
    succeeded and one that follows did not.
    """
    place = find_place(context.obj)
    context.exit(
        order(
            place,
            "run",
            said="started",
            wait=wait,
            as_json=as_json,
            job=job,
            downstream="yes" if downstream else None,
            environment=variables,
        )
    )


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
