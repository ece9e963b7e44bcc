"""What a client's words come to as events of the engine: each argument is checked here, and nowhere later.

Knows neither sockets nor who may ask what. Called by `crond.scheduler.verbs`.
"""

from __future__ import annotations

import json
import re

from crond.core.clockwork import Reading
from crond.core.preview import Preview
from crond.model.events import (
    BackfillRequested,
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
_SECONDS = re.compile(r"[1-9]\d{0,9}", re.ASCII)
_WHOLE = re.compile(r"\d{1,11}", re.ASCII)
_MOMENT = re.compile(r"\d{1,11}(\.\d{1,20})?", re.ASCII)
#: Most dues, or runs, that are told at once.
_MOST_TOLD = 10_000


def run(job: Job, arguments: dict[str, str], by: int, _reading: Reading) -> RunRequested:
    """Run a job. `environment` is a JSON object of variables that `params=` names, `downstream` yes or no."""
    environment = _environment(job, arguments.get("environment", "{}"))
    return RunRequested(job.id, by, environment, downstream=arguments.get("downstream") == "yes")


def _environment(job: Job, text: str) -> Pairs:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise Refusal("bad_request", "environment must be a JSON object of texts")
    for name, value in given.items():
        if name not in job.entry.policy.params:
            allowed = ", ".join(job.entry.policy.params)
            hint = f"its params= names {allowed}" if allowed else "it has no params="
            raise Refusal("bad_request", f"{job.id} cannot be given {name}: {hint}")
        if len(value) > _LONGEST_VALUE or "\0" in value or not is_text(value):
            raise Refusal("bad_request", f"the value of {name} is too long, or no text without a NUL")
    return tuple(given.items())


def stop(run: Run, by: int) -> StopRequested:
    """End a run."""
    return StopRequested(run.id, by)


def pause(job: Job, arguments: dict[str, str], by: int, reading: Reading) -> PauseRequested:
    """Pause a job. `seconds` is for how long (without it: until resumed), `note` says why."""
    return PauseRequested(job.id, by, _until(arguments, reading), arguments.get("note", "")[:_NOTE])


def resume(job: Job, _arguments: dict[str, str], by: int, _reading: Reading) -> ResumeRequested:
    """Let a job be due again."""
    return ResumeRequested(job.id, by)


def mute(job: Job, arguments: dict[str, str], by: int, reading: Reading) -> MuteRequested:
    """Let nobody be told of a job. `seconds` is for how long (without it: until unmuted), `note` says why."""
    return MuteRequested(job.id, by, _until(arguments, reading), arguments.get("note", "")[:_NOTE])


def unmute(job: Job, _arguments: dict[str, str], by: int, _reading: Reading) -> UnmuteRequested:
    """Let people be told of a job again."""
    return UnmuteRequested(job.id, by)


def _until(arguments: dict[str, str], reading: Reading) -> float | None:
    seconds = arguments.get("seconds")
    if seconds is not None and not _SECONDS.fullmatch(seconds):
        raise Refusal("bad_request", f"seconds must be a whole number, not {seconds!r:.60}")
    return None if seconds is None else reading.wall + int(seconds)


def backfill(job: Job, arguments: dict[str, str], by: int, reading: Reading) -> BackfillRequested:
    """Run a job for a time that was. `instant` is the moment to run for, in epoch seconds."""
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
    if not _MOMENT.fullmatch(text):
        raise Refusal("bad_request", f"{name} must be epoch seconds, not {text!r:.60}")
    return float(text)


def from_moment(preview: Preview, arguments: dict[str, str]) -> Preview:
    """Return the look ahead from the moment `after`, whole epoch seconds, where that is asked for. Raises
    Refusal.
    """
    text = arguments.get("after")
    if text is None:
        return preview
    if not _WHOLE.fullmatch(text):
        raise Refusal("bad_request", f"after must be epoch seconds, not {text!r:.60}")
    return preview.looking_from(float(text))


def count(arguments: dict[str, str]) -> int:
    """Return how many are wanted. Raises Refusal."""
    text = arguments.get("count", "20")
    if not _WHOLE.fullmatch(text):
        raise Refusal("bad_request", f"count must be a number, not {text!r:.60}")
    if int(text) > _MOST_TOLD:
        raise Refusal("bad_request", f"at most {_MOST_TOLD} are told at once, not {text}")
    return int(text)


def is_text(value: str) -> bool:
    """False for what no file, terminal or environment can hold: half of a character of UTF-16."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
