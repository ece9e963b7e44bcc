"""Outputs of the real daemon: bounded while they grow, pruned by whom they belong to, read by nobody else."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.system.conftest import StartFiles, StartHost
from tests.system.daemon import Crond, install, wait_for
from tests.system.ground import Ground, People

NEVER = "0 0 31 2 *"
GIB = 1024**3
SMALL = '[outputs]\nmax_size = "1M"\n'


def resident(pid: int) -> int:
    """Return the bytes of memory that process `pid` has."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def file_of(crond: Crond, attempt: str, uid: int) -> Path:
    return crond.state / "outputs" / str(uid) / attempt


def on_disk(path: Path) -> int:
    return path.stat().st_blocks * 512


@pytest.fixture(scope="module", autouse=True)
def second_life(ground: Ground) -> Iterator[tuple[Crond, Path]]:
    """A daemon with a max_size, and an output of its first life, without one.

    Its first sweep comes ten seconds after its start: they pass beside the tests above the one that looks.
    """
    folder = ground.new_folder("later")
    (folder / "settings.toml").write_text("[outputs]\nmax_size = 0\n")
    (folder / "jobs").write_text(f"#: name=big\n{NEVER} head -c 3000000 /dev/zero\n")
    state = folder / "state"
    arguments = [str(folder / "jobs"), "--settings", str(folder / "settings.toml"), "--state", str(state)]
    with ExitStack() as ends:
        first = Crond(ground, arguments, state=state)
        ends.callback(first.close)
        first.up()
        path = file_of(first, first.run_now("big")["attempt"], os.geteuid())
        assert on_disk(path) >= 2_900_000
        assert first.end() == 0
        (folder / "settings.toml").write_text(SMALL)
        second = Crond(ground, arguments, state=state)
        ends.callback(second.close)
        yield second.up(), path


def test_five_gigabytes_of_one_job(ground: Ground, start_files: StartFiles) -> None:
    """The disk holds max_size and what is written between two looks; memory is flat; other jobs are on time;
    `logs` shows both ends and says what is missing; the run tells what the job wrote.
    """
    folder = ground.new_folder("five")
    (folder / "settings.toml").write_text(SMALL)
    (folder / "jobs").write_text(
        "#: name=huge\n"
        f"{NEVER} echo begin; head -c {5 * GIB} /dev/zero; echo; echo finish\n"
        "#: name=beat\n@every 1s date +\\%s.\\%N\n"
    )
    crond = start_files(folder, str(folder / "jobs"), "--settings", str(folder / "settings.toml")).up()
    before = resident(crond.pid)
    run = crond.ask("run", job="huge")["run"]
    path = file_of(crond, run["attempt"], os.geteuid())
    most = [0]

    def over() -> bool:
        most[0] = max(most[0], on_disk(path) if path.exists() else 0)
        return crond.ask("runs", run=run["id"])["runs"][0]["state"] == "finished"

    wait_for(over, "five gigabytes are written", seconds=90)
    ended = crond.ask("runs", run=run["id"])["runs"][0]
    assert (ended["outcome"], ended["output_size"]) == ("success", 5 * GIB + 14)
    assert most[0] < 3 * GIB
    wait_for(lambda: on_disk(path) <= 1024 * 1024 + 65536, "the rest is trimmed")
    assert resident(crond.pid) - before < 8 * 1024 * 1024
    for beat in crond.runs("beat"):
        if beat["started_at"]:
            assert late(beat) < 0.5, beat
    shown = crond.client("logs", "huge")
    assert len(shown.stdout) < 1_200_000
    assert shown.stdout.startswith("begin\n")
    assert shown.stdout.endswith("\nfinish\n")
    assert "\n[... 5,36" in shown.stdout
    told = json.loads(crond.client("logs", "huge", "--json").stdout)
    assert 0 < 5 * GIB + 14 - told["left_out"] <= 1024 * 1024 + 65536


def late(run: dict[str, str]) -> float:
    from datetime import datetime

    began, instant = datetime.fromisoformat(run["started_at"]), datetime.fromisoformat(run["instant"])
    return (began - instant).total_seconds()


