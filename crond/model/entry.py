"""An entry: one scheduled line of a crontab, as a value.

It says when, what and with which settings, and nothing about where it came from or what became of it: the
lasting identity is `crond.model.job`'s, runs are `crond.model.run`'s. Pure; made by `crond.model.crontab`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from crond.model.annotations import Annotation
from crond.model.fields import Dialect
from crond.model.policy import PLAIN, Policy
from crond.model.schedule import Cron, Schedule

_NOTHING: frozenset[int] = frozenset()
#: By dialect: a job's PATH where no line of its crontab sets it.
DEFAULT_PATH = {Dialect.CRONIE: "/usr/bin:/bin:/usr/sbin:/sbin", Dialect.DEBIAN: "/usr/bin:/bin"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One scheduled line.

    `line` and `column` count from 1. `raw` is the command as written, with its `%`. `environment` holds the
    assignments that stand above it in the same file. `schedule` is that of `schedule=` where it has one.
    `user` is the user column of a system crontab, else None. `timezone` is CRON_TZ (None: the daemon's zone);
    `random_delay` is RANDOM_DELAY in minutes, before it is scaled. Texts that were not UTF-8 carry surrogate
    escapes: `os.fsencode` gives back the bytes.
    """

    line: int
    column: int
    schedule: Schedule
    raw: str
    environment: Mapping[str, str]
    dialect: Dialect = Dialect.CRONIE
    user: str | None = None
    name: str | None = None  #: `#: name=`, else a configuration manager's marker
    annotations: tuple[Annotation, ...] = ()
    policy: Policy = PLAIN  #: what its annotations say
    timezone: str | None = None
    random_delay: int = 0
    mail_when_failed: bool = False  #: cronie's `-n`: mail only if it fails
    log_start: bool = True  #: False for cronie's leading `-` and OpenBSD's `-q`: it is not in cron's log
    single_instance: bool = False  #: OpenBSD's `-s`: left out while a run before it is alive

    @property
    def zone(self) -> str | None:
        """The zone that its times are written in: `timezone=`, else CRON_TZ; None: the daemon's."""
        return self.policy.timezone or self.timezone

    @property
    def command(self) -> str:
        """What the shell is given: the text before the first unescaped `%`."""
        return split_percent(self.raw, self.dialect)[0]

    @property
    def stdin(self) -> str:
        """What the command reads: the text after the first unescaped `%`, or nothing."""
        return split_percent(self.raw, self.dialect)[1]

    @property
    def options(self) -> tuple[str, ...]:
        """What could stand before the command to the same effect: some of `-n`, `-q` and `-s`."""
        held = (("-n", self.mail_when_failed), ("-q", not self.log_start), ("-s", self.single_instance))
        return tuple(word for word, is_set in held if is_set)

    @property
    def minute(self) -> frozenset[int]:
        """The minutes of the hour at which it is due; empty where the schedule is not cron's."""
        return self.schedule.minute if isinstance(self.schedule, Cron) else _NOTHING

    @property
    def hour(self) -> frozenset[int]:
        return self.schedule.hour if isinstance(self.schedule, Cron) else _NOTHING

    @property
    def day_of_month(self) -> frozenset[int]:
        return self.schedule.day_of_month if isinstance(self.schedule, Cron) else _NOTHING

    @property
    def month(self) -> frozenset[int]:
        return self.schedule.month if isinstance(self.schedule, Cron) else _NOTHING

    @property
    def day_of_week(self) -> frozenset[int]:
        """Days of the week; Sunday is both 0 and 7."""
        return self.schedule.day_of_week if isinstance(self.schedule, Cron) else _NOTHING


def random_delay_factor(seed: int) -> float:
    """Return what every RANDOM_DELAY is scaled with (0 <= f < 1): one draw per life of the daemon."""
    return random.Random(seed).random()


def split_percent(raw: str, dialect: Dialect = Dialect.CRONIE) -> tuple[str, str]:
    r"""Split a command as written into (command, stdin), as cron does when it runs it.

    Quotes mean nothing. In the command `\%` is a percent sign and any other backslash keeps its partner; in
    stdin `%` is a newline. A stdin that is not empty ends in a newline.
    """
    if "%" not in raw and "\\" not in raw:
        return raw, ""  # nearly all commands, and each start asks
    command: list[str] = []
    at = 0
    while at < len(raw) and raw[at] != "%":
        if raw[at] == "\\" and at + 1 < len(raw):
            pair = raw[at : at + 2]
            if pair == "\\%" or (pair == "\\\\" and dialect is Dialect.DEBIAN):
                pair = pair[1]
            command.append(pair)
            at += 2
        else:
            command.append(raw[at])
            at += 1
    return "".join(command), _stdin(raw[at + 1 :])


def _stdin(text: str) -> str:
    lines = text.replace("\\%", "\0").replace("%", "\n").replace("\0", "%")
    return lines + "\n" if lines and not lines.endswith("\n") else lines
