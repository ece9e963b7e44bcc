"""The settings file: what it may say, and how a wrong one is refused.

`SETTINGS` is the one table of keys: the reader, the error messages and the reference page
(docs/generate_settings.py) all come from it; what `[defaults]` and `[pools]` may say is `crond.model.host`'s.
Knows nothing of flags and of the host; called by the `crond` command, which lays flags over what is read
here, and by the client to find its daemon.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from crond.model.host import pairs_of, problems_of_defaults, problems_of_pools
from crond.model.messages import Pairs

#: The sections that say something of every crontab, with what finds their problems.
RULES = {"defaults": problems_of_defaults, "pools": problems_of_pools}
#: Where the settings of the host's cron are looked for. It need not exist.
SETTINGS_FILE = "/etc/crontabx/crontabx.toml"
SMTP_SECURITY = ("none", "starttls", "tls")
PAM = ("auto", "yes", "no")
DIALECTS = ("auto", "cronie", "debian")


class SettingsError(ValueError):
    """A settings file that cannot be obeyed. `problems` has one line for each thing that is wrong."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a settings file says, defaults filled in. Times are seconds; None: as the dialect or flags say."""

    dialect: str = "auto"
    account: str = "crontabx"
    pam: str = "auto"
    heartbeat_timeout: float = 90.0
    shutdown_grace: float = 30.0
    kill_timeout: float = 10.0
    system_crontab: str = "/etc/crontab"
    cron_d: str = "/etc/cron.d"
    spool: str | None = None
    state: str | None = None
    run: str | None = None
    pid_file: str = "/run/crond.pid"
    reboot_marker: str | None = None
    max_size: str | int = "10M"
    keep_days: float = 30
    keep_runs: int = 1000
    total_size: str | int = "2G"
    keep_versions: int = 100
    smtp: str | None = None
    smtp_security: str = "starttls"
    smtp_user: str | None = None
    smtp_password_file: str | None = None
    time_limit: float = 300
    url: str | None = None
    history_days: float = 365
    history_runs: int = 100_000
    defaults: Pairs = ()  #: keys of annotations, as these write their values
    pools: Pairs = ()  #: names and sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key: where it stands, which values it takes, what it means."""

    section: str
    key: str
    kind: str  #: the words of the reference page and of the error message
    check: Callable[[Any], str | None]  #: the reason why a value is refused, or None
    default: str  #: as the reference page shows it
    files: bool = False  #: obeyed by `crond FILE` too
    text: str


def _dialect(value: Any) -> str | None:
    if value in DIALECTS and isinstance(value, str):
        return None
    return f"must be one of {', '.join(DIALECTS)}"


def _pam(value: Any) -> str | None:
    return None if value in PAM and isinstance(value, str) else f"must be one of {', '.join(PAM)}"


def _path(value: Any) -> str | None:
    if not isinstance(value, str):
        return "must be a string"
    if not value.startswith("/"):
        return "must be an absolute path"
    return "must not contain a NUL" if "\0" in value else None


def _url(value: Any) -> str | None:
    # Only the recorder knows what a database is; what it cannot use it says in the log.
    if not isinstance(value, str):
        return "must be a string"
    return None if "://" in value else "must be a URL, such as sqlite:////var/lib/history.db"


def _server(value: Any) -> str | None:
    if not isinstance(value, str):
        return "must be a string"
    host, _, port = value.rpartition(":")
    if not host or any(c.isspace() or not c.isprintable() for c in host) or not port.isascii():
        return "must be a host and a port, such as mail.example.org:587"
    if not (port.isdigit() and 0 < int(port) < 65536):
        return "must be a host and a port, such as mail.example.org:587"
    return None


def _security(value: Any) -> str | None:
    return (
        None
        if value in SMTP_SECURITY and isinstance(value, str)
        else f"must be one of {', '.join(SMTP_SECURITY)}"
    )


def _word(value: Any) -> str | None:
    if not isinstance(value, str):
        return "must be a string"
    return None if value and value.isprintable() else "must not be empty"


