"""Messages that somebody sends to try out who would be told, before anything fails.

Owns who may try what, how much of it, and the answers to the client. The way is that of every message, but
for the recorder's outbox: each is tried once, now. Called by clients, which hand the connection over.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crond.launcher.deliveries import Delivery
from crond.launcher.targets import HOST, Kind, Owner, Target, target_of
from crond.model.alert import target_digest
from crond.model.codec import encode
from crond.model.frames import frame
from crond.model.message import Message
from crond.model.messages import Answer
from crond.model.orders import Notified

if TYPE_CHECKING:
    from crond.launcher.parts import Parts
    from crond.launcher.senders import Senders
    from crond.launcher.sending import Sending
    from crond.launcher.targets import Targets
    from crond.link import Peer

#: Targets of one trial, and trials at once.
_TARGETS, _MOST = 16, 8


class NotTried(Exception):
    """A trial that is not made; `code` is one of the words that clients know."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(slots=True)
class _Trial:
    """One trial. `uid` asked for it, on `sock`; so many are `open`."""

    uid: int
    sock: socket.socket
    open: int


class Trials:
    """Sends test messages."""

    def __init__(self, parts: Parts, *, targets: Targets, senders: Senders, sending: Sending) -> None:
        self._config = parts.config
        self._targets = targets
        self._senders = senders
        self._sending = sending
        self._accounts = parts.accounts
        self._own = parts.own
        self._trials: list[_Trial] = []

    def serve(self, sock: socket.socket, peer: Peer, arguments: dict[str, str]) -> None:
        """Try what `peer` asks for and answer on a copy of `sock`: once for each target. Raises NotTried."""
        owner = self._owner(peer, arguments)
        found = self._wanted(owner, arguments.get("target", ""))
        sender = self._senders.of(owner)
        if sender is None:
            raise NotTried("no_user", f"there is no account {owner.name}")
        if len(found) > _TARGETS:
            raise NotTried("bad_request", f"{len(found)} targets: at most {_TARGETS} are tried at once")
        if any(trial.uid == peer.uid for trial in self._trials) or len(self._trials) >= _MOST:
            raise NotTried("busy", "test messages are being sent already; try again in a moment")
        trial = _Trial(peer.uid, sock.dup(), len(found))
        trial.sock.setblocking(False)
        self._trials.append(trial)
        if not found:
            _say(trial, {}, final=True)
            self._end(trial)
        for target in found:
            key = f"test.{os.urandom(8).hex()}"
            delivery = Delivery(
                name=key,
                target=target,
                message=_message(key, target, owner),
                sender=sender,
                told=self._teller(trial, target),
            )
            self._sending.send(delivery)

    def _owner(self, peer: Peer, arguments: dict[str, str]) -> Owner:
        """Return whose targets are meant. Raises NotTried."""
        name, host = arguments.get("user", ""), arguments.get("host") == "yes"
        if self._config.mode == "files":
            if peer.uid not in (0, self._own.uid) or name not in ("", self._own.name):
                raise NotTried("permission", f"this crond runs jobs of {self._own.name} alone")
            return HOST if host else Owner(self._own.name, self._own.uid, self._own.uid == 0)
        if peer.uid not in (0, os.geteuid()):
            if host:
                raise NotTried("permission", "must be privileged to try the host's targets")
            account = self._accounts.numbered(peer.uid)
            if account is None:
                raise NotTried("permission", f"no account has your uid, {peer.uid}")
            if name not in ("", account.name):
                raise NotTried("permission", "must be privileged to use -u")
        elif host:
            return HOST
        else:
            account = self._accounts.named(name) if name else self._own
            if account is None:
                raise NotTried("no_user", f"user '{name}' unknown")
        return Owner(account.name, account.uid, account.uid == 0)

    def _wanted(self, owner: Owner, text: str) -> list[Target]:
        """Return the targets that `text` means: a digest, a target as a crontab writes it, or "" for all."""
        named = self._targets.of_host() if owner == HOST else self._targets.of_user(owner.uid)
        if not text:
            return list(named.values())
        found = named.get(text) or named.get(target_digest(text))
        return [target_of(text) if found is None else found]

    def _teller(self, trial: _Trial, target: Target) -> Callable[[Notified], None]:
        def tell(told: Notified) -> None:
            trial.open -= 1
            body = {"target": target.label, "result": told.result, "detail": told.detail}
            _say(trial, body, final=not trial.open)
            if not trial.open:
                self._end(trial)

        return tell

    def _end(self, trial: _Trial) -> None:
        self._trials.remove(trial)
        trial.sock.close()


def _say(trial: _Trial, body: dict[str, str], *, final: bool) -> None:
    # Small answers into an empty socket: one that does not take them is not being read.
    with contextlib.suppress(OSError):
        trial.sock.send(frame(encode(Answer(ok=True, final=final, body=json.dumps(body)))))


def _message(key: str, target: Target, owner: Owner) -> str:
    if target.kind is Kind.PING:
        return Message(key=key, ping="success").to_json()
    host = os.uname().nodename
    when = time.strftime("%Y-%m-%d %H:%M:%S%z", time.localtime())
    return Message(
        key=key,
        title=f"[{host}] test message — crontabx",
        facts=(
            ("crontab of", owner.name or "the host's settings"),
            ("sent", when),
        ),
        why=f"Somebody tried out who is told: {target.label}",
    ).to_json()
