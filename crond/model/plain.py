"""The words of a message in plain text, and what is done to the end of a job's output before it is shown.

Knows no service. The notifier has other forms, too; mail of cron's own mailer takes this one. Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crond.model.message import Message

#: What a terminal would act on: colours, cursor movements, titles.
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
#: Controls but tab and line feed.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
#: These turn the direction of text, so that it reads as what it is not.
_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
#: What services take for a call: `<!channel>`, `<@U123>` (Slack), `@everyone` (Discord), `@room` (Matrix).
_CALL = re.compile(r"<(?=[!@])|(?<!\w)@(?=(?:everyone|here|channel|all|room)\b)", re.IGNORECASE)
#: Is not seen, and makes of a call a text about one.
_NOTHING = "\N{ZERO WIDTH SPACE}"


def plain(message: Message, tail: str = "", left_out: int = 0) -> str:
    """Return the body of `message` as text.

    `tail` is the end of an output as `shown` returns it, `left_out` how many bytes of it stand before.
    """
    width = max((len(label) for label, _ in message.facts), default=0)
    facts = [f"{label + ':':<{width + 1}} {one_line(said)}" for label, said in message.facts]
    parts = ["\n".join(facts), "\n".join(f"- {one_line(line)}" for line in message.lines)]
    if tail:
        parts.append(f"{heading(left_out)}\n\n" + "\n".join(f"    {line}" for line in tail.split("\n")))
    parts.append("\n".join(f"$ {one_line(command)}" for command in message.commands))
    parts.append("\n".join(filter(None, (one_line(message.link), one_line(message.why), key_line(message)))))
    return "\n\n".join(filter(None, parts))


def heading(left_out: int) -> str:
    """Return what stands above the end of an output."""
    return f"Output ({left_out} bytes left out before):" if left_out else "Output:"


def key_line(message: Message) -> str:
    """Return the last line, by which a reader can know what was said already."""
    return f"alert {message.key}"


def shown(tail: bytes, left_out: int = 0) -> str:
    """Return the end of an output so that it can be shown anywhere.

    What is not UTF-8 becomes U+FFFD, what a terminal or a reader's eye would be fooled by is left out or made
    visible. If something is `left_out` before, the first bytes may be the rest of a character.
    """
    if left_out:
        tail = re.sub(rb"\A[\x80-\xbf]{1,3}", b"", tail)
    text = tail.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return harmless(text).strip("\n")


def harmless(text: str) -> str:
    """Return `text` without what acts on a terminal, turns its direction or calls people."""
    text = _DIRECTION.sub("", _SEQUENCE.sub("", text))
    text = _CONTROL.sub(lambda found: _visible(found[0]), text)
    # JSON lets half a character pass, which no service can be given.
    text = text.encode("utf-8", "replace").decode("utf-8")
    return _CALL.sub(lambda found: found[0] + _NOTHING, text)


def one_line(text: str) -> str:
    """Return `text` harmless and without line breaks, which could pretend to be another fact."""
    return harmless(" ".join(text.split()))


def _visible(control: str) -> str:
    code = ord(control)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\N{SYMBOL FOR DELETE}" if code == 0x7F else f"\\x{code:02x}"
