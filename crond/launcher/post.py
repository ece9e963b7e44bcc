"""Sending jobs' outputs, and messages, as mail or to syslog: when, and what becomes of each letter.

Owns the processes under way, their time limit and the next try. Two for each letter, which mailing starts;
nothing here waits for either. To whom and with which words, `letter` knows. Called for each Mail, for each
message to an address, and for each reap.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from crond.launcher import letter as letters_rules
from crond.launcher.assistants import Assistants
from crond.launcher.attempts import Attempt
from crond.launcher.config import Config
from crond.launcher.letter import Rules, Written
from crond.launcher.letters import MOST, SLOW, Letter, Letters
from crond.launcher.log import Log
from crond.launcher.loop import Loop, Timer
from crond.launcher.mailing import Mailing
from crond.launcher.outputs import Outputs
from crond.launcher.spawn import (
    Identity,
    Program,
    Spawner,
    SpawnFailed,
    Stage,
    Trouble,
    kill_tree,
)

#: Hears what became of a message: one of messages.DELIVERIES, and in words.
Told: TypeAlias = Callable[[str, str], None]

#: The exit status of a mailer that may succeed later (sysexits.h).
_TEMPORARY = 75
_NOT_EXPANDED = "The environment variable '{}' could not be expanded. The non-expanded value will be used."


@dataclass(slots=True)
class _Delivery:
    """A letter on its way. `pids` are its processes that live; `judge` is whose end says what became of it.

    `status` is that end, a raw wait status: of the mail command, or of ours for syslog.
    """

    letter: Letter
    judge: int
    pids: set[int]
    timers: tuple[Timer, Timer]
    status: int = 0
    trouble: Trouble | None = None
    late: bool = False


class Post:
    """Sends letters. `identity` is that of our own processes without privilege, None: they are as we are."""

    def __init__(
        self,
        config: Config,
        rules: Rules,
        *,
        identity: Identity | None,
        loop: Loop,
        log: Log,
        outputs: Outputs,
        assistants: Assistants,
        spawner: Spawner,
    ) -> None:
        self._config = config
        self._rules = rules
        self._loop = loop
        self._log = log
        self._spawner = spawner
        self._way = config.mail
        if self._lacks_sendmail and config.dialect == "cronie" and config.mode == "host":
            self._way = "syslog"
        self._mailing = Mailing(
            config,
            rules,
            identity=identity,
            job_program=log.job_program,
            outputs=outputs,
            assistants=assistants,
            spawner=spawner,
        )
        self._said_missing = False
        self._letters = Letters()
        self._deliveries: dict[int, _Delivery] = {}

    @property
    def instead_of_mail(self) -> bool:
        """True if outputs go to syslog since this host has no sendmail."""
        return self._way != self._config.mail

    @property
    def busy(self) -> bool:
        return bool(self._deliveries)

    @property
    def waiting(self) -> int:
        """How many letters no process has in hand."""
        return self._letters.waiting

    def post(self, attempt: Attempt, program: Program) -> None:
        """Send the output of `attempt`, which has ended and was to run `program`, where it belongs."""
        if not _is_wanted(attempt):
            return
        written = _written(attempt, program)
        to = None
        if self._way == "syslog":
            if not attempt.output_size:
                return
        else:
            if self._way == "off" or (attempt.mail_when_failed and not attempt.status):
                return
            to = letters_rules.addressed(written, self._rules)
            self._complain(attempt, to)
            if to.to is None or self._has_no_mailer():
                return
        letter = Letter(
            key=attempt.key,
            uid=attempt.uid,
            pid=attempt.pid,
            size=attempt.output_size,
            written=written,
            program=program,
            to=to,
            secrets=attempt.policy.secret_env,
        )
        if self._letters.add(letter):
            self._send()
        else:
            self._log.event(letter.user, "MAIL", f"{MOST} letters wait; output of {attempt.job} is only kept")

    def tell(
        self, address: str, alert: Mapping[str, object], user: str, program: Program, told: Told
    ) -> None:
        """Send to `address`, once, the message that `alert` has (see `crond.launcher.lettering`) from `user`.

        `program` is what a mail command of that user is made from. `told` is called once.
        """
        hindered = self._hindered(address)
        if hindered is not None:
            told(*hindered)
            return
        to = letters_rules.Addressed(address, letters_rules.default_sender(user, self._rules.dialect))
        order = {**alert, "from": self._from(to), "to": address, "host": os.uname().nodename}
        letter = Letter(
            key="",
            uid=0,
            pid=os.getpid(),
            size=0,
            written=Written(user=user, command="", status=0, assigned={}, environment={}),
            program=program,
            to=to,
            alert=json.dumps(order).encode("ascii"),
            told=told,
        )
        if self._letters.add(letter):
            self._send()
        else:
            told("again", f"{MOST} letters wait")

    def _hindered(self, address: str) -> tuple[str, str] | None:
        """Return what a message to `address` comes to that no process can be started for."""
        if not letters_rules.is_safe(address, self._rules.dialect):
            return "never", "it is no address that mail can be sent to"
        if self._config.mail == "off":
            return "never", "mail is turned off (-m off)"
        if self._config.mail in ("sendmail", "syslog") and not os.access(self._config.sendmail, os.X_OK):
            return "again", f"there is no {self._config.sendmail}"
        return None

    def _from(self, to: letters_rules.Addressed) -> str:
        return to.sender if self._rules.dialect == "debian" else f'"(Cron Daemon)" <{to.sender}>'

    def _complain(self, attempt: Attempt, to: letters_rules.Addressed) -> None:
        """Log, in cron's words, the addresses that are not used."""
        for name in to.unexpanded:
            text = _NOT_EXPANDED.format(name)
            self._log.event("CRON", "WARNING", text, program=self._log.job_program, pid=attempt.pid)
        event = "UNSAFE MAIL" if self._config.dialect == "debian" else "UNSAFE"
        for address in to.unsafe:
            self._log.event(attempt.user, event, address, program=self._log.job_program, pid=attempt.pid)

    @property
    def _lacks_sendmail(self) -> bool:
        return self._config.mail == "sendmail" and not os.access(self._config.sendmail, os.X_OK)

    def _has_no_mailer(self) -> bool:
        """True if there is no sendmail; said once. One that is installed later is used."""
        if not self._lacks_sendmail:
            return False
        if not self._said_missing:
            self._said_missing = True
            if self._config.dialect == "debian":
                self._log.event("CRON", "info", "No MTA installed, discarding output")
            else:
                self._log.event("CRON", "INFO", f"no {self._config.sendmail}: output is not mailed")
        return True

    # --- sending ---------------------------------------------------------------------------------------

    def _send(self) -> None:
        while (letter := self._letters.take()) is not None:
            try:
                self._deliver(letter)
            except SpawnFailed as failed:
                self._letters.returned(letter)
                self._failed(letter, 1, failed.trouble)
            except OSError as error:
                self._letters.returned(letter)
                self._log.error(f"mail: {error.strerror or error}")
                self._failed(letter, 1, Trouble(Stage.RESOURCES, error.errno or 0))

    def _deliver(self, letter: Letter) -> None:
        """Start the processes for `letter`. Raises SpawnFailed, OSError; then there are none."""
        mailer, feeder = self._mailing.start(letter)
        timers = (
            self._loop.after(SLOW, lambda: self._make_room(letter)),
            self._loop.after(self._config.mail_time_limit, lambda: self._give_up(delivery)),
        )
        delivery = _Delivery(letter, mailer or feeder, {mailer, feeder} - {0}, timers)
        for pid in delivery.pids:
            self._deliveries[pid] = delivery

    # --- what came of it -------------------------------------------------------------------------------

    def reaped(self, pid: int, status: int) -> bool:
        """Take note of the end of process `pid`; True if it was one of these."""
        delivery = self._deliveries.pop(pid, None)
        if delivery is None:
            return False
        trouble = self._spawner.trouble_of(pid)
        if pid == delivery.judge:
            delivery.status, delivery.trouble = status, trouble
        elif status and not delivery.late:
            self._log.error(f"mail: a letter of {delivery.letter.user} was not written to its end")
        delivery.pids.discard(pid)
        if not delivery.pids:
            self._ended(delivery)
        return True

    def _ended(self, delivery: _Delivery) -> None:
        for timer in delivery.timers:
            timer.cancel()
        letter = delivery.letter
        self._letters.returned(letter)
        if letter.told is not None:
            self._letters.done(letter)
            letter.told(*_result_of(delivery, self._config.mail_time_limit))
        elif delivery.late:
            self._log.error(
                f"mail: {self._config.mail_time_limit:g} s were too few for a letter of {letter.user}"
            )
            self._failed(letter, delivery.status, None, temporary=True)
        elif delivery.status or delivery.trouble is not None:
            self._failed(letter, delivery.status, delivery.trouble)
        else:
            self._letters.done(letter)
        self._send()

    def _failed(
        self, letter: Letter, status: int, trouble: Trouble | None, *, temporary: bool = False
    ) -> None:
        """Log that `letter` was not sent, in cron's words; try it again later if that may help."""
        if letter.told is not None:
            self._letters.done(letter)
            letter.told(
                "again", f"no process for a mail command: {os.strerror(trouble.errno if trouble else 0)}"
            )
            return
        # cron shows the exit status, and nothing at all of a mailer that was killed.
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else status
        if trouble is not None:
            code = 1
            temporary = trouble.stage is Stage.RESOURCES
        elif os.WIFEXITED(status):
            temporary = temporary or code == _TEMPORARY
        plural = "" if letter.size == 1 else "s"
        by = " from MTA" if self._config.dialect == "debian" else ""
        self._log.event(
            letter.user,
            "MAIL",
            f"mailed {letter.size} byte{plural} of output but got status 0x{code:04x}{by}",
            error="" if trouble is None else os.strerror(trouble.errno),
            program=self._log.job_program,
            pid=letter.pid,
        )
        if not temporary or letter.tries >= len(self._config.mail_pauses):
            self._letters.done(letter)
            return
        pause = self._config.mail_pauses[letter.tries]
        letter.tries += 1
        self._loop.after(pause, lambda: self._again(letter))

    def _again(self, letter: Letter) -> None:
        self._letters.again(letter)
        self._send()

    def _make_room(self, letter: Letter) -> None:
        self._letters.is_slow(letter)
        self._send()

    def _give_up(self, delivery: _Delivery) -> None:
        delivery.late = True
        for pid in delivery.pids:
            kill_tree(pid)


