"""The public API: names, times and zones as Python programs have them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

import crond
from crond.api import Ending
from crond.zones import HostZone, fixed, tzinfo_named, zone_named

DAILY = "30 2 * * * c\n"
NOON = datetime(2026, 3, 7, 12, tzinfo=UTC)


def test_every_public_name_is_there() -> None:
    """`__all__` is kept; anything else is an AttributeError like that of any module."""
    for name in crond.__all__:
        assert getattr(crond, name)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = crond.nonsense


def test_times_are_aware_and_in_their_zones() -> None:
    """`started_at` is in the daemon's zone, `instant` in UTC; they differ where a gap is made up."""
    table = crond.parse_crontab(DAILY)
    (start,) = crond.simulate(table, start=NOON, until=NOON + timedelta(days=1), timezone="America/New_York")
    assert start.started_at.isoformat() == "2026-03-08T03:00:00-04:00"
    assert start.instant.isoformat() == "2026-03-08T07:00:00+00:00"
    assert start.entry is table.entries[0]


@pytest.mark.parametrize(
    "zone", ["Asia/Seoul", ZoneInfo("Asia/Seoul"), timezone(timedelta(hours=9)), "KST-9"]
)
def test_a_zone_by_name_text_or_object(zone: str | ZoneInfo | timezone) -> None:
    """A name of the tz database, a POSIX text, or any tzinfo."""
    starts = crond.simulate(
        crond.parse_crontab(DAILY), start=NOON.timestamp(), until=NOON.timestamp() + 86400, timezone=zone
    )
    assert [one.instant.isoformat() for one in starts] == ["2026-03-07T17:30:00+00:00"]


@pytest.mark.parametrize("zone", ["Nowhere/Land", "../etc/passwd", "\0", "x" * 5000, "ü"])
def test_a_zone_that_does_not_exist(zone: str) -> None:
    """A ValueError that names it; CRON_TZ, in contrast, is UTC then, as in the C library."""
    with pytest.raises(ValueError, match="there is no time zone"):
        crond.simulate(crond.parse_crontab(DAILY), start=0, until=1, timezone=zone)
    assert zone_named(zone).offset_at(0.0) == 0


def test_a_naive_time_is_refused() -> None:
    """It would mean another moment on every machine."""
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(ValueError, match="2026-03-07T12:00:00 has no zone"):
        crond.simulate(crond.parse_crontab(DAILY), start=naive, until=NOON, timezone="UTC")
    with pytest.raises(ValueError, match="has no zone"):
        crond.simulate(crond.parse_crontab(DAILY), start=NOON, until=naive, timezone="UTC")


def test_the_end_is_included_and_the_first_minute_is_not() -> None:
    """Starts up to and including `until`; the minute in which the daemon came up is not run."""
    table = crond.parse_crontab("* * * * * c\n@reboot r\n")
    starts = crond.simulate(table, start=0.5, until=120, timezone="UTC")
    assert [(one.started_at.timestamp(), one.entry.raw) for one in starts] == [
        (0.5, "r"),
        (60, "c"),
        (120, "c"),
    ]


def test_how_processes_end_is_asked() -> None:
    """`outcome` is asked once per start, and what it says takes its time."""
    asked: list[crond.Start] = []

    def outcome(start: crond.Start) -> Ending:
        asked.append(start)
        return Ending(seconds=90, status=256)

    table = crond.parse_crontab("* * * * * c\n")
    starts = list(crond.simulate(table, start=0, until=600, timezone="UTC", outcome=outcome))
    assert asked == starts
    assert len(starts) == 10


def test_a_seed_draws_the_delay() -> None:
    """RANDOM_DELAY shifts all starts by one factor; the same seed, the same starts."""
    table = crond.parse_crontab("RANDOM_DELAY=60\n0 3 * * * c\n")

    def minutes(seed: int) -> list[float]:
        starts = crond.simulate(table, start=0, until=3 * 86400, timezone="UTC", seed=seed)
        return [one.started_at.timestamp() % 86400 / 60 for one in starts]

    assert minutes(1) == minutes(1)
    assert len(set(minutes(1))) == 1
    assert len({minutes(seed)[0] for seed in range(30)}) > 10
    assert all(180 <= minutes(seed)[0] < 240 for seed in range(30))


