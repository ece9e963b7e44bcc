"""The verb `backfill`: a job once for each of its instants that were, in order and few at once.

The scheduler says which instants there were and makes each run; the recorder knows which have one already.
The order, and how many at once, are kept here: when the client ends, nothing more is started. Loaded by
crond.cli.main.
"""

from __future__ import annotations

import re
import select
import signal
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from types import FrameType
from typing import Any

import click

from crond.cli.answers import BadAnswer, JobSeen, RunSeen, list_of, read_job, read_run
from crond.cli.client import PATIENCE, SCHEDULER, Connection, Place, ask_once, find_place
from crond.cli.completion import jobs as complete_jobs
from crond.cli.describe import standing
from crond.cli.failure import Failure, Status
from crond.cli.format import Cell, Column, counted, show_table
from crond.cli.options import json_option, show_json
from crond.cli.ordered import runs_of
from crond.cli.recorded import ask_recorder
from crond.cli.times import find_zone, parse_iso, parse_moment, shown, utc_text

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
#: The scheduler lets a user have 16 clients.
_MOST_AT_ONCE = 12
_NO_FAILURE = ("success", "skipped")
_FAILURES = ("failed", "timed_out", "stopped", "could_not_start", "upstream_failed", "lost")


@dataclass(slots=True)
class Instant:
    """One instant, `text` as the scheduler says it. `run` is the newest run for it, `starts` whether there
    will be another.
    """

    text: str
    run: RunSeen | None
    starts: bool
    body: dict[str, Any] | None = None  #: of `run`, as it was told

    @property
    def moment(self) -> datetime:
        return parse_iso(self.text)


@click.command(short_help="Run a job for instants that were.")
@click.argument("job", shell_complete=complete_jobs)
@click.option("--from", "since", metavar="TIME", required=True, help="The first instant that counts.")
@click.option(
    "--to", "upto", metavar="TIME", required=True, help="The last one; a date means all of that day."
)
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be started; start nothing.")
@click.option(
    "--max-parallel",
    "most",
    type=click.IntRange(1, _MOST_AT_ONCE),
    default=1,
    show_default=True,
    metavar="N",
    help="How many may run at once.",
)
@click.option(
    "--reprocess",
    type=click.Choice(["none", "failed", "all"]),
    default="none",
    show_default=True,
    help="Of the instants that have a run already, which are to have another.",
)
@json_option
@click.pass_context
def backfill(
    context: click.Context,
    *,
    job: str,
    since: str,
    upto: str,
    dry_run: bool,
    most: int,
    reprocess: str,
    as_json: bool,
) -> None:
    """Run JOB once for each instant between two TIMEs at which it was due, the oldest first, and wait for
    them. The instants are those of its schedule today; the job finds its own in CRONTABX_SCHEDULED_AT.

    TIME is 2026-11-20 or 2026-11-20T03:00 in the job's own zone. Ctrl-C starts nothing more, and lets what
    runs go on. The exit status is 1 if any of the runs failed.
    """
    place = find_place(context.obj)
    seen = _job(place, job)
    zone = find_zone(seen.zone) if seen.zone else None
    begin, end = parse_moment(since, zone, "--from"), _end(upto, zone)
    if end < begin:
        raise Failure(f"--to ({shown(end, zone)}) is before --from ({shown(begin, zone)})", Status.USAGE)
    plan = _planned(place, seen.name, begin, end, reprocess)
    progress = Progress(seen.name, plan, zone, quiet=as_json)
    if not dry_run and progress.wanted:
        with progress.shown():
            Backfill(place, seen.name, most, progress).run()
    if as_json:
        show_json(
            {
                "job": seen.name,
                "from": utc_text(begin),
                "to": utc_text(end),
                "dry_run": dry_run,
                "instants": [{"instant": o.text, "starts": o.starts, "run": o.body} for o in plan],
            }
        )
    elif dry_run:
        _show_plan(plan, zone)
    if not as_json:
        click.echo(progress.summary(dry_run=dry_run), err=dry_run)
    context.exit(Status.FAILED if progress.failed and not dry_run else Status.OK)


