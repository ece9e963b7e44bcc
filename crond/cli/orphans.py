"""Jobs that a new version of a crontab no longer has, though they are paused or wait to be tried again.

What was paused runs again under another name, and a retry that waits is given up: whoever edited is told.
Owns the comparison. Used by edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crond.cli.client import SCHEDULER, Connection, Place
from crond.cli.failure import Failure
from crond.cli.format import printable

if TYPE_CHECKING:
    from crond.model.job import Job


def unsettled(place: Place) -> dict[str, str]:
    """Return of each job, by its id, what a change may lose; to be asked before the change. Nothing where
    nobody can be asked.
    """
    try:
        with Connection(place, SCHEDULER) as scheduler:
            jobs = scheduler.ask("unsettled").body["jobs"]
        return {one["job"]: one["why"] for one in jobs}
    except (Failure, KeyError, TypeError):
        return {}


def tell_orphans(found: dict[str, str], user: str, dialect: str, before: bytes, after: bytes) -> None:
    """Say on stderr which of the jobs `found` of `user` were in `before` and are not in `after`."""
    if not found:
        return  # nearly always, and parsing takes its time
    gone = _jobs(before, user, dialect).keys() - _jobs(after, user, dialect).keys()
    for job in sorted(gone & found.keys()):
        name = printable(job.partition("/")[2])
        click.echo(f"note: {name} {found[job]}, and no line is that job any longer", err=True)
        click.echo("  to keep what belongs to it, give its line the same name=", err=True)


def _jobs(text: bytes, user: str, dialect: str) -> dict[str, Job]:
    from crond.model.crontab import parse_crontab
    from crond.model.job import jobs_of

    table = parse_crontab(text, dialect=dialect or "cronie", extensions=True)
    return {job.id: job for job in jobs_of(table, owner=user, uid=0, origin="", version=1)}
