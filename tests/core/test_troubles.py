"""Who looks after the host hears of crontabs that are wrong, once, and only if somebody asked for it."""

from __future__ import annotations

import pytest

from crond.model.messages import TableRefused
from tests.core.driving import Driver, contents, rebuilt

_NOON = 1780315200.0  # 2026-06-01 12:00 UTC
_DAY = 86400.0


def driver(text: str, *, trouble: bool = True, **limits: float) -> Driver:
    made = Driver(wall=_NOON - 60)
    made.trouble = (("0123456789abcdef", "ops"),) if trouble else ()
    made.limits = limits
    made.begin(text)
    return made


def reasons(cron: Driver) -> list[str]:
    return [flip.reason for flip in cron.flips()]


def test_a_refused_file_is_told_once_through_restarts() -> None:
    """To the host's people, as the host's news; again only if it was well in between."""
    cron = driver("0 12 * * * a\n")
    refused = TableRefused("/etc/cron.d/x", "root", 0, "INSECURE MODE")
    for _ in range(3):
        cron.step(refused)
        cron.go(60)
    (flip,) = cron.flips()
    assert (flip.origin, flip.uid, flip.job, flip.reason) == ("", 0, "", "/etc/cron.d/x: INSECURE MODE")
    assert [one.label for one in flip.addressees] == ["ops"]
    cron.greet()
    cron.engine = cron._engine(rebuilt(cron.records))
    assert contents(rebuilt(cron.records)) == contents(cron.engine.memory)
    cron.begin(cron.text)
    cron.step(refused)
    cron.go(60)
    assert len(reasons(cron)) == 2  # it was not refused when the scheduler came back, and then was


def test_nobody_to_tell_costs_nothing() -> None:
    """Without `on_trouble` nothing is looked at, nor remembered."""
    cron = driver("#: name=a depends_on=nobody\n0 12 * * * a\n", trouble=False, held_after=60.0)
    cron.step(TableRefused("/etc/cron.d/x", "root", 0, "INSECURE MODE"))
    cron.go(600)
    assert cron.flips() == []
    assert cron.engine.memory.troubles == {}


def test_held_since_when_survives_a_restart() -> None:
    """A job that is held for a minute of every edit is no news; one that stays so is."""
    cron = driver("#: name=a depends_on=nobody\n0 12 * * * a\n", held_after=3600.0)
    cron.go(1800)
    cron.restart()
    cron.go(1799)
    assert reasons(cron) == []
    cron.go(2)
    assert reasons(cron) == ["tab:2: a is held: there is no job 'nobody', for 1 hour"]
    cron.restart()
    cron.go(7200)
    assert len(reasons(cron)) == 1
    cron.edit("0 12 * * * a\n")
    assert cron.engine.memory.troubles == {}


@pytest.mark.parametrize(
    "line",
    [
        "#0 5 * * * /usr/bin/backup --all",
        "#@daily cd /srv && make",
        "#*/5 * * * 1-5 php artisan schedule:run",
        "#30 4 1 * * $HOME/bin/monthly",
    ],
)
def test_a_line_that_was_commented_out(line: str) -> None:
    """Since when is remembered by what it says, wherever it moves; what it says is not told."""
    cron = driver(f"{line}\n0 12 * * * a\n", commented_out_after=_DAY)
    cron.go(_DAY / 2)
    cron.edit(f"0 12 * * * a\n\n{line}\n")
    cron.go(_DAY)
    assert reasons(cron) == ["tab:3: this entry is commented out, for 1 day"]


@pytest.mark.parametrize(
    "line",
    [
        "# 0 5 * * 1 tar -zcf /var/backups/home.tgz /home/",
        "# m h  dom mon dow   command",
        "#1 2 3 4",
        "#* * * * * ",
        "#* * * * * ***",
        "#1. first do this, then that one",
        "#: name=a",
        "#0 5 * * *",
        "#99 5 * * * /usr/bin/backup",
        "#* * * * *  (every minute)",
        "#Ansible: backup",
        "# @daily is midnight",
        "#@daily: the jobs of every day",
    ],
)
def test_prose_is_no_commented_out_entry(line: str) -> None:
    """What distributions write into their crontabs, headings and lists are no alarms."""
    cron = driver(f"{line}\n0 12 * * * a\n", commented_out_after=60.0)
    cron.go(3600)
    assert reasons(cron) == []


def test_a_system_crontab_s_comment_has_a_user() -> None:
    """Without one it is no entry there."""
    cron = driver("0 12 * * * a\n", commented_out_after=60.0)
    troubles = cron.engine._watch.troubles
    assert troubles._is_entry("0 5 * * * root /usr/bin/backup", is_system=True)
    assert not troubles._is_entry("0 5 * * * /usr/bin/backup", is_system=True)
