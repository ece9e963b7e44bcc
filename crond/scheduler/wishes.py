"""What a client's words come to as events of the engine: each argument is checked here, and nowhere later.

Knows neither sockets nor who may ask what. Called by `crond.scheduler.control`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from crond.core.clockwork import Reading
from crond.model.events import (
    BackfillRequested,
    Event,
    MarkRequested,
    MuteRequested,
    PauseRequested,
    RerunRequested,
    ResumeRequested,
    RunRequested,
    StopRequested,
    UnmuteRequested,
)
from crond.model.job import Job
from crond.model.messages import Pairs
from crond.model.run import Outcome, Run, State
from crond.scheduler.refusal import Refusal

#: Longest note of a pause or a mute, in characters.
_NOTE = 500
_LONGEST_VALUE = 32 * 1024
_LENGTH = re.compile(r"[1-9]\d{0,9}", re.ASCII)


def _run(job: Job, arguments: dict[str, str], by: int, _reading: Reading) -> RunRequested:
    """`environment` is a JSON object of variables that `params=` names, `downstream` yes or no."""
    environment = _environment(job, arguments.get("environment", "{}"))
    return RunRequested(job.id, by, environment, downstream=arguments.get("downstream") == "yes")


def _environment(job: Job, text: str) -> Pairs:
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise Refusal("bad_request", "environment must be a JSON object of texts")
    for name, value in given.items():
        if name not in job.entry.policy.params:
            allowed = ", ".join(job.entry.policy.params)
            hint = f"its params= names {allowed}" if allowed else "it has no params="
            raise Refusal("bad_request", f"{job.id} cannot be given {name}: {hint}")
        if len(value) > _LONGEST_VALUE or "\0" in value:
            raise Refusal("bad_request", f"the value of {name} is too long, or has a NUL in it")
    return tuple(given.items())


def stop(run: Run, by: int) -> StopRequested:
    """End a run."""
    return StopRequested(run.id, by)


def _pause(job: Job, arguments: dict[str, str], by: int, reading: Reading) -> Event:
    """`seconds` is for how long (without it: until resumed), `note` says why."""
    return PauseRequested(job.id, by, _until(arguments, reading), arguments.get("note", "")[:_NOTE])


def _resume(job: Job, _arguments: dict[str, str], by: int, _reading: Reading) -> Event:
    return ResumeRequested(job.id, by)


def _mute(job: Job, arguments: dict[str, str], by: int, reading: Reading) -> Event:
    """As `_pause`, without `seconds` until unmuted."""
    return MuteRequested(job.id, by, _until(arguments, reading), arguments.get("note", "")[:_NOTE])


def _unmute(job: Job, _arguments: dict[str, str], by: int, _reading: Reading) -> Event:
    return UnmuteRequested(job.id, by)


def _until(arguments: dict[str, str], reading: Reading) -> float | None:
    seconds = arguments.get("seconds")
    if seconds is not None and not (
        seconds.isascii() and seconds.isdigit() and 0 < int(seconds[:12]) < 10**10
    ):
        raise Refusal("bad_request", f"seconds must be a whole number, not {seconds!r}")
    return None if seconds is None else reading.wall + int(seconds)


def _backfill(job: Job, arguments: dict[str, str], by: int, reading: Reading) -> Event:
    """`instant` is the moment to run for, in epoch seconds."""
    instant = moment(arguments, "instant")
    if instant is None or instant > reading.wall:
        raise Refusal("bad_request", "backfill needs an instant that has passed")
    return BackfillRequested(job.id, by, instant)


def rerun(run: Run, arguments: dict[str, str], by: int) -> RerunRequested:
    """Run a run again. `downstream` and `failed` are yes or no."""
    if run.state is not State.FINISHED:
        raise Refusal("not_finished", f"run {run.id} has not ended; stop it first")
    downstream = arguments.get("downstream") == "yes"
    return RerunRequested(run.id, by, downstream=downstream, failed=arguments.get("failed") == "yes")


def mark(run: Run, arguments: dict[str, str], by: int) -> MarkRequested:
    """Let a run count as something else. `outcome` is success or failed."""
    outcome = arguments.get("outcome")
    if outcome not in (Outcome.SUCCESS, Outcome.FAILED):
        raise Refusal("bad_request", f"a run can be marked success or failed, not {outcome!r}")
    return MarkRequested(run.id, by, Outcome(outcome))


def moment(arguments: dict[str, str], name: str) -> float | None:
    """Return the moment that argument `name` is, None where it is not given. Raises Refusal."""
    text = arguments.get(name)
    if text is None:
        return None
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not 0 <= found < 1e11:
        raise Refusal("bad_request", f"{name} must be epoch seconds, not {text!r}")
    return found


OF_JOBS: dict[str, Callable[[Job, dict[str, str], int, Reading], Event]] = {
    "pause": _pause,
    "resume": _resume,
    "mute": _mute,
    "unmute": _unmute,
}
#: Those that make runs; clients may wait for the end of these.
TO_START: dict[str, Callable[[Job, dict[str, str], int, Reading], Event]] = {
    "run": _run,
    "backfill": _backfill,
}
