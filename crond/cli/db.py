"""The verb `db`: how the history's database is, whether it is whole, its schema, and a copy of it.

The recorder does all of it, since the database is its own; this waits and words it. Loaded by
crond.cli.main.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import click

from crond.cli.answers import BadAnswer, moment_of, number_of, object_of, text_of
from crond.cli.client import find_place
from crond.cli.failure import Status
from crond.cli.format import counted, printable, size
from crond.cli.options import Days, json_option, show_json
from crond.cli.recorded import connect
from crond.cli.times import shown

#: Seconds after which a person is told that it still goes on.
_QUIET = 1.0


@click.command(short_help="Look after the history's database.")
@click.argument("action", type=click.Choice(["status", "check", "upgrade", "backup", "prune"]))
@click.option("-n", "--dry-run", is_flag=True, help="prune: say what would go; delete nothing.")
@click.option("--keep-days", type=Days(min=0), metavar="N", help="prune: this once, keep N days of runs.")
@click.option(
    "--keep-runs", type=click.IntRange(min=1), metavar="N", help="prune: this once, keep N runs of each job."
)
@json_option
@click.pass_context
def db(
    context: click.Context,
    *,
    action: str,
    dry_run: bool,
    keep_days: float | None,
    keep_runs: int | None,
    as_json: bool,
) -> None:
    """Look after the database of the history, for root and the daemon's own account.

    status tells where it is, how large, and whether it is written to. check looks for damage (exit status 1
    if there is any). upgrade brings an older schema to that of this version; the recorder does so by itself
    when it starts. backup writes a copy beside an SQLite database while recording goes on, and says where.
    prune deletes the runs that the settings under [history] do not keep, as the recorder does each hour.

    Ctrl-C ends the waiting, not the work.
    """
    if action != "prune" and (dry_run or keep_days is not None or keep_runs is not None):
        context.fail("--dry-run, --keep-days and --keep-runs go with prune")
    body = _await(
        context.obj,
        action,
        dry_run="yes" if dry_run else None,
        keep_days=None if keep_days is None else str(keep_days),
        keep_runs=None if keep_runs is None else str(keep_runs),
    )
    lines, status = _WORDS[action](body)
    if as_json:
        show_json(body)
    else:
        for line in lines:
            click.echo(line)
    context.exit(status)


def _await(state: str | None, action: str, **limits: str | None) -> dict[str, Any]:
    """Return the recorder's answer, however long it takes; a person sees the seconds go by."""
    began = time.monotonic()
    with connect(find_place(state)) as recorder:
        recorder.begin("db", action=action, **limits)
        reply = recorder.poll(_QUIET)
        while reply is None:
            _tick(f"{action}: {time.monotonic() - began:.0f} s ...")
            reply = recorder.poll(_QUIET)
    if time.monotonic() - began > _QUIET:
        _tick("")
    return reply.body


def _tick(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", err=True, nl=False)


def _status(body: dict[str, Any]) -> tuple[list[str], int]:
    revision, head = text_of(body, "revision"), text_of(body, "head")
    schema = revision or "none yet"
    if head and revision != head:
        schema += f"; this version's is {head}"
    lines = [("database", text_of(body, "database")), ("kind", text_of(body, "backend")), ("schema", schema)]
    state, trouble = text_of(body, "state"), text_of(body, "trouble")
    lines.append(("recorder", f"{_STATES.get(state, state)}{': ' + trouble if trouble else ''}"))
    waiting = number_of(body, "behind") or 0
    lines.append(("behind", f"{size(waiting)} of journal" if waiting else "nothing: it is up to date"))
    runs, held = number_of(body, "runs"), number_of(body, "size")
    lines += [] if runs is None else [("runs", f"{runs:,}")]
    lines += [] if held is None else [("size", size(held))]
    lines += _outbox(body)
    return [f"{name:<10}{text}" for name, text in lines], Status.OK


def _outbox(body: dict[str, Any]) -> list[tuple[str, str]]:
    """How the alerts are, where the recorder says so."""
    held = object_of(body, "outbox")
    if held is None:
        return []
    pending, failed = number_of(held, "pending") or 0, number_of(held, "failed") or 0
    oldest = moment_of(held, "oldest_pending")
    since = "" if oldest is None else f", the oldest since {shown(oldest)}"
    return [("alerts", f"{pending:,} not sent yet{since}; {failed:,} failed")]


_STATES = {
    "recording": "writes what happens",
    "waiting": "waits and will catch up",
    "newer": "does not write: the schema is newer than this version",
    "migrating": "is changing the schema",
}


def _check(body: dict[str, Any]) -> tuple[list[str], int]:
    problems = body.get("problems")
    if not isinstance(problems, list) or not isinstance(body.get("ok"), bool):
        raise BadAnswer("problems is no list")
    told = [printable(str(problem)) for problem in problems]
    if body["ok"]:
        return ["The database is in order.", *told], Status.OK
    return [*told, "The database is damaged."], Status.FAILED


def _upgrade(body: dict[str, Any]) -> tuple[list[str], int]:
    revision = text_of(body, "revision")
    if body.get("upgraded") is True:
        return [f"The schema is now {revision}."], Status.OK
    return [f"The schema is {revision} already."], Status.OK


def _backup(body: dict[str, Any]) -> tuple[list[str], int]:
    return [f"{text_of(body, 'path')} ({size(number_of(body, 'size') or 0)})"], Status.OK


def pruned_words(body: dict[str, Any]) -> str:
    """Return what the answer to `prune` says, as a sentence."""
    verb = "would be deleted" if body.get("dry_run") is True else "deleted"
    oldest = moment_of(body, "oldest_kept")
    rest = "" if oldest is None else f"; the oldest that is kept began at {shown(oldest)}"
    return f"{counted(number_of(body, 'runs') or 0, 'run')} of the history {verb}{rest}"


def _prune(body: dict[str, Any]) -> tuple[list[str], int]:
    return [pruned_words(body)], Status.OK


_WORDS: dict[str, Callable[[dict[str, Any]], tuple[list[str], int]]] = {
    "status": _status,
    "check": _check,
    "upgrade": _upgrade,
    "backup": _backup,
    "prune": _prune,
}
