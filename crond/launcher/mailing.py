"""The processes of one letter: the mail command, as the job's user, and one of ours that writes into it.

Owns which descriptors they get, and that the one which writes has no privilege: no more than the job's user,
for a job with secrets, since it must read these to mask them. When one is started, and what its end means, is
post's.
"""

from __future__ import annotations

import contextlib
import math
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from crond.launcher import letter as letters_rules
from crond.launcher.config import SYSLOG
from crond.launcher.masking import order_of
from crond.launcher.smarthost import Smarthost
from crond.launcher.spawn import holding, kill_tree, lifted

if TYPE_CHECKING:
    from crond.launcher.assistants import Assistants
    from crond.launcher.config import Config
    from crond.launcher.letter import Rules
    from crond.launcher.letters import Letter
    from crond.launcher.outputs import Outputs
    from crond.launcher.spawn import Identity, Spawner


class Mailing:
    """Starts them. `identity` is that of our own ones without privilege, None: they are as we are.

    `job_program` is what syslog knows jobs' lines by.
    """

    def __init__(
        self,
        config: Config,
        rules: Rules,
        *,
        identity: Identity | None,
        job_program: str,
        outputs: Outputs,
        assistants: Assistants,
        spawner: Spawner,
    ) -> None:
        self._config = config
        self._rules = rules
        self._identity = identity
        self._job_program = job_program
        self._outputs = outputs
        self._assistants = assistants
        self._spawner = spawner
        self._smarthost = Smarthost(config, identity)
        self._seconds = str(math.ceil(config.mail_time_limit) + 1)
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)

    def start(self, letter: Letter) -> tuple[int, int]:
        """Return the pids of the mail command (0: of none, it goes to syslog) and of what writes into it.

        Raises SpawnFailed, OSError; then there are none.
        """
        with contextlib.ExitStack() as stack:
            if letter.to is None:
                return 0, self._start_cmdout(letter, self._output(stack, letter)[0])
            reading, writing = (lifted(stack, fd) for fd in os.pipe2(os.O_CLOEXEC))
            start = self._start_feeder if letter.alert is None else self._start_lettering
            mailer = self._start_mailer(stack, letter, reading)
            try:
                return mailer, start(stack, letter, writing)
            except BaseException:
                # It would take what it got, nothing, for the letter.
                kill_tree(mailer)
                raise

    def _output(self, stack: contextlib.ExitStack, letter: Letter) -> tuple[int, bool]:
        """Return a descriptor of the output, and whether that is gone. Raises OSError."""
        output = self._outputs.open(letter.uid, letter.key)
        found = lifted(stack, os.dup(self._null) if output is None else output)
        return found, output is None and letter.size > 0

    def _start_feeder(self, stack: contextlib.ExitStack, letter: Letter, writing: int) -> int:
        """Start what writes an output. Raises SpawnFailed, OSError."""
        assert letter.to is not None
        output, pruned = self._output(stack, letter)
        head = holding(stack, letters_rules.headers(letter.written, letter.to, self._rules))
        returns = "drop" if self._config.dialect == "cronie" else "keep"
        told = [
            str(letter.size),
            self._seconds,
            returns,
            *("yes" if told else "no" for told in (pruned, letter.secrets)),
        ]
        given, identity = [head, output, writing], self._identity
        if letter.secrets:
            # Whose they are: it reads them. A job got what is in our environment, so it may be read here.
            given.append(holding(stack, order_of(letter.secrets, os.environ)))
            identity = letter.program.identity
        return self._assistants.run(
            "feeding", *told, descriptors=given, identity=identity, heard=not letter.secrets
        )

    def _start_lettering(self, stack: contextlib.ExitStack, letter: Letter, writing: int) -> int:
        """Start what writes a message. Raises SpawnFailed, OSError."""
        order = holding(stack, letter.alert or b"")
        return self._assistants.run(
            "lettering", self._seconds, descriptors=(order, writing), identity=self._identity
        )

    def _start_mailer(self, stack: contextlib.ExitStack, letter: Letter, reading: int) -> int:
        assert letter.to is not None
        given: tuple[int, ...] = (reading, self._null, self._null)
        if self._config.mail == "smtp":
            program = self._smarthost.program(letter.to)
            given = (reading, self._null, self._assistants.words)
            password = self._smarthost.password()
            if password is not None:
                given += (lifted(stack, password),)
        else:
            # A message is for its address alone: no header is to say who gets it.
            dialect = self._config.dialect if letter.alert is None else "debian"
            words = self._config.mail_command or letters_rules.sendmail_arguments(
                self._config.sendmail, letter.to, dialect
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
        told = (str(letter.size), path, self._job_program, str(letter.pid), letter.user)
        return self._assistants.run("cmdout", *told, descriptors=(output,), identity=self._identity)
