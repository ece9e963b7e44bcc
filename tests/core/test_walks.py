"""`timezone=`: a walk for each zone, with the care for daylight saving that the daemon's zone has."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from crond.core import memory
from crond.core.clockwork import Gap
from crond.core.memory import Memory
from crond.core.planner import Position
from tests.core.test_preview import CHANGES, looked_ahead, moment, simulated
from tests.core.walking import Walker
from tests.expressions import expressions

NEW_YORK = "#: timezone=America/New_York\n"


def hours(walker: Walker, since: float, hours_: float = 24) -> list[tuple[float, str]]:
    return [((wall - since) / 3600, command) for wall, command, _ in walker.go(hours_ * 3600)]


def test_a_fixed_entry_runs_once_in_each_night() -> None:
    """In the gap it is made up, in the overlap it is not repeated, whatever the daemon's zone is."""
    text = f"{NEW_YORK}30 2 * * * spring\n{NEW_YORK}30 1 * * * autumn\n"
    spring = datetime(2026, 3, 8, tzinfo=UTC).timestamp()
    assert hours(Walker(text, start=spring), spring) == [(6.5, "autumn"), (7.0, "spring")]
    autumn = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
    for zone in ("UTC", "Asia/Seoul", "Europe/London"):
        walker = Walker(text, start=autumn, zone=zone)
        assert hours(walker, autumn) == [(5.5, "autumn"), (7.5, "spring")]


def test_a_wild_entry_follows_elapsed_time() -> None:
    """It runs in both passes of the hour that comes twice."""
    autumn = datetime(2026, 11, 1, 4, 45, tzinfo=UTC).timestamp()
    walker = Walker(f"{NEW_YORK}30 * * * * wild\n", start=autumn)
    assert hours(walker, autumn, 3) == [(0.75, "wild"), (1.75, "wild"), (2.75, "wild")]


def test_the_daemons_changes_do_not_touch_it() -> None:
    """What CRON_TZ loses in the hour that the daemon's clock repeats is not lost with `timezone=`."""
    autumn = datetime(2026, 11, 1, 4, 45, tzinfo=UTC).timestamp()
    text = "CRON_TZ=UTC\n30 0-23 * * * theirs\n#: timezone=UTC\n30 0-23 * * * ours\n"
    walker = Walker(text, start=autumn, zone="America/New_York")
    dues = hours(walker, autumn, 3)
    assert [at for at, command in dues if command == "ours"] == [0.75, 1.75, 2.75]
    assert [at for at, command in dues if command == "theirs"] == [0.75, 2.75]


def test_its_zone_goes_before_that_of_the_lines_above() -> None:
    """`timezone=` and CRON_TZ on one entry: the annotation counts."""
    noon = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
    walker = Walker("CRON_TZ=America/New_York\n#: timezone=Asia/Seoul\n0 21 * * * c\n", start=noon)
    assert hours(walker, noon) == [(12.0, "c")]


def test_a_moment_is_read_in_it() -> None:
    """`@at` without an offset."""
    wanted = [moment("2026-11-28T22:00Z")]
    text = "#: timezone=Asia/Seoul\n@at 2026-11-29T07:00 c\n"
    assert looked_ahead(text, "America/New_York", 0.0, 1) == wanted
    text = "#: timezone=Asia/Seoul schedule='@at 2026-11-29T07:00'\n0 0 1 1 * c\n"
    walker = Walker(text, start=wanted[0] - 60, zone="America/New_York")
    assert [instant for _, _, instant in walker.go(120)] == wanted


def test_a_zone_that_is_new_starts_where_the_daemon_stands() -> None:
    """An entry added while a minute begins runs in that minute, and nothing before it is made up."""
    start = datetime(2026, 11, 1, 5, 30, tzinfo=UTC).timestamp()
    for zone in ("UTC", "America/New_York"):
        walker = Walker("* * * * * a\n", start=start, zone=zone)
        walker.go(3600 - 0.1)
        walker.pass_by(0.2)
        walker.edit("* * * * * a\n#: timezone=Asia/Tokyo\n0-59 0-23 * * * b\n")
        assert walker.walk.deadline(walker.now) == 0.0
        assert [command for _, command, _ in walker.look()] == ["a", "b"]


def test_a_zone_that_is_used_no_more_is_forgotten() -> None:
    """When it comes back nothing of the time between is made up."""
    text = "#: timezone=Asia/Tokyo\n0-59 0-23 * * * b\n"
    start = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
    walker = Walker(text, start=start)
    walker.go(60)
    walker.edit("0 0 * * * a\n")
    walker.go(600)
    assert walker.walk.position.zones == ()
    walker.edit(text)
    assert [wall - start for wall, _, _ in walker.go(120)] == [720, 780]


@given(
    st.lists(st.tuples(expressions(), st.sampled_from(["", NEW_YORK, "#: timezone=Europe/London\n"])),
             min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(1, 4 * 3600), st.booleans()), min_size=1, max_size=6),
    st.sampled_from([0, 3600, -1800]),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_all_walks_go_on_after_a_restart(
    lines: list[tuple[str, str]], steps: list[tuple[int, bool]], jump: int
) -> None:
    """A scheduler that dies and comes back makes the dues of one that never died, in each zone."""
    text = "".join(f"{above}{line} c{n}\n" for n, (line, above) in enumerate(lines))
    autumn = datetime(2026, 11, 1, 4, 30, tzinfo=UTC).timestamp()
    steady, mortal = Walker(text, start=autumn), Walker(text, start=autumn)
    for seconds, dies in steps:
        # As for one walk: the ten seconds between made-up minutes need not survive.
        for length in (seconds, 11):
            assert [due[1:] for due in steady.go(length)] == [due[1:] for due in mortal.go(length)]
        position = steady.walk.position
        if dies and all(one.making_up is None for one in (position, *(held for _, held in position.zones))):
            mortal.restart()
        steady.set_clock(jump)
        mortal.set_clock(jump)


@given(expressions(), st.sampled_from(CHANGES), st.integers(-3000, 3000))
@settings(max_examples=40, deadline=None)
def test_the_look_ahead_is_what_would_happen(expression: str, change: tuple[str, str], minutes: int) -> None:
    """Around the changes of the entry's own zone."""
    zone, at = change
    text = f"#: timezone={zone}\n{expression} c\n"
    wall = moment(at) + minutes * 60
    wanted = simulated(text, "Asia/Kathmandu", wall, 2.2)[:40]
    assert looked_ahead(text, "Asia/Kathmandu", wall, len(wanted)) == wanted


def test_positions_are_remembered() -> None:
    """The record of a position gives it back, and one without zones is as it always was."""
    tokyo = Position(7, 8, 9, Gap.SMALL)
    for position in (Position(1, 2, 3), Position(1, 2, 3, Gap.MEDIUM, (("Asia/Tokyo", tokyo),))):
        held = Memory()
        held.apply(memory.planned(position))
        assert held.position == position
    assert memory.planned(Position(1, 2, 3)) == ["planned", 1, 2, 3, None]
