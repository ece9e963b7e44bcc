"""The verb `check` and the flag `-T`: what is wrong with a crontab, before a cron meets it.

Reports what the parser says and what the rules of crond.sense find, and judges nothing itself. Needs a
daemon only to fetch the caller's own crontab. Loaded by crond.cli.main.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, tzinfo
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import click

from crond.cli.completion import files
from crond.cli.failure import Failure, Status
from crond.cli.format import printable, wants_colour
from crond.cli.options import dialect_option, json_option, show_json, system_option, timezone_option
from crond.cli.problems import problem_lines
from crond.cli.source import Source, read_source

if TYPE_CHECKING:
    from crond.cli.installed import Reading
    from crond.cli.intent import Intent
    from crond.cli.this_host import ThisHost
    from crond.model.crontab import Problem
    from crond.sense.scene import Scene

_VALID = "No syntax issues were found in the crontab file."
_INVALID = "Invalid crontab file. Syntax issues were found."
#: Rules that cannot be ignored: with such a line cron does not do what the file says.
_FIRM = ("syntax", "newline-missing")


@dataclass(frozen=True)
class Question:
    """What the command line asks of each crontab. `zone` None: this host's."""

    year: int
    zone: tzinfo | None
    ignore: Collection[str]
    fix: bool
    portable: bool

    def scene_of(self, source: Source) -> Scene:
        """Return what the rules look at."""
        from crond.model.fields import Dialect
        from crond.sense.scene import Scene

        dialect = Dialect(source.dialect)
        return Scene(source.table, dialect, source.system, source.root, self.year, host=self._host)

    @cached_property
    def _host(self) -> ThisHost:
        from crond.cli.this_host import ThisHost

        return ThisHost(self.zone)


