"""The `crond` command: flags and settings become one Config, then the launcher takes this process's place.

All that needs an option parser, TOML and words of advice happens here, before the program that holds
root's privilege begins. It keeps nothing: the launcher is a fresh, isolated interpreter under the
same process id. Knows nothing of crontabs and of how jobs run.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import crond
from crond.cli.host import (
    StartError,
    dialect_of_host,
    pam_service,
    programs,
    require_account,
    require_files,
    require_reach,
    state_of_user,
)
from crond.cli.mail import mail_of
from crond.launcher.boot import environment_at_start
from crond.launcher.config import PRIVATE, SYSLOG, Config
from crond.settings import DIALECTS, SETTINGS_FILE, Settings, SettingsError, bytes_of, read_settings

DEBUG_FLAGS = ("ext", "sch", "proc", "pars", "load", "misc", "test", "bit")
#: Those of them that do something.
DEBUG_USED = ("sch", "proc", "load", "test")
SPOOLS = {"cronie": "/var/spool/cron", "debian": "/var/spool/cron/crontabs"}
REBOOT_MARKERS = {"cronie": "/run/cron.reboot", "debian": "/run/crond.reboot"}
_DAY = 86400.0


class _Parser(argparse.ArgumentParser):
    """Exits with 1 on a usage error, as crons do; 2 is argparse's own."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: {message}; all options: {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = _Parser(
        prog="crond",
        allow_abbrev=False,
        add_help=False,
        usage="crond [options]            the host's cron, as root\n"
        "       crond [options] FILE...    run crontabs of your own, in the foreground",
        description="Runs crontabs.",
    )
    made.add_argument("files", nargs="*", metavar="FILE", help="a crontab in the users' format; - is stdin")
    _add_cron_flags(made.add_argument_group("flags of cronie's crond"))
    _add_debian_flags(made.add_argument_group("flags of Debian's cron (dialect debian)"))
    _add_own_flags(made.add_argument_group("our own"))
    return made


def _add_cron_flags(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("-h", "--help", action="help", help="show this help and exit")
    add("-V", "--version", action="store_true", help="show the version and exit")
    add("-f", "--foreground", dest="foreground", action="store_true", help="stay in the foreground")
    add("-n", dest="n_flag", action="store_true", help="the same; Debian: the host's full name in mail")
    add("-p", dest="permit_any", action="store_true", help="permit any mode and owner of crontabs")
    add("-s", dest="to_syslog", action="store_true", help="output goes to syslog instead of mail")
    add("-m", dest="mailer", metavar="CMD", help="the command that mail is given to; off: no mail")
    add("-i", dest="watch", action="store_false", help="do not use inotify; look once a minute")
    add("-P", dest="inherit_path", action="store_true", help="jobs get the daemon's PATH")
    add("-c", dest="cluster", action="store_true", help="users' jobs run only where .cron.hostname says so")
    add(
        "-x",
        dest="debug",
        metavar="FLAG[,FLAG]",
        type=_debug_flags,
        help="foreground; show on stderr: load (crontabs), sch (starts asked for), proc (processes); test:"
        " execute nothing",
    )


def _add_debian_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-l", dest="lsb_names", action="store_true", help="names in cron.d are as the LSB has them"
    )
    group.add_argument(
        "-L",
        dest="log_level",
        metavar="N",
        type=_log_level,
        help="what syslog tells of jobs: 1 start, 2 end, 4 failure, 8 pid, or a sum of them; default 1",
    )


