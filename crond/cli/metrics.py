"""The verb `metrics`: what the scheduler has counted, for Prometheus or node_exporter.

Passes the daemon's text on, or puts it in place of a file, whole or not at all. Knows none of the names in
it. Loaded by crond.cli.main.
"""

from __future__ import annotations

import contextlib
import os

import click

from crond.cli.answers import BadAnswer
from crond.cli.client import ask_once, find_place
from crond.cli.failure import Failure
from crond.cli.format import printable
from crond.cli.options import json_option, show_json


@click.command(short_help="Show counters for Prometheus.")
@click.option(
    "--textfile",
    metavar="PATH",
    help="Write them to PATH, at once and whole, for node_exporter's textfile collector; its name must end in"
    " .prom there.",
)
@json_option
@click.pass_obj
def metrics(state: str | None, *, textfile: str | None, as_json: bool) -> None:
    """Show what was counted since the scheduler came up, of your jobs (root: of all), in the text format of
    Prometheus.

    Labels are names of jobs and outcomes; no command is shown.
    """
    body = ask_once(find_place(state), "metrics")
    text = body.get("text")
    if not isinstance(text, str):
        raise BadAnswer("text is no text")
    if textfile is not None:
        _replace(textfile, text)
    if as_json:
        show_json(body)
    elif textfile is None:
        click.echo(printable(text, keep="\n"), nl=False)


def _replace(path: str, text: str) -> None:
    """Put `text` in place of the file at `path`: whoever reads it sees all of the old or of the new."""
    # The name does not end in .prom, so that the collector leaves it alone.
    fresh = f"{path}.{os.getpid()}.new"
    try:
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            with open(fd, "w", encoding="utf-8") as file:
                file.write(text)
            os.rename(fresh, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(fresh)
            raise
    except OSError as error:
        raise Failure(f"{printable(path)}: {error.strerror}") from None
