"""Sending jobs' outputs as mail, or to syslog: which processes do it, and what becomes of each letter.

Owns the processes under way, their time limit and the next try. Two for each letter: the mail command, as the
job's user, and one of ours without privilege that writes the letter into it, so that nothing here waits for
either. To whom and with which words, `letter` knows. Put together by main; called for each Mail and reap.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import signal
from dataclasses import dataclass, replace

from crond.launcher import letter as letters_rules
from crond.launcher.assistants import Assistants
from crond.launcher.attempts import Attempt
from crond.launcher.config import SYSLOG, Config
from crond.launcher.letter import Rules, Written
from crond.launcher.letters import MOST, SLOW, Letter, Letters
from crond.launcher.log import Log
from crond.launcher.loop import Loop, Timer
from crond.launcher.outputs import Outputs
from crond.launcher.smarthost import Smarthost
from crond.launcher.spawn import Identity, Program, Spawner, SpawnFailed, Stage, Trouble

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
        self._identity = identity
        self._loop = loop
        self._log = log
        self._outputs = outputs
        self._assistants = assistants
        self._spawner = spawner
        self._way = config.mail
        if self._lacks_sendmail and config.dialect == "cronie" and config.mode == "host":
            self._way = "syslog"
        self._smarthost = Smarthost(config, identity)
        self._said_missing = False
        self._letters = Letters()
        self._deliveries: dict[int, _Delivery] = {}
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)

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
        written = Written(
            user=attempt.user,
            command=attempt.command,
            status=attempt.status or 0,
            assigned=attempt.assigned,
            environment=program.environment,
            of_pam=attempt.of_pam,
        )
        to = None
        if self._way != "syslog":
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
        )
        if self._letters.add(letter):
            self._send()
        else:
            self._log.event(letter.user, "MAIL", f"{MOST} letters wait; output of {attempt.job} is only kept")

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
        with contextlib.ExitStack() as stack:
            output = self._outputs.open(letter.uid, letter.key)
            pruned = output is None
            given = _lifted(stack, os.dup(self._null) if output is None else output)
            if letter.to is None:
                mailer, feeder = 0, self._start_cmdout(letter, given)
            else:
                reading, writing = (_lifted(stack, fd) for fd in os.pipe2(os.O_CLOEXEC))
                head = _lifted(stack, self._headers(letter))
                mailer = self._start_mailer(stack, letter, reading)
                returns = "drop" if self._config.dialect == "cronie" else "keep"
                seconds = str(math.ceil(self._config.mail_time_limit) + 1)
                told = (str(letter.size), seconds, returns, "yes" if pruned else "no")
                try:
                    feeder = self._assistants.run(
                        "feeding", *told, descriptors=(head, given, writing), identity=self._identity
                    )
                except SpawnFailed:
                    # It would take what it got, nothing, for the letter.
                    _kill(mailer)
                    raise
            timers = (
                self._loop.after(SLOW, lambda: self._make_room(letter)),
                self._loop.after(self._config.mail_time_limit, lambda: self._give_up(delivery)),
            )
            delivery = _Delivery(letter, mailer or feeder, {mailer, feeder} - {0}, timers)
        for pid in delivery.pids:
            self._deliveries[pid] = delivery

    def _headers(self, letter: Letter) -> int:
        assert letter.to is not None
        fd = os.memfd_create("letter")
        with open(fd, "wb", closefd=False) as file:
            file.write(letters_rules.headers(letter.written, letter.to, self._rules))
        os.lseek(fd, 0, os.SEEK_SET)
        return fd

    def _start_mailer(self, stack: contextlib.ExitStack, letter: Letter, reading: int) -> int:
        assert letter.to is not None
        given: tuple[int, ...] = (reading, self._null, self._null)
        if self._way == "smtp":
            program = self._smarthost.program(letter.to)
            given = (reading, self._null, self._assistants.words)
            password = self._smarthost.password()
            if password is not None:
                given += (_lifted(stack, password),)
        else:
            words = self._config.mail_command or letters_rules.sendmail_arguments(
                self._config.sendmail, letter.to, self._config.dialect
            )
            program = replace(
                letter.program,
                path=os.fsencode(words[0]),
                arguments=tuple(os.fsencode(word) for word in words),
                directory_required=False,
            )
        with self._spawner.unhandled():
            return self._spawner.start(program, given)

    def _start_cmdout(self, letter: Letter, output: int) -> int:
        path = self._config.syslog or SYSLOG
        told = (str(letter.size), path, self._log.job_program, str(letter.pid), letter.user)
        return self._assistants.run("cmdout", *told, descriptors=(output,), identity=self._identity)

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
        if delivery.late:
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
            _kill(pid)


def _kill(pid: int) -> None:
    """End a process that we started, and all of its group, as far as we may."""
    for end in (os.kill, os.killpg):
        # Without privilege we may not end a setuid mailer, but the letter's other process.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)


def _lifted(stack: contextlib.ExitStack, fd: int) -> int:
    """Return `fd` under a number that no process gets it as; closed with `stack`."""
    try:
        lifted = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    finally:
        os.close(fd)
    stack.callback(os.close, lifted)
    return lifted
