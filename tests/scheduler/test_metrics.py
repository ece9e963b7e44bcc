"""Metrics: what is counted, who sees what, and that names fill neither memory nor the format."""

from __future__ import annotations

import re
from typing import Any

import pytest

from crond.core.engine import Engine
from crond.core.memory import Memory, changed
from crond.core.zone import Zone
from crond.model.crontab import parse_crontab
from crond.model.job import Job, jobs_of
from crond.model.run import Attempt, Outcome, Run, State, Trigger
from crond.scheduler.metrics import Metrics
from crond.zones import HostZone, zone_named

NOW = 1_795_000_000.0


@pytest.fixture
def engine() -> Engine:
    zone: Zone = HostZone()
    return Engine(memory=Memory(), zone=zone, zone_named=zone_named)


def add(engine: Engine, text: str, *, owner: str = "root", uid: int = 0) -> list[Job]:
    table = parse_crontab(text.encode(), system=False, privileged=uid == 0, extensions=True)
    jobs = jobs_of(table, owner=owner, uid=uid, origin=owner, version=1)
    engine.jobs.update((job.id, job) for job in jobs)
    return list(jobs)


def ended(job: str, outcome: Outcome | None = Outcome.SUCCESS, *, seconds: float = 3.0, **more: Any) -> Run:
    attempt = Attempt(number=1, pid=5, started_at=NOW + 0.02, ended_at=NOW + 0.02 + seconds)
    return Run(
        **{
            "id": "r1",
            "job": job,
            "instant": NOW,
            "ordinal": 0,
            "trigger": Trigger.SCHEDULE,
            "uid": 0,
            "state": State.FINISHED,
            "outcome": outcome,
            "ended_at": NOW + 0.02 + seconds,
            "attempts": (attempt,),
            **more,
        }
    )


def running(job: str, *, late: float = 0.02, **more: Any) -> Run:
    attempt = Attempt(number=1, pid=5, started_at=NOW + late)
    return ended(job, state=State.RUNNING, outcome=None, ended_at=None, attempts=(attempt,), **more)


def text(metrics: Metrics, engine: Engine, *, uid: int = 0, wall: float = NOW + 10) -> str:
    jobs = [job for job in engine.jobs.values() if uid in (0, job.uid)]
    return metrics.text(jobs, engine.preview(wall), uid=uid, everything=uid == 0, wall=wall)


def samples(told: str) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in told.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_runs_are_counted_by_outcome(engine: Engine) -> None:
    """One more for each end; a change on the way is none. The last success stays when a failure follows."""
    add(engine, "#: name=a\n0 3 * * * x\n")
    metrics = Metrics(engine)
    metrics.changed(running("root/a"))
    metrics.changed(ended("root/a"))
    metrics.changed(ended("root/a", Outcome.FAILED, seconds=100.0))
    metrics.changed(ended("root/a", Outcome.SKIPPED, attempts=()))
    found = samples(text(metrics, engine))
    assert found['crontabx_runs_total{job="root/a",outcome="success"}'] == 1
    assert found['crontabx_runs_total{job="root/a",outcome="failed"}'] == 1
    assert found['crontabx_runs_total{job="root/a",outcome="skipped"}'] == 1
    assert found['crontabx_last_success_timestamp_seconds{job="root/a"}'] == NOW + 3.02
    assert found['crontabx_next_run_timestamp_seconds{job="root/a"}'] > NOW
    assert found["crontabx_loop_heartbeat_timestamp_seconds"] == NOW + 10


def test_histograms(engine: Engine) -> None:
    """Buckets add up; a value on a bound is in its bucket; what was not scheduled was not late."""
    metrics = Metrics(engine)
    for seconds in (1.0, 3.0, 1e6):
        metrics.changed(ended("root/a", seconds=seconds, attempts=(
            Attempt(number=1, pid=1, started_at=0.0, ended_at=seconds),
        )))  # fmt: skip
    metrics.changed(running("root/a", late=0.02))
    metrics.changed(running("root/a", late=-3.0))
    metrics.changed(running("root/a", late=50.0, trigger=Trigger.MANUAL))
    found = samples(text(metrics, engine))
    name = "crontabx_run_duration_seconds"
    assert [found[f'{name}_bucket{{le="{le}"}}'] for le in ("0.5", "1.0", "5.0", "86400.0", "+Inf")] == [
        0, 1, 2, 2, 3,
    ]  # fmt: skip
    assert (found[f"{name}_count"], found[f"{name}_sum"]) == (3, 1_000_004)
    assert found["crontabx_start_lateness_seconds_count"] == 2
    assert found["crontabx_start_lateness_seconds_sum"] == pytest.approx(0.02)


