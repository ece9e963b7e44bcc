"""The verbs `mute` and `unmute`: jobs of which nobody is told for a while.

Owns how they are worded. The scheduler keeps the mutes and decides by them; `alerts` shows what was not told.
Loaded by crond.cli.main.
"""

from __future__ import annotations

import click

from crond.cli.answers import PauseSeen, pause_of, text_of
from crond.cli.client import find_place
from crond.cli.completion import jobs as complete_jobs
from crond.cli.completion import muted as complete_muted
from crond.cli.describe import account, mute_words
from crond.cli.foreach import ask_for_each, seconds_of
from crond.cli.options import json_option, show_json
from crond.cli.times import shown


@click.command(short_help="Let nobody be told of jobs for a while.")
@click.argument("jobs", metavar="JOB...", nargs=-1, required=True, shell_complete=complete_jobs)
@click.option(
    "--for",
    "seconds",
    metavar="DURATION",
    callback=seconds_of,
    help="For 30m, 2h, 1d; without it, until somebody unmutes it.",
)
@click.option("--note", metavar="TEXT", help="Why; shown wherever the job is.")
@json_option
@click.pass_obj
def mute(
    state: str | None, *, jobs: tuple[str, ...], seconds: str | None, note: str | None, as_json: bool
) -> None:
    """Let nobody be told of what becomes of each JOB, until it is unmuted or for some time. It runs on, and
    its mail and its pings go on: they are for cron's ways and for programs.

    What was not told is in `alerts --state muted`, and every run in `history`. Muting what is muted changes
    until when, and the note. A failure that was not told has no recovery that is.
    """
    answers = ask_for_each(find_place(state), "mute", jobs, seconds=seconds, note=note)
    if as_json:
        show_json({"jobs": answers})
        return
    for body in answers:
        job = text_of(body, "job")
        held = pause_of(body, job, "muted")
        click.echo(f"{job}: muted{'' if held is None else f' {mute_words(held)}'}")


@click.command(short_help="Let people be told of jobs again.")
@click.argument("jobs", metavar="JOB...", nargs=-1, required=True, shell_complete=complete_muted)
@json_option
@click.pass_obj
def unmute(state: str | None, *, jobs: tuple[str, ...], as_json: bool) -> None:
    """Let people be told of each JOB again from now on. One that was not muted is told so: no failure."""
    answers = ask_for_each(find_place(state), "unmute", jobs)
    if as_json:
        show_json({"jobs": answers})
        return
    for body in answers:
        job = text_of(body, "job")
        click.echo(f"{job}: {_unmuted(pause_of(body, job, 'before'))}")


def _unmuted(before: PauseSeen | None) -> str:
    if before is None:
        return "was not muted"
    note = f": {before.note}" if before.note else ""
    return f"unmuted; {account(before.by)} had muted it at {shown(before.since)}{note}"
