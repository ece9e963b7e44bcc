"""The look ahead of people must say what the simulation, which drives the real walk, would do."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crond
from crond.calendars.rules import days_of_rule
from crond.core.preview import Preview
from crond.model.crontab import parse_crontab
from crond.model.job import jobs_of
from crond.zones import NamedZone, tzinfo_named, zone_named
from tests.expressions import expressions

#: Zones, each with moments at which its offset changes: forward and back, by hours, half an hour, three hours
#: and a day.
CHANGES = [
    ("America/New_York", "2026-03-08T07:00Z"),
    ("America/New_York", "2026-11-01T06:00Z"),
    ("Europe/London", "2026-03-29T01:00Z"),
    ("Europe/London", "2026-10-25T01:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00Z"),
    ("America/Sao_Paulo", "2019-02-17T02:00Z"),
    ("Antarctica/Casey", "2009-10-17T18:00Z"),
    ("Antarctica/Casey", "2010-03-04T15:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00Z"),
    ("Antarctica/Troll", "2026-03-29T01:00Z"),
    ("Asia/Seoul", "2026-06-01T00:00Z"),
]


def looked_ahead(text: str, zone: str, wall: float, count: int) -> list[float]:
    (job,) = jobs_of(parse_crontab(text, extensions=True), owner="me", uid=0, origin="t", version=1)
    found = tzinfo_named(zone)
    assert found is not None
    local = NamedZone(found)
    preview = Preview(
        wall=wall,
        planned_upto=int((wall + local.offset_at(wall)) // 60),
        zone=local,
        zone_named=zone_named,
        rules=days_of_rule,
        delay_factor=0.0,
    )
    return list(islice(preview.due_times(job), count))


def simulated(text: str, zone: str, wall: float, days: float) -> list[float]:
    table = parse_crontab(text, extensions=True)
    starts = crond.simulate(table, start=wall, until=wall + days * 86400, timezone=zone)
    return [start.instant.timestamp() for start in starts]


def moment(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()


@given(
    expressions(),
    st.sampled_from(CHANGES),
    st.one_of(st.integers(-300, 300), st.integers(-3000, 3000)),
    st.integers(0, 59),
)
@settings(max_examples=80, deadline=None)
def test_the_look_ahead_is_what_would_happen(
    expression: str, change: tuple[str, str], minutes: int, seconds: int
) -> None:
    """From any moment around a change of offset, the first dues shown are the first that the walk makes."""
    zone, at = change
    wall = moment(at) + minutes * 60 + seconds
    wanted = simulated(f"{expression} c\n", zone, wall, 2.2)[:40]
    assert looked_ahead(f"{expression} c\n", zone, wall, len(wanted)) == wanted


def test_a_gap_of_three_hours_is_not_made_up() -> None:
    """The list promised 05:00 for a job at 02:05 where Casey's clocks skipped three hours: the distance is
    181 minutes, beyond which cron makes nothing up.
    """
    wall = moment("2009-10-17T17:00Z")
    seen = looked_ahead("5 2 * * * c\n", "Antarctica/Casey", wall, 1)
    assert seen == [moment("2009-10-18T15:05Z")]
    assert simulated("5 2 * * * c\n", "Antarctica/Casey", wall, 1) == seen


@given(expressions(), st.sampled_from(CHANGES), st.integers(-3000, 3000))
@settings(max_examples=30, deadline=None)
def test_entries_with_a_zone_of_their_own(expression: str, change: tuple[str, str], minutes: int) -> None:
    """CRON_TZ, under a daemon whose own zone never changes: no care for daylight saving, in either."""
    zone, at = change
    text = f"CRON_TZ={zone}\n{expression} c\n"
    wall = moment(at) + minutes * 60
    wanted = simulated(text, "UTC", wall, 2.2)[:40]
    assert looked_ahead(text, "UTC", wall, len(wanted)) == wanted


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("@every 90s c", [90.0, 180.0, 270.0]),
        ("@at 1970-01-01T00:01:30+00:00 c", [90.0]),
        ("@at 1970-01-01T09:01:30 c", [90.0]),
        ("@at 1970-01-01T00:00:59+00:00 c", []),
        ("@reboot c", []),
        ("0 0 30 2 * c", []),
    ],
)
def test_what_is_no_schedule_of_cron(line: str, wanted: list[float]) -> None:
    """Periods go on for ever, moments are due once and only ahead, a reboot is never foreseen."""
    assert looked_ahead(f"{line}\n", "Asia/Seoul", 60.0, 3) == wanted


def test_a_naive_moment_is_read_in_its_entrys_zone() -> None:
    """CRON_TZ counts for `@at` too."""
    text = "CRON_TZ=Asia/Seoul\n@at 2026-11-29T07:00 c\n"
    assert looked_ahead(text, "America/New_York", 0.0, 1) == [moment("2026-11-28T22:00Z")]


def test_a_delay_is_shown_as_the_start() -> None:
    """RANDOM_DELAY shifts the start, so the start is what people are shown."""
    text = "RANDOM_DELAY=60\n0 0 * * * c\n"
    (job,) = jobs_of(parse_crontab(text), owner="me", uid=0, origin="t", version=1)
    zone = zone_named("UTC")
    preview = Preview(
        wall=0.0, planned_upto=0, zone=zone, zone_named=zone_named, rules=None, delay_factor=0.5
    )
    # The midnight of moment 0 is due half an hour later, and then each day.
    assert list(islice(preview.due_times(job), 2)) == [1800.0, 1800.0 + 86400.0]


def test_a_minute_served_already_is_not_due_again() -> None:
    """In the repeated hour of autumn a fixed entry was served in the first pass."""
    first_pass = moment("2026-11-01T05:45Z")
    assert looked_ahead("30 1 * * * c\n", "America/New_York", first_pass, 1) == [moment("2026-11-02T06:30Z")]
    (job,) = jobs_of(parse_crontab("30 1 * * * c\n"), owner="me", uid=0, origin="t", version=1)
    zone = zone_named("America/New_York")
    second_pass = moment("2026-11-01T06:15Z")
    preview = Preview(
        wall=second_pass,
        planned_upto=int((second_pass + zone.offset_at(first_pass)) // 60) - 15,
        zone=zone,
        zone_named=zone_named,
        rules=None,
        delay_factor=0.0,
    )
    assert next(preview.due_times(job)) == moment("2026-11-02T06:30Z")
    # The changes of a zone are looked for once.
    assert next(preview.due_times(job)) == moment("2026-11-02T06:30Z")


def test_minutes_of_a_gap_are_shown_at_its_end() -> None:
    """All of them are made up when the skipped hour is over, and then the ordinary ones follow."""
    wall = moment("2026-03-08T06:50Z")
    gap = moment("2026-03-08T07:00Z")
    text = "0,30 2,3 * * * c\n"
    assert looked_ahead(text, "America/New_York", wall, 4) == [gap, gap, gap, gap + 1800]
    assert simulated(text, "America/New_York", wall, 0.5) == [gap, gap, gap, gap + 1800]


@pytest.mark.parametrize(("zone", "change"), CHANGES)
def test_the_past_is_what_was_ahead_then(zone: str, change: str) -> None:
    """Looking from an earlier moment tells what a look ahead had told then, whatever was served since."""
    then = datetime.fromisoformat(change).timestamp() - 86400.0
    found = tzinfo_named(zone)
    assert found is not None
    (job,) = jobs_of(
        parse_crontab("*/20 1-3 * * * x\n", extensions=True), owner="me", uid=0, origin="t", version=1
    )
    much_later = Preview(
        wall=then + 30 * 86400.0,
        planned_upto=int((then + 30 * 86400.0) // 60),
        zone=NamedZone(found),
        zone_named=zone_named,
        rules=days_of_rule,
        delay_factor=0.0,
    )
    expected = looked_ahead("*/20 1-3 * * * x\n", zone, then, 30)
    assert list(islice(much_later.looking_from(then).due_times(job), 30)) == expected


def test_thousands_of_days_that_never_come_are_looked_for_once() -> None:
    """Ten thousand entries for 30 February held the scheduler up for five seconds at each `status`."""
    text = "".join(f"{n % 60} {n // 60 % 24} 30 2 * c{n}\n" for n in range(9999))
    jobs = jobs_of(parse_crontab(text), owner="me", uid=0, origin="t", version=1)
    preview = Preview(
        wall=moment("2026-11-21T00:00Z"),
        planned_upto=int(moment("2026-11-21T00:00Z") // 60),
        zone=NamedZone(UTC),
        zone_named=zone_named,
        rules=None,
        delay_factor=0.0,
    )
    began = time.process_time()
    assert all(next(preview.due_times(job), None) is None for job in jobs)
    assert time.process_time() - began < 1
