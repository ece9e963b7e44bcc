"""The verbs that look ahead: next and simulate.

Both drive the daemon's own engine under a virtual clock, so what they show is what would happen,
nights of daylight saving included; `next JOB` asks the daemon instead. Loaded by crond.cli.main.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from crond.cli.answers import list_of, read_next, read_pause, read_run
from crond.cli.check import show_problems
from crond.cli.client import ask_once, find_place
from crond.cli.completion import files, files_and_jobs
from crond.cli.describe import pause_words, standing, until_start
from crond.cli.failure import Failure, Status
from crond.cli.format import JOB, Cell, Column, fit, printable, screen_width, show_table
from crond.cli.options import dialect_option, json_option, show_json, system_option, timezone_option
from crond.cli.source import Source, read_source
from crond.cli.times import find_zone, local_zone, parse_moment, shown, utc_text
from crond.model.policy import PLAIN

if TYPE_CHECKING:
    from crond import Start

#: How far `next` looks: 29 February comes every 4 years, and once in a century after 8.
_HORIZON = timedelta(days=366 * 9)
_DAY = timedelta(days=1)


@click.command("next", short_help="Show what comes next, of a file or of the daemon's jobs.")
@click.argument("target", metavar="[FILE|JOB]", required=False, shell_complete=files_and_jobs)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    metavar="N",
    help="How many.",
)
@click.option("--at", metavar="TIME", help="What would come after TIME, not after now (FILE only).")
@timezone_option
@system_option
@dialect_option
@json_option
@click.pass_context
def next_starts(
    context: click.Context,
    *,
    target: str | None,
    count: int,
    at: str | None,
    timezone: str | None,
    system: bool | None,
    dialect: str,
    as_json: bool,
) -> None:
    """Show the next starts of a crontab (- is stdin), of a daemon's job, or of all your jobs.

    What names a file is a FILE and needs no daemon; anything else is a JOB. Of a daemon, what waits already
    is shown first, and of what comes, which jobs it will wait for. TIME is 2026-11-21 or 2026-11-21T07:00,
    with an offset if you like.
    """
    zone = find_zone(timezone)
    if target is not None and is_file(target):
        source = read_source(target, system=system, dialect=dialect)
        context.exit(_next_of_file(source, count, parse_moment(at or "now", zone, "--at"), zone, as_json))
    if at is not None or system is not None:
        raise Failure("--at, --system and --user are for a FILE; a daemon tells what comes now", Status.USAGE)
    body = ask_once(find_place(context.obj), "next", job=target, count=str(count))
    coming = list_of(body, "next", read_next)
    waiting = list_of({"waiting": [], **body}, "waiting", read_run)
    if as_json:
        show_json(body)
        return
    for pause in list_of({"paused": [], **body}, "paused", read_pause):
        click.echo(f"{pause.job} is paused {pause_words(pause)}", err=True)
    if not coming and not waiting:
        click.echo("Nothing is to come.", err=True)
    now = datetime.now(UTC)
    columns = [Column("WHEN"), JOB, Column("SCHEDULE", True), Column("REMARKS", True)]
    rows = [[Cell(shown(run.instant, zone)), Cell(run.job), Cell("-"), standing(run, now)] for run in waiting]
    rows += [
        [Cell(shown(one.instant, zone)), Cell(one.job), Cell(one.schedule), Cell(until_start(one))]
        for one in coming
    ]
    # Most crontabs know nothing of waits.
    plain = all(not row[-1].text for row in rows)
    show_table(columns[:3] if plain else columns, [row[:3] if plain else row for row in rows])


def is_file(target: str) -> bool:
    """True if `target` means a file. What can only be a path is one even if it is not there."""
    return (
        target == "-"
        or target.startswith(("/", "./", "../", "~"))
        or (os.path.exists(target) and not os.path.isdir(target))
    )


def _next_of_file(source: Source, count: int, after: datetime, zone: tzinfo | None, as_json: bool) -> int:
    show_problems(source, err=True)
    found = list(islice(coming_starts(source, after, zone), count))
    if as_json:
        show_json({"next": [_start_body(start) for start in found]})
    elif not found:
        click.echo("Nothing is to come.", err=True)
    else:
        show_table(
            [Column("WHEN"), Column("LINE"), Column("SCHEDULE", True), Column("COMMAND", True)],
            [
                [
                    Cell(shown(start.started_at, zone)),
                    Cell(str(start.entry.line)),
                    Cell(printable(str(start.entry.schedule))),
                    Cell(_words(start)),
                ]
                for start in found
            ],
        )
    return Status.FAILED if source.table.errors else Status.OK


@click.command(short_help="Show what a daemon would start in a span of time.")
@click.argument("file", shell_complete=files)
@click.option(
    "--from", "begin", metavar="TIME", default="now", help="When the daemon comes up; without it, now."
)
@click.option("--until", metavar="TIME", help="The last moment that counts; without it, one day later.")
@timezone_option
@click.option("--seed", type=click.IntRange(min=0), default=0, help="What ~ and RANDOM_DELAY are drawn from.")
@system_option
@dialect_option
@json_option
@click.pass_context
def simulate(  # noqa: PLR0913 - one per option
    context: click.Context,
    *,
    file: str,
    begin: str,
    until: str | None,
    timezone: str | None,
    seed: int,
    system: bool | None,
    dialect: str,
    as_json: bool,
) -> None:
    """Show every start of FILE's entries (- is stdin) from one TIME until another.

    It is the daemon's own engine under a virtual clock, so the nights in which clocks change show what would
    really happen. With --json one object per line, as they come.
    """
    zone = find_zone(timezone)
    start = parse_moment(begin, zone, "--from")
    end = parse_moment(until, zone, "--until") if until is not None else start + _DAY
    if end < start:
        raise Failure(f"--until ({shown(end, zone)}) is before --from ({shown(start, zone)})", Status.USAGE)
    source = read_source(file, system=system, dialect=dialect, seed=seed)
    show_problems(source, err=True)
    width = _moments_width(start, end, zone)
    for one in _starts(source, start, end, zone, seed):
        if as_json:
            show_json(_start_body(one), indent=None)
        else:
            click.echo(_start_line(one, zone, width))
    context.exit(Status.FAILED if source.table.errors else Status.OK)


def coming_starts(source: Source, after: datetime, zone: tzinfo | None) -> Iterator[Start]:
    """Yield what a daemon would start of `source` after that moment, years ahead; no `@reboot`."""
    from crond.model.schedule import Reboot

    everything = _starts(source, after, after + _HORIZON, zone)
    return (start for start in everything if not isinstance(start.entry.schedule, Reboot))


def _starts(
    source: Source, start: datetime, until: datetime, zone: tzinfo | None, seed: int = 0
) -> Iterator[Start]:
    from crond import simulate as simulated

    timezone = local_zone() if zone is None else zone
    return simulated(source.table, start=start, until=until, timezone=timezone, seed=seed)


def _moments_width(start: datetime, end: datetime, zone: tzinfo | None) -> int:
    """How wide the moments of that span are: the zone's letters may be longer in summer."""
    return max(len(shown(start + (end - start) * part / 12, zone)) for part in range(13))


def _start_line(start: Start, zone: tzinfo | None, moments: int) -> str:
    text = f"{shown(start.started_at, zone):<{moments}}  line {start.entry.line:<4} {_words(start)}"
    if (start.started_at - start.instant).total_seconds() >= 60:
        # An annotated entry may also have waited: for its jitter, its parents, a slot.
        why = "made up for" if start.entry.policy is PLAIN else "for"
        text += f"  ({why} {shown(start.instant, zone)})"
    width = screen_width()
    return text if width is None else fit(text, width)


def _words(start: Start) -> str:
    """The command, after the job's name if it has one."""
    name, command = start.entry.name, printable(start.entry.command)
    return f"{printable(name)}: {command}" if name else command


def _start_body(start: Start) -> dict[str, Any]:
    entry = start.entry
    return {
        "started_at": utc_text(start.started_at),
        "instant": utc_text(start.instant),
        "line": entry.line,
        "name": entry.name,
        "schedule": str(entry.schedule),
        "command": entry.command,
        "user": entry.user,
    }
