"""A message as text, Markdown or HTML, so long as its target takes.

Owns what each form must escape. No value gets a meaning that its writer did not intend: a job's output can
neither leave its block nor call people. Knows no service. Called by targets and pings.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import StrEnum

from crond.model.message import Message
from crond.model.plain import heading, key_line, one_line, plain

#: Characters with which no Markdown means anything, wherever they stand within a line.
_SIMPLE = re.compile(r"[A-Za-z0-9 .,:;/+%=()'-]*")
#: Is not seen; between two backticks it keeps them from being a fence.
_NOTHING = "\N{ZERO WIDTH SPACE}"
_LONGEST_TITLE = 250


class Form(StrEnum):
    """How a target wants it; the names are Apprise's."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"


def title(message: Message) -> str:
    """Return the title: one line, of no form."""
    return one_line(message.title)[:_LONGEST_TITLE]


def body(message: Message, form: Form, *, tail: str = "", left_out: int = 0, limit: int = 32768) -> str:
    """Return the body in `form`, in `limit` characters if it can be.

    `tail` is the end of an output as `crond.model.plain.shown` returns it, `left_out` how many bytes stand
    before. What is too much is left out of the output first, from its beginning, then of the lines.
    """
    make = _MAKERS[form]
    text = make(message, tail, left_out)
    if tail and len(text) > limit:
        # How much longer escaping makes it is not known before.
        cut = bisect_left(range(len(tail)), -limit, key=lambda at: -len(make(message, tail[at:], 10**9)))
        line = tail.find("\n", cut - 1) if cut else -1
        kept = tail[line + 1 :] if line >= 0 else tail[cut:]
        left_out += len(tail[: len(tail) - len(kept)].encode())
        tail = kept
        text = make(message, tail, left_out)
    if message.lines and len(text) > limit:
        fewer = range(1, len(message.lines) + 1)
        less = bisect_left(
            fewer, -limit, key=lambda lost: -len(make(_without(message, lost), tail, left_out))
        )
        text = make(_without(message, fewer[min(less, len(fewer) - 1)]), tail, left_out)
    return text


def _without(message: Message, lost: int) -> Message:
    """Return `message` without so many of its last lines, and with a word about them."""
    return replace(message, lines=(*message.lines[:-lost], f"... and {lost} more"))


def _markdown(message: Message, tail: str, left_out: int) -> str:
    parts = ["\n".join(f"- **{label}**: {_code(one_line(said))}" for label, said in message.facts)]
    parts.append("\n".join(f"- {_code(one_line(line))}" for line in message.lines))
    if tail:
        fenced = re.sub("`(?=`)", f"`{_NOTHING}", tail)
        parts.append(f"{heading(left_out)}\n\n```\n{fenced}\n```")
    parts.append("\n".join(f"- {_code(one_line(command), always=True)}" for command in message.commands))
    last = (
        f"<{message.link}>" if _is_link(message.link) else "",
        _code(one_line(message.why)),
        key_line(message),
    )
    parts.append("\n\n".join(filter(None, last)))
    return "\n\n".join(filter(None, parts))


def _code(text: str, *, always: bool = False) -> str:
    """Return `text` as it is where Markdown leaves it so, else as code, which no dialect reads."""
    if not text or (not always and _SIMPLE.fullmatch(text)):
        return text
    return f"`{text.replace('`', chr(0x2CB))}`"


def _html(message: Message, tail: str, left_out: int) -> str:
    parts = [_paragraph(f"<b>{_escaped(label)}:</b> {_escaped(said)}" for label, said in message.facts)]
    if message.lines:
        items = "\n".join(f"<li>{_escaped(line)}</li>" for line in message.lines)
        parts.append(f"<ul>\n{items}\n</ul>")
    if tail:
        parts.append(f"<p>{heading(left_out)}</p>\n<pre>{html.escape(tail)}</pre>")
    parts.append(_paragraph(f"<code>{_escaped(command)}</code>" for command in message.commands))
    link = f'<a href="{html.escape(message.link)}">{_escaped(message.link)}</a>'
    last = (link if _is_link(message.link) else "", _escaped(message.why), _escaped(key_line(message)))
    parts.append(_paragraph(last))
    return "\n".join(filter(None, parts))


def _paragraph(lines: Iterable[str]) -> str:
    """Return those of `lines` that say something below each other, "" if none does."""
    text = "<br>\n".join(filter(None, lines))
    return f"<p>{text}</p>" if text else ""


def _escaped(text: str) -> str:
    return html.escape(one_line(text))


def _is_link(text: str) -> bool:
    """True for what may stand where it can be clicked at."""
    return bool(re.fullmatch(r"https?://[^\s<>\"'`\\]+", text))


_MAKERS: dict[Form, Callable[[Message, str, int], str]] = {
    Form.TEXT: plain,
    Form.MARKDOWN: _markdown,
    Form.HTML: _html,
}
