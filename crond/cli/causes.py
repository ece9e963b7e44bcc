"""Whose fault it was: from a run that its parents kept from running to the runs that began it.

Follows the parents through the history, a few at most. Called by crond.cli.why.
"""

from __future__ import annotations

from collections import deque

from crond.cli.answers import RunSeen
from crond.cli.client import Place
from crond.cli.describe import standing
from crond.cli.failure import Failure
from crond.cli.recorded import ParentSeen, RunShown, ask_recorder, read_shown
from crond.cli.times import shown

#: Runs that are looked at, and causes that are told.
_MOST_LOOKS = 40
_MOST_TOLD = 5
_INHERITED = ("upstream_failed", "skipped")


def causes_of(place: Place, run: RunSeen) -> list[str]:
    """Return a sentence for each run that kept `run` from running; none where no parent did."""
    if run.outcome not in _INHERITED:
        return []
    found: dict[str, str] = {}
    seen = {run.id}
    waiting = deque(_decisive(_shown(place, run.id)))
    while waiting and len(seen) < _MOST_LOOKS:
        parent = waiting.popleft()
        if not parent.run:
            found.setdefault(parent.job, f"The cause: {parent.job} was not to run: {parent.reason}.")
            continue
        if parent.run in seen:
            continue
        seen.add(parent.run)
        held = _shown(place, parent.run)
        further = _decisive(held) if parent.outcome in _INHERITED else []
        waiting.extend(further)
        if not further:
            found[parent.run] = _sentence(parent, held)
    more = len(found) - _MOST_TOLD
    told = list(found.values())[:_MOST_TOLD]
    return [*told, *([f"And {more} more."] if more > 0 else [])]


def _shown(place: Place, run: str) -> RunShown | None:
    try:
        return read_shown(ask_recorder(place, "show", run=run))
    except Failure:
        return None  # the history forgot it, or never knew it


def _decisive(held: RunShown | None) -> list[ParentSeen]:
    """The parents that decided how a run ended."""
    if held is None:
        return []
    if held.run.outcome == "skipped":
        return [parent for parent in held.parents if parent.outcome == "skipped"]
    return [parent for parent in held.parents if parent.outcome not in ("", "success", "skipped")]


def _sentence(parent: ParentSeen, held: RunShown | None) -> str:
    if held is None:
        return f"The cause: run {parent.run} of {parent.job}: {parent.outcome.replace('_', ' ')}."
    run = held.run
    at = run.ended_at or run.started_at or run.instant
    how = standing(run, at).text if at is not None else parent.outcome
    look = f" More: crontabx why {run.job} {run.instant.astimezone():%Y-%m-%dT%H:%M}" if run.instant else ""
    return f"The cause: run {run.id} of {run.job}, for {shown(run.instant)}: {how}.{look}"
