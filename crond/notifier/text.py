"""What is to be said: a message and the end of an output, as the order has them.

Knows neither targets nor forms of text. Called by main; read by targets and pings.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from crond.model.message import Message
from crond.model.plain import shown

#: A key becomes part of headers.
_KEY = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, slots=True)
class Text:
    """A message, the end of an output so that it can be shown, and how many bytes of it stand before."""

    message: Message
    tail: str = ""
    left_out: int = 0

    @classmethod
    def of(cls, said: dict[str, Any]) -> Text:
        """Return what a message of the order says. Raises ValueError, TypeError, KeyError."""
        message, left_out = said["message"], int(said.get("left_out", 0))
        # The recorder's message is JSON, which the launcher may have passed on as text.
        text = message if isinstance(message, str) else json.dumps(message)
        made = Message.from_json(text)
        if not _KEY.fullmatch(made.key):
            raise ValueError(made.key)
        tail = str(said.get("tail", "")).encode("latin-1")
        return cls(made, shown(tail, left_out), left_out)
