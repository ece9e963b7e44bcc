"""What is concerned with ends, put together: of attempts, whose outputs are bounded, mailed and told of, and
of the daemon.

Owns the order in which these parts are made and hear of an end. Called by main.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from crond.launcher.alerts import Alerts
from crond.launcher.assistants import Assistants
from crond.launcher.bounding import Bounding
from crond.launcher.clients import Clients
from crond.launcher.closing import Closing
from crond.launcher.echo import Echo
from crond.launcher.editing import Editing
from crond.launcher.listening import listen
from crond.launcher.post import Post
from crond.launcher.retiring import Retiring
from crond.launcher.spawn import Identity
from crond.launcher.start import mail_rules
from crond.launcher.stopping import Stopping
from crond.launcher.surroundings import Surroundings
from crond.launcher.sweeps import Sweeps

if TYPE_CHECKING:
    from crond.launcher.accounts import Account
    from crond.launcher.attempts import Attempt
    from crond.launcher.launcher import Launcher
    from crond.launcher.log import Ending
    from crond.launcher.notify import Supervisor
    from crond.launcher.outlet import Outlet
    from crond.launcher.parts import Parts
    from crond.launcher.worker import Worker

#: Seconds that letters which wait at the end may take.
_LAST_LETTERS = 5.0
#: The group of no account. What has a letter, a message or the server's password in hand has the account's
#: uid and this group, for which the kernel lets the account's other programs, scheduler and recorder, not
#: look into it.
_APART = 65534


class Ends:
    """The parts. `account` is the daemon's own, `lines` where lines about starts and ends go, `look` is
    called when a crontab was changed. `workers` are the scheduler and, if there is one, the recorder.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        account: Account | None,
        launcher: Launcher,
        workers: tuple[Worker, Worker | None],
        supervisor: Supervisor,
        lines: Outlet | None,
        look: Callable[[], None],
    ) -> None:
        self._parts = parts
        self._log = parts.log
        self._launcher = launcher
        self.closing = self._make_closing(workers, supervisor)
        self._make_senders(workers, None if account is None else Identity(account.uid, _APART, ()))
        self.bounding = Bounding(
            parts.config.max_size,
            loop=parts.loop,
            log=parts.log,
            outputs=parts.outputs,
            assistants=self._assistants("outputs"),
        )
        launcher.on_started.append(self.bounding.started)
        self._echo: Echo | None = None
        if parts.config.echo and lines is not None:
            self._echo = Echo(loop=parts.loop, log=parts.log, outlet=lines, outputs=parts.outputs)
            launcher.on_started.append(self._echo.started)
        launcher.on_ended += [
            self.bounding.ended,
            self._make_clients(look).ended,
            self._show,
            lambda _attempt, _ending: self.closing.look(),
        ]

    def _assistants(self, name: str) -> Assistants:
        parts = self._parts
        return Assistants(
            parts.config.package, loop=parts.loop, log=parts.log, spawner=parts.spawner, name=name
        )

    def _make_closing(self, workers: tuple[Worker, Worker | None], supervisor: Supervisor) -> Closing:
        config, loop, log = self._parts.config, self._parts.loop, self._parts.log
        stopping = Stopping(loop=loop, log=log, kill_timeout=config.kill_timeout)
        closing = Closing(
            loop=loop,
            log=log,
            launcher=self._launcher,
            stopping=stopping,
            workers=[worker for worker in workers if worker is not None],
            supervisor=supervisor,
            drains=config.mode == "files" or os.getpid() == 1,
            grace=config.shutdown_grace,
        )
        stopping.on_done = closing.look
        self._launcher.on_stop = stopping.stop
        return closing

    def _make_senders(self, workers: tuple[Worker, Worker | None], apart: Identity | None) -> None:
        parts = self._parts
        self.post = Post(
            parts.config,
            mail_rules(parts.config),
            identity=apart,
            loop=parts.loop,
            log=parts.log,
            outputs=parts.outputs,
            assistants=self._assistants("mail"),
            spawner=parts.spawner,
        )
        self._launcher.on_mail = self.post.post
        self.alerts = Alerts(parts, launcher=self._launcher, post=self.post, apart=apart, workers=workers)
        self.closing.is_told = lambda: self.alerts.busy

    def _make_clients(self, look: Callable[[], None]) -> Clients:
        parts, config, loop, log = self._parts, self._parts.config, self._parts.loop, self._parts.log
        editing = Editing(config, loop=loop, log=log, look=look)
        retiring = Retiring(config, spool=parts.spool, editing=editing, loop=loop, log=log)
        self._launcher.on_retire = retiring.retire
        return Clients(
            listen(config.run, "launcher.sock"),
            parts,
            attempts=self._launcher.attempts,
            editing=editing,
            sweeps=Sweeps(config, loop=loop, log=log, assistants=self._assistants("outputs")),
            surroundings=Surroundings(parts.spool, parts.programs, open_files=parts.open_files),
            trials=self.alerts.trials,
        )

    @property
    def echoes(self) -> bool:
        """True while output is still to be repeated."""
        return self._echo is not None and self._echo.busy

    def reaped(self, pid: int, status: int) -> bool:
        """Take note of the end of process `pid`; True if it was one that sends something."""
        return self.post.reaped(pid, status) or self.alerts.reaped(pid, status)

    def send_last_letters(self) -> None:
        """Give letters that wait when the daemon ends some time."""
        self.alerts.close()
        post, until = self.post, time.monotonic() + _LAST_LETTERS
        self._parts.loop.run_until(lambda: not post.busy and not post.waiting, until)
        if post.waiting:
            self._log.error(f"{post.waiting} letters were not sent; their outputs are kept")

    def _show(self, attempt: Attempt, ending: Ending) -> None:
        def end() -> None:
            if attempt.logged:
                self._log.ended(attempt.job, attempt.key, ending)

        if self._echo is not None:
            self._echo.ended(attempt, end)
        else:
            end()
