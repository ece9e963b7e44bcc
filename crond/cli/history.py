"""The verbs that look at past runs: history and show.

Owns how they are worded and shown. The recorder answers them (crond.cli.recorded), so they work for runs
that the scheduler has forgotten and for jobs that are in no crontab any more. Loaded by crond.cli.main.
"""

from __future__ import annotations

from datetime import UTC, datetime

import click

from crond.cli.answers import RunSeen, list_of, read_run
from crond.cli.client import find_place
from crond.cli.completion import jobs, pipelines, runs_and_jobs
from crond.cli.describe import OUTCOME, account, brief, outcome_colour, signal_name, standing
from crond.cli.failure import Failure, Status
from crond.cli.format import JOB, Cell, Column, duration, fit, screen_width, show_table, size
from crond.cli.instants import show_instants
from crond.cli.missing import advice_on
from crond.cli.options import json_option, show_json
from crond.cli.past import parse_past
from crond.cli.recorded import (
    AttemptSeen,
    ParentSeen,
    RunShown,
    ask_recorder,
    behind,
    read_shown,
    show_lag,
)
from crond.cli.times import epoch, shown, shown_together
from crond.model.run import Outcome

_OUTCOMES = [outcome.value.replace("_", "-") for outcome in Outcome]


@click.command(short_help="Show past runs: the last, the failed, the slowest.")
@click.argument("job", required=False, shell_complete=jobs)
@click.option(
    "--outcome",
    "outcomes",
    type=click.Choice(_OUTCOMES),
    multiple=True,
    help="Only runs that ended so; may be given more than once.",
)
@click.option(
    "--failed",
    is_flag=True,
    help="Only runs that failed, timed out, could not start or were lost, or whose parents failed.",
)
@click.option("--since", metavar="TIME", help="Only runs that began at TIME or later.")
@click.option("--until", metavar="TIME", help="Only runs that began before TIME.")
@click.option(
    "--pipeline",
    metavar="NAME",
    shell_complete=pipelines,
    help="The instants of a pipeline, each with how all of its jobs stood; see graph.",
)
@click.option("--slowest", is_flag=True, help="The longest first, not the newest.")
@click.option(
    "-n",
    "--last",
    "count",
    type=click.IntRange(1, 99999),
    default=20,
    show_default=True,
    metavar="N",
    help="How many.",
)
@json_option
@click.pass_obj
def history(  # noqa: PLR0913 - one per option
    state: str | None,
    *,
    job: str | None,
    outcomes: tuple[str, ...],
    failed: bool,
    since: str | None,
    until: str | None,
    pipeline: str | None,
    slowest: bool,
    count: int,
    as_json: bool,
) -> None:
    """Show the past runs of JOB, or of all your jobs (root: everybody's), the newest first.

    JOB is a name, owner/name, or the unambiguous beginning of one; it may have left its crontab. TIME is
    2026-11-20, 2026-11-20T03:00, yesterday, 'yesterday 03:00', 03:00 (the last one), 2h or 3d (ago).
    """
    if failed and outcomes:
        raise Failure("--failed and --outcome exclude each other", Status.USAGE)
    now = datetime.now(UTC)
    begin, end = _edge(since, now, "--since"), _edge(until, now, "--until")
    if begin is not None and end is not None and end <= begin:
        raise Failure(f"--until ({shown(end)}) is not after --since ({shown(begin)})", Status.USAGE)
    if pipeline is not None:
        if job or failed or outcomes or slowest:
            text = "--pipeline goes with --since, --until and --last alone"
            raise Failure(text, Status.USAGE)
        edges = {"since": epoch(begin), "until": epoch(end)}
        show_instants(find_place(state), pipeline, count, edges, as_json=as_json)
        return
    body = ask_recorder(
        find_place(state),
        "history",
        job=job,
        outcome=",".join(outcomes).replace("-", "_") or None,
        failed="yes" if failed else None,
        since=epoch(begin),
        until=epoch(end),
        slowest="yes" if slowest else None,
        count=str(count),
    )
    runs = list_of(body, "runs", read_run)
    if as_json:
        show_json(body)
        return
    show_runs(runs, now, with_job=job is None)
    if not runs:
        click.echo("No such runs are recorded.", err=True)
    if body.get("more") is True:
        click.echo(f"There are more; to see them: --last {count * 10}", err=True)
    show_lag(behind(body))