def test_a_follower_of_a_fast_job(ground: Ground, start_files: StartFiles) -> None:
    """`logs -f` of a job that writes faster than anybody reads ends, and counts all that is missing."""
    folder = ground.new_folder("fast")
    (folder / "settings.toml").write_text(SMALL)
    (folder / "jobs").write_text(
        f"#: name=fast\n{NEVER} head -c 300000000 /dev/zero | tr '\\\\0' 'x'; echo\n"
    )
    crond = start_files(folder, str(folder / "jobs"), "--settings", str(folder / "settings.toml")).up()
    crond.ask("run", job="fast")
    shown = crond.client("logs", "-f", "fast").stdout
    assert "\0" not in shown
    missing = sum(
        int(line.split()[1].replace(",", "")) for line in shown.splitlines() if line.startswith("[...")
    )
    # A reader that keeps up misses nothing; whatever it misses is counted.
    assert shown.count("x") + missing == 300_000_000


def test_users_prune_their_own(start_host: StartHost, people: People) -> None:
    """A user's prune touches no one else's outputs, by any option; root's is of all. What runs keeps its."""
    crond, folder = start_host()
    for user in (people.ann, people.ben):
        install(folder, user, f"#: name=old\n{NEVER} echo x\n#: name=long\n{NEVER} echo y; sleep 60\n")
    crond.up()
    wait_for(lambda: len(crond.jobs()) == 4, "the tables are read")
    files = {}
    for user in (people.ann, people.ben):
        attempt = crond.run_now(f"{user.pw_name}/old")["attempt"]
        files[user.pw_name] = file_of(crond, attempt, user.pw_uid)
    running = crond.ask("run", job=f"{people.ann.pw_name}/long")["run"]["attempt"]
    kept = file_of(crond, running, people.ann.pw_uid)
    wait_for(lambda: kept.exists() and kept.stat().st_size, "the job writes")
    for path in (*files.values(), kept):
        os.utime(path, times=(time.time() - 40 * 86400,) * 2)
    dry = crond.client("prune", "--dry-run", user=people.ann)
    assert dry.stdout.splitlines()[0].startswith("1 output would be removed"), dry
    done = crond.client("prune", "--keep-runs", "1", "--total-size", "64K", user=people.ann)
    assert done.returncode == 0, done
    assert not files[people.ann.pw_name].exists()
    assert files[people.ben.pw_name].exists()
    assert kept.exists()
    told = json.loads(crond.client("prune", "--json").stdout)
    assert (told["removed"], told["kept"]) == (1, 1)
    assert not files[people.ben.pw_name].exists()
    crond.ask("stop", target=f"{people.ann.pw_name}/long")


def test_metrics_of_the_real_daemon(start_host: StartHost, people: People) -> None:
    """Counted by the scheduler, seen by root whole and by a user as far as it is theirs."""
    crond, folder = start_host()
    install(folder, people.ann, f"#: name=good\n{NEVER} true secret-argument\n")
    install(folder, people.ben, "#: name=bad\n@every 1s exit 3\n")
    crond.up()
    wait_for(lambda: len(crond.jobs()) == 2, "the tables are read")
    crond.run_now(f"{people.ann.pw_name}/good")
    crond.ended("bad")
    told = crond.client("metrics").stdout
    assert f'crontabx_runs_total{{job="{people.ann.pw_name}/good",outcome="success"}} 1\n' in told
    assert f'crontabx_runs_total{{job="{people.ben.pw_name}/bad",outcome="failed"}}' in told
    assert "secret" not in told
    mine = crond.client("metrics", user=people.ann).stdout
    assert (people.ann.pw_name in mine, people.ben.pw_name in mine) == (True, False)
    path = folder / "crontabx.prom"
    assert crond.client("metrics", "--textfile", str(path)).returncode == 0
    assert "crontabx_loop_heartbeat_timestamp_seconds 1" in path.read_text()


def test_new_settings_hold_for_old_outputs(second_life: tuple[Crond, Path]) -> None:
    """A smaller max_size cuts what a life before wrote, and the log says so."""
    crond, path = second_life
    wait_for(lambda: on_disk(path) <= 1024 * 1024 + 65536, "the sweep after the start", seconds=30)
    assert path.stat().st_size == 3_000_000
    crond.line("outputs: 0 removed, 1 cut to their size", errors=True)
