"""The console script `crontabx`: its global options, and which file holds which verb.

A verb's file is imported when that verb is used, since a client command is one start of Python.
Knows no daemon and no crontab itself.
"""

from __future__ import annotations

import signal
import sys
from importlib import import_module

import click

from crond.cli.failure import Failure, Status

#: verb -> (module, its command), in the order in which help shows them.
VERBS = {
    "check": ("crond.cli.check", "check"),
    "next": ("crond.cli.preview", "next_starts"),
    "simulate": ("crond.cli.preview", "simulate"),
    "list": ("crond.cli.jobs", "list_jobs"),
    "status": ("crond.cli.jobs", "status"),
    "run": ("crond.cli.jobs", "run"),
    "stop": ("crond.cli.jobs", "stop"),
    "logs": ("crond.cli.logs", "logs"),
}


class Verbs(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the verbs in the order of VERBS."""
        return list(VERBS)

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
        """As click's, but an unknown verb brings the nearest one to mind."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], VERBS, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"there is no verb '{args[0]}'{hint}")
        return super().resolve_command(ctx, args)


def _show_version(context: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if not asked or context.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version("crontabx")
    except PackageNotFoundError:  # run from a source tree that nobody installed
        number = "(not installed)"
    click.echo(f"crontabx {number}")
    context.exit()


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
@click.option(
    "-T", "test_file", metavar="FILE", help="Check one crontab, in the words of crontab(1); - is stdin."
)
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
def crontabx(context: click.Context, state: str | None, test_file: str | None) -> None:
    """Check crontabs, see when they would run, and talk to the crond that runs them.

    Exit status: 0 done, 1 failed or problems found, 2 the command line makes no sense, 3 no daemon answers,
    4 no such job. `run --wait` exits as the job did.
    """
    context.obj = state
    if test_file is not None:
        if context.invoked_subcommand is not None:
            context.fail(f"-T stands alone; with verbs say: crontabx check {test_file}")
        from crond.cli.check import test_crontab

        context.exit(test_crontab(test_file))
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(Status.USAGE)


def main() -> None:
    """Run the command line of this process and exit."""
    # As in any Unix tool: a closed pipe or Ctrl-C ends us silently, and the shell sees which it was.
    for number in (signal.SIGPIPE, signal.SIGINT):
        # Python itself ignores SIGPIPE, so whether our caller wanted that can no longer be seen.
        if number == signal.SIGPIPE or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        crontabx(prog_name="crontabx")
    except OSError as error:  # a full disk under stdout, an output that vanished
        Failure(str(error)).show()
        sys.exit(Status.FAILED)