def _edge(text: str | None, now: datetime, option: str) -> datetime | None:
    return None if text is None else parse_past(text, now, option)


def show_runs(runs: list[RunSeen], now: datetime, *, with_job: bool, indent: str = "") -> None:
    """Print a table of runs; a run that never started is shown at its instant."""
    title, moments = shown_together("STARTED", [run.started_at or run.instant for run in runs])
    rows = [
        [Cell(run.job), Cell(run.id), Cell(moment), Cell(lasted(run, now)), brief(run, now)]
        for run, moment in zip(runs, moments, strict=True)
    ]
    columns = [
        JOB,
        Column("RUN"),
        Column(title),
        Column("LASTED"),
        Column("OUTCOME", True, OUTCOME),
    ]
    skipped = 0 if with_job else 1
    show_table(columns[skipped:], [row[skipped:] for row in rows], indent=indent)


def lasted(run: RunSeen, now: datetime) -> str:
    """Return how long the latest attempt of `run` took, or takes until now; `-` if it never started."""
    if run.started_at is None:
        return "-"
    if run.duration is not None:
        return duration(run.duration)
    end = now if not run.ended else run.ended_at
    return "-" if end is None else duration((end - run.started_at).total_seconds())


@click.command(short_help="Show all that is known of one run.")
@click.argument("run", metavar="RUN|JOB", shell_complete=runs_and_jobs)
@json_option
@click.pass_obj
def show(state: str | None, *, run: str, as_json: bool) -> None:
    """Show all that is known of RUN, with each of its attempts.

    RUN is the id of a run, its beginning (four letters at least), or the key of an attempt, RUN.N. The name
    of a job stands for its newest run.
    """
    place = find_place(state)
    body = ask_recorder(place, "show", run=run)
    seen = read_shown(body)
    if as_json:
        show_json(body)
        return
    now = datetime.now(UTC)
    standing_now = standing(seen.run, now)
    click.echo(f"Run {seen.run.id} of {seen.run.job}: {standing_now.text}")
    width = screen_width()
    for name, text in _lines(seen, now):
        line = f"  {name:<13}{text}"
        click.echo(line if width is None else fit(line, width))
    if seen.parents:
        click.echo()
        _show_parents(seen)
    # A single start of the command has been told already.
    if len(seen.attempts) > 1 or any(attempt.number < 1 for attempt in seen.attempts):
        click.echo()
        _show_attempts(seen)
    for sentence in advice_on(place, seen.run):
        click.echo(f"  {sentence}" if width is None else click.wrap_text(f"  {sentence}", width, "", "  "))
    show_lag(behind(body))


def _lines(seen: RunShown, now: datetime) -> list[tuple[str, str]]:
    """What is known, as name and text; what is not known is left out."""
    run = seen.run
    lines = [("instant", shown(run.instant)), ("because of", _cause(seen))]
    lines += [("started", f"{shown(run.started_at)}{_lateness(seen)}")] if run.started_at else []
    lines += [("ended", shown(run.ended_at))] if run.ended_at else []
    lines += [("lasted", lasted(run, now))] if run.started_at else []
    who = seen.run_as + (f" on {seen.host}" if seen.host else "")
    lines += [("ran as", who + (f", pid {run.pid}" if run.pid else ""))] if seen.run_as else []
    lines += _use(seen.attempts[-1]) if seen.attempts and seen.attempts[-1].number > 0 else []
    lines += [("pool", run.pool)] if run.pool else []
    lines += _listed("was given", seen.given) + _listed("left", seen.left)
    if seen.crontab is not None:
        version = [f"version {seen.crontab.digest}"] if seen.crontab.digest else []
        since = [f"seen first {shown(seen.crontab.at)}"] if seen.crontab.at else []
        # Two lines: how the version is told is what a narrow screen would cut.
        told = ", ".join([*version, *since])
        lines += _listed("crontab", (seen.crontab.origin, told) if told else (seen.crontab.origin,))
    return lines


