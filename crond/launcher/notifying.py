"""What the recorder wants told: from its Notify to the word of what became of it, until that is noted.

Owns what is in hand. Believes the recorder nothing: a target is one that our own parse of that crontab names,
an output one of its owner's. Called by the recorder's wire; put together by alerts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crond.launcher.deliveries import Delivery, Tail
from crond.model.messages import Heartbeat, News
from crond.model.orders import IN_HAND, InHand, Noted, Notified, Notify

if TYPE_CHECKING:
    from crond.launcher.attempts import Attempts
    from crond.launcher.loop import Loop
    from crond.launcher.senders import Senders
    from crond.launcher.sending import Sending
    from crond.launcher.tails import Tails
    from crond.launcher.targets import Targets
    from crond.launcher.worker import Worker
    from crond.model.messages import Pairs

#: Seconds in which news counts as one.
_TOGETHER = 0.01
_GONE = "its crontab does not name this target any longer"


class Notifying:
    """Serves `recorder`."""

    def __init__(
        self,
        recorder: Worker,
        *,
        attempts: Attempts,
        targets: Targets,
        senders: Senders,
        tails: Tails,
        sending: Sending,
        loop: Loop,
    ) -> None:
        self._recorder = recorder
        self._attempts = attempts
        self._targets = targets
        self._senders = senders
        self._tails = tails
        self._sending = sending
        self._loop = loop
        self._under_way: set[str] = set()
        self._told: dict[str, Notified] = {}
        self._has_news = False

    @property
    def busy(self) -> bool:
        """True while the recorder is to hear, or to note, what became of something."""
        return bool(self._under_way or self._told)

    def greet(self) -> None:
        """Say to a new life of the recorder what is in hand, and what became of what it has not noted."""
        self._recorder.send(InHand((*self._under_way, *self._told)))
        for told in self._told.values():
            self._recorder.send(told)

    def news(self, _wish: News) -> None:
        """Have the recorder look at the journal; once for all that comes together, as nothing bounds that."""
        if not self._has_news:
            self._has_news = True
            self._loop.after(_TOGETHER, self._pass_on)

    def _pass_on(self) -> None:
        self._has_news = False
        self._recorder.send(News())

    def handle(self, orders: list[Any]) -> None:
        """Do what `orders` ask."""
        for order in orders:
            match order:
                case Notify():
                    if len(self._under_way) + len(self._told) >= IN_HAND:
                        self._recorder.kill(f"wants more than {IN_HAND} deliveries at once")
                        return
                    self._loop.guard(self._take, order)
                case Noted(delivery=name):
                    self._told.pop(name, None)
                case Heartbeat():  # that it came was its message
                    pass

    def _take(self, asked: Notify) -> None:
        name = asked.delivery
        if name in self._under_way:
            return
        if name in self._told:
            self._recorder.send(self._told[name])
            return
        self._under_way.add(name)
        try:
            self._deliver(asked)
        except BaseException:
            # It comes again, and this must not be in hand for ever.
            self._end(Notified(name, "again", "an error of crond itself"))
            raise

    def _deliver(self, asked: Notify) -> None:
        owner = self._targets.owner(asked.origin)
        named = self._targets.named(asked.origin)
        target = None if owner is None else named.targets.get(asked.target)
        if owner is None or target is None:
            self._end(Notified(asked.delivery, "gone", _GONE))
            return
        sender = self._senders.of(owner)
        if sender is None:
            self._end(Notified(asked.delivery, "again", f"there is no account {owner.name}"))
            return
        delivery = Delivery(
            name=asked.delivery,
            target=target,
            message=asked.message,
            sender=sender,
            told=self._end,
            done=asked.done,
        )

        def send(tail: Tail) -> None:
            delivery.tail = tail
            self._sending.send(delivery)

        self._tails.take(owner, asked.attempt, self._secrets_of(asked.attempt, named.secrets), send)

    def _secrets_of(self, key: str, secrets: Pairs) -> Pairs:
        """Return `secrets`, of a crontab as it is now, with those that the attempt `key` was given: its line
        may have been edited meanwhile.
        """
        attempt = self._attempts.get(key)
        given = () if attempt is None else attempt.policy.secret_env
        return tuple(dict.fromkeys((*secrets, *given)))

    def _end(self, told: Notified) -> None:
        if told.delivery in self._under_way:
            self._under_way.discard(told.delivery)
            self._told[told.delivery] = told
            self._recorder.send(told)
