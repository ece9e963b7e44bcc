"""The scheduler dies or hangs while jobs run: no job notices, nothing is lost, nothing runs twice."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from pathlib import Path

from tests.system.conftest import StartHost
from tests.system.daemon import Crond, install, is_alive, wait_for
from tests.system.ground import People

JOBS = 50
START = re.compile(r" \S+: started \(pid (?P<pid>[0-9]+), run (?P<key>\S+)\)$")


def proofs(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def runs_that_ended(crond: Crond, count: int) -> list[dict[str, object]] | None:
    runs = [run for run in crond.runs() if run["state"] == "finished"]
    return runs if len(runs) >= count else None


def test_kill_of_the_scheduler_while_fifty_jobs_run(start_host: StartHost, people: People) -> None:
    """All finish; each exit status and output is known when it is back by itself; none ran twice."""
    crond, folder = start_host()
    proof = folder / "proof"
    proof.touch()
    proof.chmod(0o666)
    gate = folder / "gate"
    lines = []
    for number in range(JOBS):
        command = (
            f"echo {number} >> {proof}; echo out {number}; "
            f"while [ ! -e {gate} ]; do sleep 0.2; done; echo done {number}; exit {number}"
        )
        lines.append(f"#: name=job{number}\n0 0 31 2 * {command}\n")
    for user, share in zip(people.users, (lines[:17], lines[17:34], lines[34:]), strict=True):
        install(folder, user, "".join(share))
    crond.up()
    wait_for(lambda: len(crond.jobs()) == JOBS, "all tables are loaded")
    for number in range(JOBS):
        crond.ask("run", job=f"job{number}")
    wait_for(lambda: len(proofs(proof)) == JOBS, "all jobs run")
    # A job may run for a while before the scheduler is told so.
    wait_for(lambda: all(run["pid"] for run in crond.runs()), "all starts are known")
    pids = {run["job"]: run["pid"] for run in crond.runs()}

    scheduler = crond.scheduler_pid()
    os.kill(scheduler, signal.SIGKILL)
    wait_for(lambda: not is_alive(scheduler), "the scheduler is dead")
    gate.touch()  # half a second without a scheduler, in which all jobs end
    crond.scheduler_pid(other_than=scheduler)

    runs = wait_for(lambda: runs_that_ended(crond, JOBS), "every end is known")
    assert len(runs) == JOBS
    for run in runs:
        number = int(str(run["job"]).rpartition("job")[2])
        assert run["exit_code"] == number
        assert run["outcome"] == ("success" if number == 0 else "failed")
        assert run["pid"] == pids[run["job"]]
        assert crond.output(str(run["attempt"])) == f"out {number}\ndone {number}\n".encode()
    assert Counter(proofs(proof)) == Counter(str(number) for number in range(JOBS))
    shown = crond.client("logs", "job7")
    assert shown.stdout == "out 7\ndone 7\n"


def test_a_scheduler_killed_again_and_again_repeats_nothing(start_host: StartHost, people: People) -> None:
    """Every start that the proof file has is one run, with its end, however often the scheduler dies."""
    crond, folder = start_host()
    proof = folder / "proof"
    proof.touch()
    proof.chmod(0o666)
    install(folder, people.ann, f"#: name=tick\n@every 1s echo $$ >> {proof}\n")
    crond.up()
    for kill in range(1, 3):
        before = len(proofs(proof))
        wait_for(lambda before=before: len(proofs(proof)) > before, "jobs start")  # type: ignore[misc]
        os.kill(crond.scheduler_pid(), signal.SIGKILL)
        crond.line("killed by SIGKILL; starting another", count=kill, errors=True)
    before = len(proofs(proof))
    wait_for(lambda: len(proofs(proof)) > before, "jobs start again")
    (folder / "spool" / people.ann.pw_name).unlink()
    wait_for(lambda: not crond.jobs(), "the table is gone")
    wait_for(lambda: all(run["state"] == "finished" for run in crond.runs()), "all runs end")
    started = [START.search(line) for line in crond.lines]
    keys = Counter(found["key"] for found in started if found)
    assert set(keys.values()) == {1}, "an attempt was started twice"
    assert sorted(proofs(proof)) == sorted(found["pid"] for found in started if found)


def test_a_scheduler_that_hangs_is_replaced(start_host: StartHost, people: People) -> None:
    """Silent for heartbeat_timeout: killed and replaced by the launcher; jobs run on, and new ones start."""
    crond, folder = start_host(daemon="heartbeat_timeout = 3")
    install(
        folder,
        people.ann,
        "#: name=tick\n@every 1s echo tick\n#: name=long\n0 0 31 2 * sleep 5; echo survived\n",
    )
    crond.up()
    crond.ended("tick")
    long = crond.ask("run", job="long")["run"]
    wait_for(lambda: crond.runs("long")[0]["pid"], "the long job runs")
    scheduler = crond.scheduler_pid()
    os.kill(scheduler, signal.SIGSTOP)
    crond.line("scheduler: not heard for 3 s; it is replaced", errors=True)
    crond.scheduler_pid(other_than=scheduler)
    newest = wait_for(lambda: newest_start(crond), "jobs start again")
    wait_for(lambda: (newest_start(crond) or "") > newest, "and again")
    (ended,) = crond.ended("long")
    assert (ended["id"], ended["outcome"], ended["attempts"]) == (long["id"], "success", 1)
    assert crond.output(ended["attempt"]) == b"survived\n"


def newest_start(crond: Crond) -> str | None:
    return max((run["started_at"] for run in crond.runs("tick") if run["started_at"]), default=None)


def test_a_scheduler_that_was_stopped_goes_on(start_host: StartHost, people: People) -> None:
    """Stopped for less than the timeout it is kept; an @every job is then due once, without a backlog."""
    crond, folder = start_host()
    proof = folder / "proof"
    proof.touch()
    proof.chmod(0o666)
    install(folder, people.ann, f"#: name=tick\n@every 1s date +\\%s.\\%N >> {proof}\n")
    crond.up()
    wait_for(lambda: len(proofs(proof)) >= 2, "jobs start")
    scheduler = crond.scheduler_pid()
    os.kill(scheduler, signal.SIGSTOP)
    stopped = time.time()
    held = len(proofs(proof))
    wait_for(lambda: time.time() > stopped + 3.2, "time passes")
    assert len(proofs(proof)) <= held + 1  # one may have been on its way
    os.kill(scheduler, signal.SIGCONT)
    went_on = time.time()
    wait_for(lambda: len([t for t in proofs(proof) if float(t) >= went_on]) >= 3, "jobs start again")
    assert crond.scheduler_pid() == scheduler
    after = [float(moment) for moment in proofs(proof) if float(moment) >= went_on]
    # The one that was missed at once, then each second: three in less than a second would be a backlog.
    assert after[2] - after[0] > 0.9, after