def _codes(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> frozenset[str]:
    from crond.sense.rules import CODES

    codes = frozenset(code.strip() for text in given for code in text.split(","))
    for code in sorted(codes):
        if code in _FIRM:
            raise click.BadParameter(f"{code} cannot be ignored: cron would not obey the line")
        if code not in CODES:
            from difflib import get_close_matches

            near = get_close_matches(code, CODES, n=1)
            raise click.BadParameter(
                f"no rule is called {printable(code)!r}" + (f"; did you mean {near[0]}?" if near else "")
            )
    return codes


@click.command(short_help="Check crontabs and show what is wrong, or surprising.")
@click.argument("files", metavar="[FILE...]", nargs=-1, shell_complete=files)
@click.option("--all", "everything", is_flag=True, help="Every crontab of this host (as root).")
@system_option
@dialect_option
@click.option("--strict", is_flag=True, help="Warnings fail, too.")
@click.option(
    "--ignore", multiple=True, metavar="CODE", callback=_codes, help="A rule to leave out; may be repeated."
)
@click.option(
    "--fix",
    is_flag=True,
    help="Show, as a diff, the annotations that would replace what is made by hand. Nothing is changed.",
)
@click.option("--portable", is_flag=True, help="What other crons would not read is an error, too.")
@click.option("--explain", "explains", is_flag=True, help="Say of each entry what it will do.")
@click.option(
    "--year",
    type=click.IntRange(1971, 9900),
    metavar="YEAR",
    help="Whose changes of the clock to look at; without it, this year's.",
)
@timezone_option
@json_option
@click.pass_context
def check(  # noqa: PLR0913 - one per option
    context: click.Context,
    *,
    files: tuple[str, ...],
    everything: bool,
    system: bool | None,
    dialect: str,
    strict: bool,
    ignore: frozenset[str],
    fix: bool,
    portable: bool,
    explains: bool,
    year: int | None,
    timezone: str | None,
    as_json: bool,
) -> None:
    """Check crontabs (- is stdin; without FILE, your own): what cron would refuse, what was hardly meant and
    what may surprise, each with its line, a caret, the code of its rule and a hint.

    Exit status: 0 no errors, 1 errors, or with --strict warnings, 2 a FILE cannot be read or the command line
    makes no sense. Notes never count.
    """
    from crond.cli.times import find_zone

    if everything and files:
        context.fail("--all takes no FILE")
    if fix and explains:
        context.fail("--fix writes a diff and nothing else: --explain goes without it")
    question = Question(year or datetime.now(UTC).year, find_zone(timezone), ignore, fix, portable)
    worst = Status.OK
    reports: list[dict[str, Any]] = []
    for file, read in _sources(context, files, everything=everything, system=system, dialect=dialect):
        try:
            source = read()
            findings, diff = _judged(source, question)
        except Failure as failure:
            worst = max(worst, Status(failure.exit_code))
            reports.append({"file": file, "ok": False, "error": failure.message})
            if not as_json:
                failure.show()
            continue
        worst = max(worst, Status.FAILED if _fails(findings, strict) else Status.OK)
        intents = _intents(source) if explains else None
        reports.append(_report(source, findings, strict, diff, intents))
        if not as_json:
            _show(source, findings, diff)
        if intents is not None and not as_json:
            from crond.cli.intent import show_intents

            show_intents(intents)
    if as_json:
        show_json({"files": reports})
    context.exit(worst)


def _sources(
    context: click.Context, files: Iterable[str], *, everything: bool, system: bool | None, dialect: str
) -> Iterable[Reading]:
    """Return each crontab that is meant, and what reads it."""
    if everything:
        from crond.cli.installed import every_crontab

        return every_crontab(dialect)
    if not files:
        from crond.cli.installed import own_crontab

        own = own_crontab(context.obj, dialect)
        return [(own.file, lambda: own)]
    return [(file, partial(read_source, file, system=system, dialect=dialect)) for file in files]


def _judged(source: Source, question: Question) -> tuple[tuple[Problem, ...], str | None]:
    from crond.sense.judge import judge

    scene = question.scene_of(source)
    diff = None
    if question.fix:
        from crond.sense.fixes import NoDiff, fixed_diff

        try:
            diff = fixed_diff(scene, "crontab" if source.file == "-" else source.file)
        except NoDiff as reason:
            raise Failure(f"{source.shown}: no diff can be made: {reason}") from None
    return judge(scene, ignore=question.ignore, portable=question.portable), diff


def _intents(source: Source) -> list[Intent]:
    from crond.cli.intent import intents_of

    return intents_of(source)


def _fails(findings: Iterable[Problem], strict: bool) -> bool:
    bad = ("error", "warning") if strict else ("error",)
    return any(found.severity in bad for found in findings)


def test_crontab(file: str, *, portable: bool) -> int:
    """Check the syntax of `file` as crontab(1) -T does, everything on stderr; return the exit status."""
    source = read_source(file, system=None, dialect="auto")
    problems = list(source.table.problems)
    if portable:
        from crond.sense.portable import portable_findings

        problems += portable_findings(source.table, system=source.system, root=source.root)
        problems.sort(key=lambda problem: (problem.line, problem.column))
    _show_findings(source, problems, err=True)
    failed = _fails(problems, strict=False)
    click.echo(_INVALID if failed else _VALID, err=True)
    return Status.FAILED if failed else Status.OK


def show_problems(source: Source, *, err: bool) -> None:
    """Print what the parser says about `source`."""
    _show_findings(source, source.table.problems, err=err)


def _show_findings(source: Source, findings: Iterable[Problem], *, err: bool) -> None:
    colour = wants_colour(err=err)
    for problem in findings:
        for line in problem_lines(source, problem):
            click.echo(line, err=err, color=colour)
    if source.table.syntax_errors and source.dialect == "debian":
        click.echo(f"{source.shown}: with an error in it, Debian's rules ignore the whole file", err=err)


def _show(source: Source, findings: Collection[Problem], diff: str | None) -> None:
    """Print a report. With a diff, only that is on stdout, so that it can be kept or given to patch(1)."""
    fixing = diff is not None
    _show_findings(source, findings, err=fixing)
    click.echo(f"{source.shown}: {_summary(source, findings)}", err=fixing)
    if diff:
        from crond.sense.fixes import cautions

        click.echo(diff.encode("utf-8", "surrogateescape"), nl=False)
        for caution in cautions(diff):
            click.echo(f"{source.shown}: {caution}", err=True)
    elif fixing:
        click.echo(f"{source.shown}: nothing here is made by hand that an annotation says", err=True)


def _report(
    source: Source,
    findings: Iterable[Problem],
    strict: bool,
    diff: str | None,
    intents: Iterable[Intent] | None,
) -> dict[str, Any]:
    report: dict[str, Any] = {
        "file": source.file,
        "ok": not _fails(findings, strict),
        "system": source.system,
        "dialect": source.dialect,
        "entries": len(source.table.entries),
        "problems": [asdict(problem) for problem in findings],
    }
    if diff is not None:
        report["diff"] = diff
    if intents is not None:
        report["explained"] = [asdict(intent) for intent in intents]
    return report


def _summary(source: Source, findings: Collection[Problem]) -> str:
    counts = Counter(found.severity for found in findings)
    said = ", ".join(_count(counts[word], word) for word in ("error", "warning", "note") if counts[word])
    return f"{_count(len(source.table.entries), 'entry', 'entries') or 'no entries'}, {said or 'no problems'}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}" if number else ""