def _account(value: Any) -> str | None:
    if not isinstance(value, str):
        return "must be a string"
    if not value or any(c in ":/\n\0" or c.isspace() for c in value):
        return "must be the name of an account"
    return "must not be root: the scheduler runs without privilege" if value == "root" else None


def _seconds(least: float, most: float) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return "must be a number of seconds"
        if not least <= value <= most:
            return f"must be from {least:g} to {most:g} seconds"
        return None

    return check


def _size(least: int) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            return "must be a size, such as 64K, 10M or 2G"
        try:
            size = bytes_of(value)
        except ValueError as error:
            return str(error)
        return None if size == 0 or size >= least else f"must be 0 or at least {least // 1024}K"

    return check


def bytes_of(size: str | int) -> int:
    """Return the bytes that `size` means: a number, or one with K, M, G or T (of 1024). Raises ValueError."""
    text = str(size)
    digits, unit = (text[:-1], text[-1]) if text[-1:] in "KMGT" and text else (text, "")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
        raise ValueError("must be a size, such as 64K, 10M or 2G")
    return int(digits) << 10 * (" KMGT".index(unit) if unit else 0)


def _number(least: float, most: float, what: str, *, whole: bool) -> Callable[[Any], str | None]:
    kinds = (int,) if whole else (int, float)

    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, kinds):
            return f"must be a {'whole ' if whole else ''}number of {what}"
        return None if least <= value <= most else f"must be from {least:g} to {most:g} {what}"

    return check