ANNOTATED = """
#: name=fetch retries=1 retry_delay=5m wait_for=there condition=weekday
0 6 * * * fetch
#: name=report depends_on=fetch schedule=@after
0 9 * * * report
#: name=long timeout=1m concurrency=forbid
0 7 * * * long
"""


def test_annotated_entries() -> None:
    """Retries are starts with a higher attempt, `@after` entries start when their parents have ended, and
    what an entry asks before it starts is no start.
    """
    table = crond.parse_crontab(ANNOTATED, extensions=True)

    def outcome(start: crond.Start) -> Ending:
        if start.entry.name == "fetch":
            return Ending(seconds=10, status=256 if start.attempt == 1 else 0)
        return Ending(seconds=999)

    starts = list(crond.simulate(table, start=0, until=86400, timezone="UTC", outcome=outcome))
    assert [(start.started_at.strftime("%H:%M:%S"), start.entry.name, start.attempt) for start in starts] == [
        ("06:00:00", "fetch", 1),
        ("06:05:10", "fetch", 2),
        ("06:05:20", "report", 1),
        ("07:00:00", "long", 1),
    ]
    assert {start.instant.hour for start in starts} == {6, 7}


def test_a_process_that_is_to_end_ends() -> None:
    """What runs too long is tried again, and what a newer run replaces is over; both were simulated as if
    they ran to their own end.
    """
    table = crond.parse_crontab(
        "#: name=a timeout=1m retries=1\n0 6 * * * a\n#: name=b concurrency=replace\n*/20 6 * * * b\n",
        extensions=True,
    )
    starts = crond.simulate(
        table, start=0, until=86400, timezone="UTC", outcome=lambda _start: Ending(seconds=7200)
    )
    assert [(start.started_at.strftime("%H:%M"), start.entry.name, start.attempt) for start in starts] == [
        ("06:00", "a", 1),
        ("06:00", "b", 1),
        ("06:02", "a", 2),
        ("06:20", "b", 1),
        ("06:40", "b", 1),
    ]


def test_a_long_chain_is_no_recursion() -> None:
    """A thousand jobs, each after the one before, all ending at once."""
    lines = ["#: name=a0\n0 6 * * * c\n"]
    lines += [f"#: name=a{n} depends_on=a{n - 1}\n@after c\n" for n in range(1, 1000)]
    table = crond.parse_crontab("".join(lines), extensions=True)
    starts = list(crond.simulate(table, start=0, until=86400, timezone="UTC"))
    assert [start.entry.name for start in starts] == [f"a{n}" for n in range(1000)]


def test_a_month_is_simulated_at_once() -> None:
    """A dozen ordinary jobs over a month, in well under a second."""
    text = "".join(f"{minute} {minute % 24} * * * c{minute}\n" for minute in range(12)) + "@hourly h\n"
    table = crond.parse_crontab(text)
    began = time.process_time()
    starts = list(crond.simulate(table, start=NOON, until=NOON + timedelta(days=30), timezone="UTC"))
    assert len(starts) == 12 * 30 + 720
    assert time.process_time() - began < 2


def test_the_hosts_zone_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """TZ or /etc/localtime may change under a running daemon."""
    zone = HostZone()
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "KST-9")
        zone.reread()
        assert zone.offset_at(0.0) == 32400
        patch.setenv("TZ", "UTC")
        zone.reread()
        assert zone.offset_at(0.0) == 0
    zone.reread()


def test_a_named_zone_knows_its_changes_to_the_second() -> None:
    """What is kept between two questions must never reach across a change."""
    zone = zone_named("America/New_York")
    change = datetime(2026, 3, 8, 7, tzinfo=UTC).timestamp()
    for seconds in (-20_000, -3, -1, 0, 1, -2, -10_799, 5, -10_800, 20_000, -1):
        assert zone.offset_at(change + seconds) == (-18000 if seconds < 0 else -14400)


def test_a_zone_without_an_offset_is_utc() -> None:
    """A fixed zone never changes; a POSIX text knows daylight saving."""
    assert fixed(3600).offset_at(1e9) == 3600
    posix = tzinfo_named("EST5EDT,M3.2.0,M11.1.0")
    assert posix is not None
    assert datetime(2026, 7, 1, tzinfo=UTC).astimezone(posix).utcoffset() == timedelta(hours=-4)
