"""What clients are shown of rows: runs, attempts, intervals and versions as JSON values.

The keys of a run are those of docs/reference/json.md, whoever answers. Pure. Called by the queries.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = 1_000_000


def iso(moment: int | None) -> str | None:
    """Return `moment` (microseconds since 1970) as ISO 8601 in UTC, with milliseconds where there are any."""
    if moment is None:
        return None
    try:
        at = _EPOCH + timedelta(milliseconds=round(moment / 1000))
    except OverflowError:
        return None
    return at.isoformat(timespec="milliseconds" if at.microsecond else "seconds").replace("+00:00", "Z")


def seconds(length: int | None) -> float | None:
    """Return a length in microseconds as seconds."""
    return None if length is None else length / _MICRO


def run(row: Any) -> dict[str, Any]:
    """Return the run in `row`, a row of `queries.RUN`."""
    attempted = row.attempt is not None
    cpu = None if row.cpu_user is None else (row.cpu_user + row.cpu_system) / _MICRO
    return {
        "id": row.id,
        "job": row.job,
        "instant": iso(row.instant),
        "ordinal": row.ordinal,
        "trigger": row.trigger_kind,
        "by": row.by_uid,
        "state": row.state,
        "outcome": row.outcome,
        "reason": row.reason,
        "waits": row.waits,
        "until": iso(row.until_at),
        "pool": row.pool,
        "follows": row.follows,
        "started_at": iso(row.started_at),
        "ended_at": iso(row.ended_at),
        "exit_code": row.exit_code,
        "signal": row.signal,
        "attempt": f"{row.id}.{row.attempt}" if attempted else None,
        "attempts": row.attempts,
        "pid": row.pid,
        "output_size": row.output_size,
        "owner": row.job.partition("/")[0],
        "uid": row.uid,
        "run_as": row.run_as,
        "host": row.host,
        "crontab": row.crontab,
        "duration": seconds(row.duration),
        "cpu_seconds": cpu,
        "max_rss": row.max_rss or None,
        "blocks_in": row.blocks_in,
        "blocks_out": row.blocks_out,
    }


def attempt(row: Any) -> dict[str, Any]:
    """Return the attempt in `row`, a row of the table of attempts."""
    lasted = None if row.started_at is None or row.ended_at is None else row.ended_at - row.started_at
    return {
        "number": row.number,
        "part": "command" if row.number > 0 else "condition" if row.number == 0 else "wait_for",
        "attempt": f"{row.run}.{row.number}",
        "pid": row.pid,
        "started_at": iso(row.started_at),
        "ended_at": iso(row.ended_at),
        "duration": seconds(lasted),
        "outcome": row.outcome,
        "exit_code": row.exit_code,
        "signal": row.signal,
        "cpu_user": seconds(row.cpu_user),
        "cpu_system": seconds(row.cpu_system),
        "max_rss": row.max_rss or None,
        "output_size": row.output_size,
        "blocks_in": row.blocks_in,
        "blocks_out": row.blocks_out,
    }


def parent(row: Any) -> dict[str, Any]:
    """Return the parent in `row`."""
    return {
        "job": row.job,
        "run": row.parent or None,
        "outcome": row.outcome,
        "exit_code": row.exit_code,
        "reason": row.reason,
    }


def variables(rows: Iterable[Any]) -> dict[str, str]:
    """Return the variables in `rows`; of equal names the last holds."""
    return {row.name: row.value for row in rows}


def interval(row: Any) -> dict[str, Any]:
    """Return the interval in `row`."""
    return {
        "kind": row.kind,
        "from": iso(row.began),
        "upto": iso(row.ended),
        "reason": row.reason,
        "job": row.job or None,
    }


def crontab(row: Any) -> dict[str, Any]:
    """Return the version of a crontab in `row`."""
    return {
        "origin": row.origin,
        "owner": row.owner,
        "uid": row.uid,
        "digest": row.digest,
        "at": iso(row.at),
    }