def _is_wanted(attempt: Attempt) -> bool:
    """True if its entry's `mail=` lets the output of `attempt` be sent."""
    mode = attempt.policy.mail
    return mode != "never" and (mode != "failure" or attempt.failed)


def _written(attempt: Attempt, program: Program) -> Written:
    status = attempt.status or 0
    ended = ""
    if status and attempt.policy.mail in ("failure", "always"):
        code = os.waitstatus_to_exitcode(status)
        ended = f"exit status {code}" if code >= 0 else f"signal {-code}"
    return Written(
        user=attempt.user,
        command=attempt.command,
        status=status,
        assigned=attempt.assigned,
        environment=program.environment,
        of_pam=attempt.of_pam,
        ended=ended,
    )


def _result_of(delivery: _Delivery, limit: float) -> tuple[str, str]:
    """Return what became of a message: one of messages.DELIVERIES, and in words."""
    status = delivery.status
    if delivery.late:
        return "again", f"the mail command took longer than {limit:g} s"
    if delivery.trouble is not None:
        return "again", f"the mail command could not begin: {os.strerror(delivery.trouble.errno)}"
    if os.WIFSIGNALED(status):
        return "again", f"the mail command was killed by signal {os.WTERMSIG(status)}"
    code = os.WEXITSTATUS(status)
    if code:
        return "again" if code == _TEMPORARY else "never", f"the mail command ended with status {code}"
    return "sent", "taken by the mail command"
