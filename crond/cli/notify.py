"""The verb `notify`: try out who would be told, before anything fails.

The launcher sends the test as it sends everything, with the rights of whose crontab it is; this says what
each receiver said. Loaded by crond.cli.main.
"""

from __future__ import annotations

import sys

import click

from crond.cli.answers import text_of
from crond.cli.client import LAUNCHER, Connection, find_place
from crond.cli.failure import Failure, Status
from crond.cli.options import json_option, show_json

#: What the launcher says of a try, with what people are told.
_RESULTS = {
    "sent": "delivered",
    "again": "not delivered",
    "unsure": "perhaps delivered",
    "never": "refused",
    "gone": "no such target",
}


@click.command(short_help="Try out who would be told.")
@click.argument("target", required=False)
@click.option("--test", is_flag=True, help="Send a test message; there is nothing else to do yet.")
@click.option("-u", "user", metavar="USER", help="As USER, for root.")
@click.option("--host", is_flag=True, help="The targets of the host's settings (on_trouble), for root.")
@json_option
@click.pass_context
def notify(
    context: click.Context, *, target: str | None, test: bool, user: str | None, host: bool, as_json: bool
) -> None:
    """Send a test message to TARGET: a URL of Apprise, a mail address or a tag, as in `on_failure=`. Without
    TARGET, to all that your crontab names. It goes out at once and once, by the way of a real one.

    A URL holds secrets, and arguments can be seen by others: give - and write it on standard input.

    Exit status: 1 if one of them was not delivered.
    """
    if not test:
        context.fail("say --test: notify sends test messages alone")
    if host and (user or target):
        context.fail("--host goes without USER and TARGET")
    if target == "-":
        target = sys.stdin.readline().strip()
    answers = []
    with Connection(find_place(context.obj), LAUNCHER) as launcher:
        launcher.begin("notify-test", target=target, user=user, host="yes" if host else None)
        final = False
        while not final:
            reply = launcher.wait()
            final = reply.final
            if "target" not in reply.body:
                continue
            answers.append(reply.body)
            if not as_json:
                click.echo(_said(reply.body))
    if as_json:
        show_json({"targets": answers})
    if not answers:
        raise Failure(
            "there is nobody to tell: no line says on_failure=, on_late= ... or ping=", Status.FAILED
        )
    if any(body.get("result") != "sent" for body in answers):
        context.exit(Status.FAILED)


def _said(body: dict[str, object]) -> str:
    result, detail = text_of(body, "result"), text_of(body, "detail")
    return f"{text_of(body, 'target')}: {_RESULTS.get(result, result)}{f': {detail}' if detail else ''}"
