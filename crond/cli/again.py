"""The verbs about runs that have ended: rerun and mark.

Owns how a run is named, by its id or by its job and instant, and what is said of one that the scheduler no
longer remembers. Loaded by crond.cli.main.
"""

from __future__ import annotations

from datetime import UTC, datetime

import click

from crond.cli.answers import RunSeen, list_of, read_run, run_at
from crond.cli.client import Place, Refused, ask_once, find_place
from crond.cli.completion import runs_and_jobs
from crond.cli.describe import standing
from crond.cli.failure import Failure, Status
from crond.cli.options import json_option, show_json
from crond.cli.ordered import order
from crond.cli.past import Span, parse_span
from crond.cli.recorded import ask_briefly
from crond.cli.times import shown

#: How long (seconds) the history is asked about what the scheduler forgot.
_PATIENCE = 2.0
_NOT_REMEMBERED = ("unknown", "forgotten")

run_argument = click.argument("run", metavar="RUN", shell_complete=runs_and_jobs)


@click.command(short_help="Run again what has ended, and what depends on it.")
@run_argument
@click.option("--downstream", is_flag=True, help="And then the runs that it was a parent of, and theirs.")
@click.option("--failed", is_flag=True, help="Of these, only those that did not succeed.")
@click.option("-w", "--wait", is_flag=True, help="Wait for its end; exit as the job did.")
@json_option
@click.pass_context
def rerun(
    context: click.Context, *, run: str, downstream: bool, failed: bool, wait: bool, as_json: bool
) -> None:
    """Run a run again that has ended: it keeps its id and its instant, its attempts go on counting, and the
    outputs of the old ones stay.

    RUN is the id of a run, its beginning (four letters at least), a JOB, whose newest run is meant, or
    JOB@INSTANT. Its retries begin anew, and it does not wait for its parents.
    """
    if failed and not downstream:
        raise Failure("--failed says which of the runs of --downstream are meant", Status.USAGE)
    place = find_place(context.obj)
    chosen = Chosen(place, run)
    try:
        status = order(
            place,
            "rerun",
            said="started again",
            wait=wait,
            as_json=as_json,
            **chosen.arguments,
            downstream="yes" if downstream else None,
            failed="yes" if failed else None,
        )
    except Refused as refusal:
        raise chosen.explained(refusal) from None
    context.exit(status)


@click.command(short_help="Let a run count as a success, or as failed.")
@click.argument("outcome", metavar="success|failed", type=click.Choice(["success", "failed"]))
@run_argument
@json_option
@click.pass_obj
def mark(state: str | None, *, outcome: str, run: str, as_json: bool) -> None:
    """Let a run count as a success, or as failed, whatever it was; jobs that still wait for it go by that.
    One that runs is ended first.

    RUN is as for rerun. What ran already because of it is left as it is: see rerun --downstream.
    """
    place = find_place(state)
    chosen = Chosen(place, run)
    try:
        body = ask_once(place, "mark", **chosen.arguments, outcome=outcome)
    except Refused as refusal:
        raise chosen.explained(refusal) from None
    if as_json:
        show_json(body)
        return
    now, after, before = datetime.now(UTC), run_at(body, "run"), run_at(body, "before")
    if after.ended:
        text = f"counts as {outcome}; it was {standing(before, now).text}"
    else:
        text = f"is being ended, and will count as {outcome}"
    click.echo(f"{after.job}: run {after.id} {text}")


class Chosen:
    """The run that somebody named on the command line."""

    def __init__(self, place: Place, text: str) -> None:
        self._place = place
        self._text = text
        self._name, at, instant = text.rpartition("@")
        self._span: Span | None = None
        if at:
            self._span = parse_span(instant, datetime.now(UTC), "RUN")
        else:
            self._name = text

    @property
    def arguments(self) -> dict[str, str | None]:
        """How the scheduler is told."""
        if self._span is None:
            return {"run": self._name}
        since, upto = self._span.since.timestamp(), self._span.upto.timestamp()
        return {"run": self._name, "instant": f"{since:.0f}", "upto": f"{upto:.0f}"}

    def explained(self, refusal: Refused) -> Failure:
        """Return `refusal`, with what to do where the run is one that only the history remembers."""
        seen = self._recorded() if refusal.code in _NOT_REMEMBERED else None
        if seen is None:
            return refusal
        instant = "" if seen.instant is None else f"{seen.instant.astimezone():%Y-%m-%dT%H:%M}"
        return Failure(
            f"run {seen.id} of {seen.job}, for {shown(seen.instant)}, is in the history, but the scheduler no"
            " longer remembers it\nTo run the job again for that instant: crontabx backfill"
            f" {seen.job} --from {instant} --to {instant} --reprocess all",
            Status.UNKNOWN,
        )

    def _recorded(self) -> RunSeen | None:
        try:
            if self._span is not None:
                since, upto = self._span.since.timestamp(), self._span.upto.timestamp()
                body = self._ask("why", job=self._name, instant=f"{since:.0f}", upto=f"{upto:.0f}")
            else:
                body = self._ask("show", run=self._name) or self._ask("history", job=self._name, count="1")
            if body is None:
                return None
            runs = list_of(body, "runs", read_run) if "runs" in body else [run_at(body, "run")]
        except Failure:
            return None
        return runs[-1] if runs else None

    def _ask(self, verb: str, **arguments: str | None) -> dict[str, object] | None:
        return ask_briefly(self._place, verb, _PATIENCE, **arguments)
