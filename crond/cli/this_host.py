"""What the rules of `check` must know of this host: its programs, accounts and time zones.

Looks at files and accounts, and judges nothing; crond.sense asks through its protocol `Host`. Used by
check.
"""

from __future__ import annotations

import os
import pwd
import stat
from datetime import tzinfo
from functools import cache

from crond.calendars.daysoff import day_off
from crond.calendars.rules import days_of_rule
from crond.core.zone import Zone, ZoneNamed
from crond.model.calendar import DaysOff
from crond.model.schedule import DayRules
from crond.zones import HostZone, NamedZone, tzinfo_named, zone_named


class ThisHost:
    """This host, with `zone` (None: its own) for the daemon's. Each answer is kept."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        self.zone: Zone = HostZone() if zone is None else NamedZone(zone)
        self.zone_name = _name_of_host_zone() if zone is None else str(zone)
        self.zone_named: ZoneNamed = zone_named
        self.rules: DayRules = days_of_rule
        self.days_off: DaysOff = day_off
        self.is_program = cache(_is_program)
        self.has_account = cache(_has_account)
        self.knows_zone = cache(_knows_zone)


def _is_program(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(mode) and mode & 0o111 != 0


def _has_account(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except (KeyError, ValueError):
        return False
    return True


def _knows_zone(name: str) -> bool:
    return tzinfo_named(name) is not None


def _name_of_host_zone() -> str:
    """What people call the zone: TZ, or where /etc/localtime leads to."""
    asked = os.environ.get("TZ", "").removeprefix(":")
    return asked or os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2] or "this host's zone"
