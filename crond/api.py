"""`crond.simulate`: the simulation with times and zones as Python programs have them.

Puts zones and calendars, which the core must not know, together with the core's simulation. Called by
users of the package and by the client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from crond.calendars.rules import days_of_rule
from crond.core.simulation import Ending, Launch, Simulation
from crond.model.crontab import Table
from crond.model.entry import Entry
from crond.zones import NamedZone, tzinfo_named, zone_named

__all__ = ["Ending", "Start", "simulate"]


@dataclass(frozen=True, slots=True)
class Start:
    """One process start. `started_at` is when, in the daemon's zone; `instant` is the UTC moment it
    answers.

    They differ where a start makes up for a minute that was missed or does not exist.
    """

    started_at: datetime
    instant: datetime
    entry: Entry


def simulate(
    table: Table,
    *,
    start: datetime | float,
    until: datetime | float,
    timezone: str | tzinfo,
    seed: int = 0,
    outcome: Callable[[Start], Ending] | None = None,
) -> Iterator[Start]:
    """Yield what a daemon would start that came up at `start`, up to and including `until`.

    `start` and `until` are aware datetimes or epoch seconds; the minute of `start` itself is never run,
    but @reboot is. `timezone` is the daemon's zone, by name or as a tzinfo. `seed` feeds RANDOM_DELAY.
    `outcome` says how each process ends (default: at once, with exit status 0).

    Raises ValueError for a naive datetime and for a zone that does not exist.
    """
    local = _zone(timezone)

    def shown(launch: Launch) -> Start:
        return Start(datetime.fromtimestamp(launch.wall, local), _utc(launch.instant), launch.entry)

    def ending(launch: Launch) -> Ending:
        return Ending() if outcome is None else outcome(shown(launch))

    simulation = Simulation(
        table,
        start=_moment(start),
        zone=NamedZone(local),
        zone_named=zone_named,
        rules=days_of_rule,
        seed=seed,
        ending=ending,
    )
    return map(shown, simulation.run(_moment(until)))


def _utc(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def _moment(given: datetime | float) -> float:
    if not isinstance(given, datetime):
        return float(given)
    if given.tzinfo is None:
        raise ValueError(f"{given.isoformat()} has no zone: give an aware datetime")
    return given.timestamp()


def _zone(given: str | tzinfo) -> tzinfo:
    if isinstance(given, tzinfo):
        return given
    zone = tzinfo_named(given) if given else None
    if zone is None:
        raise ValueError(f"there is no time zone {given!r}")
    return zone
