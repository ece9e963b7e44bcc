"""Writing a message to somebody as a letter into a mail command: a program of its own, without privilege.

It is the one place on our side where the recorder's message is read, so that no process with privilege does.
Gets descriptors alone: 0 the order, JSON; 3 the mail command's standard input. Started by post.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import os
import re
import signal
from collections.abc import Mapping

from crond.launcher.kernel import name_process
from crond.model.message import Message
from crond.model.plain import one_line, plain, shown

_ORDER, _MAILER = 0, 3
#: Bytes of a title in one encoded word, and characters of one at most.
_WORD, _LONGEST_TITLE = 42, 200


def main(seconds: str) -> int:
    """Write the letter, in whole `seconds` at most. A mailer that reads no more is the mailer's business."""
    name_process("crond-mail")
    # A launcher that died can no longer end us, and a mailer that hangs would keep us for good.
    signal.alarm(int(seconds))
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with open(_ORDER, "rb") as file:
        order = json.loads(file.read())
    view = memoryview(letter(order))
    try:
        while view:
            view = view[os.write(_MAILER, view) :]
    except BrokenPipeError:
        pass
    return 0


def letter(order: Mapping[str, str]) -> bytes:
    """Return the letter that `order` asks for: `from`, `to`, `host`, `message`, `tail`, `left_out`."""
    message = _message(order["message"])
    left_out = int(order["left_out"])
    body = plain(message, shown(order["tail"].encode("latin-1"), left_out), left_out)
    key = re.sub(r"[^A-Za-z0-9.-]", "", message.key)
    whose = hashlib.blake2s(order["to"].encode("utf-8", "replace"), digest_size=4).hexdigest()
    lines = [
        f"From: {order['from']}",
        f"To: {order['to']}",
        f"Subject: {_encoded(one_line(message.title)[:_LONGEST_TITLE])}",
        f"Message-ID: <crontabx.{key}.{whose}@{order['host']}>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=UTF-8",
        "Content-Transfer-Encoding: 8bit",
        "Auto-Submitted: auto-generated",
        "Precedence: bulk",
    ]
    # No line break in a value may begin a header of its own.
    head = "".join(f"{' '.join(line.split())}\n" for line in lines)
    return f"{head}\n{body}\n".encode("utf-8", "replace")


def _message(text: str) -> Message:
    try:
        return Message.from_json(text)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        # The mail command has begun, and would send nothing at all.
        return Message(key="unreadable", title="crontabx: a message that cannot be read")


def _encoded(title: str) -> str:
    """Return `title` as a header may say it (RFC 2047), in words that end with a character each."""
    if title.isascii():
        return title
    words, word = [], b""
    for character in title:
        data = character.encode("utf-8", "replace")
        if len(word) + len(data) > _WORD:
            words.append(word)
            word = b""
        word += data
    coded = (binascii.b2a_base64(each, newline=False).decode("ascii") for each in (*words, word))
    return " ".join(f"=?utf-8?b?{each}?=" for each in coded)
