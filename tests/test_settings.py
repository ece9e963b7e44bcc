"""The settings file: every wrong thing is named with its reason, all at once."""

from __future__ import annotations

import os
import pathlib
import runpy

import pytest

from crond.settings import RULES, SETTINGS, Settings, SettingsError, bytes_of, parse_settings, read_settings

ROOT = pathlib.Path(__file__).resolve().parent.parent


def problems(text: str) -> tuple[str, ...]:
    """Return what is wrong with `text`, without the name of the file."""
    with pytest.raises(SettingsError) as caught:
        parse_settings(text.encode(), "x.toml")
    assert all(problem.startswith("x.toml: ") for problem in caught.value.problems)
    return tuple(problem.removeprefix("x.toml: ") for problem in caught.value.problems)


def test_every_key_is_read() -> None:
    """What the file says replaces the default, for every key there is."""
    text = b"""
    [daemon]
    dialect = "debian"
    account = "cronuser"
    heartbeat_timeout = 3
    shutdown_grace = 0
    kill_timeout = 2.5
    [paths]
    system_crontab = "/a"
    cron_d = "/b"
    spool = "/c"
    state = "/d"
    run = "/e"
    pid_file = "/f"
    reboot_marker = "/g"
    [outputs]
    max_size = "64K"
    keep_days = 0.5
    keep_runs = 7
    total_size = 0
    """
    assert parse_settings(text, "x.toml") == Settings(
        dialect="debian",
        account="cronuser",
        heartbeat_timeout=3,
        shutdown_grace=0,
        kill_timeout=2.5,
        system_crontab="/a",
        cron_d="/b",
        spool="/c",
        state="/d",
        run="/e",
        pid_file="/f",
        reboot_marker="/g",
        max_size="64K",
        keep_days=0.5,
        keep_runs=7,
        total_size=0,
    )


def test_the_table_and_the_value_have_the_same_keys() -> None:
    """A key in the table that no field holds would be read and lost."""
    assert [*(setting.key for setting in SETTINGS), *RULES] == list(Settings.__dataclass_fields__)


def test_defaults_pass_their_own_checks() -> None:
    """Writing a default into the file changes nothing."""
    for setting in SETTINGS:
        default = getattr(Settings(), setting.key)
        wanted = list(default) if setting.many else default
        assert wanted is None or setting.check(wanted) is None


def test_an_empty_file_is_the_defaults() -> None:
    """No key is required."""
    assert parse_settings(b"", "x.toml") == parse_settings(b"[daemon]\n[paths]\n", "x.toml") == Settings()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[demon]\nx = 1", "[demon]: unknown section; did you mean daemon?"),
        ("[zzz]", "[zzz]: unknown section"),
        ("[[paths]]", "paths: must be a section: write [paths] on a line of its own"),
        ("daemon = 3", "daemon: must be a section: write [daemon] on a line of its own"),
        ("dialect = 'auto'", "dialect: belongs in section [daemon]"),
        ("dialekt = 'auto'", "dialekt: unknown key; did you mean dialect?"),
        ("[daemon]\nacount = 'x'", "[daemon] acount: unknown key; did you mean account?"),
        ("[daemon]\nspool = '/x'", "[daemon] spool: belongs in section [paths]"),
        (
            "[daemon]\ndialect = 'vixie'",
            "[daemon] dialect: must be one of auto, cronie, debian, not 'vixie'",
        ),
        ("[daemon]\ndialect = []", "[daemon] dialect: must be one of auto, cronie, debian, not []"),
        (
            "[daemon]\nkill_timeout = true",
            "[daemon] kill_timeout: must be a number of seconds, not true",
        ),
        ("[daemon]\nkill_timeout = '5s'", "[daemon] kill_timeout: must be a number of seconds, not '5s'"),
        ("[daemon]\nkill_timeout = -1", "[daemon] kill_timeout: must be from 0 to 3600 seconds, not -1"),
        ("[daemon]\nkill_timeout = nan", "[daemon] kill_timeout: must be from 0 to 3600 seconds, not nan"),
        ("[daemon]\nkill_timeout = inf", "[daemon] kill_timeout: must be from 0 to 3600 seconds, not inf"),
        (
            "[daemon]\nheartbeat_timeout = 0",
            "[daemon] heartbeat_timeout: must be from 3 to 3600 seconds, not 0",
        ),
        (
            "[daemon]\naccount = 'root'",
            "[daemon] account: must not be root: the scheduler runs without privilege, not 'root'",
        ),
        ("[daemon]\naccount = ''", "[daemon] account: must be the name of an account, not ''"),
        ("[daemon]\naccount = 7", "[daemon] account: must be a string, not 7"),
        ("[paths]\nspool = 'cron'", "[paths] spool: must be an absolute path, not 'cron'"),
        ("[paths]\nspool = '/a\\u0000'", None),
        ('[paths]\nspool = "/a\\u0000"', "[paths] spool: must not contain a NUL, not '/a\\x00'"),
        (
            "[outputs]\nmax_size = '10 MB'",
            "[outputs] max_size: must be a size, such as 64K, 10M or 2G, not '10 MB'",
        ),
        (
            "[outputs]\nmax_size = 10.5",
            "[outputs] max_size: must be a size, such as 64K, 10M or 2G, not 10.5",
        ),
        ("[outputs]\nmax_size = ''", "[outputs] max_size: must be a size, such as 64K, 10M or 2G, not ''"),
        ("[outputs]\nmax_size = -1", "[outputs] max_size: must be a size, such as 64K, 10M or 2G, not -1"),
        ("[outputs]\ntotal_size = '63K'", "[outputs] total_size: must be 0 or at least 64K, not '63K'"),
        ("[outputs]\nkeep_days = -1", "[outputs] keep_days: must be from 0 to 36500 days, not -1"),
        ("[outputs]\nkeep_runs = 1.5", "[outputs] keep_runs: must be a whole number of runs, not 1.5"),
        ("[paths.spool]\nx = 1", "[paths] spool: must be a string, not a section"),
    ],
)
def test_what_is_wrong_is_named(text: str, problem: str | None) -> None:
    """The message has the section, the key, the reason and the value, and a guess where one is near."""
    if problem is None:  # in a literal TOML string a backslash is a backslash
        assert parse_settings(text.encode(), "x.toml").spool == "/a\\u0000"
    else:
        assert problems(text) == (problem,)


