"""Options that several verbs share, each worded once.

Knows click only; every file of verbs imports it.
"""

from __future__ import annotations

import json
from typing import Any

import click

from crond.cli.completion import zones

#: Every verb has it. The objects are described in docs/reference/json.md.
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")

system_option = click.option(
    "--system/--user",
    default=None,
    help="FILE has a user column, or has none. Without either: it has one if it is /etc/crontab or lies in"
    " /etc/cron.d.",
)

dialect_option = click.option(
    "--dialect",
    type=click.Choice(["auto", "cronie", "debian"]),
    default="auto",
    show_default=True,
    help="Whose cron decides where cronie and Debian's cron differ; auto looks at this host.",
)


class Days(click.FloatRange):
    """A number of days, or a part of one."""

    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; click's own words for a text that is none are `valid float range`."""
        try:
            float(value)
        except ValueError:
            self.fail(f"{value!r} is no number of days; write 7, or 0.5", param, ctx)
        return super().convert(value, param, ctx)


timezone_option = click.option(
    "--timezone",
    metavar="TZ",
    shell_complete=zones,
    help="The zone, such as Asia/Seoul; without it, this machine's.",
)


def show_json(value: Any, *, indent: int | None = 2) -> None:
    """Print `value` as one JSON document, in ASCII: nothing in it can reach a terminal as an escape."""
    click.echo(json.dumps(value, indent=indent))
