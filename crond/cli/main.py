"""The console script `crontabx`: its global options, and which file holds which verb.

A verb's file is imported when that verb is used, since a client command is one start of Python.
Knows no daemon and no crontab itself.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from crond import __version__
from crond.cli.failure import Failure, Status
from crond.cli.startup import begin

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: As crond.cli.edit's USER, which is not imported for a word.
_USER = "crond.user"
#: What takes an account to act for.
_OF_CRONTABS = ("", "at", "versions", "diff", "restore")
#: verb -> (module, its command), in the order in which help shows them.
VERBS = {
    "check": ("crond.cli.check", "check"),
    "next": ("crond.cli.preview", "next_starts"),
    "simulate": ("crond.cli.preview", "simulate"),
    "explain": ("crond.cli.explain", "explain"),
    "list": ("crond.cli.jobs", "list_jobs"),
    "status": ("crond.cli.dashboard", "status"),
    "run": ("crond.cli.jobs", "run"),
    "stop": ("crond.cli.jobs", "stop"),
    "at": ("crond.cli.at", "at"),
    "pause": ("crond.cli.pauses", "pause"),
    "resume": ("crond.cli.pauses", "resume"),
    "rerun": ("crond.cli.again", "rerun"),
    "mark": ("crond.cli.again", "mark"),
    "backfill": ("crond.cli.backfill", "backfill"),
    "graph": ("crond.cli.graph", "graph"),
    "alerts": ("crond.cli.alerts", "alerts"),
    "notify": ("crond.cli.notify", "notify"),
    "mute": ("crond.cli.mutes", "mute"),
    "unmute": ("crond.cli.mutes", "unmute"),
    "env": ("crond.cli.env", "env"),
    "shell": ("crond.cli.env", "shell"),
    "logs": ("crond.cli.logs", "logs"),
    "history": ("crond.cli.history", "history"),
    "show": ("crond.cli.history", "show"),
    "why": ("crond.cli.why", "why"),
    "stats": ("crond.cli.stats", "stats"),
    "db": ("crond.cli.db", "db"),
    "prune": ("crond.cli.prune", "prune"),
    "metrics": ("crond.cli.metrics", "metrics"),
    "top": ("crond.cli.top", "top"),
    "versions": ("crond.cli.versions", "versions"),
    "diff": ("crond.cli.versions", "diff"),
    "restore": ("crond.cli.versions", "restore"),
    "completion": ("crond.cli.completion", "completion"),
}


class Verbs(click.Group):
    """A group whose commands are imported when they are asked for."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's; between -T and its FILE, where people write it, --portable is no file."""
        if args[:2] == ["-T", "--portable"]:
            args = ["--portable", "-T", *args[2:]]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the verbs in the order of VERBS."""
        return list(VERBS)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer verbs and options, and files to install; no verb's file is imported for its help."""
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        verbs = [CompletionItem(verb) for verb in VERBS if verb.startswith(incomplete)]
        return verbs or [CompletionItem(incomplete, type="file")]

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """Import and return the verb `cmd_name`, None if there is none of that name."""
        if cmd_name not in VERBS:
            return None
        module, name = VERBS[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, but what is no verb names a crontab to install, and if there is no such file, the verb
        that is nearest comes to mind.
        """
        if args and args[0] not in VERBS and (args[0] == "-" or not args[0].startswith("-")):
            if args[0] == "-" or "/" in args[0] or os.path.lexists(args[0]):
                return "", install, args
            import difflib

            # Letters in the wrong order are the commonest slip, and stats is nearer to stauts than status is.
            swapped = [verb for verb in VERBS if sorted(verb) == sorted(args[0])]
            near = swapped or difflib.get_close_matches(args[0], VERBS, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"there is no verb and no file '{args[0]}'{hint}")
        return super().resolve_command(ctx, args)


@click.command(name="FILE")
@click.argument("file")
@click.option("-u", "user", metavar="USER")
@click.pass_context
def install(context: click.Context, *, file: str, user: str | None) -> None:
    """Install FILE (- is stdin) as your crontab."""
    from crond.cli.edit import put

    put(context.obj, user or context.meta.get(_USER) or "", file)


def _show_version(context: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if not asked or context.resilient_parsing:
        return
    click.echo(version())
    context.exit()


def version() -> str:
    """Return the line that says which version this is."""
    return f"crontabx {__version__}"


@click.group(
    cls=Verbs,
    name="crontabx",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--state",
    metavar="DIR",
    help="Talk to the daemon that was started with this state folder (or CRONTABX_STATE). Without it: the"
    " host's daemon, else your own.",
)
@click.option("-u", "user", metavar="USER", help="Whose crontab; only root may name others.")
@click.option("-l", "show", is_flag=True, help="Show your crontab, as it is.")
@click.option("-e", "edit", is_flag=True, help="Edit your crontab and install it.")
@click.option("-r", "remove", is_flag=True, help="Remove your crontab; on a terminal, asks before.")
@click.option("-i", "ask", is_flag=True, help="With -r: ask in any case.")
@click.option(
    "-T", "test_file", metavar="FILE", help="Check one crontab, in the words of crontab(1); - is stdin."
)
@click.option("--portable", is_flag=True, help="With -T: what other crons would not read is an error, too.")
@click.option(
    "-V",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.pass_context
def crontabx(  # noqa: PLR0913 - one per option
    context: click.Context,
    *,
    state: str | None,
    user: str | None,
    show: bool,
    edit: bool,
    remove: bool,
    ask: bool,
    test_file: str | None,
    portable: bool,
) -> None:
    """Edit and check crontabs, see when they would run, and talk to the crond that runs them.

    `crontabx FILE` installs FILE as your crontab (- is stdin; a file called like a verb is ./FILE), with all
    its errors shown and nothing changed if there are any.

    Exit status: 0 done, 1 failed or problems found, 2 the command line makes no sense, 3 no daemon answers,
    4 no such job. `run --wait` exits as the job did.
    """
    context.obj = state
    context.meta[_USER] = user
    verb = context.invoked_subcommand
    operations = [flag for flag, given in (("-l", show), ("-e", edit), ("-r", remove)) if given]
    if test_file is not None:
        operations.append("-T")
        if verb:
            context.fail(f"-T stands alone; with verbs say: crontabx check {test_file}")
    if len(operations) > 1:
        context.fail(f"only one operation permitted, not {' and '.join(operations)}")
    if operations and verb is not None:
        context.fail(f"{operations[0]} stands alone: no arguments permitted after this option")
    if portable and test_file is None:
        context.fail("--portable goes with -T, and with check behind the verb")
    if ask and not remove:
        context.fail("-i goes with -r")
    if user is not None and (operations == ["-T"] or (verb or "") not in _OF_CRONTABS):
        context.fail("-u goes with FILE, -l, -e, -r, at, versions, diff and restore")
    if operations:
        if test_file is not None:
            from crond.cli.check import test_crontab

            context.exit(test_crontab(test_file, portable=portable))
        _operate(context, operations[0], user or "", ask=ask)
    elif verb is None:
        click.echo(context.get_help(), err=True)
        context.exit(Status.USAGE)


def _operate(context: click.Context, operation: str, user: str, *, ask: bool) -> None:
    """Do what crontab(1) does for the flag `operation`, and end."""
    from crond.cli import edit

    if operation == "-l":
        edit.show(context.obj, user)
    elif operation == "-e":
        from crond.cli.client import find_place
        from crond.cli.words import CRONTABX

        edit.edit(find_place(context.obj), user, CRONTABX, edit.FullReport())
    else:
        edit.remove(context.obj, user, ask=ask)
    context.exit(Status.OK)


def main() -> None:
    """Run the command line of this process and exit."""
    begin()
    try:
        crontabx(prog_name="crontabx")
    except OSError as error:  # a full disk under stdout, an output that vanished
        Failure(str(error)).show()
        sys.exit(Status.FAILED)
