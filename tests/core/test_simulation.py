"""What is simulated of annotated jobs: their waits come, their conditions are met, their time runs out."""

from __future__ import annotations

from crond.calendars.rules import days_of_rule
from crond.core.simulation import Ending, Launch, Simulation
from crond.model.crontab import parse_crontab
from crond.zones import zone_named

NOON = 1_772_366_400.0  # 2026-03-01T12:00:00Z


def launches(text: str, until: float, **endings: Ending) -> list[tuple[str, float, int]]:
    """Which jobs start up to `until` seconds after noon, when, and at which attempt."""

    def ending(launch: Launch) -> Ending:
        return endings.get(launch.entry.name or "", Ending())

    simulation = Simulation(
        parse_crontab(text, extensions=True),
        start=NOON,
        zone=zone_named("UTC"),
        zone_named=zone_named,
        rules=days_of_rule,
        seed=0,
        ending=ending,
    )
    return [(one.entry.name or "", one.wall - NOON, one.attempt) for one in simulation.run(NOON + until)]


def test_what_is_waited_for_comes() -> None:
    text = "#: name=a wait_for=w condition=c\n10 * * * * a\n#: name=b depends_on=a\n10 * * * * b\n"
    assert launches(text, 1200.0) == [("a", 600.0, 1), ("b", 600.0, 1)]


def test_a_process_takes_its_time() -> None:
    """Who depends on it waits for its end."""
    text = "#: name=a\n10 * * * * a\n#: name=b depends_on=a\n10 * * * * b\n"
    assert launches(text, 1200.0, a=Ending(90.0)) == [("a", 600.0, 1), ("b", 690.0, 1)]


def test_a_process_that_takes_too_long_ends_and_is_tried_again() -> None:
    """It ends as its timeout is over, with no patience."""
    text = "#: name=a timeout=60s retries=1 retry_delay=30s retry_on=timeout\n10 * * * * a\n"
    assert launches(text, 1200.0, a=Ending(500.0)) == [("a", 600.0, 1), ("a", 690.0, 2)]