def test_each_sees_ones_own(engine: Engine) -> None:
    """A user's text holds nothing of others: no name, no count, no sum."""
    add(engine, "#: name=a\n0 3 * * * x\n")
    add(engine, "#: name=b\n0 3 * * * x\n", owner="ann", uid=7)
    metrics = Metrics(engine)
    for run in (ended("root/a", uid=0), ended("ann/b", uid=7), running("ann/b", uid=7)):
        metrics.changed(run)
    engine.memory.apply(changed(running("root/a", id="r2", uid=0)))
    mine = text(metrics, engine, uid=7)
    assert "root" not in mine
    found = samples(mine)
    assert found["crontabx_run_duration_seconds_count"] == 1
    assert (found["crontabx_running"], samples(text(metrics, engine))["crontabx_running"]) == (0, 1)
    assert samples(text(metrics, engine))["crontabx_run_duration_seconds_count"] == 2
    assert "{" not in re.sub(r"le=|_bucket\{", "", text(metrics, engine, uid=8)).replace('"', "")


def test_last_success_is_known_from_before(engine: Engine) -> None:
    """A new scheduler counts from zero, but does not forget when a backup last succeeded."""
    add(engine, "#: name=a\n0 3 * * * x\n")
    engine.memory.apply(changed(ended("root/a")))
    found = samples(text(Metrics(engine), engine))
    assert found['crontabx_last_success_timestamp_seconds{job="root/a"}'] == NOW + 3.02
    assert not any(name.startswith("crontabx_runs_total") for name in found)


def test_jobs_that_left_are_dropped(engine: Engine) -> None:
    """An hour after its table let go of it, a job is counted no more; one that is still there stays."""
    add(engine, "#: name=a\n0 3 * * * x\n#: name=b\n0 3 * * * x\n")
    metrics = Metrics(engine)
    metrics.changed(ended("root/a"))
    metrics.changed(ended("root/b"))
    text(metrics, engine)
    del engine.jobs["root/b"]
    assert "root/b" in text(metrics, engine, wall=NOW + 1000)
    later = text(metrics, engine, wall=NOW + 5000)
    assert ("root/a" in later, "root/b" in later) == (True, False)


def test_many_names_fill_nothing(engine: Engine) -> None:
    """Whoever renames a job each minute is bounded, also when nobody reads the metrics."""
    metrics = Metrics(engine)
    for number in range(5000):
        metrics.changed(ended(f"ann/{number}", uid=7, ended_at=NOW + number))
    assert text(metrics, engine).count("crontabx_runs_total{") <= 1002


def test_a_name_cannot_leave_its_label(engine: Engine) -> None:
    """Quotes, line feeds and bytes that are no text stay inside the label."""
    metrics = Metrics(engine)
    metrics.changed(ended('root/a"} 1\nevil\\ \udcff'))
    told = text(metrics, engine)
    assert 'job="root/a\\"} 1\\nevil\\\\ \ufffd",outcome="success"} 1' in told.replace("?", "\ufffd")
    assert all(re.match(r"crontabx_|# (HELP|TYPE) crontabx_", line) for line in told.splitlines())


def test_every_metric_says_what_it_is(engine: Engine) -> None:
    """HELP and TYPE before the samples of each name, once."""
    told = text(Metrics(engine), engine)
    types = re.findall(r"^# TYPE (\S+) (\S+)$", told, re.MULTILINE)
    assert dict(types) == {
        "crontabx_runs_total": "counter",
        "crontabx_run_duration_seconds": "histogram",
        "crontabx_start_lateness_seconds": "histogram",
        "crontabx_last_success_timestamp_seconds": "gauge",
        "crontabx_next_run_timestamp_seconds": "gauge",
        "crontabx_running": "gauge",
        "crontabx_loop_heartbeat_timestamp_seconds": "gauge",
    }
    assert len(types) == 7
    assert told.endswith("\n")
