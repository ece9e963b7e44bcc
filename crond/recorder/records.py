"""What a line of the journal says, made fit for any database: bounded numbers, clean and bounded text.

A line that says nothing for the history is None, and so is one that makes no sense: nothing that a
scheduler writes may stop the recorder. Pure. Called by the feed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from crond.model.messages import DATA_MOST
from crond.recorder.schema import NAME, PATH, TOKEN, WORD

Row: TypeAlias = dict[str, Any]

_LONGEST_REASON = 4000
_MICRO = 1_000_000
_BIG, _SMALL = 2**62, 2**31 - 1
#: Bytes in the longest text that MariaDB takes; what a job may leave in all is hardly more.
_LONGEST_VALUE = 2**16 - 1
#: Of one run. No crontab names so many.
_MOST_PARENTS = 1000


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as it was at one moment: its row, without the numbers of feed and job, and its attempts'.

    `again`: an earlier record of it may have had other parents or variables.
    """

    job: str
    row: Row
    attempts: tuple[Row, ...]
    parents: tuple[Row, ...] = ()
    variables: tuple[Row, ...] = ()
    again: bool = False


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
    given = values["attempts"]
    attempts = tuple(_attempt(one) for one in given)
    # A rerun asks its condition anew: the newest start of the command need not be the latest attempt.
    newest = max(range(len(attempts)), key=lambda one: attempts[one]["number"], default=None)
    command = None if newest is None or attempts[newest]["number"] < 1 else newest
    started, ended = (None, None) if command is None else _times(attempts[command])
    instant, ended_at = micro(values["instant"]), _moment(values["ended_at"])
    outcome, spent = values["outcome"], _number(values.get("spent"), _SMALL)
    starts = 0 if command is None else attempts[command]["number"]
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
        # One that the scheduler had forgotten comes back without its first attempts.
        "attempts": max(starts, spent or 0),
        "attempt": attempts[-1]["number"] if attempts else None,
        "waits": _word(values.get("waits"), WORD),
        "until_at": _moment(values.get("until")),
        "pool": _word(values.get("pool"), NAME),
        "follows": _word(values.get("follows"), TOKEN),
        "spent": spent,
    }
    parents = tuple(
        _parent(place, *one) for place, one in enumerate(values.get("parents", ())[:_MOST_PARENTS])
    )
    left = () if command is None else given[command].get("data", ())
    variables = (*_variables("given", values.get("environment", ())), *_variables("left", left))
    again = bool(parents or variables or spent or starts > 1 or row["by_uid"] is not None)
    return RunRecord(clean(values["job"], NAME), row, attempts, parents, variables, again)


def _times(attempt: Row) -> tuple[int | None, int | None]:
    return attempt["started_at"], attempt["ended_at"]


def _attempt(values: dict[str, Any]) -> Row:
    return {
        "number": int(_number(values["number"], _SMALL)),  # type: ignore[arg-type]  # TypeError: no attempt
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
        "outcome": _word(values.get("outcome"), WORD),
    }


def _parent(
    position: int, job: str, run: str, outcome: str | None, exit_code: int | None, reason: str
) -> Row:
    return {
        "position": position,
        "job": clean(job, NAME),
        "parent": clean(run, TOKEN),
        "outcome": _word(outcome, WORD),
        "exit_code": _number(exit_code, _SMALL),
        "reason": clean(reason, _LONGEST_REASON),
    }


def _variables(kind: str, pairs: Sequence[Sequence[str]]) -> list[Row]:
    return [
        {"kind": kind, "position": position, "name": clean(name, NAME), "value": _value(value)}
        for position, (name, value) in enumerate(pairs[:DATA_MOST])
    ]


def _value(text: str) -> str:
    return clean(text, _LONGEST_VALUE).encode()[:_LONGEST_VALUE].decode(errors="ignore")


def _interval(kind: str, began: float, ended: float, reason: str, job: str | None = None) -> IntervalRecord:
    return IntervalRecord(
        {
            "kind": clean(kind, WORD),
            "began": micro(began),
            "ended": micro(ended),
            "reason": clean(reason, _LONGEST_REASON),
            "job": clean(job or "", NAME),
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


def _word(text: str | None, limit: int) -> str | None:
    """Return `text` cleaned; nothing is None."""
    return clean(text, limit) if text else None


def _number(value: Any, limit: int) -> int | None:
    return None if value is None else max(-limit, min(limit, int(value)))


def _first(*moments: int | None) -> int:
    return next(moment for moment in moments if moment is not None)
