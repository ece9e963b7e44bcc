"""The walk over minutes: classes of a gap, spacing, zones of entries, delays, periods, moments, restarts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crond
from crond.core.index import Index
from crond.core.planner import Walk
from crond.model.crontab import parse_crontab
from crond.model.schedule import local_minute
from crond.zones import zone_named
from tests.core.walking import Walker, jobs
from tests.expressions import cron_of, expressions

#: 2026-03-01 00:00:00 UTC, a Sunday.
MARCH = datetime(2026, 3, 1, tzinfo=UTC).timestamp()


def seconds(dues: list[tuple[float, str, float]], since: float = MARCH) -> list[tuple[float, str]]:
    return [(wall - since, command) for wall, command, _ in dues]


def minutes(dues: list[tuple[float, str, float]]) -> list[tuple[int, str]]:
    """(minute of the instant since MARCH, command)."""
    return [(int(instant - MARCH) // 60, command) for _, command, instant in dues]


# --- an even clock --------------------------------------------------------------------------------------


def test_the_minute_of_the_start_is_served_already() -> None:
    """A cron that comes up within a minute waits for the next one."""
    walker = Walker("* * * * * c\n", start=MARCH + 0.5)
    assert seconds(walker.go(180)) == [(60, "c"), (120, "c"), (180, "c")]


def test_jobs_of_a_minute_come_in_the_order_of_their_lines() -> None:
    """However they are grouped: equal schedules, zones and delays between them."""
    walker = Walker(
        "* * * * * a\n0-59 * * * * b\n* * * * * c\nCRON_TZ=Asia/Seoul\n* * * * * d\n", start=MARCH
    )
    assert [command for _, command in seconds(walker.go(60))] == ["a", "b", "c", "d"]


@given(expressions(), st.integers(0, 10**6), st.sampled_from(["UTC", "Asia/Kathmandu", "America/Phoenix"]))
@settings(max_examples=60, deadline=None)
def test_simulate_is_brute_force_where_no_offset_changes(expression: str, minute: int, zone: str) -> None:
    """Testing every minute of three days finds exactly what `crond.simulate` starts, at those minutes."""
    start = MARCH + minute * 60
    offset = {"UTC": 0, "Asia/Kathmandu": 345, "America/Phoenix": -420}[zone]
    schedule = cron_of(expression)
    first = int(start // 60) + 1
    wanted = [m * 60.0 for m in range(first, first + 4320) if schedule.matches(local_minute(m + offset))]
    table = parse_crontab(f"{expression} c\n")
    starts = list(crond.simulate(table, start=start, until=start + 4320 * 60, timezone=zone))
    assert [one.started_at.timestamp() for one in starts] == wanted
    assert [one.instant.timestamp() for one in starts] == wanted


# --- gaps ------------------------------------------------------------------------------------------------

BOTH = "*/2 * * * * wild\n0-59/2 0-23 * * * fixed\n"


# minutes late | (second after waking, minute served, which) up to 65 seconds later
LATE: list[tuple[int, list[tuple[float, int, str]]]] = [
    (1, [(60, 2, "wild"), (60, 2, "fixed")]),
    (2, [(0, 2, "wild"), (0, 2, "fixed")]),
    (
        5,
        [
            (0, 2, "wild"),
            (0, 2, "fixed"),
            (10, 4, "wild"),
            (10, 4, "fixed"),
            (60, 6, "wild"),
            (60, 6, "fixed"),
        ],
    ),
    (6, [(0, 6, "wild"), (10, 2, "fixed"), (20, 4, "fixed"), (30, 6, "fixed")]),
    (180, [(0, 180, "wild"), *((10 * n, 2 * n, "fixed") for n in range(1, 7))]),
    (181, [(60, 182, "wild"), (60, 182, "fixed")]),
    (240, [(0, 240, "wild"), (0, 240, "fixed")]),
]


@pytest.mark.parametrize(("late", "wanted"), LATE)
def test_what_a_late_wake_up_makes_up(late: int, wanted: list[tuple[float, int, str]]) -> None:
    """Up to 5 minutes: all, in order. Up to 180: wild entries once, now, then the fixed of each minute.
    Beyond: nothing but the minute that it is. Ten seconds after a minute that started anything.
    """
    walker = Walker(BOTH, start=MARCH)
    walker.pass_by(late * 60)
    woken = walker.now.wall
    seen = [
        (wall - woken, int(instant - MARCH) // 60, command)
        for wall, command, instant in walker.look() + walker.go(65)
    ]
    assert seen == wanted


def test_making_up_spills_into_the_next_minute() -> None:
    """When the minute is over wild entries get their turn, and making up goes on behind them."""
    walker = Walker("* * * * * wild\n* 0-23 * * * other\n0-59 0-23 * * * fixed\n", start=MARCH)
    walker.pass_by(20 * 60)
    dues = [(wall - MARCH - 1200, command) for wall, command, _ in walker.look() + walker.go(80)]
    assert dues.count((60.0, "wild")) == 1
    assert [at for at, command in dues if command == "fixed"] == [10.0 * n for n in range(1, 9)]


@pytest.mark.parametrize("back", [60, 3600, 180 * 60])
def test_a_clock_set_back_a_little_repeats_wild_entries_only(back: int) -> None:
    """Fixed entries wait until the clock has passed the minute served last."""
    walker = Walker(BOTH, start=MARCH + 3600 * 6)
    walker.go(600)
    served = walker.now.wall
    walker.set_clock(-back)
    dues = walker.look() + walker.go(back + 240)
    assert {command for wall, command, _ in dues if wall <= served} <= {"wild"}
    assert [command for wall, command, _ in dues if wall > served] == ["wild", "fixed"] * 2


def test_a_clock_set_far_back_begins_anew() -> None:
    """More than three hours: fixed entries run again too."""
    walker = Walker(BOTH, start=MARCH + 3600 * 6)
    walker.go(600)
    walker.set_clock(-181 * 60 - 60)
    assert [command for _, command, _ in walker.look()] == ["wild", "fixed"]


# --- zones of entries, delays ------------------------------------------------------------------------------


def test_an_entry_with_a_zone_of_its_own() -> None:
    """CRON_TZ: 07:30 in Seoul is 22:30 UTC."""
    walker = Walker("CRON_TZ=Asia/Seoul\n30 7 * * * c\n", start=MARCH)
    assert minutes(walker.go(86400)) == [(22 * 60 + 30, "c")]


def test_a_zone_that_nobody_knows_is_utc() -> None:
    """As the C library has it, without a word."""
    walker = Walker("CRON_TZ=Nowhere/Land\n30 7 * * * c\n", start=MARCH, zone="Asia/Seoul")
    assert minutes(walker.go(86400)) == [(7 * 60 + 30, "c")]


def test_no_care_for_daylight_saving_in_an_entrys_zone() -> None:
    """CRON_TZ: a fixed entry in that zone's gap is left out, and in its overlap it runs twice."""
    text = "CRON_TZ=America/New_York\n30 2 * * * spring\n30 1 * * * autumn\n"
    spring = datetime(2026, 3, 8, tzinfo=UTC).timestamp()
    assert [command for _, command, _ in Walker(text, start=spring).go(86400)] == ["autumn"]
    autumn = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
    dues = Walker(text, start=autumn).go(86400)
    assert [((wall - autumn) / 3600, command) for wall, command, _ in dues] == [
        (5.5, "autumn"),
        (6.5, "autumn"),
        (7.5, "spring"),
    ]


