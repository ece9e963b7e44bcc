"""A job as its crontab had it at a moment: what a schedule of today cannot say of the past.

Looks at the kept versions of a user's crontab, which whoever asks may see. Called by why.
"""

from __future__ import annotations

from datetime import datetime

from crond.cli import crontabs
from crond.cli.client import Place
from crond.cli.failure import Failure
from crond.cli.format import printable
from crond.cli.times import shown
from crond.cli.versions import VersionSeen, versions_of
from crond.model.crontab import parse_crontab
from crond.model.job import jobs_of


def former(place: Place, job: str, moment: datetime, schedule: str) -> list[str]:
    """Return sentences about `job` (OWNER/NAME) in the crontab of `moment`; none where it was as it is now.

    `schedule` is that of now. Nothing is said where no version of then is kept, or is not ours to see.
    """
    owner = job.partition("/")[0]
    try:
        _, current, kept = versions_of(place, owner)
        # The newest comes first.
        then = next((version for version in kept if version.at <= moment), None)
        if then is None or then.digest == current:
            return []
        return _told(place, owner, job, then, schedule)
    except Failure:
        return []


def _told(place: Place, owner: str, job: str, then: VersionSeen, schedule: str) -> list[str]:
    if not then.text_kept:
        return [f"But there was no crontab of {owner}'s then: it was removed at {shown(then.at)}."]
    fetched = crontabs.fetch(place, owner, purpose="compare", version=then.number)
    was = _schedule_in(fetched, owner, job)
    if was == schedule:
        return []
    number, at = then.number, shown(then.at)
    if was is None:
        text = f"the job was not in version {number}, {at} (crontabx diff {number})"
        return [f"But the crontab has changed since: {text}."]
    text = f"it was {printable(was)} in version {number} of the crontab, {at}"
    return [f"But its schedule has changed since: {text}."]


def _schedule_in(fetched: crontabs.Fetched, owner: str, job: str) -> str | None:
    table = parse_crontab(fetched.text or b"", dialect=fetched.dialect or "cronie", extensions=True)
    # Neither number nor place of the file goes into the id of a user's job.
    jobs = jobs_of(table, owner=owner, uid=0, origin="", version=0)
    return next((str(found.entry.schedule) for found in jobs if found.id == job), None)
