"""The verb `graph`: which jobs depend on which, with how each stands.

The scheduler knows the links; crond.cli.drawing makes the pictures. Loaded by crond.cli.main.
"""

from __future__ import annotations

from datetime import UTC, datetime

import click

from crond.cli.client import ask_once, find_place
from crond.cli.completion import jobs
from crond.cli.drawing import COLUMNS, dot, mermaid, rows
from crond.cli.failure import Failure, Status
from crond.cli.format import can_show, counted, show_table
from crond.cli.options import json_option, show_json
from crond.cli.pipelines import read_net


@click.command(short_help="Draw which jobs depend on which.")
@click.argument("job", required=False, shell_complete=jobs)
@click.option("--dot", "as_dot", is_flag=True, help="Print it in the language of Graphviz: | dot -Tsvg.")
@click.option("--mermaid", "as_mermaid", is_flag=True, help="Print it as a Mermaid flowchart, for Markdown.")
@json_option
@click.pass_obj
def graph(state: str | None, *, job: str | None, as_dot: bool, as_mermaid: bool, as_json: bool) -> None:
    """Draw the pipeline that JOB belongs to, or all pipelines: each job below the last of its parents, with
    how its newest run stands, and what keeps it where it is paused, held or not enabled.
    """
    if as_dot + as_mermaid + as_json > 1:
        raise Failure("--dot, --mermaid and --json exclude each other", Status.USAGE)
    body = ask_once(find_place(state), "graph", job=job)
    net, now = read_net(body), datetime.now(UTC)
    if as_json:
        show_json(body)
        return
    if as_dot or as_mermaid:
        click.echo("\n".join(dot(net, now) if as_dot else mermaid(net, now)))
        return
    if not net.nodes:
        click.echo("No job depends on another.", err=True)
    plain = not can_show("├─└│")
    for number, (name, part) in enumerate(net.pipelines().items()):
        if number:
            click.echo()
        if name:
            click.echo(f"{name}: {counted(len(part.nodes), 'job')}")
        else:
            click.echo("In no pipeline:")
        show_table(COLUMNS, rows(part, now, plain=plain), indent="  ")