SETTINGS: tuple[Setting, ...] = (
    Setting(
        section="daemon",
        key="dialect",
        kind='"auto", "cronie" or "debian"',
        check=_dialect,
        default='"auto"',
        files=True,
        text="Whose rules hold where cronie and Debian's cron differ. `auto` looks at the host.",
    ),
    Setting(
        section="daemon",
        key="account",
        kind="name of an account",
        check=_account,
        default='"crontabx"',
        text="The account of the scheduler, which decides when jobs run and has no privilege.",
    ),
    Setting(
        section="daemon",
        key="pam",
        kind='"auto", "yes" or "no"',
        check=_pam,
        default='"auto"',
        text="Whether PAM is asked if an account may run jobs, and which variables and limits these get. Its "
        "service is `crond` (dialect cronie) or `cron` (debian). `auto`: if this host has PAM and a file for "
        "that service.",
    ),
    Setting(
        section="daemon",
        key="heartbeat_timeout",
        kind="seconds, 3 to 3600",
        check=_seconds(3, 3600),
        default="90",
        files=True,
        text="A scheduler that was silent for this long is killed and replaced. Jobs are not touched.",
    ),
    Setting(
        section="daemon",
        key="shutdown_grace",
        kind="seconds, 0 to 86400",
        check=_seconds(0, 86400),
        default="30",
        files=True,
        text="How long running jobs may take to end by themselves when the daemon stops as `crond FILE` "
        "or as process 1. On a host the daemon leaves jobs alone when it stops.",
    ),
    Setting(
        section="daemon",
        key="kill_timeout",
        kind="seconds, 0 to 3600",
        check=_seconds(0, 3600),
        default="10",
        files=True,
        text="When a job is stopped: the time between SIGTERM and SIGKILL.",
    ),
    Setting(
        section="paths",
        key="system_crontab",
        kind="absolute path",
        check=_path,
        default='"/etc/crontab"',
        text="The crontab of the system, with a user column.",
    ),
    Setting(
        section="paths",
        key="cron_d",
        kind="absolute path",
        check=_path,
        default='"/etc/cron.d"',
        text="The folder of crontabs that packages bring, with a user column.",
    ),
    Setting(
        section="paths",
        key="spool",
        kind="absolute path",
        check=_path,
        default='cronie: "/var/spool/cron", debian: "/var/spool/cron/crontabs"',
        text="The folder of the users' crontabs, each named after its user.",
    ),
    Setting(
        section="paths",
        key="state",
        kind="absolute path",
        check=_path,
        default='"/var/lib/crontabx"; `crond FILE`: "$XDG_STATE_HOME/crontabx"',
        files=True,
        text="What outlives the daemon: outputs of jobs, the scheduler's journal. `--state` goes before it.",
    ),
    Setting(
        section="paths",
        key="run",
        kind="absolute path",
        check=_path,
        default='"/run/crontabx"; with `--state DIR` or `crond FILE`: "run" in the state folder',
        files=True,
        text="The sockets to which `crontabx` connects.",
    ),
    Setting(
        section="paths",
        key="pid_file",
        kind="absolute path",
        check=_path,
        default='"/run/crond.pid"',
        text="Locked while the daemon lives. Other crons lock the same file, so that two never run at once.",
    ),
    Setting(
        section="paths",
        key="reboot_marker",
        kind="absolute path",
        check=_path,
        default='cronie: "/run/cron.reboot", debian: "/run/crond.reboot"',
        text="While it exists, `@reboot` entries have run since the host came up.",
    ),
    Setting(
        section="outputs",
        key="max_size",
        kind="size: bytes, or a number with K, M, G or T; 0 or at least 64K",
        check=_size(64 * 1024),
        default='"10M"',
        files=True,
        text="What one output may take on the disk. Of more, the first and the last half of this are kept, "
        "already while the job writes, and `crontabx logs` says how much was left out. 0: no limit.",
    ),
    Setting(
        section="outputs",
        key="keep_days",
        kind="days, 0 to 36500",
        check=_number(0, 36500, "days", whole=False),
        default="30",
        files=True,
        text="Outputs that nobody wrote to for so long are removed. 0: no limit.",
    ),
    Setting(
        section="outputs",
        key="keep_runs",
        kind="whole number, 0 to 1000000",
        check=_number(0, 1_000_000, "runs", whole=True),
        default="1000",
        files=True,
        text="Of how many runs of one job, the latest, the outputs are kept. 0: no limit.",
    ),
    Setting(
        section="outputs",
        key="total_size",
        kind="size: bytes, or a number with K, M, G or T; 0 or at least 64K",
        check=_size(64 * 1024),
        default='"2G"',
        files=True,
        text="What all outputs together may take on the disk. Of more, the oldest are removed. 0: no limit. "
        "All limits hold for what exists already, too: the daemon looks when it comes up and each hour.",
    ),
    Setting(
        section="crontabs",
        key="keep_versions",
        kind="whole number, 2 to 1000000",
        check=_number(2, 1_000_000, "versions", whole=True),
        default="100",
        text="How many versions of each user's crontab are kept, for `crontabx versions`, `diff` and "
        "`restore`, and never more than 64 MiB of them. It holds from the next change of a crontab on.",
    ),
    Setting(
        section="mail",
        key="smtp",
        kind='"host:port"',
        check=_server,
        default="none: mail is given to /usr/sbin/sendmail",
        files=True,
        text="The server that mail is sent to, for hosts without a sendmail. The flag `-m` goes before it.",
    ),
    Setting(
        section="mail",
        key="smtp_security",
        kind='"none", "starttls" or "tls"',
        check=_security,
        default='"starttls"',
        files=True,
        text="How the talk with the server is protected. Its certificate must be one that this host trusts.",
    ),
    Setting(
        section="mail",
        key="smtp_user",
        kind="name",
        check=_word,
        default="none: no login",
        files=True,
        text="The name to log in with at the server.",
    ),
    Setting(
        section="mail",
        key="smtp_password_file",
        kind="absolute path",
        check=_path,
        default="none",
        files=True,
        text="The file whose first line is the password. Only its owner may read it: root, "
        "or whoever started `crond FILE`.",
    ),
    Setting(
        section="mail",
        key="time_limit",
        kind="seconds, 1 to 86400",
        check=_seconds(1, 86400),
        default="300",
        files=True,
        text="A mailer that takes longer is killed, with all that it started, and tried again later.",
    ),
    Setting(
        section="history",
        key="url",
        kind="URL of a database",
        check=_url,
        default='"sqlite:///STATE/history/history.db"',
        files=True,
        text="Where the history of runs is kept: `sqlite:////absolute/path`, "
        "`postgresql://user:password@host/database` or `mariadb://user:password@host/database`. A file with "
        "a password is for the account alone: owner root, group of the account, mode 0640.",
    ),
    Setting(
        section="history",
        key="history_days",
        kind="days, 0 to 36500",
        check=_number(0, 36500, "days", whole=False),
        default="365",
        files=True,
        text="Runs that began so long ago are removed from the history. 0: no limit.",
    ),
    Setting(
        section="history",
        key="history_runs",
        kind="number, 0 to 1000000000",
        check=_number(0, 1_000_000_000, "runs", whole=True),
        default="100000",
        files=True,
        text="Of each job so many runs stay in the history, the newest. 0: no limit.",
    ),
)


