"""Sentences about runs: how one stands or ended, in words and in a colour.

The moment that counts as now is an argument; of the machine it asks the names of accounts alone. Used by the
verbs that tell about runs.
"""

from __future__ import annotations

import pwd
import re
import signal
from collections.abc import Sequence
from datetime import datetime

from crond.cli.answers import NextSeen, PauseSeen, RunSeen
from crond.cli.failure import Status
from crond.cli.format import Cell, duration
from crond.cli.times import shown

#: Columns that an outcome in brief has on the narrowest screen: `failed (exit 127)`.
OUTCOME = 17
_GOOD = ("success",)
_IDLE = ("skipped", "stopped")
_WAITS = {
    "jitter": "to start",
    "dependencies": "for its parents",
    "past": "for the run before",
    "sensor": "for its wait_for",
    "overlap": "for another run",
    "pool": "for pool",
    "load": "for less load",
    "retry": "to retry",
}
#: What ends when its time is over, and never sooner.
_TIMED = ("jitter", "retry")


def standing(run: RunSeen, now: datetime) -> Cell:
    """Return how a run stands: `running for 3 s`, `waiting to retry in 5 min`, `skipped (overlap)`."""
    if not run.ended:
        waiting = is_waiting(run)
        state = _waiting(run, now) if waiting else run.state.lower()
        text = f"{state} ({named(run.reason)})" if run.reason else state
        # While it waits, what started is an attempt that is over.
        if run.started_at is not None and not waiting:
            text += f" for {duration((now - run.started_at).total_seconds())}"
        return Cell(text, "cyan")
    outcome = run.outcome or "ended"
    detail = named(run.reason or "") or _exit_text(run)
    # "success (exit status 0)" would say one thing twice.
    text = (
        f"{outcome} ({detail})"
        if detail and (outcome not in _GOOD or run.exit_code or run.reason)
        else outcome
    )
    return Cell(text.replace("_", " "), outcome_colour(outcome))


def outcome_colour(outcome: str) -> str:
    """Return the colour of an outcome."""
    return "green" if outcome in _GOOD else "yellow" if outcome.startswith(_IDLE) else "red"


def is_waiting(run: RunSeen) -> bool:
    """True if the run is to go on by itself and no process of it lives."""
    return run.state.lower() == "waiting"


def _waiting(run: RunSeen, now: datetime) -> str:
    text = f"waiting {_WAITS[run.waits]}" if run.waits in _WAITS else "waiting"
    if run.waits == "pool" and run.pool:
        text += f" {run.pool.removeprefix('/')}"
    if run.awaits:
        text = f"waiting for {listed(run.awaits, of=run.job)}"
    if run.until is None or run.until <= now:
        return text
    left = duration((run.until - now).total_seconds())
    return f"{text} in {left}" if run.waits in _TIMED else f"{text}, at most {left}"


def short(job: str, of: str) -> str:
    """Return the name of `job` (OWNER/NAME) as its owner's other job `of` calls it."""
    owner, _, name = job.partition("/")
    return name if name and owner == of.partition("/")[0] else job


def listed(jobs: Sequence[str], *, of: str, most: int = 3) -> str:
    """Return `weather, sales and 2 more`, as the job `of` calls them."""
    names = [short(job, of) for job in jobs]
    more = len(names) - most
    # "and 1 more" takes as much room as the name.
    return ", ".join(names) if more < 2 else ", ".join(names[:most]) + f" and {more} more"


def until_start(due: NextSeen) -> str:
    """Return what will come between a due and its start: `after weather, sales; 3 min later (jitter)`."""
    if due.held:
        return "held: it will be left out"
    words = [f"after {listed(due.after, of=due.job)}"] if due.after else []
    words += [f"{duration(due.jitter)} later (jitter)"] if due.jitter else []
    return "; ".join(words)


def account(uid: int | None) -> str:
    """Return the account of `uid`, as this machine calls it."""
    if uid is None:
        return "somebody"
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return f"uid {uid}"


def named(reason: str) -> str:
    """Return `reason` with the accounts that the daemon knows by number only called by their names."""
    return re.sub(r"\buid (\d{1,10})\b", lambda found: account(int(found[1])), reason)


def mute_words(held: PauseSeen) -> str:
    """Return `until 2026-11-21 14:00:00 KST, by alice: the source is down`."""
    until = "until it is unmuted" if held.until is None else f"until {shown(held.until)}"
    return f"{until}, by {account(held.by)}" + (f": {held.note}" if held.note else "")


def pause_words(pause: PauseSeen) -> str:
    """Return `until 2026-11-21 14:00:00 KST by alice: the source is down`."""
    until = "until it is resumed" if pause.until is None else f"until {shown(pause.until)}"
    return f"{until}, by {account(pause.by)}" + (f": {pause.note}" if pause.note else "")


def brief(run: RunSeen, now: datetime) -> Cell:
    """The same in few columns: `failed (exit 2)`, `failed (SIGKILL)`."""
    whole = standing(run, now)
    detail = _exit_text(run)
    if not run.ended or run.reason or not detail:
        return whole
    short = signal_name(run.signal) if run.signal else f"exit {run.exit_code}"
    return Cell(whole.text.replace(f"({detail})", f"({short})"), whole.colour)


def _exit_text(run: RunSeen) -> str:
    if run.signal:
        return f"signal {run.signal}, {signal_name(run.signal)}"
    return "" if run.exit_code is None else f"exit status {run.exit_code}"


def signal_name(number: int) -> str:
    """Return `SIGTERM` for 15; a number that has no name is `unknown`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def exit_status(run: RunSeen) -> int:
    """Return what `run --wait` exits with: the job's own status, 128+N for a signal, 125 for no process."""
    if run.signal:
        return min(128 + abs(run.signal), 255)
    if run.exit_code is not None:
        return run.exit_code if 0 <= run.exit_code <= 255 else Status.FAILED
    if run.outcome == "could_not_start":
        return Status.NOT_STARTED
    return Status.OK if run.outcome == "success" else Status.FAILED
