"""The jobs that there are, and which of them are held."""

from __future__ import annotations

from crond.core.roster import Roster
from crond.model.crontab import parse_crontab
from crond.model.events import TableParsed


def test_a_zone_that_nobody_knows_holds_its_job() -> None:
    """A slip in `timezone=` let a job run at the hours of UTC, and nobody heard of it."""
    roster = Roster(lambda name: name == "Asia/Seoul")
    text = "#: timezone=Asia/Seul\n0 6 * * * a\n#: timezone=Asia/Seoul\n0 6 * * * b\n0 6 * * * c\n"
    roster.put(TableParsed(1, "/tab", "me", 7, parse_crontab(text, extensions=True)))
    roster.settle()
    assert list(roster.held.values()) == ["there is no time zone 'Asia/Seul'"]
