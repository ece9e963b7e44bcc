"""Jobs' pauses, runs, moments and texts as JSON values, the same for every verb.

Pure. Called by `crond.scheduler.views` and by whatever answers clients.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from crond.core.health import Mute
from crond.core.memory import Pause
from crond.model.run import Run, Wait

#: The years 1970 to 9998: what every client can read in every zone.
FIRST, LAST = 0.0, 253370764799.0


def shown(run: Run) -> dict[str, Any]:
    """Return `run` as every program of ours shows it (docs/reference/json.md)."""
    attempt = run.attempts[-1] if run.attempts else None
    return {
        "id": run.id,
        "job": run.job,
        "instant": iso(run.instant),
        "ordinal": run.ordinal,
        "trigger": run.trigger.value,
        "by": run.by,
        "state": run.state.value,
        "outcome": None if run.outcome is None else run.outcome.value,
        "reason": run.reason,
        "started_at": None if attempt is None else iso_or_none(attempt.started_at),
        "ended_at": iso_or_none(run.ended_at),
        "exit_code": attempt and attempt.exit_code,
        "signal": attempt and attempt.signal,
        "attempt": attempt and f"{run.id}.{attempt.number}",
        "attempts": run.starts,
        "pid": attempt and attempt.pid,
        "waits": None if run.waits is None else run.waits.value,
        "until": iso_or_none(run.until),
        "awaits": [one.job for one in run.parents if one.outcome is None]
        if run.waits is Wait.DEPENDENCIES
        else [],
        "pool": run.pool or None,
        "follows": run.follows or None,
        "output_size": attempt and attempt.output_size,
    }


def pause_shown(pause: Pause | Mute) -> dict[str, Any]:
    """Return a pause, or a mute, as a JSON value."""
    return {
        "since": iso(pause.began),
        "until": iso_or_none(pause.until),
        "by": pause.by,
        "note": pause.note,
    }


def iso(moment: float) -> str:
    """Return `moment` (epoch seconds) as ISO 8601 in UTC, with milliseconds where there are any.

    What lies outside the years that clients know, as `@every 999999999d` does, is shown as the last second
    (the first) of these.
    """
    moment = min(max(moment, FIRST), LAST)
    whole = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=round(moment * 1000))
    text = whole.isoformat(timespec="milliseconds" if whole.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def iso_or_none(moment: float | None) -> str | None:
    """Return the same, None for no moment."""
    return None if moment is None else iso(moment)


def text_of(raw: str) -> str:
    """A command for JSON: what was not UTF-8 becomes a replacement character."""
    return raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
