"""From an edit of a crontab to its effect.

Owns two courses: a line due at the next minute, installed long before it or just before, and whether it ran;
and how long crond takes until it lists what was installed. docs/benchmarks.md says what the columns mean.
Called by `python -m bench`.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from bench.cage import Cage, CageError
from bench.ground import Choice, Ground, idle_entries, median, next_minute, release, sleep_until, wait_quiet
from bench.job import read_notes
from bench.peers import CROND, Peer
from bench.report import Findings, Sheet
from bench.tables import Entry
from crond.cli.client import SCHEDULER, Connection, Place

ENTRIES = 20
#: Seconds before the minute at which an edit begins.
LEADS = (20.0, 1.0, 0.3)
#: What crond may take until an edit has its effect, ms.
AIM = 100.0
_COMING_UP = 30.0
#: Seconds into the minute until which the line may run.
_PATIENCE = 10.0
_EDITS = 20
_LISTED = 10.0

Way = Callable[[Ground, Peer, Cage, list[Entry]], None]


def seconds(_choice: Choice) -> float:
    """Return how long `measure` takes, about."""
    return (len(LEADS) * len(WAYS) + 1) * 60.0


def measure(ground: Ground) -> Findings:
    """Edit the crontabs of all peers for the next minute, by replacing the file and by their command."""
    sheet = Sheet(
        "Edits: a line due at the next minute, installed shortly before it",
        ("way", "s before", "peer", "installed s before", "ran", "ms after"),
    )
    with ExitStack() as opened:
        cages = _cages(ground, opened, ground.choice.peers)
        for name, way in WAYS.items():
            able = {p: cage for p, cage in cages.items() if way is replace or p.crontab is not None}
            for lead in LEADS:
                for peer, installed, late in _at_a_minute(ground, able, way, lead):
                    ran = "no" if late is None else "yes"
                    sheet.add(name, lead, peer.title, installed, ran, late)
    return sheet.findings()


def seconds_until_listed(_choice: Choice) -> float:
    """Return how long `measure_listed` takes, about."""
    return 30.0


def measure_listed(ground: Ground) -> Findings:
    """Edit crond's crontab and ask its scheduler until it lists the new line."""
    sheet = Sheet(
        f"Edits: until crond lists the line, {_EDITS} times each",
        ("way", "from", "median ms", "min ms", "max ms"),
    )
    with ExitStack() as opened:
        cage = _cages(ground, opened, [CROND])[CROND]
        for name, way in WAYS.items():
            whole, rest = [], []
            for number in range(_EDITS):
                began, installed, listed = _until_listed(ground, cage, way, f"{name}{number}")
                whole.append((listed - began) * 1000)
                rest.append((listed - installed) * 1000)
            sheet.add(name, "its start", median(whole), min(whole), max(whole))
            sheet.add(name, "its end", median(rest), min(rest), max(rest))
    sheet.remarks.append(f"aim: {AIM:g} ms; a start of Python is part of a command")
    return sheet.findings()


# --- the ways of an edit ---------------------------------------------------------------------------------


def replace(ground: Ground, peer: Peer, cage: Cage, entries: list[Entry]) -> None:
    """Put a new file in the place of the crontab, as an editor or a configuration tool would."""
    place = cage.path(peer.reads.format(folder=cage.folder, owner=ground.choice.owner))
    # A name that no cron takes for an account's.
    fresh = place.with_name(".fresh.tmp")
    fresh.write_text(_text(ground, peer, entries), encoding="ascii")
    fresh.chmod(0o600)
    os.chown(fresh, place.stat().st_uid, place.stat().st_gid)
    fresh.rename(place)


def command(ground: Ground, peer: Peer, cage: Cage, entries: list[Entry]) -> None:
    """Install the crontab with the peer's command. Raises CageError."""
    assert peer.crontab is not None
    tab = cage.folder / "tab"
    tab.write_text(_text(ground, peer, entries), encoding="ascii")
    words = [*cage.inside(), *peer.crontab(cage.folder), "-u", ground.choice.owner, str(tab)]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CageError(f"{peer.name}: {done.stderr.strip()}")


WAYS: dict[str, Way] = {"file": replace, "command": command}


def _text(ground: Ground, peer: Peer, entries: list[Entry]) -> str:
    return peer.one(entries, ground.choice.owner, peer.no_mail).crontab


# --- the courses -----------------------------------------------------------------------------------------


def _cages(ground: Ground, opened: ExitStack, peers: Sequence[Peer]) -> dict[Peer, Cage]:
    """Return the cages of `peers`, come up."""
    label = f"edit-{len(peers)}"
    cages = {peer: ground.cage(opened, peer, label, idle_entries(ENTRIES)) for peer in peers}
    release(cages.values())
    wait_quiet(cages.values(), _COMING_UP)
    return cages


def _at_a_minute(
    ground: Ground, cages: Mapping[Peer, Cage], way: Way, lead: float
) -> list[tuple[Peer, float, float | None]]:
    """Edit all `cages` at once, `lead` seconds before a minute.

    Return of each how many seconds before the minute that was done, and how late the line ran (ms), None if
    it did not.
    """
    minute = next_minute() if time.time() % 60 < 60 - lead - 2.0 else next_minute() + 60
    schedule = time.strftime("%M %H * * *", time.localtime(minute))
    notes = {peer: ground.notes / f"{peer.name}-edit-{minute}" for peer in cages}

    def edit(peer: Peer) -> float:
        line = Entry(schedule, f"{ground.job.program} 0 {notes[peer]}")
        way(ground, peer, cages[peer], [*idle_entries(ENTRIES), line])
        return minute - time.time()

    with ThreadPoolExecutor(len(cages)) as pool:
        sleep_until(minute - lead)
        installed = dict(zip(cages, pool.map(edit, cages), strict=True))
    sleep_until(minute + _PATIENCE)
    found = []
    for peer, cage in cages.items():
        cage.require_daemon()
        noted = read_notes(notes[peer])
        found.append((peer, installed[peer], (noted[0].at / 1e9 - minute) * 1000 if noted else None))
    return found


def _until_listed(ground: Ground, cage: Cage, way: Way, word: str) -> tuple[float, float, float]:
    """Install a line with `word` in it; return when that began, ended, and when crond listed the line."""
    place = Place(str(cage.path("/run/crontabx")), "")
    entries = [*idle_entries(ENTRIES), Entry("@yearly", f"/bin/true {word}")]
    began = time.monotonic()
    way(ground, CROND, cage, entries)
    installed = time.monotonic()
    while time.monotonic() < installed + _LISTED:
        with Connection(place, SCHEDULER) as connection:
            jobs = connection.ask("list").body["jobs"]
        if any(job["command"].endswith(f" {word}") for job in jobs):
            return began, installed, time.monotonic()
    raise CageError(f"crond does not list what was installed {_LISTED:g} s before")
