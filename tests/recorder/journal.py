"""Lines as a scheduler writes them, for tests of what reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from crond.recorder.feed import Batch, Position
from crond.recorder.records import record_of

NOON = 1_795_262_400.0


def attempt(number: int = 1, **more: Any) -> dict[str, Any]:
    """Return an attempt's values, ended well after two seconds unless `more` says otherwise."""
    return {
        "number": number, "pid": 4711, "started_at": NOON, "ended_at": NOON + 2, "exit_code": 0,
        "signal": None, "cpu_user": 0.5, "cpu_system": 0.25, "max_rss": 2048, "output_size": 5,
        "blocks_in": 8, "blocks_out": 16, **more,
    }  # fmt: skip


def run(number: int, *, at: float | None = None, lasted: float = 2.0, **more: Any) -> list[Any]:
    """Return the record of run `number`, which was due, and began, at `at` and `lasted` so long."""
    moment = NOON + 60 * number if at is None else at
    values = {
        "id": f"{number:014x}", "job": "ann/backup", "instant": moment, "ordinal": 0, "trigger": "schedule",
        "by": None, "uid": 1000, "run_as": "ann", "crontab": "digest1", "state": "finished", "want": "run",
        "outcome": "success", "reason": "", "ended_at": moment + lasted,
        "attempts": [attempt(started_at=moment, ended_at=moment + lasted)], **more,
    }  # fmt: skip
    return ["run", values]


def lines(*records: Any) -> bytes:
    """Return `records` as the journal holds them."""
    return "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records).encode("ascii")


def batch(*records: Any, end: Position | None = None) -> Batch:
    """Return `records` as the feed would."""
    made = Batch(end or Position(1, 100))
    for line in lines(*records).splitlines():
        made.add(record_of(line))
    return made


def write(folder: Path, number: int, *records: Any) -> Path:
    """Append `records` to segment `number` of the journal in `folder`."""
    path = folder / f"journal.{number:06d}"
    with path.open("ab") as file:
        file.write(lines(*records))
    return path
