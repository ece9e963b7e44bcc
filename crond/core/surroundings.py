"""What an annotated job is told of its run, as variables; and what its parents left for it.

Not asked for a plain entry: its environment is cron's. Pure; called when a start is asked for.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

from crond.core.memory import Memory
from crond.core.zone import Zone, ZoneNamed
from crond.model.job import Job
from crond.model.messages import Pairs, is_environment_name
from crond.model.run import Run

#: Most bytes and most variables of what all parents of a run left for it: a wish has to fit into a frame, and
#: one that does not would end the wire, for everybody.
LEFT_LIMIT, LEFT_MOST = 128 * 1024, 2048


def variables(run: Run, job: Job, number: int, *, memory: Memory, zone: Zone, zone_named: ZoneNamed) -> Pairs:
    """Return the variables for attempt `number` of `run`, beside those of its crontab."""
    entry = job.entry
    name = entry.policy.timezone or entry.timezone
    here = zone if name is None else zone_named(name)
    given = [
        ("CRONTABX_JOB", job.name),
        ("CRONTABX_RUN_ID", run.id),
        ("CRONTABX_ATTEMPT", str(max(number, 0))),
        ("CRONTABX_TRIGGER", run.trigger.value),
        ("CRONTABX_SCHEDULED_AT", _iso(run.instant, here)),
    ]
    success = memory.successes.get(job.id)
    if success is not None:
        given.append(("CRONTABX_PREVIOUS_SUCCESS_AT", _iso(success, here)))
    if run.slots:
        given.append(("CRONTABX_POOL_SLOTS", ",".join(map(str, run.slots))))
    return (*given, *_left_by_parents(run, memory), *run.environment)


def _left_by_parents(run: Run, memory: Memory) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    room, most = LEFT_LIMIT, LEFT_MOST
    for parent in run.parents:
        held = memory.runs.get(parent.run)
        if held is None or not held.starts:
            continue
        prefix = "OUT_" + variable_of(parent.job.partition("/")[2])
        latest = max((one for one in held.attempts if one.number > 0), key=lambda one: one.number)
        for key, value in latest.data:
            name = f"{prefix}_{key.upper()}"
            # As the wire writes it: a character may take twelve bytes.
            size = len(name) + len(json.dumps(value)) + 8
            if size <= room and len(found) < most and is_environment_name(name):
                room -= size
                found.append((name, value))
    return found


def variable_of(name: str) -> str:
    """Return the name of a job as a part of the name of a variable."""
    return name.upper().replace("-", "_").replace(".", "_")


def _iso(instant: float, zone: Zone) -> str:
    offset = timezone(timedelta(seconds=zone.offset_at(instant)))
    return datetime.fromtimestamp(instant, offset).isoformat(timespec="seconds")