def _add_own_flags(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--state", metavar="DIR", help="where outputs and the journal are kept; sockets go to DIR/run")
    add("--no-recorder", dest="recorder", action="store_false", help="keep no history of runs")
    add("--settings", metavar="FILE", help=f"settings to read (the host's cron: {SETTINGS_FILE})")
    add("--dialect", choices=DIALECTS, help="whose rules hold where crons differ (default: auto)")
    add("--clean-env", action="store_true", help="crond FILE: jobs get cron's environment, not this one")
    add("--no-echo", dest="echo", action="store_false", help="crond FILE: do not repeat the jobs' output")
    add("--syslog", action="store_true", help="log to syslog in the foreground, too")
    add("--log-format", choices=("text", "json"), default="text", help="of the lines shown in the foreground")


def _debug_flags(text: str) -> tuple[str, ...]:
    flags = tuple(text.split(","))
    unknown = [flag for flag in flags if flag not in DEBUG_FLAGS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"unknown debug flag {unknown[0]!r}; known: {', '.join(DEBUG_FLAGS)}"
        )
    return flags


def _log_level(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 15):
        raise argparse.ArgumentTypeError(f"{text!r} is not a level from 0 to 15")
    return int(text)


def config_for(options: argparse.Namespace, settings: Settings) -> Config:
    """Return what the launcher is told, from flags laid over settings. Raises StartError."""
    asked = options.dialect or settings.dialect
    dialect = dialect_of_host() if asked == "auto" else asked
    if (options.lsb_names or options.log_level is not None) and dialect != "debian":
        raise StartError(f"-l and -L are flags of Debian's cron; the dialect here is {dialect}")
    debug = options.debug or ()
    if options.n_flag and dialect != "debian":
        options.foreground = True
    common: dict[str, Any] = {
        "package": package_folder(),
        "dialect": dialect,
        "permit_any": options.permit_any,
        "inherit_path": options.inherit_path,
        "watch": options.watch,
        "execute": "test" not in debug,
        "debug": debug,
        "log_format": options.log_format,
        "heartbeat_timeout": settings.heartbeat_timeout,
        "shutdown_grace": settings.shutdown_grace,
        "kill_timeout": settings.kill_timeout,
        "max_size": bytes_of(settings.max_size),
        "keep_days": settings.keep_days,
        "keep_runs": settings.keep_runs,
        "total_size": bytes_of(settings.total_size),
        "keep_versions": settings.keep_versions,
        "full_host": options.n_flag and dialect == "debian",
        **mail_of(options.mailer, settings, to_syslog=options.to_syslog),
        "recorder": options.recorder,
        "settings": _settings_file(options),
        "defaults": settings.defaults,
        "pools": settings.pools,
        "on_trouble": settings.on_trouble,
        "heartbeat": settings.heartbeat or "",
        "heartbeat_interval": settings.heartbeat_interval,
        "apprise": settings.apprise,
        "message_time_limit": settings.message_time_limit,
        "messages_per_hour": settings.messages_per_hour,
        "tail": bytes_of(settings.tail),
        "held_after": settings.held_after * _DAY,
        "commented_out_after": settings.commented_out_after * _DAY,
    }
    if options.files:
        return _for_files(options, settings, common)
    return _for_host(options, settings, dialect, common)


def _settings_file(options: argparse.Namespace) -> str | None:
    """Return the path of the settings that hold, which the recorder reads again."""
    if options.settings is not None:
        return os.path.abspath(str(options.settings))
    return None if options.files else SETTINGS_FILE


def _for_files(options: argparse.Namespace, settings: Settings, common: dict[str, Any]) -> Config:
    if options.cluster or options.lsb_names or options.log_level is not None:
        raise StartError("-c, -l and -L are about the host's cron and cannot be used with FILE")
    require_files(options.files)
    state, run = _state_and_run(options, settings)
    if state is None:
        state = state_of_user(os.environ)
    return Config(
        mode="files",
        state=state,
        run=run or os.path.join(state, "run"),
        files=tuple(path if path == "-" else os.path.abspath(path) for path in options.files),
        foreground=True,
        syslog=SYSLOG if options.syslog else None,
        clean_env=options.clean_env,
        echo=options.echo,
        **common,
    )


def _for_host(
    options: argparse.Namespace, settings: Settings, dialect: str, common: dict[str, Any]
) -> Config:
    if os.geteuid() != 0:
        raise StartError(
            "the host's cron can only be started by root\n"
            "  to run a crontab as yourself, without privilege: crond FILE"
        )
    if options.clean_env:
        raise StartError(
            "--clean-env is for crond FILE; the host's cron always gives jobs cron's environment"
        )
    account = require_account(settings.account)
    require_reach(account, programs(package_folder()))
    # Process 1 of a container that went to the background would end the container.
    foreground = options.foreground or options.debug is not None or os.getpid() == 1
    state, run = _state_and_run(options, settings)
    return Config(
        mode="host",
        state=state or "/var/lib/crontabx",
        run=run or "/run/crontabx",
        system_crontab=settings.system_crontab,
        cron_d=settings.cron_d,
        spool=settings.spool or SPOOLS[dialect],
        account=settings.account,
        pid_file=settings.pid_file,
        reboot_marker=settings.reboot_marker or REBOOT_MARKERS[dialect],
        foreground=foreground,
        cluster=options.cluster,
        syslog=SYSLOG if options.syslog or not foreground else None,
        log_level=1 if options.log_level is None else options.log_level,
        lsb_names=options.lsb_names,
        pam=pam_service(settings.pam, dialect),
        **common,
    )


def _state_and_run(options: argparse.Namespace, settings: Settings) -> tuple[str | None, str | None]:
    """Return the state folder and the folder of the sockets, None where neither flag nor file says.

    `--state` moves the sockets too: `crontabx --state DIR` finds them there.
    """
    if options.state is None:
        return settings.state, settings.run
    if not options.state:
        raise StartError("--state: the name of a folder is needed")
    state = os.path.abspath(options.state)
    return state, os.path.join(state, "run")


def package_folder() -> str:
    """Return the folder that holds the `crond` package."""
    return os.path.dirname(os.path.abspath(crond.__path__[0]))


def warnings_for(options: argparse.Namespace) -> list[str]:
    """Return a line for each flag that is accepted and does not do all that its cron does with it."""
    return [f"-x {flag}: shows nothing" for flag in options.debug or () if flag not in DEBUG_USED]


def launch(config: Config) -> NoReturn:
    """Become the launcher: an interpreter that reads no `.pth` file and no PYTHON variable."""
    boot = os.path.join(config.package, "crond", "launcher", "boot.py")
    arguments = [sys.executable, "-I", "-S", boot, config.package, config.to_json()]
    for stream in (sys.stdout, sys.stderr):
        # None where it was closed when we were started.
        if stream is not None:
            stream.flush()
    environment = environment_at_start()
    environment.pop(PRIVATE.encode(), None)
    if config.defaults or config.on_trouble or config.heartbeat:
        environment[PRIVATE.encode()] = config.private().encode()
    os.execve(sys.executable, arguments, environment)


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the daemon; return only when it cannot be: 1 with the reason on stderr, 0 after -V."""
    options = parser().parse_intermixed_args(arguments)
    if options.version:
        print(f"crontabx {crond.__version__}")
        return 0
    try:
        settings = Settings()
        if options.settings is not None:
            settings = read_settings(options.settings, required=True)
        elif not options.files:
            settings = read_settings(SETTINGS_FILE, required=False)
        config = config_for(options, settings)
    except (StartError, SettingsError) as error:
        for line in str(error).splitlines():
            print(line if line.startswith("  ") else f"crond: {line}", file=sys.stderr)
        return 1
    for warning in warnings_for(options):
        print(f"crond: {warning}", file=sys.stderr)
    try:
        launch(config)
    except OSError as error:
        print(f"crond: {sys.executable} cannot be started: {error.strerror}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
