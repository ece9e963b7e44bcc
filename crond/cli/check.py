"""The verb `check` and the flag `-T`: every problem of a crontab, before a cron meets it.

Reports what the parser says and judges nothing itself. Needs no daemon. Loaded by crond.cli.main.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from crond.cli.completion import files
from crond.cli.failure import Failure, Status
from crond.cli.format import wants_colour
from crond.cli.options import dialect_option, json_option, show_json, system_option
from crond.cli.problems import problem_lines
from crond.cli.source import Source, read_source

_VALID = "No syntax issues were found in the crontab file."
_INVALID = "Invalid crontab file. Syntax issues were found."


@click.command(short_help="Check crontabs and show every problem.")
@click.argument("files", metavar="FILE...", nargs=-1, shell_complete=files)
@system_option
@dialect_option
@json_option
@click.pass_context
def check(
    context: click.Context, *, files: tuple[str, ...], system: bool | None, dialect: str, as_json: bool
) -> None:
    """Check crontabs (- is stdin): all errors and warnings, each with its line, a caret and a hint.

    Exit status: 0 no errors (there may be warnings), 1 errors, 2 a FILE cannot be read.
    """
    if not files:
        context.fail(
            "which crontab? Give one or more files, or - for stdin, such as: crontab -l | crontabx check -"
        )
    worst = Status.OK
    reports: list[dict[str, Any]] = []
    for file in files:
        try:
            source = read_source(file, system=system, dialect=dialect)
        except Failure as failure:
            worst = max(worst, Status(failure.exit_code))
            reports.append({"file": file, "ok": False, "error": failure.message})
            if not as_json:
                failure.show()
            continue
        worst = max(worst, Status.FAILED if source.table.errors else Status.OK)
        reports.append(_report(source))
        if not as_json:
            show_problems(source, err=False)
            click.echo(f"{source.shown}: {_summary(source)}")
    if as_json:
        show_json({"files": reports})
    context.exit(worst)


def test_crontab(file: str) -> int:
    """Check `file` as crontab(1) -T does, everything on stderr; return the exit status."""
    source = read_source(file, system=None, dialect="auto")
    show_problems(source, err=True)
    click.echo(_INVALID if source.table.errors else _VALID, err=True)
    return Status.FAILED if source.table.errors else Status.OK


def show_problems(source: Source, *, err: bool) -> None:
    """Print every problem of `source`."""
    colour = wants_colour(err=err)
    for problem in source.table.problems:
        for line in problem_lines(source, problem):
            click.echo(line, err=err, color=colour)
    if source.table.errors and source.dialect == "debian":
        click.echo(f"{source.shown}: with an error in it, Debian's rules ignore the whole file", err=err)


def _report(source: Source) -> dict[str, Any]:
    return {
        "file": source.file,
        "ok": not source.table.errors,
        "system": source.system,
        "dialect": source.dialect,
        "entries": len(source.table.entries),
        "problems": [asdict(problem) for problem in source.table.problems],
    }


def _summary(source: Source) -> str:
    errors = len(source.table.errors)
    warnings = len(source.table.problems) - errors
    found = [_count(errors, "error"), _count(warnings, "warning")]
    said = ", ".join(text for text in found if text) or "no problems"
    return f"{_count(len(source.table.entries), 'entry', 'entries') or 'no entries'}, {said}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}" if number else ""
