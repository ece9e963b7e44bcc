"""The verb `at`: let a command run once, show what has yet to run, take it back.

Owns its words and how they are shown; which moment a text means is future's. The daemon keeps what was asked
for, and its scheduler runs it like any job. Loaded by crond.cli.main.
"""

from __future__ import annotations

import math
import os
import shlex
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from crond.cli.answers import BadAnswer
from crond.cli.client import LAUNCHER, Connection, Place, Refused, find_place
from crond.cli.completion import one_shots
from crond.cli.edit import say
from crond.cli.failure import Failure, Status
from crond.cli.format import Cell, Column, duration, printable, show_table
from crond.cli.future import parse_future
from crond.cli.options import json_option, show_json
from crond.cli.times import shown, utc_text
from crond.cli.versions import user_option
from crond.model.edits import COMMAND_LIMIT, ListAt, PutAt, RemoveAt
from crond.model.messages import is_token
from crond.model.oneshots import PREFIX

_COMMAND = "crond.at.command"


class _At(click.Command):
    """What stands behind `--` is the command, whatever it looks like."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the command apart from what click reads."""
        if "--" in args:
            end = args.index("--")
            ctx.meta[_COMMAND] = args[end + 1 :]
            args = args[:end]
        return super().parse_args(ctx, args)


@dataclass(frozen=True, slots=True)
class OneShotSeen:
    """A one-shot as the daemon tells it. Texts are as they are, so not for a terminal."""

    user: str
    name: str
    at: datetime
    command: str
    working_dir: str
    umask: str

    def told(self) -> dict[str, Any]:
        """Return it for JSON (docs/reference/json.md)."""
        return {
            "job": f"{self.user}/{self.name}",
            "at": utc_text(self.at),
            "command": _readable(self.command),
            "working_dir": _readable(self.working_dir),
            "umask": self.umask,
        }


@click.command(cls=_At, short_help="Run a command once, at a time.")
@click.argument(
    "words", metavar="[WHEN | NAME]... [-- COMMAND [ARGUMENT]...]", nargs=-1, shell_complete=one_shots
)
@click.option("-l", "listed", is_flag=True, help="Show what has yet to run.")
@click.option("-r", "remove", is_flag=True, help="Remove what is called NAME, so that it does not run.")
@user_option
@json_option
@click.pass_context
def at(
    context: click.Context, *, words: tuple[str, ...], listed: bool, remove: bool, user: str, as_json: bool
) -> None:
    """Run COMMAND once: at 09:00, 'tomorrow 7am', '2026-12-01 09:00', now + 2 hours, in 10 minutes.

    It runs as a job of yours, in the folder and with the umask of now and the environment of a crontab. One
    word is a command of the shell, several are a program and its arguments. Without a command, the lines of
    standard input are run.
    """
    place = find_place(context.obj)
    command: list[str] | None = context.meta.get(_COMMAND)
    if listed and (remove or words or command is not None):
        context.fail("-l stands alone")
    if remove and (command is not None or not words):
        context.fail("-r takes the names that -l shows, and nothing else")
    if not (listed or remove or words):
        context.fail("when? crontabx at 'tomorrow 7am' -- COMMAND")
    if listed:
        _show_all(place, user, as_json=as_json)
    elif remove:
        _remove(place, user, words, as_json=as_json)
    else:
        _put(place, user, " ".join(words), command, as_json=as_json)


# --- putting ---------------------------------------------------------------------------------------


