"""What becomes a run: pauses, windows, followers, and what is made up."""

from __future__ import annotations

import time

import pytest

from crond.core.planning import MOST_MADE_UP
from crond.model.events import PauseRequested, ResumeRequested
from crond.model.run import Outcome, Run, Trigger
from tests.core.driving import Driver

NOON = 1_772_366_400.0  # 2026-03-01T12:00:00Z
HOUR, DAY = 3600.0, 86400.0


def driver_of(text: str, *, wall: float = NOON, zone: str = "UTC") -> Driver:
    driver = Driver(wall=wall, zone=zone)
    driver.begin(text)
    return driver


def down(driver: Driver, seconds: float) -> list[str]:
    """The daemon is down for so long; return what it starts in the minute after that."""
    driver.pass_by(seconds)
    driver.restart(life=f"life at {driver.now.wall}")
    return driver.play(59)


def instants(runs: list[Run], trigger: Trigger) -> list[float]:
    return [(run.instant - NOON) / 60 for run in runs if run.trigger is trigger]


# --- catching up ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("catchup", "made_up"), [("none", []), ("latest", [40.0]), ("all", [10.0, 20.0, 30.0, 40.0])]
)
def test_what_is_made_up_after_an_outage(catchup: str, made_up: list[float]) -> None:
    """`none`: nothing; `latest`: one; `all`: each, in order, one after the other."""
    driver = driver_of(f"#: name=a catchup={catchup}\n*/10 * * * * c\n")
    assert down(driver, 45 * 60) == ["a"] * len(made_up)
    assert instants(driver.runs("a"), Trigger.CATCHUP) == made_up
    ended = [run.ended_at or 0 for run in driver.runs("a")]
    assert ended == sorted(ended)


@pytest.mark.parametrize("catchup", ["latest", "all"])
@pytest.mark.parametrize("minutes", [4, 20, 150, 600])
def test_a_job_that_is_due_as_the_host_wakes_up(catchup: str, minutes: int) -> None:
    """The host slept and woke in a minute in which the job was due: that due hid all that had been missed,
    and nothing was made up.
    """
    driver = driver_of(f"#: name=a catchup={catchup}\n* * * * * c\n")
    driver.pass_by(minutes * 60)
    driver.play(59)
    missed = [float(minute) for minute in range(1, minutes)]
    assert instants(driver.runs("a"), Trigger.SCHEDULE)[-1] == minutes
    kept = instants(driver.runs("a"), Trigger.CATCHUP)
    assert kept == ((missed if catchup == "all" else missed[-1:])[-len(kept) :]) != []
    if minutes < 10:
        assert kept == (missed if catchup == "all" else missed[-1:])


def test_a_short_stall_loses_no_moment() -> None:
    """Too short to be an outage, long enough to be late: an `@at` job that catches up was neither on time nor
    made up.
    """
    driver = driver_of("#: name=a catchup=latest\n@at 2026-03-01T12:00:20 c\n")
    driver.pass_by(90)
    assert driver.play(60) == ["a"]


def test_a_window_and_a_pause_bound_what_is_made_up() -> None:
    """Paused time owes nothing, nor does what lies further back than `catchup_window`."""
    driver = driver_of("#: name=a catchup=all catchup_window=1h\n*/10 * * * * c\n")
    driver.step(PauseRequested("me/a", 7, NOON + 155 * 60))
    assert down(driver, 3 * HOUR + 1) == ["a"] * 3
    assert instants(driver.runs("a"), Trigger.CATCHUP) == [160.0, 170.0, 180.0]


@pytest.mark.parametrize(("zone", "text"), [("America/New_York", ""), ("UTC", "timezone=America/New_York")])
def test_an_hour_that_there_was_not_is_made_up_once(zone: str, text: str) -> None:
    """Down over the night in which clocks go forward: what is fixed in the missing hour is owed once."""
    before = 1_772_946_000.0  # 2026-03-08T00:00-05:00
    driver = driver_of(f"#: name=a catchup=all {text}\n30 2 * * * c\n", wall=before, zone=zone)
    assert down(driver, 6 * HOUR) == ["a"]
    assert driver.last("a").instant == before + 2 * HOUR