def _job(place: Place, name: str) -> JobSeen:
    found = list_of(ask_once(place, "list", job=name), "jobs", read_job)
    if len(found) != 1:
        raise BadAnswer("not one job")
    return found[0]


def _end(text: str, zone: tzinfo | None) -> datetime:
    moment = parse_moment(text, zone, "--to")
    if not _DATE.fullmatch(text):
        return moment
    naive = moment.replace(tzinfo=None) + timedelta(days=1)
    following = naive.astimezone() if zone is None else naive.replace(tzinfo=zone)
    return following - timedelta(seconds=1)


def _planned(place: Place, job: str, begin: datetime, end: datetime, reprocess: str) -> list[Instant]:
    """The instants, each with the newest run that is known for it."""
    edges = {"from": f"{begin.timestamp():.0f}", "to": f"{end.timestamp():.0f}"}
    instants = ask_once(place, "instants", job=job, **edges).get("instants")
    if not isinstance(instants, list) or not all(isinstance(one, str) for one in instants):
        raise BadAnswer("instants is no list of texts")
    held: dict[datetime, tuple[RunSeen, dict[str, Any]]] = {}
    for told in list_of(ask_recorder(place, "instants", job=job, **edges), "runs", dict):
        run = read_run(told)
        # Somebody's run by hand is for the moment at which it was asked for.
        if run.instant is None or run.trigger == "manual":
            continue
        if run.instant not in held or _age(run) >= _age(held[run.instant][0]):
            held[run.instant] = (run, told)
    plan = []
    for text in instants:
        try:
            known = held.get(parse_iso(text))
        except ValueError:
            raise BadAnswer("instants has what is no time") from None
        newest, body = known or (None, None)
        plan.append(Instant(text, newest, _is_wanted(newest, reprocess), body))
    return plan


def _age(run: RunSeen) -> tuple[bool, datetime]:
    """What the newest of the runs for one instant has most of."""
    return not run.ended, run.ended_at or run.started_at or run.instant or datetime.now(UTC)


def _is_wanted(run: RunSeen | None, reprocess: str) -> bool:
    if run is None:
        return True
    return run.ended and (reprocess == "all" or (reprocess == "failed" and run.outcome in _FAILURES))


def _show_plan(plan: list[Instant], zone: tzinfo | None) -> None:
    now = datetime.now(UTC)
    show_table(
        [Column("INSTANT"), Column("BACKFILL"), Column("HAS", True)],
        [
            [
                Cell(shown(one.moment, zone)),
                Cell("would run" if one.starts else "left out"),
                Cell("no run") if one.run is None else standing(one.run, now),
            ]
            for one in plan
        ],
    )


class Progress:
    """What is to be done and how far it is, as people are told."""

    def __init__(self, job: str, plan: list[Instant], zone: tzinfo | None, *, quiet: bool) -> None:
        self._job = job
        self._plan = plan
        self._zone = zone
        self._quiet = quiet
        self._bar: Any = None
        self.wanted = [one for one in plan if one.starts]
        self.done: list[RunSeen] = []

    @contextmanager
    def shown(self) -> Iterator[None]:
        """A bar while the context lasts, if there is a terminal."""
        if self._quiet or not sys.stderr.isatty():
            yield
            return
        bar = click.progressbar(
            length=len(self.wanted), label=self._job, file=sys.stderr, show_pos=True, show_eta=False
        )
        with bar as self._bar:
            yield
        self._bar = None

    def ended(self, run: RunSeen) -> None:
        """One more has ended."""
        self.done.append(run)
        if self._bar is not None:
            self._bar.update(1)
        elif not self._quiet:
            text = standing(run, datetime.now(UTC)).text
            click.echo(f"{shown(run.instant, self._zone)}: run {run.id}: {text}", err=True)

    @property
    def failed(self) -> list[RunSeen]:
        """Those that failed."""
        return [run for run in self.done if run.outcome not in _NO_FAILURE]

    def summary(self, *, dry_run: bool = False) -> str:
        """What was done, and what was left out."""
        if not self._plan:
            return f"{self._job}: it was not due in that time"
        out = Counter(_kind(one.run) for one in self._plan if not one.starts and one.run is not None)
        left = sum(out.values())
        text = f"{counted(len(self.wanted), 'instant')} would run" if dry_run else self._done()
        if left:
            kinds = ", ".join(f"{count} {kind}" for kind, count in out.most_common())
            text += f"; {left} left out, which {'has' if left == 1 else 'have'} a run ({kinds})"
        lines = [f"{self._job}: {text}"]
        if self._bar is None and not dry_run:
            now = datetime.now(UTC)
            failed = self.failed if sys.stderr.isatty() else []
            lines += [
                f"  {shown(r.instant, self._zone)}: run {r.id}: {standing(r, now).text}" for r in failed
            ]
        return "\n".join(lines)

    def _done(self) -> str:
        outcomes = Counter(_kind(run) for run in self.done)
        kinds = ", ".join(f"{count} {kind}" for kind, count in outcomes.most_common())
        text = f"{len(self.done)} of {counted(len(self.wanted), 'instant')} ran"
        return f"{text}, {kinds}" if kinds else text


