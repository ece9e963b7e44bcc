"""The verb `prune`: what is not to be kept goes now, and what that frees is said.

Asks the launcher, which has a process of its own do it and knows whose outputs we may touch, and for the
history the recorder. Knows neither files nor limits but those that are typed. Loaded by crond.cli.main.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import click

from crond.cli.answers import moment_of, number_of
from crond.cli.client import LAUNCHER, PATIENCE, RECORDER, Connection, Place, Refused, Reply, find_place
from crond.cli.db import pruned_words
from crond.cli.failure import Failure, Status
from crond.cli.format import size
from crond.cli.options import Days, json_option, show_json
from crond.cli.times import shown
from crond.settings import bytes_of

_BAR = 30


def _bytes(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Turn a size as the settings file has it, such as 2G, into the digits of its bytes."""
    try:
        return None if value is None else str(bytes_of(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(short_help="Remove outputs and runs that are not to be kept.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be removed; remove nothing.")
@click.option("--keep-days", type=Days(min=0), metavar="N", help="This once, keep N days and not keep_days.")
@click.option(
    "--keep-runs",
    type=click.IntRange(min=0),
    metavar="N",
    help="This once, keep N runs of each job and not keep_runs.",
)
@click.option(
    "--total-size", callback=_bytes, metavar="SIZE", help="This once, keep SIZE (10M, 2G) and not total_size."
)
@json_option
@click.pass_obj
def prune(
    state: str | None,
    *,
    dry_run: bool,
    keep_days: float | None,
    keep_runs: int | None,
    total_size: str | None,
    as_json: bool,
) -> None:
    """Remove your outputs (root: everybody's) that the settings under [outputs] do not keep and, for root,
    the runs that those under [history] do not keep.

    The daemon does both by itself each hour. An option replaces one limit of the outputs for this once; 0 is
    no limit; for the history see db prune. Outputs that are being written stay. Ctrl-C ends it between two
    files.
    """
    place = find_place(state)
    with Connection(place, LAUNCHER) as launcher:
        reply = launcher.ask(
            "prune",
            dry_run="yes" if dry_run else "no",
            keep_days=None if keep_days is None else str(keep_days),
            keep_runs=None if keep_runs is None else str(keep_runs),
            total_size=total_size,
        )
        reply = _to_the_end(launcher, reply)
    history = _of_history(place, dry_run=dry_run)
    if as_json:
        show_json({**reply.body, "history": history})
        return
    for line in _told(reply, dry_run=dry_run):
        click.echo(line)
    if history is not None:
        click.echo(pruned_words(history))


def _of_history(place: Place, *, dry_run: bool) -> dict[str, Any] | None:
    """Prune the history; None where that is not for us to do, or where there is none."""
    try:
        with Connection(place, RECORDER) as recorder:
            recorder.begin("db", action="prune", dry_run="yes" if dry_run else "no")
            reply = recorder.poll(6 * PATIENCE)
            return None if reply is None else reply.body
    except Failure as failure:
        if isinstance(failure, Refused) and failure.code == "forbidden":
            return None
        # Without a recorder the outputs are pruned all the same.
        if failure.exit_code != Status.UNREACHABLE:
            raise
        return None


def _to_the_end(launcher: Connection, reply: Reply) -> Reply:
    """Show how it comes along on a terminal; return the last answer."""
    shows = sys.stderr.isatty()
    while not reply.final:
        if shows:
            click.echo(f"\r\x1b[K{_progress(reply)}", nl=False, err=True)
        following = launcher.poll(6 * PATIENCE)
        if following is None:
            raise Failure("the daemon stopped telling how the pruning goes", Status.UNREACHABLE)
        reply = following
    if shows:
        click.echo("\r\x1b[K", nl=False, err=True)
    return reply


def _progress(reply: Reply) -> str:
    done, of = number_of(reply.body, "done") or 0, number_of(reply.body, "of")
    phase = reply.body.get("phase")
    if phase not in ("removing", "trimming") or not of:
        return f"looking at outputs: {done:,}"
    filled = _BAR * min(done, of) // of
    return f"{phase} [{'#' * filled}{'.' * (_BAR - filled)}] {done:,} of {of:,}"


def _told(reply: Reply, *, dry_run: bool) -> list[str]:
    numbers = {
        key: number_of(reply.body, key) or 0 for key in ("removed", "freed", "trimmed", "kept", "kept_size")
    }
    oldest = moment_of(reply.body, "oldest")
    verb, cut = ("would be removed", "would be cut") if dry_run else ("removed", "cut")
    lines = [f"{_counted(numbers['removed'])} {verb}, {size(numbers['freed'])} set free"]
    if numbers["trimmed"]:
        lines.append(f"{_counted(numbers['trimmed'])} {cut} to max_size")
    kept = f"{_counted(numbers['kept'])} kept, {size(numbers['kept_size'])}"
    lines.append(kept + _since(oldest))
    return lines


def _since(oldest: datetime | None) -> str:
    return "" if oldest is None else f", the oldest of {shown(oldest)}"


def _counted(number: int) -> str:
    return "1 output" if number == 1 else f"{number:,} outputs"
