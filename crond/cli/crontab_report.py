"""How crontab(1) shows a crontab's problems, and on a terminal its text.

Owns the form in which both crons say what is wrong. Used by crontab.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from crond.cli.crontabs import Invalid
from crond.cli.format import printable

if TYPE_CHECKING:
    from crond.model.crontab import Problem

_NO_NEWLINE = "missing newline before EOF"


class Report:
    """The problems of a text in cron's own form: `"FILE":LINE: words`. `invalid` is said last."""

    def __init__(self, dialect: str, invalid: str) -> None:
        self._debian = dialect == "debian"
        self._invalid = invalid

    def accepted(self, _file: str, _text: bytes, findings: list[Any], _count: int) -> None:
        """Say what cronie warns of; Debian's says nothing of a text that it takes."""
        for finding in findings:
            if not self._debian and finding.message.startswith("Step size"):
                click.echo(f"Warning: {printable(finding.message)}", err=True)

    def refused(self, file: str, _text: bytes, invalid: Invalid) -> None:
        errors = [finding for finding in invalid.findings if finding.severity == "error"]
        self.show_errors(file, errors, self._invalid)
        if invalid.count > len(invalid.findings):
            click.echo(f"and {invalid.count - len(invalid.findings)} more problems", err=True)

    def show_errors(self, file: str, errors: Sequence[Problem], invalid: str) -> None:
        """Show each error, and `invalid` as the last line."""
        if self._debian and any(error.message == _NO_NEWLINE for error in errors):
            click.echo(f"new crontab file is {_NO_NEWLINE}, can't install.", err=True)
            return
        for error in errors:
            word = "premature EOF" if error.message == _NO_NEWLINE else printable(error.message)
            # Of annotations no cron speaks, so there are no words to keep to.
            hint = f": {printable(error.hint)}" if error.of_annotation and error.hint else ""
            click.echo(f'"{printable(file)}":{error.line}: {word}{hint}', err=True)
        click.echo(invalid, err=True)


def coloured(text: bytes) -> bytes:
    """Return `text` with its comments in colour, and a sign where the last line has no end."""
    lines = text.split(b"\n")
    out = [
        b"\x1b[36m" + line + b"\x1b[0m" if line.lstrip(b" \t").startswith(b"#") else line for line in lines
    ]
    ended = not lines[-1]
    return b"\n".join(out) + (b"" if ended else b"\x1b[31m\\ No newline at end of file\x1b[0m\n")