def test_a_year_of_seconds_takes_no_time() -> None:
    """A window of a year over a period of a second was walked second by second, while nothing else ran."""
    driver = driver_of("#: name=a catchup=all catchup_window=365d\n@every 1s c\n")
    began = time.process_time()
    driver.pass_by(300 * DAY)
    driver.restart(life="second")
    assert time.process_time() - began < 5.0
    assert len(driver.runs("a")) + len(driver.engine.memory.queue) == MOST_MADE_UP
    assert [notice for notice in driver.notices if "more than 1000" in notice]


def test_a_thousand_jobs_that_catch_up_take_no_time() -> None:
    """Each of them looked for the changes of its zone anew: thirteen seconds in which nothing ran."""
    lines = "".join(f"#: name=a{n} catchup=latest\n0 6 * * * c\n" for n in range(1000))
    driver = driver_of(lines, zone="America/New_York")
    driver.pass_by(2 * DAY)
    began = time.process_time()
    driver.restart(life="second")
    assert time.process_time() - began < 5.0


def test_what_is_made_up_spreads() -> None:
    """Jobs that are made up together begin within two seconds each, a minute at most."""
    driver = driver_of("".join(f"#: name=a{n} catchup=latest\n0 * * * * c\n" for n in range(20)))
    driver.pass_by(HOUR + 60)
    driver.restart(life="second")
    driver.play(41)
    began = [(driver.last(f"a{n}").attempt.started_at or 0) - NOON - HOUR - 60 for n in range(20)]
    assert 0 <= min(began) < 10
    assert 30 < max(began) <= 40


def test_nothing_is_owed_from_before_a_job_was_known() -> None:
    """A job that was added while the daemon was down has missed nothing."""
    driver = driver_of("* * * * * other\n")
    driver.pass_by(HOUR)
    driver.restart(life="second", text="#: name=a catchup=all\n*/10 * * * * c\n")
    assert driver.play(59) == []
    assert down(driver, 600) == ["a"]


def test_a_clock_that_is_set_back_brings_nothing_twice() -> None:
    """For what catches up, an instant is one instant, however often the clock passes it."""
    driver = driver_of("#: name=a catchup=all\n*/10 * * * * c\n#: name=b\n*/10 * * * * c\n")
    driver.play(601)
    driver.set_clock(-300)
    driver.play(700)
    assert instants(driver.runs("a"), Trigger.SCHEDULE) == [10.0]
    assert instants(driver.runs("b"), Trigger.SCHEDULE) == [10.0, 10.0]


def test_an_hour_that_comes_twice_is_no_outage() -> None:
    """The walk stands still in it, and each of its minutes was taken for a gap in which everything was
    missed.
    """
    before = 1_793_509_200.0  # 2026-11-01T01:00-04:00
    driver = driver_of("#: name=a catchup=all\n*/20 * * * * c\n", wall=before, zone="America/New_York")
    driver.play(3 * HOUR + 1)
    assert [(run.instant - before) / 60 for run in driver.runs("a")] == [20.0 * n for n in range(1, 10)]
    assert {run.trigger for run in driver.runs("a")} == {Trigger.SCHEDULE}
    assert driver.engine.memory.outages == []


def test_what_lies_before_the_window_is_not_made_up_by_the_walk() -> None:
    """Cron makes up a fixed minute of two hours ago; a job whose window is ten minutes does not want it."""
    driver = driver_of("#: name=a catchup=all catchup_window=10m\n30 12 * * * c\n* * * * * other\n")
    driver.pass_by(2 * HOUR)
    driver.play(1800)
    assert driver.runs("a") == []


# --- pauses, windows ------------------------------------------------------------------------------


def test_a_paused_job_is_not_due() -> None:
    """From the pause to its end, by itself or by a wish; its time is an interval."""
    driver = driver_of("#: name=a\n* * * * * c\n")
    driver.step(PauseRequested("me/a", 7, NOON + 130, "work"))
    assert driver.play(190) == ["a"]
    driver.step(PauseRequested("me/a", 7))
    driver.play(60)
    driver.step(ResumeRequested("me/a", 7))
    driver.step(ResumeRequested("me/a", 7))
    driver.step(ResumeRequested("me/other", 7))
    assert driver.play(60) == ["a"]
    paused = [record[2:] for record in driver.records if record[:2] == ["interval", "pause"]]
    assert paused == [
        [NOON, NOON + 130, "paused by uid 7: work", "me/a"],
        [NOON + 190, NOON + 250, "paused by uid 7", "me/a"],
    ]