def _kind(run: RunSeen) -> str:
    return (run.outcome or run.state).replace("_", " ")


class Backfill:
    """The runs while they go on: each has a connection of its own, which tells of its end."""

    def __init__(self, place: Place, job: str, most: int, progress: Progress) -> None:
        self._place = place
        self._job = job
        self._most = most
        self._progress = progress
        self._waiting = deque(progress.wanted)
        self._going: dict[int, tuple[Connection, Instant]] = {}
        self._idle = False
        self._interrupted = False

    def run(self) -> None:
        """Start them one after the other until all have ended. Raises Failure where that comes to nothing."""
        before = signal.signal(signal.SIGINT, self._interrupt)
        try:
            with ExitStack() as open_ones:
                while self._waiting or self._going:
                    while self._waiting and len(self._going) < self._most:
                        self._start(self._waiting.popleft(), open_ones.enter_context)
                    self._wait()
        except KeyboardInterrupt:
            raise Failure(self._left("interrupted"), Status.INTERRUPTED) from None
        except Failure as failure:
            raise Failure(self._left(failure.message), Status(failure.exit_code)) from None
        finally:
            signal.signal(signal.SIGINT, before)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Ctrl-C: never between asking for a run and hearing which one it is, else it would go on unnamed."""
        self._interrupted = True
        if self._idle:
            raise KeyboardInterrupt

    def _start(self, one: Instant, opened: Callable[[Connection], Connection]) -> None:
        connection = opened(Connection(self._place, SCHEDULER))
        instant = f"{one.moment.timestamp():.3f}"
        reply = connection.ask("backfill", job=self._job, instant=instant, wait="yes")
        self._take(connection, one, reply.body, final=reply.final)

    def _wait(self) -> None:
        self._idle = True
        if self._interrupted:
            raise KeyboardInterrupt
        ready = select.select(list(self._going), [], [])[0] if self._going else []
        self._idle = False
        for number in ready:
            connection, one = self._going[number]
            reply = connection.poll(PATIENCE)
            if reply is not None:
                self._take(connection, one, reply.body, final=reply.final)

    def _take(self, connection: Connection, one: Instant, body: dict[str, Any], *, final: bool) -> None:
        one.run, one.body = runs_of(body)[0], body["run"]
        if not final:
            self._going[connection.fileno()] = (connection, one)
            return
        self._going.pop(connection.fileno(), None)
        connection.close()
        self._progress.ended(one.run)

    def _left(self, why: str) -> str:
        """What is to be said of a backfill that was not finished."""
        lines = [why, self._progress.summary()]
        first = shown(self._waiting[0].moment) if self._waiting else ""
        for _, one in self._going.values():
            if one.run is not None:
                lines.append(f"run {one.run.id} goes on; to end it: crontabx stop {one.run.id}")
        if self._waiting:
            lines.append(f"not started: {counted(len(self._waiting), 'instant')}, the first {first}")
        return "\n".join(lines)