def _put(place: Place, user: str, when: str, command: list[str] | None, *, as_json: bool) -> None:
    now = datetime.now(UTC)
    try:
        meant = parse_future(when, now)
    except Failure as failure:
        if command is not None:
            raise
        hint = "The command stands behind --, or on standard input: crontabx at 'tomorrow 7am' -- COMMAND"
        raise Failure(f"{failure.message}\n{hint}", Status.USAGE) from None
    text = _typed() if command is None else _spoken(command)
    if not text.strip():
        raise Failure("there is no command", Status.USAGE)
    if len(text) > COMMAND_LIMIT:
        raise Failure(
            f"the command has more than {COMMAND_LIMIT >> 10} KiB; put it into a file", Status.USAGE
        )
    asked = PutAt(user, meant.moment.timestamp(), _folder(), _umask(), len(text))
    with Connection(place, LAUNCHER) as launcher:
        if launcher.request(asked).final:
            raise launcher.nonsense("it does not ask for the command")
        body = launcher.send_text(text).body
    seen = _seen(body.get("user"), body)
    if meant.note:
        say(meant.note)
    if as_json:
        show_json(seen.told())
    else:
        # A moment went by since `now + 2 hours` was asked for; nobody wants to read 1 h 59 min.
        left = (seen.at - now).total_seconds()
        left = math.ceil(left) if left > 60 else left
        click.echo(f"{printable(seen.name)}: {shown(seen.at)}, in {duration(left)}")


def _spoken(command: list[str]) -> bytes:
    return os.fsencode(command[0] if len(command) == 1 else shlex.join(command))


def _typed() -> bytes:
    if sys.stdin.isatty():
        say("type the commands, and Ctrl-D at the end")
    return sys.stdin.buffer.read(COMMAND_LIMIT + 1)


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError as error:
        raise Failure(f"the current folder, where it would run: {error.strerror}") from None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


# --- showing and removing ----------------------------------------------------------------------------


def _show_all(place: Place, user: str, *, as_json: bool) -> None:
    with Connection(place, LAUNCHER) as launcher:
        body = launcher.request(ListAt(user)).body
    held = body.get("jobs")
    if not isinstance(held, list):
        raise BadAnswer("there are no jobs in it")
    found = [_seen(body.get("user"), item) for item in held]
    if as_json:
        show_json({"jobs": [seen.told() for seen in found]})
        return
    if not found:
        click.echo("Nothing has yet to run.", err=True)
    now = datetime.now(UTC)
    columns = [Column("NAME"), Column("WHEN"), Column("IN"), Column("COMMAND", True)]
    show_table(columns, [_row(seen, now) for seen in found])


def _row(seen: OneShotSeen, now: datetime) -> list[Cell]:
    left = (seen.at - now).total_seconds()
    first, _, more = seen.command.partition("\n")
    return [
        Cell(printable(seen.name)),
        Cell(shown(seen.at)),
        # Its line stays until its run has had its answer.
        Cell(duration(left)) if left > 0 else Cell("due", "yellow"),
        Cell(printable(first) + (" ..." if more else "")),
    ]


def _remove(place: Place, user: str, names: tuple[str, ...], *, as_json: bool) -> None:
    """Remove each that there is; what there is not is told at the end."""
    removed: list[str] = []
    refused: list[Refused] = []
    for given in names:
        name = given if given.startswith(PREFIX) else PREFIX + given
        if not is_token(name):
            raise Failure(f"'{printable(given)}' is no name of a one-shot", Status.UNKNOWN)
        try:
            with Connection(place, LAUNCHER) as launcher:
                launcher.request(RemoveAt(user, name))
        except Refused as refusal:
            if refusal.code != "unknown":
                raise
            refused.append(refusal)
        else:
            removed.append(name)
    if as_json:
        show_json({"removed": removed})
    else:
        for name in removed:
            click.echo(f"{name}: removed")
    if refused:
        raise Failure("\n".join(refusal.message for refusal in refused), Status.UNKNOWN)


def _seen(user: Any, item: Any) -> OneShotSeen:
    try:
        return OneShotSeen(
            user=str(user),
            name=str(item["name"]),
            at=datetime.fromtimestamp(float(item["at"]), UTC),
            command=str(item["command"]),
            working_dir=str(item["working_dir"]),
            umask=str(item["umask"]),
        )
    except (TypeError, KeyError, ValueError, OverflowError, OSError) as error:
        raise BadAnswer(f"a one-shot without {error}") from None


def _readable(text: str) -> str:
    """A text for JSON: what was not UTF-8 becomes a replacement character."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
