"""What takes real minutes: Debian's own cron files, edits without inotify, a scheduler stopped for two."""

from __future__ import annotations

import faulthandler
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import crond
from tests.system.daemon import Crond, wait_for
from tests.system.ground import Ground
from tests.system.minutes import STOPPED, Minutes, Stopped
from tests.system.packages import PACKAGES, PERIODS, unpack

#: A minute, and what a machine under load may add to it (seconds).
MINUTE = 75.0


@pytest.fixture(autouse=True)
def _patience() -> None:
    """Pytest shows all threads of a test that takes a minute, as hanging; here minutes pass by design."""
    faulthandler.cancel_dump_traceback_later()


# --- the files of Debian's packages -------------------------------------------------------------------


@pytest.fixture(scope="module")
def unpacked(minutes: Minutes, ground: Ground) -> Path:
    if minutes.no_packages:
        pytest.skip(minutes.no_packages)
    folder = ground.new_folder("unpacked")
    unpack(minutes.packages, folder)
    return folder


def test_ten_packages_bring_cron_files(unpacked: Path) -> None:
    """The packages are what they were: six bring a crontab, nine bring scripts."""
    assert len(PACKAGES) >= 10
    assert len(list((unpacked / "etc" / "cron.d").iterdir())) == 6
    scripts = {path.name for path in (unpacked / "etc").glob("cron.*ly/*") if path.name != ".placeholder"}
    assert {"0anacron", "apt-compat", "dpkg", "logrotate", "man-db", "mdadm", "sysstat"} <= scripts


@pytest.mark.parametrize("dialect", ["debian", "cronie"])
def test_their_crontabs_load_and_each_line_runs_in_its_minute(unpacked: Path, dialect: str) -> None:
    """No problem in any of them; each entry starts in simulation, at the minutes that its fields name."""
    start = datetime(2026, 11, 21, tzinfo=UTC)
    for path in sorted((unpacked / "etc" / "cron.d").iterdir()):
        table = crond.parse_crontab(path.read_bytes(), system=True, dialect=dialect)
        assert table.problems == (), path.name
        assert table.entries, path.name
        week = list(crond.simulate(table, start=start, until=start + timedelta(days=8), timezone="UTC"))
        assert {one.entry.line for one in week} == {entry.line for entry in table.entries}, path.name
        for one in week:
            assert one.instant.minute in one.entry.minute
            assert one.instant.hour in one.entry.hour
        first = week[0].instant
        minute = crond.simulate(
            table, start=first - timedelta(seconds=30), until=first + timedelta(seconds=30), timezone="UTC"
        )
        assert first in {one.instant for one in minute}, path.name


@pytest.fixture
def debian(minutes: Minutes) -> Crond:
    if minutes.debian is None:
        pytest.skip(minutes.no_debian)
    return minutes.debian


def test_a_minute_of_a_debian_machine(debian: Crond) -> None:
    """run-parts runs all scripts of cron.hourly to cron.monthly, as root, in the real minute."""
    for period in PERIODS:
        run = debian.ended(period, seconds=MINUTE)[0]
        assert run["trigger"] == "schedule"
        assert run["instant"].endswith(":00Z")
        started = datetime.fromisoformat(run["started_at"]) - datetime.fromisoformat(run["instant"])
        assert started.total_seconds() < 2
        assert (run["outcome"], run["exit_code"]) == ("success", 0), debian.output(run["attempt"])