@pytest.mark.parametrize(
    ("keys", "due"),
    [
        ("starts_at=2026-03-01T12:02", [2.0, 3.0]),
        ("expires_at=2026-03-01T12:02", [1.0]),
        ("starts_at=2026-03-01T21:02+09:00 expires_at=2026-03-01T21:03+09:00", [2.0]),
        ("starts_at=2026-03-01T21:02 timezone=Asia/Seoul", [2.0, 3.0]),
        ("enabled=no", []),
    ],
)
def test_a_job_lives_within_its_window(keys: str, due: list[float]) -> None:
    """The beginning is in it, the end is not; without a zone both are in that of the entry."""
    driver = driver_of(f"#: name=a {keys}\n* * * * * c\n")
    driver.play(200)
    assert instants(driver.runs("a"), Trigger.SCHEDULE) == due


# --- followers ------------------------------------------------------------------------------------

CHAIN = "#: name=a\n0 * * * * a\n#: name=b depends_on=a\n@after b\n#: name=c depends_on=b\n@after c\n"


def test_followers_of_followers_have_the_first_ones_instants() -> None:
    """Each starts when the one before has ended."""
    driver = driver_of(CHAIN)
    assert driver.play(HOUR) == ["a", "b", "c"]
    assert [driver.last(name).instant for name in "abc"] == [NOON + HOUR] * 3


def test_followers_of_what_is_made_up_are_made_up() -> None:
    """Whatever they say themselves about catching up: their leader has decided it."""
    text = CHAIN.replace("name=a", "name=a catchup=all").replace("name=c", "name=c catchup=latest")
    driver = driver_of(text)
    assert sorted(down(driver, 2 * HOUR + 60)) == ["a", "a", "b", "b", "c", "c"]


def test_a_follower_that_catches_up_of_one_that_does_not() -> None:
    """Cron made up a late minute for the leader; the follower thought it late, and lost it."""
    driver = driver_of("#: name=a\n1 * * * * a\n#: name=b depends_on=a catchup=all\n@after b\n")
    driver.pass_by(200)
    assert driver.play(60) == ["a", "b"]


def test_a_held_follower_says_why() -> None:
    """Each of its instants is skipped with the reason; it had none, and nobody heard of it."""
    driver = driver_of("#: name=a\n0 * * * * a\n#: name=b depends_on=a,nobody\n@after b\n")
    driver.play(HOUR)
    assert (driver.last("b").outcome, driver.last("b").reason) == (
        Outcome.SKIPPED,
        "held: there is no job 'nobody'",
    )


def test_the_instants_of_a_leader_that_there_is_not() -> None:
    """The first-named parent is missing: the second one's instants are no substitute."""
    driver = driver_of("#: name=a\n0 * * * * a\n#: name=b depends_on=nobody,a\n@after b\n")
    assert driver.play(HOUR) == ["a"]
    assert driver.runs("b") == []


def test_a_period_with_parents() -> None:
    """`@every` shares its multiples with cron's minutes: one instant, one answer."""
    driver = driver_of("#: name=a\n*/5 * * * * a\n#: name=b depends_on=a\n@every 150s b\n")
    driver.play(601)
    answers = [run.parents[0].run for run in driver.runs("b")]
    first, second = (run.id for run in driver.runs("a"))
    assert answers == ["", first, first, second]


def test_a_period_has_no_backlog() -> None:
    """A due of a period that still waits is the only one."""
    driver = driver_of("@every 1s c\n" + "* * * * * d\n" * 200)
    driver.pass_by(60)
    driver.wake()
    for _ in range(3):
        driver.pass_by(1)
        driver.wake()
    assert sum(due.instant % 60 != 0 for due in driver.engine.memory.queue) <= 1
