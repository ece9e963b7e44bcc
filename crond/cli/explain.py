"""The verb `explain`: a schedule in words, its next starts, and what of it is cron's own way.

Takes a schedule, a line, a file or a job's name; the words are crond.model's, the starts the engine's. Only a
job's name needs a daemon. Loaded by crond.cli.main.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from itertools import islice
from typing import Any

import click

from crond.cli.answers import list_of, read_job, read_next
from crond.cli.check import show_problems
from crond.cli.client import ask_once, find_place
from crond.cli.completion import files_and_jobs
from crond.cli.failure import Failure, Status
from crond.cli.format import counted, fit, printable, screen_width
from crond.cli.options import dialect_option, json_option, show_json, system_option, timezone_option
from crond.cli.preview import coming_starts, is_file
from crond.cli.source import Source, read_source, source_of
from crond.cli.times import find_zone, shown, utc_text
from crond.model.entry import Entry
from crond.model.schedule import After, Cron, Reboot, Schedule
from crond.model.surprises import surprises_of
from crond.model.wording import never, words_of

#: What a schedule without a command is given, so that it is a line.
_COMMAND = ":"
#: Words of a schedule that is no nickname and has not five fields.
_SPECIAL = {"@every": 2, "@at": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One schedule in words. `title` says which one, where that is not plain; `command` is printable."""

    title: str
    schedule: str
    words: str
    notes: tuple[str, ...]
    coming: tuple[datetime, ...]
    line: int | None = None
    job: str | None = None
    command: str | None = None


@click.command(short_help="Say in words when a schedule is due.")
@click.argument(
    "target", metavar="SCHEDULE|LINE|FILE|JOB", nargs=-1, required=True, shell_complete=files_and_jobs
)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(0, 1000),
    default=3,
    show_default=True,
    metavar="N",
    help="How many starts to show.",
)
@timezone_option
@system_option
@dialect_option
@json_option
@click.pass_context
def explain(
    context: click.Context,
    *,
    target: tuple[str, ...],
    count: int,
    timezone: str | None,
    system: bool | None,
    dialect: str,
    as_json: bool,
) -> None:
    """Say in words when a schedule is due, when that is next, and what about it may surprise.

    It takes a schedule, such as '*/15 9-17 * * 1-5' or @daily, in quotes, since the shell has its own use
    for *; a whole line of a crontab; a FILE (- is stdin), of which each entry is explained; or a JOB of the
    daemon.
    """
    if not "".join(target).strip():
        context.fail("what is to be explained? Give a schedule, a line, a file or a job")
    zone, text, status = find_zone(timezone), " ".join(target), Status.OK
    if len(target) == 1 and is_file(text):
        source = read_source(text, system=system, dialect=dialect)
        show_problems(source, err=True)
        status = Status.FAILED if source.table.errors else Status.OK
        found = [_of_entry(source, entry, count, zone) for entry in source.table.entries]
    elif text.startswith("@") or len(text.split()) > 1:
        try:
            found = [_of_line(text, system=bool(system), dialect=dialect, count=count, zone=zone)]
        except Failure as failure:
            if len(target) == 1:
                raise
            hint = "Without quotes the shell puts names of files in the place of a *."
            raise Failure(f"{failure.message}\n{hint}", Status.USAGE) from None
    else:
        found = [_of_job(context.obj, text, dialect=dialect, count=count)]
    if as_json:
        show_json({"schedules": [_body(one) for one in found]})
    else:
        _show(found, zone)
    context.exit(status)


def _of_entry(source: Source, entry: Entry, count: int, zone: tzinfo | None) -> Explained:
    alone = replace(source, table=replace(source.table, entries=(entry,)))
    coming = coming_starts(alone, datetime.now(UTC), zone) if _ever(entry.schedule) else iter(())
    command = printable(entry.command)
    return Explained(
        title=f"line {entry.line}  {printable(str(entry.schedule))}  {command}",
        schedule=str(entry.schedule),
        words=words_of(entry.schedule),
        notes=(*surprises_of(entry.schedule), *notes_of_settings(entry)),
        coming=tuple(start.instant for start in islice(coming, count)),
        line=entry.line,
        command=command,
    )


