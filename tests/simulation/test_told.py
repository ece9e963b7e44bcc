"""The judge's ear refuses each kind of bad news, and lets good news pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from crond.core.alerting import addressees
from crond.model.alert import Event, Flip
from crond.model.crontab import parse_crontab
from crond.model.job import Job, jobs_of
from crond.model.run import Attempt, Outcome, Run, State, Trigger, Wait
from tests.simulation.launcher import Broken
from tests.simulation.told import Told

_NOON = 1780315200.0  # 2026-06-01 12:00 UTC
_ONE = Attempt(number=1, started_at=_NOON)
_RUN = Run(
    id="r1",
    job="me/a",
    instant=_NOON,
    ordinal=0,
    trigger=Trigger.SCHEDULE,
    state=State.RUNNING,
    attempts=(_ONE,),
)
_FAILED = replace(_RUN, state=State.FINISHED, outcome=Outcome.FAILED, ended_at=_NOON + 1)
_SUCCEEDED = replace(_FAILED, id="r2", outcome=Outcome.SUCCESS)


def job_of(keys: str) -> Job:
    table = parse_crontab(f"#: name=a {keys}\n0 12 * * * a\n", extensions=True)
    return jobs_of(table, owner="me", uid=7, origin="tab", version=1)[0]


def flip(event: Event, *targets: str, number: int = 0, **said: Any) -> dict[str, Any]:
    made = Flip(
        id=f"{event}{number}",
        event=event,
        at=_NOON,
        origin="tab",
        uid=7,
        addressees=addressees(targets),
        job="me/a",
        **said,
    )
    return made.values()


def test_a_failure_and_its_recovery_pass() -> None:
    """Told once each, to the right ones."""
    told, job = Told(), job_of("on_failure=ops on_success=ops on_success=log")
    told.run(_RUN, _FAILED, job, [flip(Event.FAILURE, "ops")])
    told.run(_RUN, _SUCCEEDED, job, [flip(Event.RECOVERY, "ops"), flip(Event.SUCCESS, "log")])
    told.run(_RUN, replace(_SUCCEEDED, id="r3"), job, [flip(Event.SUCCESS, "ops", "log", number=1)])
    assert told.figures == {"told of failure": 1, "told of recovery": 1, "told of success": 2}


def test_a_retry_passes() -> None:
    """And is wanted."""
    told, job = Told(), job_of("on_retry=log")
    waiting = replace(_RUN, state=State.WAITING, waits=Wait.RETRY)
    told.run(_RUN, waiting, job, [flip(Event.RETRY, "log")])
    with pytest.raises(Broken, match="ought to tell"):
        told.run(_RUN, waiting, job, [])


@pytest.mark.parametrize(
    ("keys", "flips", "says"),
    [
        ("on_failure=ops", [], "ought to tell"),
        ("on_failure=ops", [flip(Event.FAILURE, "ops"), flip(Event.FAILURE, "ops")], "told twice"),
        ("on_failure=ops", [flip(Event.FAILURE, "log")], "ought to tell"),
        ("on_failure=ops", [flip(Event.FAILURE, "ops", muted=True)], "is muted"),
        ("on_failure=ops", [flip(Event.FAILURE)], "told to nobody"),
        ("on_failure=ops alert_after=2", [flip(Event.FAILURE, "ops")], "ought to tell"),
        ("on_late=ops", [flip(Event.ON_TIME, "ops", promise="late_after")], "nobody knows"),
        ("ping=https://h/1", [], "ping_fail"),
    ],
)
def test_bad_news_of_a_run(keys: str, flips: list[dict[str, Any]], says: str) -> None:
    """Missing, twice, to the wrong ones, too early."""
    with pytest.raises(Broken, match=says):
        Told().run(_RUN, _FAILED, job_of(keys), flips)


def test_lateness_is_latched() -> None:
    """Late again without having been on time is told twice; what is withdrawn begins anew."""
    told = Told()
    late = [flip(Event.LATE, "ops", promise="warn_runtime", number=n) for n in range(4)]
    told.flip(late[0])
    with pytest.raises(Broken, match="late again"):
        told.flip(late[1])
    told.tables({"me/a": job_of("on_late=ops")})
    told.flip(late[2])
    with pytest.raises(Broken, match="told by itself"):
        told.flip(flip(Event.FAILURE, "ops"))


def test_lateness_that_nobody_noticed() -> None:
    """A run that does not start, and one that does not end."""
    told, job = Told(), job_of("on_late=ops late_after=10m warn_runtime=1h")
    waiting = replace(_RUN, state=State.WAITING, attempts=())
    told.check_promises(waiting, job, wall=_NOON + 900, ran=0)
    with pytest.raises(Broken, match="is late for"):
        told.check_promises(waiting, job, wall=_NOON + 1600, ran=0)
    with pytest.raises(Broken, match="too long"):
        told.check_promises(_RUN, job, wall=_NOON, ran=5000)
    told.flip(flip(Event.LATE, "ops", promise="late_after", instant=_NOON))
    told.check_promises(waiting, job, wall=_NOON + 1600, ran=0)
