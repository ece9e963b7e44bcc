"""A mail server for tests: loopback, a port of its own, each letter kept, and faults on demand.

    with SmtpReceiver() as receiver:
        receiver.at["RCPT"] = "450 later"    # or MAIL, DATA (after the letter); a reply, HANG or DROP
        ... f"mailto://{receiver.address}?from=a@example.org&to=b@example.org" ...
        letter = receiver.wait_for(1)[0]

A letter is kept when it was read whole, whatever is said then. `at["CONNECT"] = DROP` closes at once.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

HANG, DROP = "hang", "drop"


@dataclass(frozen=True)
class Letter:
    sender: str
    recipients: list[str]
    message: EmailMessage
    raw: bytes


class SmtpReceiver:
    """Listens from when it is made until `close`."""

    def __init__(self) -> None:
        self.at: dict[str, str] = {}
        self.letters: list[Letter] = []
        self._changed = threading.Condition()
        self._controller = _Controller(self)
        self._controller.start()
        self.port: int = self._controller.port
        self.address = f"127.0.0.1:{self.port}"

    def wait_for(self, count: int, timeout: float = 10.0) -> list[Letter]:
        """Return the letters when there are `count`; fails if there are not in `timeout` seconds."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.letters) >= count, timeout), self.letters
            return list(self.letters)

    def close(self) -> None:
        self._controller.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def said(self, stage: str, server: SMTP, otherwise: str) -> str:
        told = self.at.get(stage, otherwise)
        if told == HANG:
            await asyncio.sleep(3600)
        if told == DROP:
            transport: Any = server.transport
            transport.abort()
            return "421 gone"
        return told

    async def handle_MAIL(  # noqa: N802 - the name is aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        told = await self.said("MAIL", server, "")
        if not told:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return told or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        told = await self.said("RCPT", server, "")
        if not told:
            envelope.rcpt_tos.append(address)
        return told or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        raw = envelope.original_content or b""
        message: Any = message_from_bytes(raw, policy=policy.default)
        with self._changed:
            self.letters.append(Letter(envelope.mail_from or "", list(envelope.rcpt_tos), message, raw))
            self._changed.notify_all()
        return await self.said("DATA", server, "250 OK")


class _Server(SMTP):
    def connection_made(self, transport: Any) -> None:
        if self.event_handler.at.get("CONNECT") == DROP:
            transport.abort()
            return
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is not None:
            super().connection_lost(error)


class _Controller(Controller):
    def __init__(self, receiver: SmtpReceiver) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        super().__init__(receiver, hostname="127.0.0.1", port=port)

    def factory(self) -> SMTP:
        return _Server(self.handler, hostname="receiver.example.org")
