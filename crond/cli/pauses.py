"""The verbs `pause` and `resume`: jobs that are not to be started by their time for a while.

Owns how they are worded. The scheduler keeps the pauses; whatever shows jobs shows them. Loaded by
crond.cli.main.
"""

from __future__ import annotations

import click

from crond.cli.answers import PauseSeen, pause_of, text_of
from crond.cli.client import find_place
from crond.cli.completion import jobs as complete_jobs
from crond.cli.completion import paused as complete_paused
from crond.cli.describe import account, pause_words
from crond.cli.foreach import ask_for_each, seconds_of
from crond.cli.options import json_option, show_json
from crond.cli.times import shown


@click.command(short_help="Let jobs not be due for a while.")
@click.argument("jobs", metavar="JOB...", nargs=-1, required=True, shell_complete=complete_jobs)
@click.option(
    "--for",
    "seconds",
    metavar="DURATION",
    callback=seconds_of,
    help="Resume by itself after 30m, 2h, 1d; without it, when somebody resumes it.",
)
@click.option("--note", metavar="TEXT", help="Why; shown wherever the job is.")
@json_option
@click.pass_obj
def pause(
    state: str | None, *, jobs: tuple[str, ...], seconds: str | None, note: str | None, as_json: bool
) -> None:
    """Let each JOB not be due until it is resumed, or for some time. What runs or waits already goes on, and
    `run` still starts it.

    Pausing what is paused changes until when, and the note. What a pause leaves out is not made up
    afterwards; `backfill` runs it whenever you like.
    """
    place = find_place(state)
    answers = ask_for_each(place, "pause", jobs, seconds=seconds, note=note)
    if as_json:
        show_json({"jobs": answers})
        return
    for body in answers:
        job = text_of(body, "job")
        held = pause_of(body, job)
        words = "" if held is None else f" {pause_words(held)}"
        click.echo(f"{job}: paused{words}")


@click.command(short_help="Let paused jobs be due again.")
@click.argument("jobs", metavar="JOB...", nargs=-1, required=True, shell_complete=complete_paused)
@json_option
@click.pass_obj
def resume(state: str | None, *, jobs: tuple[str, ...], as_json: bool) -> None:
    """Let each JOB be due again from now on. One that was not paused is told so, and is no failure."""
    place = find_place(state)
    answers = ask_for_each(place, "resume", jobs)
    if as_json:
        show_json({"jobs": answers})
        return
    for body in answers:
        job = text_of(body, "job")
        click.echo(f"{job}: {_resumed(pause_of(body, job, 'before'))}")


def _resumed(before: PauseSeen | None) -> str:
    if before is None:
        return "was not paused"
    note = f": {before.note}" if before.note else ""
    return f"resumed; {account(before.by)} had paused it at {shown(before.since)}{note}"
