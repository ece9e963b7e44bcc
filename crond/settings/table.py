"""Every setting there is, as one table, and what a settings file comes to.

The reader, the error messages and the reference page (docs/generate_settings.py) all come from here; what
`[defaults]` and `[pools]` may say is `crond.model.host`'s. Pure data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crond.model.messages import Pairs
from crond.settings import checks


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
    on_trouble: tuple[str, ...] = ()
    apprise: str = "/etc/crontabx/apprise.yml"
    settle: float = 3.0
    give_up: float = 86400.0
    message_time_limit: float = 20.0
    messages_per_hour: int = 60
    tail: str | int = "4K"
    link: str | None = None
    heartbeat: str | None = None
    heartbeat_interval: float = 60.0
    held_after: float = 0
    commented_out_after: float = 0
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
    many: bool = False  #: a list, of which a single one may stand alone
    secret: bool = False  #: never shown in a message
    text: str


SETTINGS: tuple[Setting, ...] = (
    Setting(
        section="daemon",
        key="dialect",
        kind='"auto", "cronie" or "debian"',
        check=checks.dialect,
        default='"auto"',
        files=True,
        text="Whose rules hold where cronie and Debian's cron differ. `auto` looks at the host.",
    ),
    Setting(
        section="daemon",
        key="account",
        kind="name of an account",
        check=checks.account,
        default='"crontabx"',
        text="The account of the scheduler, which decides when jobs run and has no privilege.",
    ),
    Setting(
        section="daemon",
        key="pam",
        kind='"auto", "yes" or "no"',
        check=checks.pam,
        default='"auto"',
        text="Whether PAM is asked if an account may run jobs, and which variables and limits these get. Its "
        "service is `crond` (dialect cronie) or `cron` (debian). `auto`: if this host has PAM and a file for "
        "that service.",
    ),
    Setting(
        section="daemon",
        key="heartbeat_timeout",
        kind="seconds, 3 to 3600",
        check=checks.seconds(3, 3600),
        default="90",
        files=True,
        text="A scheduler that was silent for this long is killed and replaced. Jobs are not touched.",
    ),
    Setting(
        section="daemon",
        key="shutdown_grace",
        kind="seconds, 0 to 86400",
        check=checks.seconds(0, 86400),
        default="30",
        files=True,
        text="How long running jobs may take to end by themselves when the daemon stops as `crond FILE` "
        "or as process 1. On a host the daemon leaves jobs alone when it stops.",
    ),
    Setting(
        section="daemon",
        key="kill_timeout",
        kind="seconds, 0 to 3600",
        check=checks.seconds(0, 3600),
        default="10",
        files=True,
        text="When a job is stopped: the time between SIGTERM and SIGKILL.",
    ),
    Setting(
        section="paths",
        key="system_crontab",
        kind="absolute path",
        check=checks.path,
        default='"/etc/crontab"',
        text="The crontab of the system, with a user column.",
    ),
    Setting(
        section="paths",
        key="cron_d",
        kind="absolute path",
        check=checks.path,
        default='"/etc/cron.d"',
        text="The folder of crontabs that packages bring, with a user column.",
    ),
    Setting(
        section="paths",
        key="spool",
        kind="absolute path",
        check=checks.path,
        default='cronie: "/var/spool/cron", debian: "/var/spool/cron/crontabs"',
        text="The folder of the users' crontabs, each named after its user.",
    ),
    Setting(
        section="paths",
        key="state",
        kind="absolute path",
        check=checks.path,
        default='"/var/lib/crontabx"; `crond FILE`: "$XDG_STATE_HOME/crontabx"',
        files=True,
        text="What outlives the daemon: outputs of jobs, the scheduler's journal. `--state` goes before it.",
    ),
    Setting(
        section="paths",
        key="run",
        kind="absolute path",
        check=checks.path,
        default='"/run/crontabx"; with `--state DIR` or `crond FILE`: "run" in the state folder',
        files=True,
        text="The sockets to which `crontabx` connects.",
    ),
    Setting(
        section="paths",
        key="pid_file",
        kind="absolute path",
        check=checks.path,
        default='"/run/crond.pid"',
        text="Locked while the daemon lives. Other crons lock the same file, so that two never run at once.",
    ),
    Setting(
        section="paths",
        key="reboot_marker",
        kind="absolute path",
        check=checks.path,
        default='cronie: "/run/cron.reboot", debian: "/run/crond.reboot"',
        text="While it exists, `@reboot` entries have run since the host came up.",
    ),
    Setting(
        section="outputs",
        key="max_size",
        kind="size: bytes, or a number with K, M, G or T; 0 or at least 64K",
        check=checks.size(64 * 1024),
        default='"10M"',
        files=True,
        text="What one output may take on the disk. Of more, the first and the last half of this are kept, "
        "already while the job writes, and `crontabx logs` says how much was left out. 0: no limit.",
    ),
    Setting(
        section="outputs",
        key="keep_days",
        kind="days, 0 to 36500",
        check=checks.number(0, 36500, "days", whole=False),
        default="30",
        files=True,
        text="Outputs that nobody wrote to for so long are removed. 0: no limit.",
    ),
    Setting(
        section="outputs",
        key="keep_runs",
        kind="whole number, 0 to 1000000",
        check=checks.number(0, 1_000_000, "runs", whole=True),
        default="1000",
        files=True,
        text="Of how many runs of one job, the latest, the outputs are kept. 0: no limit.",
    ),
    Setting(
        section="outputs",
        key="total_size",
        kind="size: bytes, or a number with K, M, G or T; 0 or at least 64K",
        check=checks.size(64 * 1024),
        default='"2G"',
        files=True,
        text="What all outputs together may take on the disk. Of more, the oldest are removed. 0: no limit. "
        "All limits hold for what exists already, too: the daemon looks when it comes up and each hour.",
    ),
    Setting(
        section="crontabs",
        key="keep_versions",
        kind="whole number, 2 to 1000000",
        check=checks.number(2, 1_000_000, "versions", whole=True),
        default="100",
        text="How many versions of each user's crontab are kept, for `crontabx versions`, `diff` and "
        "`restore`, and never more than 64 MiB of them. It holds from the next change of a crontab on.",
    ),
    Setting(
        section="mail",
        key="smtp",
        kind='"host:port"',
        check=checks.server,
        default="none: mail is given to /usr/sbin/sendmail",
        files=True,
        text="The server that mail is sent to, for hosts without a sendmail. The flag `-m` goes before it.",
    ),
    Setting(
        section="mail",
        key="smtp_security",
        kind='"none", "starttls" or "tls"',
        check=checks.security,
        default='"starttls"',
        files=True,
        text="How the talk with the server is protected. Its certificate must be one that this host trusts.",
    ),
    Setting(
        section="mail",
        key="smtp_user",
        kind="name",
        check=checks.word,
        default="none: no login",
        files=True,
        text="The name to log in with at the server.",
    ),
    Setting(
        section="mail",
        key="smtp_password_file",
        kind="absolute path",
        check=checks.path,
        default="none",
        files=True,
        text="The file whose first line is the password. Only its owner may read it: root, "
        "or whoever started `crond FILE`.",
    ),
    Setting(
        section="mail",
        key="time_limit",
        kind="seconds, 1 to 86400",
        check=checks.seconds(1, 86400),
        default="300",
        files=True,
        text="A mailer that takes longer is killed, with all that it started, and tried again later.",
    ),
    Setting(
        section="history",
        key="url",
        kind="URL of a database",
        check=checks.url,
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
        check=checks.number(0, 36500, "days", whole=False),
        default="365",
        files=True,
        text="Runs that began so long ago are removed from the history. 0: no limit.",
    ),
    Setting(
        section="history",
        key="history_runs",
        kind="number, 0 to 1000000000",
        check=checks.number(0, 1_000_000_000, "runs", whole=True),
        default="100000",
        files=True,
        text="Of each job so many runs stay in the history, the newest. 0: no limit.",
    ),
    Setting(
        section="alerts",
        key="on_trouble",
        kind="target, or a list of them: URLs of Apprise, mail addresses, tags",
        check=checks.targets,
        default="none",
        files=True,
        many=True,
        secret=True,
        text="Who is told of what concerns no single job: a crontab that does not load, a target that cannot "
        "be reached, entries that are held or commented out for too long.",
    ),
    Setting(
        section="alerts",
        key="apprise",
        kind="absolute path",
        check=checks.path,
        default='"/etc/crontabx/apprise.yml"',
        text="The host's configuration of Apprise, in which tags are looked up that a user's own does not "
        "have. It holds secrets: only root needs to be able to read it.",
    ),
    Setting(
        section="alerts",
        key="settle",
        kind="seconds, 0 to 600",
        check=checks.seconds(0, 600),
        default="3",
        files=True,
        text="A message waits until there was no other news for its target for so long, ten times as long at "
        "most: of what comes together one digest is made.",
    ),
    Setting(
        section="alerts",
        key="give_up",
        kind="seconds, 60 to 2592000",
        check=checks.seconds(60, 30 * 86400),
        default="86400",
        files=True,
        text="How long a message is tried that its receiver does not take.",
    ),
    Setting(
        section="alerts",
        key="message_time_limit",
        kind="seconds, 1 to 600",
        check=checks.seconds(1, 600),
        default="20",
        files=True,
        text="How long one try may take.",
    ),
    Setting(
        section="alerts",
        key="messages_per_hour",
        kind="whole number, 1 to 100000",
        check=checks.number(1, 100_000, "messages", whole=True),
        default="60",
        text="How many messages of one user go through the host's configuration of Apprise in an hour; more "
        "wait.",
    ),
    Setting(
        section="alerts",
        key="tail",
        kind="size: bytes, or a number with K; at most 16K",
        check=checks.tail,
        default='"4K"',
        files=True,
        text="How much of the end of its output a message shows. 0: nothing.",
    ),
    Setting(
        section="alerts",
        key="link",
        kind="URL with {run} in it",
        check=checks.link,
        default="none",
        files=True,
        text="Where a run can be seen; {run} becomes its id. It is shown in each message.",
    ),
    Setting(
        section="alerts",
        key="heartbeat",
        kind="URL of http or https",
        check=checks.ping,
        default="none",
        files=True,
        secret=True,
        text="Is asked for as long as the daemon is well. Whoever listens there can tell when it no longer "
        "is, which the daemon itself cannot.",
    ),
    Setting(
        section="alerts",
        key="heartbeat_interval",
        kind="seconds, 10 to 86400",
        check=checks.seconds(10, 86400),
        default="60",
        files=True,
        text="How often.",
    ),
    Setting(
        section="alerts",
        key="held_after",
        kind="days, 0 to 36500",
        check=checks.number(0, 36500, "days", whole=False),
        default="0: never",
        files=True,
        text="`on_trouble` is told of an entry that is held (by a dependency that names no job, by a cycle) "
        "for so long.",
    ),
    Setting(
        section="alerts",
        key="commented_out_after",
        kind="days, 0 to 36500",
        check=checks.number(0, 36500, "days", whole=False),
        default="0: never",
        files=True,
        text="`on_trouble` is told of an entry that is commented out for so long.",
    ),
)
