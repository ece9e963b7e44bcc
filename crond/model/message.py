"""A message: what is said to somebody, before anybody knows in which form (text, Markdown, HTML).

The recorder makes it of flips and the notifier puts it into the form that its target wants; between them it
is JSON that the launcher passes on unread. Pure.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from crond.model.messages import Pairs


class Tone(StrEnum):
    """How bad it is: what colours and icons are chosen by."""

    FAILURE = "failure"
    WARNING = "warning"
    SUCCESS = "success"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message.

    `key` is the same each time that this message is tried: a receiver can know by it what it has already.
    `facts` are labels with what they say, `lines` the items of a digest, `commands` what shows more. `why`
    says why it was sent. `ping` is "start", "success" or "fail" where a program is to read it, and then `run`
    is all that it says.
    """

    key: str
    tone: Tone = Tone.INFO
    title: str = ""
    facts: Pairs = ()
    lines: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    link: str = ""
    why: str = ""
    run: str = ""
    ping: str = ""

    def to_json(self) -> str:
        """Return the text that `from_json` reads."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Message:
        """Return the message in `text`. Raises ValueError, TypeError, KeyError if it is none."""
        values: dict[str, Any] = json.loads(text)
        values["tone"] = Tone(values["tone"])
        values["facts"] = tuple((str(label), str(said)) for label, said in values["facts"])
        for name in ("lines", "commands"):
            values[name] = tuple(map(str, values[name]))
        return cls(**values)
