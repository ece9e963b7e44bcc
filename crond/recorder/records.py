"""What a line of the journal says, made fit for any database: bounded numbers, clean and bounded text.

A line that says nothing for the history is None, and so is one that makes no sense: nothing that a
scheduler writes may stop the recorder. Pure. Called by the feed.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, TypeAlias

from crond.recorder.schema import NAME, PATH, TOKEN, WORD

Row: TypeAlias = dict[str, Any]

_LONGEST_REASON = 4000
_MICRO = 1_000_000
_BIG, _SMALL = 2**62, 2**31 - 1


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as it was at one moment: its row, without the numbers of feed and job, and its attempts'."""

    job: str
    row: Row
    attempts: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class IntervalRecord:
    """A time without starts."""

    row: Row


@dataclass(frozen=True, slots=True)
class CrontabRecord:
    """A version of a crontab."""

    row: Row


Record: TypeAlias = RunRecord | IntervalRecord | CrontabRecord


def record_of(line: bytes) -> Record | None:
    """Return what `line` says, None if that is nothing for the history. Raises ValueError if it is broken."""
    try:
        kind, *values = json.loads(line)
        if kind == "run":
            return _run(values[0])
        if kind == "interval":
            return _interval(*values)
        if kind == "crontab":
            return _crontab(*values)
    except (TypeError, KeyError, IndexError, RecursionError, AttributeError, OverflowError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    return None


def micro(seconds: float) -> int:
    """Return epoch seconds as whole microseconds. Raises ValueError for what is no moment."""
    if not math.isfinite(seconds):
        raise ValueError(f"{seconds} is no moment")
    return max(-_BIG, min(_BIG, round(seconds * _MICRO)))


def clean(text: str, limit: int) -> str:
    """Return `text` as every database takes it: no NUL, no lone surrogate, at most `limit` characters."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")[:limit]


def _run(values: dict[str, Any]) -> RunRecord:
    attempts = tuple(_attempt(one) for one in values["attempts"])
    latest = attempts[-1] if attempts else None
    started, ended = (latest["started_at"], latest["ended_at"]) if latest else (None, None)
    instant, ended_at = micro(values["instant"]), _moment(values["ended_at"])
    outcome = values["outcome"]
    row: Row = {
        "id": clean(values["id"], TOKEN),
        "uid": _number(values.get("uid"), _BIG),
        "run_as": clean(values.get("run_as") or "", 255),
        "crontab": clean(values.get("crontab") or "", TOKEN),
        "instant": instant,
        "ordinal": _number(values["ordinal"], _BIG) or 0,
        "trigger_kind": clean(values["trigger"], WORD),
        "by_uid": _number(values["by"], _BIG),
        "state": clean(values["state"], WORD),
        "want": clean(values.get("want") or "run", WORD),
        "outcome": None if outcome is None else clean(outcome, WORD),
        "reason": clean(values["reason"], _LONGEST_REASON),
        "began": _first(started, ended_at, instant),
        "started_at": started,
        "ended_at": ended_at,
        "duration": None if started is None or ended is None else max(0, ended - started),
        "attempts": len(attempts),
        "attempt": latest["number"] if latest else None,
    }
    return RunRecord(clean(values["job"], NAME), row, attempts)


def _attempt(values: dict[str, Any]) -> Row:
    return {
        "number": _number(values["number"], _SMALL),
        "pid": _number(values["pid"], _BIG),
        "started_at": _moment(values["started_at"]),
        "ended_at": _moment(values["ended_at"]),
        "exit_code": _number(values["exit_code"], _SMALL),
        "signal": _number(values["signal"], _SMALL),
        "cpu_user": micro(values["cpu_user"]),
        "cpu_system": micro(values["cpu_system"]),
        "max_rss": _number(values["max_rss"], _BIG) or 0,
        "output_size": _number(values["output_size"], _BIG) or 0,
        "blocks_in": _number(values.get("blocks_in"), _BIG) or 0,
        "blocks_out": _number(values.get("blocks_out"), _BIG) or 0,
    }


def _interval(kind: str, began: float, ended: float, reason: str) -> IntervalRecord:
    return IntervalRecord(
        {
            "kind": clean(kind, WORD),
            "began": micro(began),
            "ended": micro(ended),
            "reason": clean(reason, _LONGEST_REASON),
        }
    )


def _crontab(origin: str, owner: str, uid: int | None, digest: str, at: float) -> CrontabRecord:
    return CrontabRecord(
        {
            "origin": clean(origin, PATH),
            "owner": clean(owner, 255),
            "uid": _number(uid, _BIG),
            "digest": clean(digest, TOKEN),
            "at": micro(at),
        }
    )


def _moment(seconds: float | None) -> int | None:
    return None if seconds is None else micro(seconds)


def _number(value: Any, limit: int) -> int | None:
    return None if value is None else max(-limit, min(limit, int(value)))


def _first(*moments: int | None) -> int:
    return next(moment for moment in moments if moment is not None)
