"""The `crond` command: what each flag makes of the Config, and which command lines are refused."""

from __future__ import annotations

import json
import os
import pathlib
import pwd
import re
import runpy
import subprocess
import sys
from typing import Any, NoReturn

import pytest

from crond.cli import daemon
from crond.launcher.config import PRIVATE, Config

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Launched(Exception):
    """Stands for the moment at which the process would become the launcher."""


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """Keep the Config that the launcher would be given."""
    configs: list[Config] = []

    def launch(config: Config) -> NoReturn:
        configs.append(Config.from_json(config.to_json(), config.private()))
        raise Launched

    monkeypatch.setattr(daemon, "launch", launch)
    return configs


@pytest.fixture
def crontab(tmp_path: pathlib.Path) -> str:
    """Return the path of a crontab."""
    path = tmp_path / "a.crontab"
    path.write_text("* * * * * true\n")
    return str(path)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """Make this process look like root on a host where all is in order."""
    account = pwd.struct_passwd(("crontabx", "x", 990, 990, "", "/", "/usr/sbin/nologin"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(daemon, "require_account", lambda _name: account)
    monkeypatch.setattr(daemon, "require_reach", lambda _account, _paths: None)
    monkeypatch.setattr(daemon, "dialect_of_host", lambda: "cronie")
    monkeypatch.setattr(daemon, "pam_service", lambda _wanted, _dialect: None)
    monkeypatch.setattr(daemon, "SETTINGS_FILE", str(tmp_path / "no-settings.toml"))


def config_of(launched: list[Config], *arguments: str) -> Config:
    """Return the Config that `crond ARGUMENTS` makes."""
    with pytest.raises(Launched):
        daemon.main(arguments)
    return launched.pop()


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what `crond ARGUMENTS` says on stderr when it exits with 1."""
    try:
        status: object = daemon.main(arguments)
    except SystemExit as left:
        status = left.code
    assert status == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    return shown.err


def test_files_mode(launched: list[Config], crontab: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`crond FILE`: foreground, output repeated, the daemon's environment, state where XDG says."""
    monkeypatch.setenv("XDG_STATE_HOME", "/s")
    monkeypatch.setattr(daemon, "dialect_of_host", lambda: "debian")
    config = config_of(launched, crontab)
    assert config == Config(
        mode="files",
        package=str(ROOT),
        state="/s/crontabx",
        run="/s/crontabx/run",
        dialect="debian",
        files=(crontab,),
        foreground=True,
        echo=True,
    )


def test_files_are_made_absolute(
    launched: list[Config], crontab: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The launcher may change its folder; a link stays a link, since it may point elsewhere tomorrow."""
    folder = pathlib.Path(crontab).parent
    monkeypatch.chdir(folder)
    (folder / "link").symlink_to("a.crontab")
    config = config_of(launched, "link", "-", "--state", "here")
    assert config.files == (f"{folder}/link", "-")
    assert (config.state, config.run) == (f"{folder}/here", f"{folder}/here/run")


def test_flags_may_stand_between_files(launched: list[Config], crontab: str, tmp_path: pathlib.Path) -> None:
    """`crond a --no-echo b` is two files."""
    other = tmp_path / "b"
    other.write_text("")
    config = config_of(launched, crontab, "--no-echo", str(other))
    assert config.files == (crontab, str(other))
    assert not config.echo


@pytest.mark.parametrize(
    ("flags", "changed"),
    [
        (["-f"], {}),
        (["-n"], {}),
        (["-p"], {"permit_any": True}),
        (["-i"], {"watch": False}),
        (["-P"], {"inherit_path": True}),
        (["-x", "test"], {"execute": False, "debug": ["test"]}),
        (["-x", "sch,test,misc"], {"execute": False, "debug": ["sch", "test", "misc"]}),
        (["-x", "sch"], {"debug": ["sch"]}),
        (["--syslog"], {"syslog": "/dev/log"}),
        (["-fiP"], {"watch": False, "inherit_path": True}),
        (["-m", "off"], {"mail": "off"}),
        (["-m", "/usr/bin/env  -i x"], {"mail": "command", "mail_command": ["/usr/bin/env", "-i", "x"]}),
        (["-m", "no-such-mailer"], {"mail": "command", "mail_command": ["no-such-mailer"]}),
        (["-s"], {"mail": "syslog"}),
        (["-s", "-m", "x"], {"mail": "syslog"}),
        (["--clean-env"], {"clean_env": True}),
        (["--no-echo"], {"echo": False}),
        (["--log-format", "json"], {"log_format": "json"}),
        (["--dialect=debian"], {"dialect": "debian"}),
        (["--dialect=debian", "-n"], {"dialect": "debian", "full_host": True}),
    ],
)
def test_what_a_flag_changes(
    launched: list[Config],
    crontab: str,
    monkeypatch: pytest.MonkeyPatch,
    flags: list[str],
    changed: dict[str, Any],
) -> None:
    """Each flag changes its own value and no other."""
    monkeypatch.setattr(daemon, "dialect_of_host", lambda: "cronie")
    plain = json.loads(config_of(launched, crontab).to_json())
    assert json.loads(config_of(launched, crontab, *flags).to_json()) == plain | changed


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(
    ("dialect", "spool", "marker"),
    [
        ("cronie", "/var/spool/cron", "/run/cron.reboot"),
        ("debian", "/var/spool/cron/crontabs", "/run/crond.reboot"),
    ],
)
def test_host_mode(launched: list[Config], dialect: str, spool: str, marker: str) -> None:
    """`crond` alone: the host's paths, by the dialect; background and syslog."""
    assert config_of(launched, "--dialect", dialect) == Config(
        mode="host",
        package=str(ROOT),
        state="/var/lib/crontabx",
        run="/run/crontabx",
        dialect=dialect,
        spool=spool,
        account="crontabx",
        pid_file="/run/crond.pid",
        reboot_marker=marker,
        foreground=False,
        syslog="/dev/log",
        settings=daemon.SETTINGS_FILE,  # type: ignore[attr-defined] # the fixture's own
    )


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("flags", [["-f"], ["-n"], ["--foreground"], ["-x", "sch"]])
def test_foreground_on_a_host(launched: list[Config], flags: list[str]) -> None:
    """Debugging implies the foreground; the foreground logs to stderr."""
    config = config_of(launched, *flags)
    assert config.foreground
    assert not config.syslog


@pytest.mark.usefixtures("host")
def test_process_one_stays(launched: list[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    """Process 1 of a container that went to the background would end the container."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert config_of(launched).foreground


@pytest.mark.usefixtures("host")
def test_cluster_flag(launched: list[Config]) -> None:
    """-c reaches the launcher."""
    assert config_of(launched, "-c").cluster


@pytest.mark.usefixtures("host")
def test_settings_on_a_host(launched: list[Config], tmp_path: pathlib.Path) -> None:
    """The file changes paths and times; a flag goes before it; --state moves the sockets as well."""
    path = tmp_path / "x.toml"
    path.write_text(
        '[daemon]\ndialect = "debian"\naccount = "other"\nheartbeat_timeout = 5\nkill_timeout = 1\n'
        'shutdown_grace = 2\n[paths]\nspool = "/sp"\nstate = "/st"\nrun = "/r"\npid_file = "/p"\n'
        'reboot_marker = "/m"\ncron_d = "/d"\nsystem_crontab = "/c"\n'
        '[outputs]\nmax_size = "64K"\nkeep_days = 3\nkeep_runs = 9\ntotal_size = "1G"\n'
        "[crontabs]\nkeep_versions = 7\n"
    )
    config = config_of(launched, "--settings", str(path), "--dialect", "cronie")
    assert (config.dialect, config.account, config.spool) == ("cronie", "other", "/sp")
    assert (config.heartbeat_timeout, config.kill_timeout, config.shutdown_grace) == (5, 1, 2)
    assert (config.state, config.run, config.pid_file) == ("/st", "/r", "/p")
    assert (config.reboot_marker, config.cron_d, config.system_crontab) == ("/m", "/d", "/c")
    assert (config.max_size, config.keep_days, config.keep_runs, config.total_size) == (65536, 3, 9, 1 << 30)
    assert config.keep_versions == 7
    config = config_of(launched, "--settings", str(path), "--state", "/mine")
    assert (config.dialect, config.state, config.run) == ("debian", "/mine", "/mine/run")


def test_settings_for_files_only_when_asked(
    launched: list[Config], crontab: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's settings are not for `crond FILE`; a file that is named is."""
    path = tmp_path / "x.toml"
    path.write_text("[daemon]\nkill_timeout = 1\n[paths]\nstate = '/st'\n")
    monkeypatch.setattr(daemon, "SETTINGS_FILE", str(path))
    assert config_of(launched, crontab).kill_timeout == 10
    config = config_of(launched, crontab, "--settings", str(path))
    assert (config.kill_timeout, config.state, config.run) == (1, "/st", "/st/run")


@pytest.mark.usefixtures("host")
def test_what_the_host_says_of_every_crontab(launched: list[Config], tmp_path: pathlib.Path) -> None:
    """It goes to the launcher as annotations would write it; for `crond FILE` as well."""
    path = tmp_path / "x.toml"
    path.write_text("[defaults]\nretries = 2\n[pools]\ngpu = 4\n")
    config = config_of(launched, "--settings", str(path))
    assert (config.defaults, config.pools) == ((("retries", "2"),), (("gpu", "4"),))


def test_wrong_settings(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    """Every problem has a line of its own that begins with the program's name."""
    path = tmp_path / "x.toml"
    path.write_text("[daemon]\nacount = 'x'\nkill_timeout = -1\n")
    assert refusal(capsys, "--settings", str(path)).splitlines() == [
        f"crond: {path}: [daemon] acount: unknown key; did you mean account?",
        f"crond: {path}: [daemon] kill_timeout: must be from 0 to 3600 seconds, not -1",
    ]


def test_missing_settings(capsys: pytest.CaptureFixture[str]) -> None:
    """A file that was asked for must be there."""
    assert refusal(capsys, "--settings", "/none") == "crond: /none: No such file or directory\n"


def test_the_host_needs_root(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what can be done without."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "started by root" in (said := refusal(capsys))
    assert "crond FILE" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bogus"], "unrecognized arguments: --bogus"),
        (["-q"], "unrecognized arguments: -q"),
        (["--sta", "x"], "unrecognized arguments: --sta"),
        (["-m"], "argument -m: expected one argument"),
        (["-x", "foo"], "unknown debug flag 'foo'; known: ext, sch"),
        (["-x", "test,"], "unknown debug flag ''"),
        (["-L", "16"], "'16' is not a level from 0 to 15"),
        (["-L", "-1"], "argument -L"),
        (["-L", "two"], "'two' is not a level"),
        (["--dialect", "vixie"], "invalid choice: 'vixie'"),
        (["--log-format", "xml"], "invalid choice: 'xml'"),
        (["--state", "", "-"], "--state: the name of a folder is needed"),
        (["-L", "1", "--dialect", "cronie", "-"], "-l and -L are flags of Debian's cron"),
        (["-l", "--dialect", "cronie", "-"], "-l and -L are flags of Debian's cron"),
        (["-L", "1", "--dialect", "debian", "-"], "cannot be used with FILE"),
        (["-c", "-"], "cannot be used with FILE"),
        (["/none", "/"], "crond: /none: No such file or directory\ncrond: /: is a directory"),
    ],
)
def test_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    """A wrong command line exits with 1, as crons do, and says on stderr what is wrong."""
    assert words in refusal(capsys, *arguments)


@pytest.mark.usefixtures("host")
def test_clean_env_is_for_files(capsys: pytest.CaptureFixture[str]) -> None:
    """A flag that would have no effect is not taken in silence."""
    assert "--clean-env" in refusal(capsys, "--clean-env")


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["-s"], ""),
        (["-m", "/bin/mailer"], ""),
        (["-x", "test"], ""),
        (["-x", "sch,load,proc"], ""),
        (["-x", "sch,bit"], "crond: -x bit: "),
        (["-l", "--dialect", "debian"], ""),
        (["-L", "5", "--dialect", "debian"], ""),
    ],
)
def test_warned(
    launched: list[Config], capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    """A flag of cron's that does less here than there says so, and the daemon starts."""
    config_of(launched, *flags)
    said = capsys.readouterr().err
    assert said.startswith(words) if words else said == ""


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version(capsys: pytest.CaptureFixture[str], flag: str) -> None:
    """-V prints name and version on stdout and needs neither root nor files."""
    assert daemon.main([flag]) == 0
    assert re.fullmatch(r"crontabx \S.*\n", capsys.readouterr().out)


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """-h shows every flag on stdout and exits with 0."""
    with pytest.raises(SystemExit) as left:
        daemon.main(["-h"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    for flag in (
        "-V",
        "-n",
        "-f",
        "-p",
        "-s",
        "-m",
        "-i",
        "-P",
        "-c",
        "-x",
        "-l",
        "-L",
        "--state",
        "--settings",
    ):
        assert re.search(rf"(?<![\w-]){flag}\b", shown), flag


def test_the_reference_page_has_the_help() -> None:
    """docs/reference/crond.md shows what -h prints, whatever the width."""
    made = runpy.run_path(str(ROOT / "docs" / "generate_crond.py"))
    shown = made["help_on_page"](made["PAGE"].read_text())
    assert "".join(shown.split()) == "".join(made["help_text"]().split())


def test_every_flag_is_in_the_manual() -> None:
    """docs/man/crond.8 knows each flag that the parser knows."""
    manual = (ROOT / "docs" / "man" / "crond.8").read_text()
    flags = re.findall(r"\bFl (-?[\w-]+)", manual)
    for action in daemon.parser()._actions:
        for option in action.option_strings:
            assert option.removeprefix("-") in flags, option


FAKE_LAUNCHER = """\
import json, os, sys
def main(config):
    print(json.dumps({
        "config": json.loads(config),
        "environment": {os.fsdecode(k): os.fsdecode(v) for k, v in os.environb.items()},
        "isolated": sys.flags.isolated,
        "no_site": sys.flags.no_site,
        "path": sys.path,
        "loaded": "site" in sys.modules,
    }))
    return 7
"""


@pytest.fixture
def fake_package(tmp_path: pathlib.Path) -> pathlib.Path:
    """Return a folder whose `crond` is this one, but with a launcher that shows what it was given."""
    folder = tmp_path / "package"
    launcher = folder / "crond" / "launcher"
    launcher.mkdir(parents=True)
    for name in ("model", "cli", "core", "link.py", "settings", "zones.py", "__init__.py"):
        (folder / "crond" / name).symlink_to(ROOT / "crond" / name)
    for name in ("__init__.py", "config.py", "boot.py"):
        (launcher / name).symlink_to(ROOT / "crond" / "launcher" / name)
    (launcher / "main.py").write_text(FAKE_LAUNCHER)
    return folder


def start(package: pathlib.Path, *arguments: str, environment: dict[str, str]) -> dict[str, Any]:
    """Run the console script's code in a real process; return what the launcher says it was given."""
    code = (
        f"import sys; sys.path.insert(0, {str(package)!r}); "
        "from crond.cli.daemon import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (7, "")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_launcher_is_isolated(fake_package: pathlib.Path, crontab: str) -> None:
    """`-I -S`: no site, no `.pth` file, no PYTHON variable; only the library and the package's folder."""
    said = start(fake_package, crontab, environment={"PYTHONPATH": "/evil", "HOME": "/h"})
    assert (said["isolated"], said["no_site"], said["loaded"]) == (1, 1, False)
    assert said["path"][0] == str(fake_package)
    assert "/evil" not in said["path"]
    assert not any("site-packages" in folder for folder in said["path"])
    assert said["config"]["files"] == [crontab]
    assert said["config"]["state"] == "/h/.local/state/crontabx"


def test_what_may_hold_a_secret_is_in_no_argument(
    fake_package: pathlib.Path, crontab: str, tmp_path: pathlib.Path
) -> None:
    """Everybody may read the arguments of a process; a URL of `[defaults]` may hold a password."""
    path = tmp_path / "x.toml"
    path.write_text(
        "[defaults]\non_failure = 'json://me:hunter2@h.example/'\n"
        "[alerts]\non_trouble = 'json://me:hunter2@h.example/'\nheartbeat = 'https://hunter2.example/'\n"
    )
    environment = {"HOME": "/h", PRIVATE: "stale"}
    said = start(fake_package, crontab, "--settings", str(path), environment=environment)
    assert "hunter2" not in json.dumps(said["config"])
    config = Config.from_json(json.dumps(said["config"]), said["environment"][PRIVATE])
    assert config.defaults == (("on_failure", "json://me:hunter2@h.example/"),)
    assert config.on_trouble == ("json://me:hunter2@h.example/",)
    assert config.heartbeat == "https://hunter2.example/"
    assert PRIVATE not in start(fake_package, crontab, environment=environment)["environment"]


@pytest.mark.parametrize(
    "environment",
    [
        {"HOME": "/h"},
        {"HOME": "/h", "LANG": "C"},
        {"HOME": "/h", "LC_CTYPE": "C", "EMPTY": "", "PYTHONWARNINGS": "ignore"},
        {"HOME": "/h", "LANG": "C.UTF-8", "LC_ALL": "C"},
    ],
)
def test_the_environment_is_as_it_was(
    fake_package: pathlib.Path, crontab: str, environment: dict[str, str]
) -> None:
    """Python sets LC_CTYPE in the C locale (PEP 538); from there it would have reached every job."""
    assert start(fake_package, crontab, environment=environment)["environment"] == environment
