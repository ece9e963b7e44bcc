"""How problems of a crontab are shown: place, message, the line itself, a caret below it, a hint.

Takes a line apart into terminal columns, so that the caret stands below the right character whatever
the line holds. Pure, but for colour. Used by check, and by what parses a file on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crond.cli.format import cells, fit, printable
from crond.cli.source import Source
from crond.sense.secrets import masked

if TYPE_CHECKING:
    from crond.model.crontab import Problem

_TAB = 8
_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
#: A line longer than this many columns is shown in part, around its caret.
_WIDEST = 200
_BEFORE = 40


def problem_lines(source: Source, problem: Problem) -> list[str]:
    """Return what is to be printed about one problem, styled; click drops styles where none belong."""
    word = click.style(problem.severity, fg=_COLOURS[problem.severity], bold=True)
    place = f"{source.shown}:{problem.line}:{problem.column}"
    code = "" if problem.code in ("", "syntax") else f" [{problem.code}]"
    lines = [f"{place}: {word}: {printable(problem.message)}{code}"]
    if problem.line <= len(source.lines):
        shown, offset = caret_line(masked(source.lines[problem.line - 1]), problem.column)
        lines += [f"    {shown}", "    " + " " * offset + click.style("^", fg="green", bold=True)]
    if problem.hint:
        lines.append(f"    {printable(problem.hint)}")
    return lines


def caret_line(text: str, column: int) -> tuple[str, int]:
    """Return `text` as a terminal shows it, and the offset in columns at which `column` (from 1) begins."""
    shown = _laid_out(text)
    offset = cells(_laid_out(text[: column - 1]))
    if cells(shown) <= _WIDEST:
        return shown, offset
    if offset < _WIDEST - _BEFORE:
        return fit(shown, _WIDEST), offset
    # Cut by characters of the original: an escape or a wide letter must not be cut in two.
    start = max(column - 1 - _BEFORE, 0)
    lead = "... "
    part = lead + _laid_out(text[start : start + _WIDEST])
    return fit(part, _WIDEST), len(lead) + cells(_laid_out(text[start : column - 1]))


def _laid_out(text: str) -> str:
    """Tabs become blanks up to the next stop; the rest is made printable."""
    out = ""
    for index, piece in enumerate(text.split("\t")):
        if index:
            out += " " * (_TAB - cells(out) % _TAB)
        out += printable(piece)
    return out