def test_entries_with_a_zone_are_lost_in_the_daemons_repeated_hour() -> None:
    """While the daemon's own clock is behind the minute served last, fixed entries with CRON_TZ are lost."""
    text = "CRON_TZ=UTC\n30 * * * * wild\n30 0-23 * * * fixed\n"
    autumn = datetime(2026, 11, 1, 4, 45, tzinfo=UTC).timestamp()
    dues = Walker(text, start=autumn, zone="America/New_York").go(3 * 3600)
    hours = [((wall - autumn) // 3600, command) for wall, command, _ in dues]
    assert hours == [(0, "wild"), (0, "fixed"), (1, "wild"), (2, "wild"), (2, "fixed")]


def test_entries_with_a_zone_in_the_daemons_gap() -> None:
    """They are left out while the skipped minutes are made up, but for the last, which is now."""
    text = "0-59 0-23 * * * own\nCRON_TZ=UTC\n0 0-23 * * * hourly\n"
    spring = datetime(2026, 3, 8, 6, 58, tzinfo=UTC).timestamp()
    dues = Walker(text, start=spring, zone="America/New_York").go(1800)
    hourly = [(wall - spring, instant - spring) for wall, command, instant in dues if command == "hourly"]
    assert hourly == []


@pytest.mark.parametrize(
    ("delay", "factor", "shift"), [(30, 0.0, 0), (30, 0.5, 15), (45, 0.99, 44), (0, 0.5, 0)]
)
def test_a_random_delay_is_a_shift(delay: int, factor: float, shift: int) -> None:
    """The entry is matched against the time so many minutes ago: floor(delay * factor), one factor for all.
    The instant stays where the schedule has it.
    """
    walker = Walker(f"RANDOM_DELAY={delay}\n0 3 * * * c\n", start=MARCH, delay_factor=factor)
    ((wall, _, instant),) = walker.go(86400)
    assert wall - MARCH == 3 * 3600 + shift * 60
    assert instant - MARCH == 3 * 3600


def test_an_offset_that_changes_without_daylight_saving() -> None:
    """Kathmandu went from 5:30 to 5:45 in 1986, with no flag of daylight saving: noon is the new noon at
    once, as for Debian's cron; cronie keeps the old one until it is restarted.
    """
    eve = datetime(1985, 12, 30, 18, 30, tzinfo=UTC).timestamp()
    walker = Walker("0 12 * * * noon\n", start=eve, zone="Asia/Kathmandu")
    hours = [(wall - eve) / 3600 for wall, _, _ in walker.go(3 * 86400)]
    assert hours == [12.0, 35.75, 59.75]


# --- restarts ----------------------------------------------------------------------------------------------


@given(
    st.lists(expressions(), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(1, 4 * 3600), st.booleans()), min_size=1, max_size=8),
    st.sampled_from([0, 3600, -1800]),
)
@settings(max_examples=60, deadline=None)
def test_a_walk_that_is_stopped_and_resumed_is_the_same_walk(
    lines: list[str], steps: list[tuple[int, bool]], jump: int
) -> None:
    """A scheduler that dies and comes back at any reading makes the dues of one that never died."""
    text = "".join(f"{line} c{n}\n" for n, line in enumerate(lines))
    spring = datetime(2026, 3, 8, 6, 30, tzinfo=UTC).timestamp()
    steady = Walker(text, start=spring, zone="America/New_York")
    mortal = Walker(text, start=spring, zone="America/New_York")
    for seconds_, dies in steps:
        # Long enough that no ten seconds are cut short: those do not survive, and need not.
        assert [due[1:] for due in steady.go(seconds_)] == [due[1:] for due in mortal.go(seconds_)]
        assert [due[1:] for due in steady.go(11)] == [due[1:] for due in mortal.go(11)]
        if dies and steady.walk.position.making_up is None:
            mortal.restart()
        steady.set_clock(jump)
        mortal.set_clock(jump)


def test_making_up_goes_on_after_a_restart() -> None:
    """Resuming in the middle of a gap serves the rest of its minutes, each once."""
    walker = Walker("0-59 0-23 * * * c\n", start=MARCH)
    walker.pass_by(20 * 60)
    before = walker.look() + walker.go(20)
    walker.restart()
    after = walker.look() + walker.go(200)
    served = [int(instant - MARCH) // 60 for _, _, instant in before + after]
    assert served == sorted(set(served))
    assert served[:20] == list(range(1, 21))


# --- periods -----------------------------------------------------------------------------------------------


def test_a_period_is_due_at_its_multiples() -> None:
    """Multiples since 1970, so that equal periods share instants; the first after the start."""
    walker = Walker("@every 40s c\n", start=MARCH + 1)
    wanted = [tick * 40.0 for tick in range(int(MARCH // 40) + 1, int(MARCH // 40) + 4)]
    assert [instant for _, _, instant in walker.go(121)] == wanted


def test_a_period_that_was_slept_through_is_due_once() -> None:
    """One due per wake-up, for the latest multiple; no backlog."""
    walker = Walker("@every 15s c\n", start=MARCH)
    walker.pass_by(3600 + 7)
    assert seconds(walker.look()) == [(3607, "c")]
    assert seconds(walker.go(10)) == [(3615, "c")]


def test_a_period_after_the_clock_was_set_back() -> None:
    """It goes on at once with the multiples of the new time; a slewed clock repeats none."""
    walker = Walker("@every 15s c\n", start=MARCH)
    walker.go(30)
    walker.set_clock(-5)
    assert walker.look() == []
    assert seconds(walker.go(20)) == [(45, "c")]
    walker.set_clock(-3600)
    walker.look()
    assert [wall - MARCH for wall, _, _ in walker.go(30)] == [45 - 3600 + 15 * n for n in (1, 2)]


def test_editing_a_table_does_not_disturb_a_period() -> None:
    """A period that was there before goes on counting."""
    walker = Walker("@every 15s c\n", start=MARCH)
    walker.pass_by(20)
    walker.edit("@every 15s c\n@every 20s d\n")
    assert seconds(walker.look()) == [(20, "c")]


# --- moments -----------------------------------------------------------------------------------------------


def test_a_moment_is_due_once_at_its_second() -> None:
    """`@at` is to the second."""
    walker = Walker("@at 2026-03-01T00:01:30+00:00 c\n", start=MARCH)
    assert seconds(walker.go(300)) == [(90, "c")]


def test_a_moment_that_was_slept_through_is_due_late() -> None:
    """Within the life of the daemon nothing is lost."""
    walker = Walker("@at 2026-03-01T00:01:30+00:00 c\n", start=MARCH)
    walker.pass_by(86400)
    assert seconds(walker.look()) == [(86400, "c")]


def test_a_moment_that_has_passed_is_said_so() -> None:
    """A line that comes too late does not run; the engine says so."""
    walker = Walker("@at 2026-02-28T00:00:00+00:00 c\n", start=MARCH)
    assert walker.passed == ["c"]
    assert walker.go(120) == []


def test_a_naive_moment_is_in_the_entrys_zone() -> None:
    """Without an offset the text is read in CRON_TZ, else in the daemon's zone."""
    text = "@at 2026-03-01T10:00 daemon\nCRON_TZ=Asia/Seoul\n@at 2026-03-01T10:00 seoul\n"
    walker = Walker(text, start=MARCH, zone="Europe/Berlin")
    assert seconds(walker.go(86400)) == [(3600, "seoul"), (9 * 3600, "daemon")]


def test_a_moment_ahead_survives_a_restart() -> None:
    """It comes from the table, so nothing need be remembered of it."""
    walker = Walker("@at 2026-03-01T00:01:30+00:00 c\n", start=MARCH)
    walker.go(60)
    walker.restart()
    assert seconds(walker.go(60)) == [(90, "c")]


def test_a_virtual_clock_passes_over_nothing() -> None:
    """What `idle_until` skips holds no due: with it and without it the starts are the same."""
    text = (
        "*/7 3 * * 1 a\nCRON_TZ=America/New_York\n30 1-3 * * * b\n"
        "@every 7h c\n@at 2026-11-02T00:00:30+00:00 d\n"
    )
    start = datetime(2026, 10, 25, tzinfo=UTC).timestamp()
    table = parse_crontab(text, extensions=True)
    seen = crond.simulate(table, start=start, until=start + 20 * 86400, timezone="Europe/London")
    walker = Walker(text, start=start, zone="Europe/London")
    assert [(one.started_at.timestamp(), one.entry.raw) for one in seen] == [
        (wall, command) for wall, command, _ in walker.go(20 * 86400)
    ]


def test_only_moments_have_a_moment() -> None:
    """An index that put another schedule among them would be a bug of ours, and is said."""
    index = Index((), delay_factor=0.0)
    index.moments = jobs("* * * * * c\n")
    walk = Walk(zone=zone_named("UTC"), zone_named=zone_named, rules=None)
    with pytest.raises(TypeError, match="not due at one moment"):
        walk.use(index, 0.0)


def test_nothing_is_passed_over_while_a_minute_waits() -> None:
    """A walk that has not woken in this minute, or is making up, or waits for a set clock, passes nothing."""
    walker = Walker("0 3 * * * c\n", start=MARCH)
    walker.pass_by(60)
    assert walker.walk.idle_until(walker.now.wall, walker.now.wall + 3600) == walker.now.wall
    walker.set_clock(-600)
    walker.look()
    assert walker.walk.idle_until(walker.now.wall, walker.now.wall + 3600) == walker.now.wall


def test_a_minute_that_begins_while_a_crontab_is_read_is_served_at_once() -> None:
    """Reading 10,000 lines across a full minute made everybody's jobs of that minute up to a minute late."""
    walker = Walker("* * * * * a\n")
    walker.go(59.9)
    walker.pass_by(0.2)
    walker.edit("* * * * * a\n* * * * * b\n")
    assert walker.walk.deadline(walker.now) == 0.0
    assert [(command, instant) for _, command, instant in walker.look()] == [("a", 60.0), ("b", 60.0)]
    assert walker.walk.deadline(walker.now) == pytest.approx(59.9)
