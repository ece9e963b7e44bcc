"""Gives the letter on standard input to an SMTP server: what the launcher runs where settings name a server.

Owns the talk with the server and which of its failures may pass. Runs without privilege; the password is read
from descriptor 3, and said to nobody but the server. Exit statuses are those of sendmail (sysexits.h).
"""

from __future__ import annotations

import json
import os
import re
import smtplib
import socket
import ssl
import sys
from dataclasses import dataclass
from email.utils import formatdate, make_msgid

_PASSWORD = 3
#: A longer letter is cut here (bytes): it is held in memory while it is sent.
_LONGEST = 32 * 1024 * 1024
_OK, _NO_USER, _UNAVAILABLE, _TEMPORARY, _NO_PERMISSION = 0, 67, 69, 75, 77


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Which server, how it is spoken to, and for whom the letter is. `user` "": without a login."""

    host: str
    port: int
    security: str  #: "none", "starttls" or "tls"
    user: str
    patience: float  #: seconds that the server may be silent
    sender: str
    recipients: list[str]


def main(order_json: str) -> int:
    """Send; return the exit status. What went wrong is said on stderr, in one line."""
    order = Order(**json.loads(order_json))
    password = _password() if order.user else ""
    letter = _letter(sys.stdin.buffer.read(_LONGEST + 1))
    try:
        return _send(order, password, letter)
    except smtplib.SMTPRecipientsRefused as refused:
        answers = list(refused.recipients.values())
        _say(order, "; ".join(f"{code} {_text(text)}" for code, text in answers))
        return _TEMPORARY if all(_may_pass(code) for code, _ in answers) else _NO_USER
    except smtplib.SMTPAuthenticationError as error:
        _say(order, f"{error.smtp_code} {_text(error.smtp_error)}")
        return _TEMPORARY if _may_pass(error.smtp_code) else _NO_PERMISSION
    except smtplib.SMTPResponseException as error:
        _say(order, f"{error.smtp_code} {_text(error.smtp_error)}")
        return _TEMPORARY if _may_pass(error.smtp_code) else _UNAVAILABLE
    except ssl.SSLCertVerificationError as error:
        _say(order, f"its certificate is not to be trusted: {error.verify_message}")
        return _UNAVAILABLE
    except (smtplib.SMTPNotSupportedError, ValueError) as error:
        _say(order, str(error))
        return _UNAVAILABLE
    except (smtplib.SMTPException, OSError) as error:
        _say(order, str(error))
        return _TEMPORARY


def _send(order: Order, password: str, letter: bytes) -> int:
    here = socket.getfqdn()
    context = ssl.create_default_context()
    server: smtplib.SMTP
    if order.security == "tls":
        server = smtplib.SMTP_SSL(order.host, order.port, here, timeout=order.patience, context=context)
    else:
        server = smtplib.SMTP(order.host, order.port, here, timeout=order.patience)
    with server:
        if order.security == "starttls":
            server.starttls(context=context)
        if order.user:
            server.login(order.user, password)
        server.ehlo_or_helo_if_needed()
        options = ["BODY=8BITMIME"] if server.has_extn("8bitmime") else []
        recipients = [_whole(one, here) for one in order.recipients]
        refused = server.sendmail(_whole(order.sender, here), recipients, letter, options)
    for recipient, (code, text) in refused.items():
        _say(order, f"{recipient}: {code} {_text(text)}")
    return _OK


def _letter(text: bytes) -> bytes:
    """Return the letter with what a mail command would add to it."""
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + b"\n[... the rest left out ...]\n"
    # smtplib leaves the line ends of bytes as they are, and a server takes no other.
    text = re.sub(rb"\r\n|\r|\n", b"\r\n", text)
    head = text.partition(b"\r\n\r\n")[0].lower()
    added = f"Date: {formatdate(localtime=True)}\r\n"
    if not re.search(rb"^message-id:", head, re.MULTILINE):
        # An alert has one of its own, by which its receiver knows it again.
        added += f"Message-ID: {make_msgid(domain=socket.getfqdn())}\r\n"
    return added.encode("ascii", "replace") + text


def _whole(address: str, here: str) -> str:
    """A server knows no accounts of this host."""
    return address if "@" in address else f"{address}@{here}"


def _may_pass(code: int) -> bool:
    return 400 <= code < 500


def _password() -> str:
    with open(_PASSWORD, "rb") as file:
        return os.fsdecode(file.read(4096).partition(b"\n")[0].removesuffix(b"\r"))


def _text(answer: bytes | str) -> str:
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer


def _say(order: Order, text: str) -> None:
    sys.stderr.write(f"{order.host}:{order.port}: {' '.join(text.split())}\n")