def _ever(schedule: Schedule) -> bool:
    """False if looking for its next start is in vain."""
    return not isinstance(schedule, (Reboot, After)) and not (isinstance(schedule, Cron) and never(schedule))


def notes_of_settings(entry: Entry) -> Iterator[str]:
    """Yield what the lines above it, and its own % signs, do to it."""
    if entry.timezone is not None and entry.policy.timezone is None:
        yield f"Its times are those of {printable(entry.timezone)} (CRON_TZ)."
    if entry.random_delay:
        yield f"Each start is delayed by up to {counted(entry.random_delay, 'minute')} (RANDOM_DELAY)."
    if entry.single_instance:
        yield "A start is left out while the run before it is alive (-s)."
    if entry.stdin:
        yield "The command ends at its first %: what follows is what it reads. Write \\% for a percent sign."


def _of_line(text: str, *, system: bool, dialect: str, count: int, zone: tzinfo | None) -> Explained:
    words = text.split()
    bare = len(words) == _SPECIAL.get(words[0], 1 if text.startswith("@") else 5)
    line = f"{text} {_COMMAND}" if bare else text
    source = source_of(os.fsencode(f"{line}\n"), file="-", system=system and not bare, dialect=dialect)
    if len(source.table.entries) != 1 or source.table.errors:
        raise Failure("\n".join(_refusal(source, text)), Status.USAGE)
    explained = _of_entry(source, source.table.entries[0], count, zone)
    warnings = tuple(f"{problem.message}." for problem in source.table.problems)
    command = None if bare else explained.command
    return replace(explained, title="", line=None, command=command, notes=(*warnings, *explained.notes))


def _refusal(source: Source, text: str) -> Iterator[str]:
    """Say what is wrong with what was typed."""
    shown_text = fit(printable(text), 60)
    for problem in source.table.errors:
        yield f"'{shown_text}': {problem.message}{': ' + problem.hint if problem.hint else ''}"
    if not source.table.errors:
        yield f"'{shown_text}' is no schedule and no line with one"


def _of_job(state: str | None, name: str, *, dialect: str, count: int) -> Explained:
    """Ask the daemon for the schedule and for its starts: it alone knows the zone, and what ~ became."""
    place = find_place(state)
    body = ask_once(place, "next", job=name, count=str(max(count, 1)))
    job = list_of(ask_once(place, "list", job=name), "jobs", read_job)[0]
    line = f"{job.schedule} {_COMMAND}\n"
    source = source_of(os.fsencode(line), file="-", system=False, dialect=dialect)
    if not source.table.entries:
        raise Failure(
            f"{job.name}: '{job.schedule}' is no schedule under {source.dialect}'s rules (--dialect)"
        )
    coming = [one.instant for one in list_of(body, "next", read_next) if one.instant is not None]
    explained = _of_entry(source, source.table.entries[0], 0, None)
    title = f"{job.name}  {job.schedule}  {job.command}"
    return replace(
        explained, title=title, line=None, job=job.name, command=job.command, coming=tuple(coming[:count])
    )


def _show(found: list[Explained], zone: tzinfo | None) -> None:
    width = screen_width()
    for number, one in enumerate(found):
        if number:
            click.echo()
        if one.title:
            click.echo(one.title if width is None else fit(one.title, width))
        for text, first in ((one.words, ""), *((note, "- ") for note in one.notes)):
            wrapped = text if width is None else click.wrap_text(text, max(width - len(first), 20))
            click.echo(first + wrapped.replace("\n", "\n" + " " * len(first)))
        for moment in one.coming:
            click.echo(f"  {shown(moment, zone)}")
    if not found:
        click.echo("There is no entry.", err=True)


def _body(one: Explained) -> dict[str, Any]:
    return {
        "schedule": one.schedule,
        "words": one.words,
        "notes": list(one.notes),
        "next": [utc_text(moment) for moment in one.coming],
        "line": one.line,
        "job": one.job,
        "command": one.command,
    }
