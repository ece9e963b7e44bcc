"""How the client shows things to a person: printable text, tables, durations, colours.

Names, commands and output were written by users, so nothing of them may reach a terminal as it is:
an escape sequence in a job's name would be obeyed. Knows no daemon and no crontab; used by every verb.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import click

_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_NARROWEST = 8
#: A column to keep that is wider than this is cut like another.
_KEPT = 32


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return f"^{chr(code + 0x40)}"
    if code == 0x7F:
        return "^?"
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, kept by surrogateescape: cron's own way
        return f"\\{code - 0xDC00:03o}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def printable(text: str, *, keep: str = "") -> str:
    r"""Return `text` with what a terminal would obey made visible: `^X`, `^?`, `\ooo`, `\uXXXX`.

    Characters in `keep` stay (`logs` keeps line feeds and tabs). Letters of any script stay.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c in keep or c.isprintable() or unicodedata.category(c) == "Zs" else _escaped(c) for c in text
    )


def cells(text: str) -> int:
    """Return how many terminal columns printable `text` takes: two for a wide East Asian letter."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(c) for c in text)


def _cells_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, width: int) -> str:
    """Return `text`, cut to `width` terminal columns with an ellipsis if it is longer."""
    if cells(text) <= width:
        return text
    mark = _ELLIPSIS if can_show(_ELLIPSIS) else "..."
    room = width - len(mark)
    kept = ""
    for character in text:
        room -= _cells_of(character)
        if room < 0:
            break
        kept += character
    return kept + mark


def wants_colour(*, err: bool = False) -> bool:
    """True if stdout (or stderr) is a terminal that shows colours and nobody asked for none (NO_COLOR)."""
    stream = sys.stderr if err else sys.stdout
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def screen_width() -> int | None:
    """Return the columns to fit into: COLUMNS, else the terminal's; None (no cutting) if there are none."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isascii() and asked.isdigit() and int(asked) > 0:
        return int(asked)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


def screen_height() -> int | None:
    """Return the lines to fit into: LINES, else the terminal's; None (no limit) if there are none."""
    asked = os.environ.get("LINES", "")
    if asked.isascii() and asked.isdigit() and int(asked) > 0:
        return int(asked)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).lines or None
    except (OSError, ValueError):
        return None


def can_show(text: str) -> bool:
    """True if stdout's encoding has all of `text`."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. One that may `shrink` is cut, to `least`, on a screen that is narrower; one to
    `keep` only where all others have been.
    """

    title: str
    shrink: bool = False
    least: int = _NARROWEST
    keep: bool = False


#: What a job is called by: cut, it could not be typed again.
JOB = Column("JOB", shrink=True, keep=True)


@dataclass(frozen=True, slots=True)
class Cell:
    """A text of a table and its colour (a name that click knows, or None)."""

    text: str
    colour: str | None = None


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], room: int | None) -> list[int]:
    """Return the widths of the columns that fit: a screen too narrow for all loses the last ones."""
    widths = [
        max(cells(column.title), *(cells(row[i].text) for row in rows)) for i, column in enumerate(columns)
    ]
    if room is None:
        return widths
    least = [min(w, c.least) if c.shrink else w for c, w in zip(columns, widths, strict=True)]
    while len(least) > 1 and _total(least) > room:
        least.pop()
    widths = widths[: len(least)]
    while _total(widths) > room:
        able = [i for i, width in enumerate(widths) if width > least[i]]
        if not able:
            break
        widths[max(able, key=lambda i: (not (columns[i].keep and widths[i] <= _KEPT), widths[i]))] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, room: int | None, colour: bool
) -> list[str]:
    """Return the lines of a table: a line of titles, then one per row, nothing but blanks between.

    `room` is the screen's width in columns, None for no limit. Every text must be printable already.
    """
    if not rows:
        return []
    widths = _widths(columns, rows, room)
    titles = [Cell(column.title, "bright_black") for column in columns]
    return [_line(row, widths, colour) for row in (titles, *rows)]


def _line(row: Sequence[Cell], widths: Sequence[int], colour: bool) -> str:
    parts = []
    for cell, width in zip(row, widths, strict=False):  # the columns that fit
        text = fit(cell.text, width)
        shown = click.style(text, fg=cell.colour) if colour and cell.colour and text else text
        parts.append(shown + " " * (width - cells(text)))
    return "  ".join(parts).rstrip()


def show_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, indent: str = "") -> None:
    """Print a table fitted to the screen."""
    width = screen_width()
    room = None if width is None else max(width - len(indent), _NARROWEST)
    colour = wants_colour()
    for line in table(columns, rows, room=room, colour=colour):
        click.echo(indent + line, color=colour)


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units: `4 ms`, `0.3 s`, `12 s`, `3 min 5 s`, `3 d 1 h`."""
    if 0 < seconds < 0.0995:
        return f"{max(round(seconds * 1000), 1)} ms"
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    for large, size, small, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {large}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def size(count: int) -> str:
    """Return a number of bytes as people say it, in units of 1024: `512 B`, `3.4 KB`, `12 MB`."""
    if count < 1024:
        return f"{max(count, 0)} B"
    power = min((count.bit_length() - 1) // 10, 4)
    amount = count / 1024**power
    return f"{amount:.1f} {' KMGT'[power]}B" if amount < 10 else f"{amount:.0f} {' KMGT'[power]}B"


def counted(count: int, noun: str) -> str:
    """Return `1 run` or `2 runs`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
