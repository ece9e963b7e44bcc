"""The verb `alerts`: what people were told, what waits to be told, and what could not be.

Owns how it is worded and shown. The recorder's outbox answers, also while the history cannot be read.
Loaded by crond.cli.main.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from crond.cli.answers import list_of, moment_of, number_of, object_of, text_of
from crond.cli.client import find_place
from crond.cli.completion import jobs as complete_jobs
from crond.cli.failure import Failure, Status
from crond.cli.format import Cell, Column, counted, duration, printable, show_table
from crond.cli.options import json_option, show_json
from crond.cli.recorded import ask_recorder
from crond.cli.times import shown_together

#: What the recorder calls the states, with what people are shown.
STATES = {
    "pending": ("waits", "yellow"),
    "sending": ("is being sent", "cyan"),
    "sent": ("delivered", "green"),
    "failed": ("failed", "red"),
    "muted": ("muted", "bright_black"),
}
_SAID = {
    "on_time": "on time again",
    "ping_start": "ping: start",
    "ping_success": "ping",
    "ping_fail": "ping: fail",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSeen:
    """One message to one target, as the recorder tells it. `flips` is how many pieces of news are in it."""

    number: int
    at: datetime | None
    event: str
    job: str
    run: str
    target: str
    state: str
    tries: int
    next_try: datetime | None
    sent_at: datetime | None
    error: str
    flips: int


def read_alert(body: dict[str, Any]) -> AlertSeen:
    """Return the message that `body` describes."""
    return AlertSeen(
        number=number_of(body, "id") or 0,
        at=moment_of(body, "at"),
        event=text_of(body, "event"),
        job=text_of(body, "job"),
        run=text_of(body, "run"),
        target=text_of(body, "target"),
        state=text_of(body, "state"),
        tries=number_of(body, "tries") or 0,
        next_try=moment_of(body, "next_try"),
        sent_at=moment_of(body, "sent_at"),
        error=text_of(body, "error"),
        flips=number_of(body, "flips") or 1,
    )


@click.group(invoke_without_command=True, short_help="Show who was told of what, and what could not be told.")
@click.option(
    "--state",
    "states",
    type=click.Choice(list(STATES)),
    multiple=True,
    help="Only those; may be given more than once.",
)
@click.option("--job", metavar="JOB", shell_complete=complete_jobs, help="Only what is about JOB.")
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
@click.pass_context
def alerts(
    context: click.Context, *, states: tuple[str, ...], job: str | None, count: int, as_json: bool
) -> None:
    """Show the messages that went to somebody about your jobs (root: everybody's), the newest first: those
    that wait, with when they are tried next and what their receiver said, those that were delivered, those
    that were given up, and those that were not sent since their job is muted.

    `alerts retry` tries again what was given up, now.
    """
    if context.invoked_subcommand is not None:
        return
    body = ask_recorder(
        find_place(context.obj), "alerts", state=",".join(states) or None, job=job, count=str(count)
    )
    told = list_of(body, "alerts", read_alert)
    if as_json:
        show_json(body)
        return
    _show(told, datetime.now(UTC))
    if not told:
        click.echo("There are no such alerts.", err=True)
    if body.get("more") is True:
        click.echo(f"There are more; to see them: --last {count * 10}", err=True)
    _show_counts(object_of(body, "counts") or {}, states)


@alerts.command(short_help="Try again what was given up.")
@click.argument("numbers", metavar="[ID]...", nargs=-1, type=click.IntRange(1))
@json_option
@click.pass_obj
def retry(state: str | None, *, numbers: tuple[int, ...], as_json: bool) -> None:
    """Try the messages ID again, now, or all that failed or wait for their next try."""
    ids = ",".join(map(str, numbers)) or None
    body = ask_recorder(find_place(state), "alerts-retry", ids=ids)
    if as_json:
        show_json(body)
        return
    count = number_of(body, "retried") or 0
    if numbers and count < len(numbers):
        missing = counted(len(numbers) - count, "other")
        raise Failure(
            f"{counted(count, 'message')} tried again; {missing}: delivered, muted or not there",
            Status.FAILED,
        )
    click.echo(f"{counted(count, 'message')} tried again; see: crontabx alerts")


def _show(told: list[AlertSeen], now: datetime) -> None:
    title, moments = shown_together("WHEN", [one.at for one in told])
    rows = [
        [
            Cell(str(one.number)),
            Cell(moment),
            Cell(_what(one)),
            Cell(one.job or "-"),
            Cell(one.target),
            Cell(STATES.get(one.state, (one.state, None))[0], STATES.get(one.state, (one.state, None))[1]),
            Cell(_why(one, now)),
        ]
        for one, moment in zip(told, moments, strict=True)
    ]
    columns = [
        Column("ID"),
        Column(title),
        Column("WHAT"),
        Column("JOB", True),
        Column("TO", True),
        Column("STATE"),
        Column("MORE", True, 16),
    ]
    show_table(columns, rows)


def _what(one: AlertSeen) -> str:
    said = _SAID.get(one.event, one.event)
    return said if one.flips == 1 else f"{said} and {one.flips - 1} more"


def _why(one: AlertSeen, now: datetime) -> str:
    parts = []
    if one.state == "pending" and one.next_try is not None and one.tries:
        wait = (one.next_try - now).total_seconds()
        parts.append(f"try {one.tries + 1} {'now' if wait <= 0 else f'in {duration(wait)}'}")
    if one.error and one.state != "sent":
        parts.append(one.error)
    if one.state == "sent" and one.sent_at is not None and one.at is not None:
        parts.append(f"after {duration((one.sent_at - one.at).total_seconds())}")
        if one.tries > 1:
            parts.append(f"try {one.tries}")
    return printable(", ".join(parts))


def _show_counts(counts: dict[str, Any], states: tuple[str, ...]) -> None:
    """Say on stderr how many there are that somebody should look at, where not just these were asked for."""
    for state in ("pending", "failed"):
        count = number_of(counts, state) or 0
        if count and not states:
            verb = {"pending": "waits", "failed": "failed"}[state]
            plural = {"pending": "wait", "failed": "failed"}[state]
            more = "; try again: crontabx alerts retry" if state == "failed" else ""
            click.echo(f"{counted(count, 'message')} {verb if count == 1 else plural}{more}", err=True)
