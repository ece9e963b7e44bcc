"""One comparison: both daemons through the same virtual hours, on one clock.

Owns which days there are, how the daemons are started and what is needed for that here.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.beside.cage import NAMES, SCHEDULER, SHARED, Cage, accounts
from tests.beside.crontabs import crontabs
from tests.beside.faketime import Clock, uptime
from tests.beside.records import Record, read_record
from tests.system.ground import Ground

ZONE = ZoneInfo("America/New_York")
_PYTHON = "/usr/bin/python3"
#: Real seconds for the daemons to come up before what is compared, and for the last jobs to end after it.
_LEAD, _REST = 5.0, 2.0
_STEP = 0.05


@dataclass(frozen=True, slots=True)
class Window:
    """Virtual time that is compared, from `begin` to `end` (epoch seconds)."""

    name: str
    begin: float
    end: float


def window(name: str, begin: str, end: str) -> Window:
    """Return the window between two local times of New York."""
    first, last = (datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() for text in (begin, end))
    return Window(name, first, last)


WINDOWS = {
    each.name: each
    for each in (
        window("spring", "2026-03-07T23:50", "2026-03-08T05:00"),
        window("autumn", "2026-10-31T23:50", "2026-11-01T05:00"),
        window("day", "2026-06-09T23:50", "2026-06-11T00:10"),
        window("gap", "2026-03-08T01:50", "2026-03-08T03:15"),
    )
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What each daemon did, and for how long (virtual seconds) the machine let us wait at the most: what
    happened meanwhile proves nothing.
    """

    theirs: Record
    ours: Record
    stall: float


class NotHere(Exception):
    """The comparison cannot be made on this machine; the text says what to do."""


def require() -> None:
    """Raise NotHere unless both daemons can be run here."""
    if os.geteuid() != 0:
        raise NotHere("needs root: each daemon runs in namespaces of its own")
    if not os.access("/usr/sbin/cron", os.X_OK):
        raise NotHere("Debian's cron is not installed: apt-get install cron")
    if not list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")):
        raise NotHere("libfaketime is not installed: apt-get install libfaketime")


def run(ground: Ground, chosen: Window, *, factor: float) -> Outcome:
    """Run Debian's cron and ours through `chosen`. Raises NotHere."""
    require()
    files, uids = crontabs(NAMES), accounts()
    folder = ground.new_folder("beside")
    clock = Clock(chosen.begin - _LEAD * factor, uptime(), factor)
    with ExitStack() as opened:

        def caged(name: str, command: list[str]) -> Cage:
            cage = Cage(folder / name, files=files, uids=uids, command=_clocked(clock, command))
            opened.callback(cage.close)
            return cage

        theirs = caged("theirs", ["/usr/sbin/cron", "-f"])
        ours = caged("ours", _ours(ground, folder, clock))
        stall = _wait(clock.real_seconds_until(chosen.end) + _REST) * factor
    for cage in (theirs, ours):
        if not any((cage.shared / "notes").iterdir()):
            raise NotHere(f"no job was started in {cage.folder.name}: {cage.said().strip() or cage.lines}")
    return Outcome(
        read_record(theirs.shared, clock, theirs.lines), read_record(ours.shared, clock, ours.lines), stall
    )


def _wait(seconds: float) -> float:
    """Wait in small steps; return by how many seconds the slowest of them was too long."""
    end = time.monotonic() + seconds
    worst = 0.0
    while (now := time.monotonic()) < end:
        time.sleep(_STEP)
        worst = max(worst, time.monotonic() - now - _STEP)
    return worst


def _clocked(clock: Clock, command: list[str]) -> list[str]:
    return [_PYTHON, "-I", "-S", f"{SHARED}/faketime.py", *clock.arguments(), *command]


def _ours(ground: Ground, folder: Path, clock: Clock) -> list[str]:
    settings = folder / "settings.toml"
    # Patience is measured by the clock that runs fast; a busy machine is not to look like a dead scheduler.
    settings.write_text(f'[daemon]\ndialect = "debian"\naccount = "{SCHEDULER}"\nheartbeat_timeout = 3600\n')
    script = [_PYTHON, "-I", f"{SHARED}/daemon.py", str(ground.site), f"{SHARED}/faketime.py"]
    return [*script, *clock.arguments(), "-f", "--no-recorder", "--settings", str(settings)]
