"""Sending messages to targets, whoever asks for it: which way each goes, and one result for each.

Owns the turn of each delivery and its way: mail by post, the rest by a notifier of the crontab's owner, and
where that knows no such tag by one of the daemon's account. Reads no message. Called by notifying and trials.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from crond.launcher.deliveries import Deliveries, Delivery
from crond.launcher.notifiers import ELSEWHERE
from crond.launcher.senders import Allowance
from crond.launcher.spawn import Program, SpawnFailed
from crond.launcher.targets import Kind
from crond.model.orders import Notified

if TYPE_CHECKING:
    from crond.launcher.config import Config
    from crond.launcher.loop import Loop
    from crond.launcher.notifiers import Notifiers
    from crond.launcher.post import Post
    from crond.launcher.senders import Sender, Senders


class Sending:
    """Sends. `closing`: nothing more is begun, since nobody would hear what became of it."""

    def __init__(
        self, config: Config, *, loop: Loop, notifiers: Notifiers, post: Post, senders: Senders
    ) -> None:
        self._loop = loop
        self._notifiers = notifiers
        self._post = post
        self._senders = senders
        self._deliveries = Deliveries(config.message_time_limit)
        self._allowance = Allowance(config.messages_per_hour)
        self.closing = False

    def send(self, delivery: Delivery) -> None:
        """Send `delivery` when it is its turn, once; its `told` hears what became of it."""
        if delivery.target.kind is Kind.MAIL:
            self._mail(delivery)
        else:
            self._deliveries.add(delivery)
            # Many that come together become one batch.
            self._loop.after(0.0, self._go)

    def _go(self) -> None:
        while not self.closing and (batch := self._deliveries.take()):
            self._begin(batch)

    def _begin(self, batch: list[Delivery]) -> None:
        sender = batch[0].sender
        by_name = {delivery.name: delivery for delivery in batch}
        try:
            self._notifiers.start(
                sender,
                batch,
                told=lambda answer: self._answered(by_name[answer.delivery], answer),
                ended=lambda: self._ended(sender),
            )
        except (SpawnFailed, OSError) as error:
            self._deliveries.returned(sender)
            for delivery in batch:
                delivery.told(Notified(delivery.name, "again", f"no notifier can be started: {error}"))

    def _ended(self, sender: Sender) -> None:
        self._deliveries.returned(sender)
        self._go()

    def _answered(self, delivery: Delivery, answer: Notified) -> None:
        if answer.result == ELSEWHERE:
            self._send_elsewhere(delivery, answer.detail)
        else:
            delivery.told(answer)

    def _send_elsewhere(self, delivery: Delivery, detail: str) -> None:
        """Send to a tag that is not in the user's configuration by the host's."""
        sender = self._senders.elsewhere(delivery.sender)
        if sender is None or delivery.target.kind is not Kind.TAG:
            delivery.told(Notified(delivery.name, "never", detail or "no such tag"))
        elif not self._allowance.take(sender.user):
            detail = f"more than {self._allowance.most} messages in an hour by the host's configuration"
            delivery.told(Notified(delivery.name, "again", detail))
        else:
            self._deliveries.add(replace(delivery, sender=sender))
            self._loop.after(0.0, self._go)

    def _mail(self, delivery: Delivery) -> None:
        sender = delivery.sender
        user = sender.account or "root"
        environment = {"HOME": sender.home, "PATH": "/usr/bin:/bin", "LOGNAME": user, "USER": user}
        program = Program(
            path=b"",
            arguments=(),
            environment={os.fsencode(name): os.fsencode(value) for name, value in environment.items()},
            # Root's letters are root's, as cron's are; what speaks to a server is not (see smarthost).
            identity=sender.identity if sender.account else None,
            directory=os.fsencode(sender.home),
        )
        alert = {
            "message": delivery.message,
            "tail": delivery.tail.data.decode("latin-1"),
            "left_out": delivery.tail.left_out,
        }
        self._post.tell(
            delivery.target.text,
            alert,
            user,
            program,
            lambda result, detail: delivery.told(Notified(delivery.name, result, detail)),
        )
