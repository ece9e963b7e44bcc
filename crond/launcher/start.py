"""What a start of the launcher takes from the host before its parts are put together.

Owns the lock that keeps a second daemon away, where the log goes, what the scheduler is greeted with, and the
words in which a start fails. Knows none of the parts that serve. Called by main.
"""

from __future__ import annotations

import os
import time

from crond.launcher.boottime import boot_token, first_of_boot
from crond.launcher.config import SYSLOG, Config
from crond.launcher.letter import Rules
from crond.launcher.lock import Busy, Lock
from crond.launcher.log import Level, Log
from crond.launcher.loop import Loop
from crond.launcher.outlet import Outlet
from crond.launcher.process import charset_of_locale
from crond.launcher.syslog import ERR, Syslog
from crond.model.alert import addressee
from crond.model.messages import PROTOCOL, Hello


class StartFailed(Exception):
    """The daemon cannot start; the text says why."""


def take_lock(config: Config) -> Lock:
    """Take the lock that this daemon is known by. Raises StartFailed, OSError."""
    if config.pid_file is not None:
        path = config.pid_file
    else:
        os.makedirs(config.state, mode=0o700, exist_ok=True)
        path = os.path.join(config.state, "lock")
    try:
        return Lock(path)
    except Busy as busy:
        if config.pid_file is None:
            raise StartFailed(
                f"{config.state} is in use by the crond with pid {busy.pid or '?'}; "
                "stop that one, or give this one a folder of its own with --state"
            ) from None
        text = f"can't lock {busy.path}, otherpid may be {busy.pid or '0'}: {os.strerror(11)}"
        program = "cron" if config.dialect == "debian" else "crond"
        Syslog(config.syslog or SYSLOG).write(program, os.getpid(), f"(CRON) DEATH ({text})", ERR)
        raise StartFailed(text) from None


def make_log(config: Config, loop: Loop) -> tuple[Outlet, Outlet | None, Log]:
    """Return what errors go to, what lines about starts and ends go to (None: nowhere), and the log."""
    # In the background everything goes to syslog, and the terminal must not be kept open.
    errors = Outlet(2 if config.foreground else os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), loop)
    lines = Outlet(1, loop) if config.foreground and config.syslog is None else None
    log = Log(
        errors=errors,
        lines=lines,
        syslog=Syslog(config.syslog) if config.syslog else None,
        as_json=config.log_format == "json",
        dialect=config.dialect,
        level=config.log_level,
        debug=config.debug,
    )
    return errors, lines, log


def mail_rules(config: Config) -> Rules:
    """Return what letters are made by."""
    host = os.uname().nodename
    return Rules(
        dialect=config.dialect,
        host=host if config.full_host else host.partition(".")[0],
        charset=charset_of_locale(),
        daemon=dict(os.environ),
        marks_failed=bool(config.log_level & Level.FAILURE),
        only_asked=config.mode == "files" and config.mail != "command",
        inherits=config.mode == "files" and not config.clean_env,
    )


def make_hello(config: Config, seed: int) -> Hello:
    """Return what each scheduler of this life is greeted with."""
    return Hello(
        protocol=PROTOCOL,
        life=os.urandom(8).hex(),
        boot=boot_token(),
        reboot=first_of_boot(config.reboot_marker),
        seed=seed,
        dialect=config.dialect,
        began=time.time(),
        defaults=config.defaults,
        pools=config.pools,
        trouble=tuple(map(addressee, config.on_trouble)),
        held_after=config.held_after,
        commented_out_after=config.commented_out_after,
    )


def about_reboot(dialect: str, *, first: bool) -> str:
    """Return cron's words about `@reboot` jobs; cronie has none where they run."""
    if dialect == "debian":
        return "Running @reboot jobs" if first else "Skipping @reboot jobs -- not system startup"
    return "" if first else "@reboot jobs will be run at computer's startup."


def draw_seed() -> int:
    """Return what this life draws `~` and RANDOM_DELAY from; CRONTABX_SEED makes it the same each time."""
    text = os.environ.get("CRONTABX_SEED", "")
    if text.isascii() and text.isdigit():
        return int(text) % 2**53
    return int.from_bytes(os.urandom(6), "big")


def in_words(error: Exception) -> str:
    """Return what kept the daemon from starting."""
    if isinstance(error, OSError) and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}" if error.filename else error.strerror
    return str(error)
