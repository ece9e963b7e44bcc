"""Crontabs that a user writes to end the scheduler for everybody: whatever they say, it is only theirs."""

from __future__ import annotations

import pytest

from tests.system.conftest import StartHost
from tests.system.daemon import install, wait_for
from tests.system.ground import People


@pytest.mark.parametrize(
    "text",
    [
        "CRON_TZ=AAA0BBB-24,M1.1.0,M12.5.0\n* * * * * true\n",
        "CRON_TZ=America/New_York\n@at 9999-12-31T23:59 true\n",
        "CRON_TZ=Asia/Tokyo\n@at 0001-01-01T00:00 true\n",
        "@at 9999-12-31T23:59-23:59 true\n",
        "@every 999999999d true\n",
    ],
    ids=["a day's offset", "the last year", "the first year", "beyond the last year", "a period of ages"],
)
def test_no_time_in_a_crontab_ends_the_scheduler(start_host: StartHost, people: People, text: str) -> None:
    """One line of one user's crontab, and nobody's jobs ran any more: each new scheduler died of it too."""
    crond, folder = start_host()
    crond.up()
    install(folder, people.ben, "@every 1s true\n")
    install(folder, people.ann, text)
    wait_for(lambda: len(crond.jobs()) == 2, "both crontabs are read")
    before = crond.scheduler_pid()
    for verb in ("list", "status", "next"):
        assert crond.client(verb, user=people.ann).returncode == 0
    job = next(job for job in crond.jobs() if job.startswith(people.ann.pw_name))
    crond.ask("next", job=job, count="20")
    began = len(crond.runs())
    wait_for(lambda: len(crond.runs()) > began or len(crond.runs()) >= 10, "the other's jobs go on")
    assert crond.scheduler_pid() == before