def test_each_line_of_a_debian_machines_cron_d_runs(debian: Crond) -> None:
    """Each entry of the packages' crontabs becomes its process and ends well; certbot's is stopped."""
    assert [p for p in debian.ask("status")["problems"] if p["severity"] == "error"] == []
    entries = [job for job in debian.ask("list")["jobs"] if "/cron.d/" in job["origin"]]
    assert {Path(job["origin"]).name for job in entries} == {
        "anacron", "certbot", "e2scrub_all", "mdadm", "php", "sysstat",
    }  # fmt: skip
    for job in entries:
        if job["origin"].endswith("certbot"):
            debian.ask("run", job=job["job"])
            wait_for(lambda: debian.runs(job["job"])[0]["pid"], "it waits its random time")  # noqa: B023
            debian.ask("stop", target=job["job"])
            wait_for(lambda: debian.runs(job["job"])[0]["outcome"] == "stopped", "it is stopped")  # noqa: B023
        elif job["command"].startswith("command -v debian-sa1 > /dev/null && debian-sa1 60"):
            continue  # collects for two minutes, as its other line does for one second
        else:
            run = debian.run_now(job["job"])
            assert (run["outcome"], run["exit_code"]) == ("success", 0), debian.output(run["attempt"])


# --- edits --------------------------------------------------------------------------------------------


def test_without_inotify_an_edit_is_in_time_for_the_next_minute(minutes: Minutes) -> None:
    """-i: the look at second 59 notices the edit; the minute that comes runs the new line, not the old."""
    crond = minutes.without_inotify
    reload = crond.line("RELOAD", errors=True, seconds=MINUTE)
    noticed = datetime.fromisoformat(reload.split(" ", 1)[0])
    assert 0 <= noticed.timestamp() + 1 - minutes.edited < 61
    assert noticed.second in (59, 0)
    run = crond.ended("new", seconds=MINUTE)[0]
    due = datetime.fromisoformat(run["instant"]).timestamp()
    assert due == int(minutes.edited // 60 + 1) * 60
    assert "old: started" not in "\n".join(crond.lines[2:])


# --- two minutes without a scheduler ------------------------------------------------------------------


def starts(stopped: Stopped, job: str) -> list[float]:
    """Return the instants that scheduled runs of `job` answered, with repetitions."""
    runs = [run for run in stopped.crond.runs(job) if run["trigger"] == "schedule"]
    return sorted(datetime.fromisoformat(run["instant"]).timestamp() for run in runs)


def test_a_scheduler_that_was_stopped_for_two_minutes_makes_them_up(minutes: Minutes) -> None:
    """Two minutes late is less than six: cronie runs every minute that was missed, 10 s apart, none twice."""
    stopped = minutes.goes_on
    stopped.crond.line("each: started", count=1 + len(stopped.missed()), seconds=STOPPED + 3 * MINUTE)
    assert stopped.crond.scheduler_pid() == stopped.scheduler
    made_up = wait_for(lambda: starts(stopped, "each")[: len(stopped.missed())], "the runs are known")
    assert made_up == stopped.missed()
    assert set(Counter(starts(stopped, "each")).values()) == {1}
    runs = {run["instant"]: run for run in stopped.crond.runs("each") if run["trigger"] == "schedule"}
    moments = sorted(datetime.fromisoformat(run["started_at"]).timestamp() for run in runs.values())
    assert moments[0] >= stopped.went_on - 1
    assert 9.5 <= moments[1] - moments[0] <= 12
    assert len(starts(stopped, "fixed")) == 1


def test_a_scheduler_that_hangs_is_replaced_and_its_minute_made_up(minutes: Minutes) -> None:
    """Killed after heartbeat_timeout, its successor goes on where it stood: no minute is lost or doubled."""
    stopped = minutes.replaced
    stopped.crond.line("scheduler: not heard for 60 s; it is replaced", errors=True, seconds=2 * MINUTE)
    stopped.crond.line("each: started", count=1 + len(stopped.missed()), seconds=STOPPED + 2 * MINUTE)
    assert stopped.crond.scheduler_pid() != stopped.scheduler
    assert (
        wait_for(lambda: starts(stopped, "each"), "the runs are known")[: len(stopped.missed())]
        == stopped.missed()
    )
    assert set(Counter(starts(stopped, "each")).values()) == {1}
    assert len(starts(stopped, "fixed")) == 1
