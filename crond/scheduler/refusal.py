"""A request of a client that cannot be met, with a word that clients know. Raised by whatever serves one."""

from __future__ import annotations


class Refusal(Exception):
    """A request that cannot be met; `code` is one of the words that clients know."""

    def __init__(self, code: str, text: str, candidates: list[str] | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.candidates = candidates or []