def read_settings(path: str, *, required: bool) -> Settings:
    """Return what the file at `path` says; defaults if it is missing and not `required`.

    Raises SettingsError with everything that is wrong with the file.
    """
    try:
        with open(path, "rb") as file:
            text = file.read()
    except FileNotFoundError as error:
        if not required:
            return Settings()
        raise SettingsError((f"{path}: {error.strerror}",)) from error
    except OSError as error:
        raise SettingsError((f"{path}: cannot be read: {error.strerror}",)) from error
    return parse_settings(text, path)


def parse_settings(text: bytes, path: str) -> Settings:
    """Return what `text` says; `path` is only named in errors. Raises SettingsError."""
    try:
        document = tomllib.loads(text.decode())
    except UnicodeDecodeError as error:
        raise SettingsError((f"{path}: not UTF-8 at byte {error.start}",)) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError((f"{path}: not TOML: {error}",)) from error
    problems = tuple(f"{path}: {problem}" for problem in _problems(document))
    if problems:
        raise SettingsError(problems)
    said: dict[str, Any] = {name: pairs_of(document.pop(name)) for name in RULES if name in document}
    for section in document.values():
        said.update(section)
    return Settings(**said)


def _problems(document: dict[str, Any]) -> Iterator[str]:
    sections = (*dict.fromkeys(setting.section for setting in SETTINGS), *RULES)
    for name, section in document.items():
        if name not in sections:
            yield _unknown_section(name, section, sections)
        elif not isinstance(section, dict):
            yield f"{name}: must be a section: write [{name}] on a line of its own"
        elif name in RULES:
            yield from (f"[{name}] {problem}" for problem in RULES[name](section))
        else:
            yield from _section_problems(name, section)


def _unknown_section(name: str, section: object, sections: tuple[str, ...]) -> str:
    if isinstance(section, dict):
        return f"[{name}]: unknown section{_did_you_mean(name, sections)}"
    homes = [f"[{setting.section}]" for setting in SETTINGS if setting.key == name]
    if homes:
        return f"{name}: belongs in section {homes[0]}"
    return f"{name}: unknown key{_did_you_mean(name, (setting.key for setting in SETTINGS))}"


def _section_problems(name: str, section: dict[str, Any]) -> Iterator[str]:
    known = {setting.key: setting for setting in SETTINGS if setting.section == name}
    for key, value in section.items():
        if key in known:
            reason = known[key].check(value)
            if reason is not None:
                yield f"[{name}] {key}: {reason}, not {_shown(value)}"
            continue
        homes = [f"[{setting.section}]" for setting in SETTINGS if setting.key == key]
        if homes:
            yield f"[{name}] {key}: belongs in section {homes[0]}"
        else:
            yield f"[{name}] {key}: unknown key{_did_you_mean(key, known)}"


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, bool):
        return str(value).lower()
    return ascii(value)[:60]
