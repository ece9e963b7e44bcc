"""What crosses the wire between recorder and launcher: what is to be told to whom, and what became of it.

The list is closed, as that of `crond.model.messages`; how the values become bytes is `crond.model.codec`'s.
Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from crond.model.messages import Heartbeat, News


@dataclass(frozen=True, slots=True)
class Notify:
    """Deliver `message` to the target with the digest `target`, if the crontab at `origin` names it ("": if
    the host's settings do).

    `delivery` names this try. The URL, the account and the time limit come from the launcher's own parse.
    `attempt` is the key of the attempt whose output is shown, "": of none. `message` is that of
    `crond.model.message`, as JSON. `done` are digests of those parts of the target that have it already.
    """

    delivery: str
    origin: str
    target: str
    attempt: str
    message: str
    done: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Noted:
    """What became of `delivery` is kept: the launcher need not say it again."""

    delivery: str


@dataclass(frozen=True, slots=True)
class InHand:
    """The first message to each life of the recorder: the deliveries whose end will be told. What else it
    asked for before never reached the launcher, or was in the hands of an earlier one.
    """

    deliveries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Notified:
    """What became of `delivery`: one of DELIVERIES, and `detail` in words. Resent until it is noted.

    `done` are digests of the parts of the target that have the message.
    """

    delivery: str
    result: str
    detail: str = ""
    done: tuple[str, ...] = ()


#: What becomes of a delivery. `sent`: the receiver took it. `again`: it surely did not, and may later.
#: `unsure`: it was given to a receiver that said nothing. `never`: it will not, by what it said. `gone`: no
#: such target is named any longer.
DELIVERIES = frozenset(("sent", "again", "unsure", "never", "gone"))
#: The longest message, and the most deliveries that may be in hand.
MESSAGE_LIMIT, IN_HAND = 32 * 1024, 256

Order: TypeAlias = Notify | Noted | Heartbeat
Report: TypeAlias = InHand | Notified | News

#: What the recorder may say to the launcher, and the launcher to it.
ORDERS: tuple[type[Any], ...] = (Notify, Noted, Heartbeat)
REPORTS: tuple[type[Any], ...] = (InHand, Notified, News)
