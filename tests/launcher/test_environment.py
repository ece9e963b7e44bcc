"""A job's environment is cron's, to the byte."""

from __future__ import annotations

from crond.launcher.accounts import Account
from crond.launcher.environment import Habits, job_environment

ANN = Account("ann", 1000, 1000, "/home/ann", (1000,))
DAEMON = {
    "PATH": "/daemon/bin",
    "LANG": "C.UTF-8",
    "LC_TIME": "ja_JP.UTF-8",
    "HOME": "/root",
    "SHELL": "/bin/zsh",
    "LOGNAME": "root",
    "USER": "root",
    "TZ": "Asia/Tokyo",
    "NOTIFY_SOCKET": "/run/notify",
    "WATCHDOG_USEC": "1",
    "WATCHDOG_PID": "1",
    "LISTEN_FDS": "1",
    "MAILFROM": "cron@example.org",
}
CRONIE = Habits(dialect="cronie")


def test_cronie_imports_only_the_languages_of_the_daemon() -> None:
    """Cronie: LANG, LC_*, LANGUAGE, RANDOM_DELAY and MAILFROM come from the daemon, nothing else does."""
    assert job_environment({}, account=ANN, daemon=DAEMON, habits=CRONIE) == {
        "LANG": "C.UTF-8",
        "LC_TIME": "ja_JP.UTF-8",
        "MAILFROM": "cron@example.org",
        "SHELL": "/bin/sh",
        "HOME": "/home/ann",
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "LOGNAME": "ann",
        "USER": "ann",
    }


def test_debian_imports_nothing_and_sets_no_user() -> None:
    """Debian: SHELL, HOME, PATH and LOGNAME, and that is all."""
    made = job_environment({}, account=ANN, daemon=DAEMON, habits=Habits(dialect="debian"))
    assert made == {"SHELL": "/bin/sh", "HOME": "/home/ann", "PATH": "/usr/bin:/bin", "LOGNAME": "ann"}


def test_settings_of_the_crontab_win_but_for_the_name() -> None:
    """SHELL, HOME and PATH may be set in a crontab; LOGNAME and USER are who the job is."""
    settings = {"SHELL": "/bin/bash", "HOME": "/x", "PATH": "", "LOGNAME": "eve", "USER": "eve", "LANG": ""}
    made = job_environment(settings, account=ANN, daemon=DAEMON, habits=CRONIE)
    assert made | {"MAILFROM": "", "LC_TIME": ""} == {
        "LANG": "",
        "LC_TIME": "",
        "MAILFROM": "",
        "SHELL": "/bin/bash",
        "HOME": "/x",
        "PATH": "",
        "LOGNAME": "ann",
        "USER": "ann",
    }


def test_path_of_the_daemon_on_request() -> None:
    """-P: jobs get the daemon's PATH unless their crontab sets one."""
    habits = Habits(dialect="cronie", inherit_path=True)
    assert job_environment({}, account=ANN, daemon=DAEMON, habits=habits)["PATH"] == "/daemon/bin"
    made = job_environment({"PATH": "/p"}, account=ANN, daemon=DAEMON, habits=habits)
    assert made["PATH"] == "/p"
    assert job_environment({}, account=ANN, daemon={}, habits=habits)["PATH"].startswith("/usr/bin")


def test_a_variable_without_a_name_is_left_out() -> None:
    """`=b` is a legal line of a crontab, but no process can be given such a variable."""
    assert "" not in job_environment({"": "b"}, account=ANN, daemon={}, habits=CRONIE)


def test_inherited_environment_loses_what_belongs_to_the_supervisor() -> None:
    """`crond FILE`: the daemon's environment, but a job must not speak to its service manager."""
    made = job_environment(
        {"A": "b"}, account=ANN, daemon=DAEMON, habits=Habits(dialect="debian", inherit=True)
    )
    assert made == {
        "PATH": "/daemon/bin",
        "LANG": "C.UTF-8",
        "LC_TIME": "ja_JP.UTF-8",
        "HOME": "/root",
        "TZ": "Asia/Tokyo",
        "MAILFROM": "cron@example.org",
        "A": "b",
        "SHELL": "/bin/sh",
        "LOGNAME": "ann",
        "USER": "ann",
    }
