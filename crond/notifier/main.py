"""The notifier's start: reads a batch of messages, has each sent within its time, and says what became of it.

The composition root of its process, which the launcher starts as whoever the messages belong to. Descriptor 3
holds the order, JSON; 4 takes the answers, a line of JSON each; 5 is the host's configuration of Apprise, if
the order says so. What is secret in the order gets into no argument, no answer and no word on stderr.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crond.model.orders import IN_HAND
from crond.notifier.limit import Limit
from crond.notifier.outcome import AGAIN, NEVER, UNSURE, Outcome, OutOfTime
from crond.notifier.text import Text

if TYPE_CHECKING:
    from crond.notifier.targets import Targets

_ORDER, _ANSWERS, _SYSTEM = 3, 4, 5
#: Bytes: what is read at most of the order, and of a configuration.
_LONGEST_ORDER, _LONGEST_SYSTEM = 32 * 1024 * 1024, 128 * 1024
#: Seconds that a message may take at most, whatever the order says; and a ping.
_LONGEST, _LONGEST_PING = 3600.0, 10.0
#: Jobs that start meanwhile go first: importing Apprise takes a third of a second of CPU.
_NICE = 10
#: Exit statuses. The launcher hung up, or the order makes no sense.
_OK, _UNHEARD, _RUBBISH = 0, 1, 2


class BadOrder(Exception):
    """The order makes no sense; the text says why, in words of our own."""


class Unheard(Exception):
    """Nobody reads the answers any more."""


@dataclass(frozen=True, slots=True)
class Order:
    """`limit` is seconds for each message; `system_config`: descriptor 5 is the host's configuration."""

    limit: float
    system_config: bool
    messages: list[dict[str, Any]]


def main(argument: str) -> int:
    """Deliver a batch; return the exit status. `argument` tells readers of a process list whose it is."""
    del argument
    with suppress(OSError), open("/proc/self/comm", "w", encoding="ascii") as comm:
        comm.write("crond-notifier")
    with suppress(OSError):
        os.nice(_NICE)
    be_silent()
    try:
        batch = Batch(read_order())
        batch.deliver()
    except BadOrder as error:
        sys.stderr.write(f"notifier: {error}\n")
        return _RUBBISH
    except Unheard:
        return _UNHEARD
    return _OK


def be_silent() -> None:
    """Let no library write to stderr: what it says may quote a URL."""
    logging.getLogger().addHandler(logging.NullHandler())
    logging.raiseExceptions = False
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda _what: None
    threading.excepthook = lambda _what: None


def read_order() -> Order:
    """Return the order from its descriptor. Raises BadOrder."""
    try:
        said = json.loads(_read(_ORDER, _LONGEST_ORDER))
    except OSError as error:
        raise BadOrder(f"no order can be read: {os.strerror(error.errno or 0)}") from None
    except (ValueError, RecursionError):
        raise BadOrder("the order is not JSON") from None
    if not isinstance(said, dict):
        raise BadOrder("the order is no object")
    limit, messages = said.get("limit"), said.get("messages")
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0 < limit <= _LONGEST:
        raise BadOrder("the order says no time limit")
    if not isinstance(messages, list) or not 0 < len(messages) <= IN_HAND:
        raise BadOrder("the order has no messages, or too many")
    if not all(isinstance(one, dict) and isinstance(one.get("delivery"), str) for one in messages):
        raise BadOrder("the order has something that is no message")
    return Order(float(limit), said.get("system_config") is True, messages)


class Batch:
    """Delivers the messages of `order`, one after the other."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._targets: Targets | None = None
        for fd in (_ORDER, _ANSWERS, _SYSTEM):
            # Some services of Apprise start a program.
            with suppress(OSError):
                os.set_inheritable(fd, False)

    def deliver(self) -> None:
        """Try each message and say so before, and after it what became of it. Raises Unheard."""
        for message in self._order.messages:
            delivery = message["delivery"]
            _answer({"delivery": delivery, "result": "trying"})
            found = self._try(message).bounded()
            answer = {"delivery": delivery, "result": found.result, "detail": found.detail}
            _answer({**answer, "done": list(found.done)})

    def _try(self, message: dict[str, Any]) -> Outcome:
        try:
            return self._delivered(message)
        except OutOfTime:
            # Of what goes out, targets tell themselves.
            return Outcome(AGAIN, "its time was over before anything was sent")
        except Exception as error:  # noqa: BLE001 - the rest of the batch is to go out; its text may be secret
            return Outcome(UNSURE, f"{type(error).__name__} in the notifier")

    def _delivered(self, said: dict[str, Any]) -> Outcome:
        try:
            kind, target = said["kind"], str(said["target"])
            done = [str(digest) for digest in said.get("done", ())]
            text = Text.of(said)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return Outcome(NEVER, "the message makes no sense to the notifier")
        if kind == "ping":
            from crond.notifier.pings import ping

            return ping(target, text, Limit(min(self._order.limit, _LONGEST_PING)))
        if kind not in ("apprise", "tag"):
            return Outcome(NEVER, "the notifier knows no such kind of target")
        try:
            targets = self._apprise()
        except ImportError:
            return Outcome(AGAIN, f"Apprise is not installed; pip install apprise into {sys.prefix}")
        limit = Limit(self._order.limit)
        if kind == "tag":
            return targets.send_to_tag(target, text, limit, done)
        return targets.send_to_url(target, text, limit)

    def _apprise(self) -> Targets:
        if self._targets is None:
            from crond.notifier.targets import Targets

            system = None
            if self._order.system_config:
                with suppress(OSError):
                    system = _read(_SYSTEM, _LONGEST_SYSTEM).decode("utf-8", "replace")
                system = system or ""
            self._targets = Targets(system)
        return self._targets


def _read(fd: int, longest: int) -> bytes:
    """Return what is in the file `fd`, from its beginning. Raises OSError."""
    with suppress(OSError):
        os.lseek(fd, 0, os.SEEK_SET)
    with open(fd, "rb", closefd=False) as file:
        return file.read(longest)


def _answer(line: dict[str, Any]) -> None:
    rest = json.dumps(line, separators=(",", ":")).encode() + b"\n"
    try:
        while rest:
            rest = rest[os.write(_ANSWERS, rest) :]
    except OSError:
        raise Unheard from None