@pytest.mark.parametrize(
    ("text", "size"),
    [(0, 0), (70000, 70000), ("64K", 65536), ("10M", 10 << 20), ("2G", 2 << 30), ("1T", 1 << 40)],
)
def test_sizes(text: str | int, size: int) -> None:
    """K, M, G and T are of 1024; a bare number is bytes."""
    assert bytes_of(text) == size


def test_all_problems_at_once() -> None:
    """Nobody has to start the daemon once for each mistake."""
    text = "[daemon]\nkill_timeout = 'x'\nacount = 'y'\n[paths]\nspool = 3\n[other]\n"
    assert [problem.split(":")[0] for problem in problems(text)] == [
        "[daemon] kill_timeout",
        "[daemon] acount",
        "[paths] spool",
        "[other]",
    ]


def test_a_huge_number_is_out_of_range() -> None:
    """TOML's integers have no limit here; the check must not fall over one."""
    (problem,) = problems(f"[daemon]\nkill_timeout = {'9' * 400}")
    assert problem.startswith("[daemon] kill_timeout: must be from 0 to 3600 seconds, not 999")


def test_not_toml() -> None:
    """The reader's own words say where."""
    (problem,) = problems("[daemon\n")
    assert problem.startswith("not TOML: ")
    assert "line 1" in problem


def test_not_utf8() -> None:
    """The byte is named."""
    with pytest.raises(SettingsError, match=r"^x\.toml: not UTF-8 at byte 2$"):
        parse_settings(b"# \xff", "x.toml")


def test_a_missing_file(tmp_path: pathlib.Path) -> None:
    """The default file need not exist; one that was asked for must."""
    path = str(tmp_path / "none.toml")
    assert read_settings(path, required=False) == Settings()
    with pytest.raises(SettingsError, match="No such file or directory") as caught:
        read_settings(path, required=True)
    assert caught.value.problems[0].startswith(path)


@pytest.mark.parametrize("required", [True, False])
def test_a_file_that_cannot_be_read(tmp_path: pathlib.Path, required: bool) -> None:
    """Settings that are there and cannot be read are never passed over."""
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read_settings(str(tmp_path), required=required)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission(tmp_path: pathlib.Path) -> None:
    """The same for a file of somebody else."""
    path = tmp_path / "x.toml"
    path.write_text("")
    path.chmod(0)
    with pytest.raises(SettingsError, match="cannot be read: Permission denied"):
        read_settings(str(path), required=False)


def test_the_reference_page_is_the_table() -> None:
    """docs/reference/settings.md is what docs/generate_settings.py writes today."""
    made = runpy.run_path(str(ROOT / "docs" / "generate_settings.py"))
    assert made["PAGE"].read_text() == made["page"]()
