"""Comments that begin with `#:`: which entry a block belongs to, and the words in it.

Only `name` has an effect so far; every other word is kept with its place, and is named as not acted upon,
so that nobody believes in a retry that does not happen. Also knows the markers by which configuration
managers name the line below them. Pure; called by `crond.model.crontab`.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

_MARKERS = ("#Ansible: ", "# Puppet Name: ", "# SALT_CRON_IDENTIFIER:")
_NAME_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Annotation:
    """One `#:` line: its number (from 1), the column of its `#` (from 1) and the text after `#:`."""

    line: int
    column: int
    text: str


class BadAnnotation(ValueError):
    """A word that cannot be obeyed. `annotation` is the line that it stands in, `code` the rule's name."""

    def __init__(
        self, annotation: Annotation, message: str, hint: str = "", *, code: str = "annotation-bad"
    ) -> None:
        super().__init__(message)
        self.annotation = annotation
        self.hint = hint
        self.code = code


def is_annotation(stripped: str) -> bool:
    """True if a line (without its leading blanks) is one of ours."""
    return stripped.startswith("#:")


def stands_alone(annotation: Annotation) -> bool:
    """True for the three forms that belong to no entry: `#: defaults`, `#: pool` and `#: job NAME`."""
    return annotation.text.split(maxsplit=1)[:1] in (["defaults"], ["pool"], ["job"])


def marker_name(stripped: str) -> str | None:
    """The name in a configuration manager's own comment above an entry, or None."""
    for marker in _MARKERS:
        if stripped.startswith(marker):
            return stripped[len(marker) :].strip() or None
    return None


def block_name(block: tuple[Annotation, ...]) -> tuple[str | None, list[BadAnnotation]]:
    """Return the last `name=` in a block and what is wrong with its lines."""
    name: str | None = None
    problems: list[BadAnnotation] = []
    for annotation in block:
        try:
            words = shlex.split(annotation.text, posix=True)
        except ValueError as error:
            problems.append(BadAnnotation(annotation, f"bad annotation: {error}".lower(), "close the quote"))
            continue
        for word in words:
            key, mark, value = word.partition("=")
            if key != "name":
                text = f"{key!r} is not acted upon by this version"
                problems.append(BadAnnotation(annotation, text, code="annotation-inert"))
            elif not mark or not is_name(value):
                hint = "letters, digits, '.', '_' and '-', at most 64, beginning with a letter or digit"
                problems.append(BadAnnotation(annotation, f"bad name {value!r}", hint))
            else:
                name = value
    return name, problems


def is_name(text: str) -> bool:
    """True if `text` may name a job."""
    return (
        0 < len(text) <= _NAME_LENGTH
        and text.isascii()
        and text[0].isalnum()
        and all(c.isalnum() or c in "._-" for c in text)
    )
