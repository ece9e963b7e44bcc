"""What sends messages, put together: who is told, as whom, by which process, and who asks for it.

Owns the order in which these parts are made, and nothing of what they do. Called by ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crond.launcher.assistants import Assistants
from crond.launcher.beats import Beats
from crond.launcher.notifiers import Notifiers
from crond.launcher.notifying import Notifying
from crond.launcher.senders import Senders
from crond.launcher.sending import Sending
from crond.launcher.tails import Tails
from crond.launcher.targets import HOST, Targets
from crond.launcher.trials import Trials

if TYPE_CHECKING:
    from crond.launcher.launcher import Launcher
    from crond.launcher.parts import Parts
    from crond.launcher.post import Post
    from crond.launcher.spawn import Identity
    from crond.launcher.worker import Worker


class Alerts:
    """All of it. `apart` is the identity of the daemon's account for what speaks to a network; `workers` are
    the scheduler and, if there is one, the recorder.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        launcher: Launcher,
        post: Post,
        apart: Identity | None,
        workers: tuple[Worker, Worker | None],
    ) -> None:
        scheduler, recorder = workers
        config, loop, log, spawner = parts.config, parts.loop, parts.log, parts.spawner
        accounts, own = parts.accounts, parts.own
        targets = Targets(config, spool=parts.spool, tables=parts.programs.tables, accounts=accounts, own=own)
        senders = Senders(config, accounts=accounts, own=own, apart=apart)
        self._notifiers = Notifiers(config, loop=loop, log=log, spawner=spawner)
        self._sending = Sending(config, loop=loop, notifiers=self._notifiers, post=post, senders=senders)
        self._tails = Tails(
            parts, Assistants(config.package, loop=loop, log=log, spawner=spawner, name="alerts")
        )
        self.trials = Trials(parts, targets=targets, senders=senders, sending=self._sending)
        self._notifying: Notifying | None = None
        if recorder is not None:
            self._notifying = Notifying(
                recorder,
                attempts=launcher.attempts,
                targets=targets,
                senders=senders,
                tails=self._tails,
                sending=self._sending,
                loop=loop,
            )
            recorder.greet = self._notifying.greet
            recorder.handle = self._notifying.handle
            launcher.on_news = self._notifying.news
        sender = senders.of(HOST)
        if config.heartbeat and sender is not None:
            Beats(parts, self._notifiers, sender, is_well=lambda: scheduler.well)

    @property
    def busy(self) -> bool:
        """True while the recorder is to hear what became of something."""
        return self._notifying is not None and self._notifying.busy

    def reaped(self, pid: int, status: int) -> bool:
        """Take note of the end of process `pid`; True if it was one of these."""
        return self._notifiers.reaped(pid, status) or self._tails.reaped(pid)

    def close(self) -> None:
        """Begin nothing more."""
        self._sending.closing = True
