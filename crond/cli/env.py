"""The verbs `env` and `shell`: a job's exact environment, and a shell in it.

What it is the launcher says (crond.cli.surroundings); how one gets into it is crond.cli.becoming's. Loaded by
crond.cli.main.
"""

from __future__ import annotations

import os
import re
import shlex
import sys

import click

from crond.cli.becoming import enter
from crond.cli.client import find_place
from crond.cli.completion import jobs
from crond.cli.failure import Failure, Status
from crond.cli.format import printable
from crond.cli.options import json_option, show_json
from crond.cli.surroundings import Surroundings, ask_for_body, ask_surroundings

_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
#: How shells are told to be interactive, and to read no file that would change the environment.
_INTERACTIVE = {
    "sh": ("-i",),
    "dash": ("-i",),
    "ksh": ("-i",),
    "mksh": ("-i",),
    "bash": ("--noprofile", "--norc", "-i"),
    "zsh": ("-f", "-i"),
    "fish": ("--no-config", "-i"),
    "csh": ("-f", "-i"),
    "tcsh": ("-f", "-i"),
}


@click.command(short_help="Show the exact environment of a job.")
@click.argument("job", shell_complete=jobs)
@click.option("-0", "--null", is_flag=True, help="End each NAME=value with a NUL, and quote nothing.")
@json_option
@click.pass_obj
def env(state: str | None, *, job: str, null: bool, as_json: bool) -> None:
    """Show the environment that a start of JOB would have now, sorted and quoted for a shell.

    `set -a; . FILE` reads it back. What cannot be a shell's variable is shown as a comment. With --json
    also the account, the folder, the shell, the command and its input, umask, nice and limits. Only the owner
    of the crontab and root may ask: it may hold secrets.
    """
    place = find_place(state)
    if as_json:
        name, body = ask_for_body(place, job)
        show_json({"job": name, **body})
        return
    around = ask_surroundings(place, job)
    if around.unseen:
        click.echo(f"{around.job} is also given {printable(around.unseen)}, when it starts", err=True)
    pairs = sorted(around.environment.items())
    if null:
        _write(b"".join(b"%s=%s\0" % pair for pair in pairs))
        return
    text = b"".join(_line(name, value) for name, value in pairs)
    if sys.stdout.isatty():
        click.echo(printable(text.decode("utf-8", "surrogateescape"), keep="\n"), nl=False)
    else:
        _write(text)


def _line(name: bytes, value: bytes) -> bytes:
    quoted = shlex.quote(value.decode("latin-1")).encode("latin-1")
    if _NAME.fullmatch(name):
        return b"%s=%s\n" % (name, quoted)
    return b"# no name for a shell: %s=%s\n" % (name, quoted.replace(b"\n", b"\n# "))


def _write(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


@click.command(short_help="Open a shell in the exact environment of a job.")
@click.argument("job", shell_complete=jobs)
@click.option("-c", "command", metavar="COMMAND", help="Run COMMAND as the job's own would be, and end.")
@click.pass_context
def shell(context: click.Context, *, job: str, command: str | None) -> None:
    """Open the shell that runs JOB's command, as the account that runs it, in its folder and its environment.

    Nothing else is in that environment, not even TERM, and no startup file of the shell is read. Leave with
    exit. With -c the exit status is COMMAND's own, 125 where the shell cannot be started. Root becomes the
    account; others get a shell for their own jobs.
    """
    around = ask_surroundings(find_place(context.obj), job)
    if around.uid != os.geteuid() and os.geteuid() != 0:
        raise Failure(f"{around.job} runs as {around.user}, and only root can become {around.user}")
    arguments = [around.shell]
    if command is not None:
        arguments += [b"-c", os.fsencode(command)]
    elif os.isatty(0):
        arguments += _interactive(around)
        click.echo(_greeting(around), err=True)
    try:
        context.exit(enter(around, arguments))
    except OSError as error:
        raise Failure(f"{around.job} would not start: {error.strerror}", Status.NOT_STARTED) from None


def _interactive(around: Surroundings) -> list[bytes]:
    name = os.path.basename(os.fsdecode(around.shell))
    return [os.fsencode(word) for word in _INTERACTIVE.get(name, ())]


def _greeting(around: Surroundings) -> str:
    place = printable(os.fsdecode(around.directory))
    without = f", without {printable(around.unseen)}" if around.unseen else ""
    return (
        f"This is {printable(os.fsdecode(around.shell))} as {around.user} in {place}, with the environment of"
        f" {around.job} and nothing else{without}. Leave with exit or Ctrl-D."
    )
