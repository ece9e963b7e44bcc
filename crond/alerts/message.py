"""A message, where the programs that tell of things find it: it is `crond.model.message`'s."""

from __future__ import annotations

from crond.model.message import Message, Tone

__all__ = ["Message", "Tone"]