def _cause(seen: RunShown) -> str:
    run, who = seen.run, account(seen.by)
    words = {
        "schedule": "its schedule",
        "reboot": "@reboot",
        "manual": f"a request of {who}",
        "backfill": f"a backfill of {who}",
    }
    cause = words.get(run.trigger, run.trigger)
    if run.follows:
        cause += f", after run {run.follows}"
    # Who asked for a scheduled run asked for it again.
    again = seen.again or (run.trigger in ("schedule", "reboot") and seen.by is not None)
    return f"{cause}; run again for {who}" if again else cause


def _listed(name: str, texts: tuple[str, ...]) -> list[tuple[str, str]]:
    """A line for each text, the name before the first."""
    return [(name if number == 0 else "", text) for number, text in enumerate(texts)]


def _lateness(seen: RunShown) -> str:
    run, number = seen.run, max((attempt.number for attempt in seen.attempts), default=1)
    # Only the first attempt is to start at the instant; the table of attempts has when it did.
    if number > 1:
        return f" (attempt {number})"
    if run.started_at is None or run.instant is None or run.trigger != "schedule":
        return ""
    late = (run.started_at - run.instant).total_seconds()
    return f" ({late * 1000:.0f} ms after its instant)" if 0 <= late < 1 else f" ({duration(late)} late)"


def _use(attempt: AttemptSeen) -> list[tuple[str, str]]:
    """What the attempt used, as name and text."""
    lines = []
    if attempt.ended_at is not None and attempt.cpu is not None:
        lines.append(("CPU time", duration(attempt.cpu)))
        if attempt.max_rss:
            lines.append(("most memory", size(attempt.max_rss)))
        lines.append(("disks", f"{size(attempt.read or 0)} read, {size(attempt.written or 0)} written"))
    if attempt.output_size is not None:
        lines.append(("output", size(attempt.output_size) if attempt.output_size else "none"))
    return lines


def _show_parents(seen: RunShown) -> None:
    show_table(
        [Column("PARENT", True), Column("RUN"), Column("STOOD AS", True)],
        [[Cell(parent.job), Cell(parent.run or "-"), _stood(parent)] for parent in seen.parents],
        indent="  ",
    )


def _stood(parent: ParentSeen) -> Cell:
    if not parent.outcome:
        return Cell("not ended yet", "cyan")
    detail = parent.reason or (f"exit status {parent.exit_code}" if parent.exit_code else "")
    return Cell(_words(parent.outcome, detail), outcome_colour(parent.outcome))


def _show_attempts(seen: RunShown) -> None:
    title, moments = shown_together("STARTED", [attempt.started_at for attempt in seen.attempts])
    columns = [
        Column("ATTEMPT"),
        Column("OF"),
        Column(title),
        Column("LASTED"),
        Column("ENDED BY", True),
        Column("OUTPUT"),
    ]
    rows = [
        [
            Cell(f"{seen.run.id}.{attempt.number}"),
            Cell(_part(attempt)),
            Cell(moment),
            Cell("-" if attempt.duration is None else duration(attempt.duration)),
            Cell(_ending(attempt)),
            Cell(size(attempt.output_size or 0)),
        ]
        for attempt, moment in zip(seen.attempts, moments, strict=True)
    ]
    if all(attempt.number > 0 for attempt in seen.attempts):
        columns, rows = [columns[0], *columns[2:]], [[row[0], *row[2:]] for row in rows]
    show_table(columns, rows, indent="  ")


def _part(attempt: AttemptSeen) -> str:
    if attempt.number > 0:
        return "command"
    return f"wait_for, try {-attempt.number}" if attempt.number < 0 else "condition"


def _ending(attempt: AttemptSeen) -> str:
    if attempt.signal:
        how = signal_name(attempt.signal)
    else:
        how = "" if attempt.exit_code is None else f"exit status {attempt.exit_code}"
    if attempt.outcome in _TOLD_BY_STATUS:
        return how or "-"
    return _words(attempt.outcome, how)


#: Of these the exit status says as much.
_TOLD_BY_STATUS = (None, "success", "failed", "skipped")


def _words(outcome: str, detail: str) -> str:
    text = outcome.replace("_", " ")
    return f"{text} ({detail})" if detail else text
