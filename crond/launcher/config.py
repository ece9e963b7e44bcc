"""What the launcher is told at its start: one frozen value, decided before privilege is used.

`crond.cli.daemon` reads flags and the settings file, makes a Config and hands it over as JSON in an
argument, so that the root process needs no option parser and no TOML. Arguments are public; what may hold a
secret, a URL of somebody who is told of things, goes beside it in the environment, which others cannot read.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

from crond.model.messages import Pairs

#: Where syslog daemons, journald among them, listen.
SYSLOG = "/dev/log"
#: The variable in which the launcher finds what its argument does not say; no other process gets it.
PRIVATE = "CRONTABX_PRIVATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Where things lie and how the launcher behaves. Times are seconds.

    `mode` is "host" (spool, system crontabs, changes of user) or "files" (`crond FILE...`: user-format
    files as the user who started us). `account` is the name of the account of scheduler and recorder, None
    in mode "files", where all processes share one user.
    """

    mode: str
    package: str  #: the folder that holds the `crond` package, for the programs we start
    state: str  #: outputs/, data/, versions/, at/ (ours), scheduler/ and history/ (the account's)
    run: str  #: launcher.sock, scheduler.sock and recorder.sock
    dialect: str = "cronie"  #: "cronie" or "debian", already resolved
    files: tuple[str, ...] = ()
    system_crontab: str = "/etc/crontab"
    cron_d: str = "/etc/cron.d"
    spool: str = "/var/spool/cron"
    account: str | None = None
    pid_file: str | None = None
    reboot_marker: str | None = None
    foreground: bool = True
    permit_any: bool = False  #: -p: any file mode and owner
    inherit_path: bool = False  #: -P: jobs get the daemon's PATH
    cluster: bool = False  #: -c: user tables only where SPOOL/.cron.hostname names this host
    watch: bool = True  #: inotify; -i turns it off
    clean_env: bool = False  #: mode "files": cron's environment instead of the daemon's
    execute: bool = True  #: -x test turns it off: everything but the command itself
    echo: bool = False  #: repeat job output on stdout, with the job's name
    log_format: str = "text"  #: "text" or "json": the lines on stdout and stderr
    syslog: str | None = None  #: log to the syslog that listens here (facility cron) instead of to stderr
    log_level: int = 1  #: -L of Debian's cron: what of a job goes into syslog
    lsb_names: bool = False  #: -l of Debian's cron: names in cron.d are as the Linux Standard Base has them
    debug: tuple[str, ...] = ()  #: -x: what is told on stderr
    heartbeat_timeout: float = 90.0  #: a scheduler silent for this long is replaced
    shutdown_grace: float = 30.0  #: mode "files" and PID 1: running jobs may take this long after TERM
    kill_timeout: float = 10.0  #: between TERM and KILL of a process tree
    max_size: int = 10 * 1024 * 1024  #: bytes that one output may take on the disk; 0: no limit, as below
    keep_days: float = 30.0
    keep_runs: int = 1000  #: of each job
    total_size: int = 2 * 1024 * 1024 * 1024  #: bytes of all outputs
    keep_versions: int = 100  #: of each user's crontab
    mail: str = "sendmail"  #: where output goes: "sendmail", "command", "smtp", "syslog" or "off"
    sendmail: str = "/usr/sbin/sendmail"
    mail_command: tuple[str, ...] = ()  #: -m: the words of the command of way "command"
    full_host: bool = False  #: -n of Debian's cron: the host's whole name in subjects
    smtp: str = ""  #: the server of way "smtp", HOST:PORT
    smtp_security: str = "starttls"  #: "none", "starttls" or "tls"
    smtp_user: str = ""
    smtp_password_file: str | None = None
    mail_time_limit: float = 300.0  #: a mailer that takes longer is killed
    mail_pauses: tuple[float, ...] = (60.0, 300.0, 1500.0)  #: before each further try
    pam: str | None = None  #: the PAM service that is asked about accounts, None: PAM is not used
    pam_time_limit: float = 30.0  #: an account for which PAM takes longer has no answer
    recorder: bool = True  #: keep a history
    settings: str | None = None  #: the file in which the recorder finds its database's URL
    defaults: Pairs = ()  #: what the host says of every entry, by key
    pools: Pairs = ()  #: the host's pools and their sizes
    on_trouble: tuple[str, ...] = ()  #: targets of what concerns no single job
    heartbeat: str = ""  #: a URL that is asked for while the daemon is well
    heartbeat_interval: float = 60.0
    apprise: str = "/etc/crontabx/apprise.yml"  #: the host's configuration of Apprise
    message_time_limit: float = 20.0  #: for one try of one message
    messages_per_hour: int = 60  #: of one user, through the host's configuration of Apprise
    tail: int = 4096  #: bytes of the end of an output that a message shows
    held_after: float = 0.0  #: seconds after which an entry that is held is told of; 0: never, as below
    commented_out_after: float = 0.0

    @property
    def one_shots(self) -> str:
        """The folder of the tables of one-shots, one file for each account."""
        return os.path.join(self.state, "at")

    def to_json(self) -> str:
        """Return the text that `from_json` reads, without what `private` has."""
        return json.dumps({**asdict(self), **_NOTHING_PRIVATE}, separators=(",", ":"))

    def private(self) -> str:
        """Return what is not for everybody's eyes, for `from_json`."""
        held = {name: getattr(self, name) for name in _NOTHING_PRIVATE}
        return json.dumps(held, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str, private: str = "{}") -> Config:
        """Return the Config in `text` and `private`; raises ValueError or TypeError if it is none."""
        values = {**json.loads(text), **json.loads(private)}
        for name in ("files", "debug", "mail_command", "mail_pauses", "on_trouble"):
            values[name] = tuple(values[name])
        for name in ("defaults", "pools"):
            values[name] = tuple((key, held) for key, held in values[name])
        return cls(**values)


#: What is not for everybody's eyes, and what stands in its place in the argument.
_NOTHING_PRIVATE = {"defaults": (), "on_trouble": (), "heartbeat": ""}
