"""What a section found, as text to read and as plain values.

Pure. Made by the sections, shown by `python -m bench`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Cell = str | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """`text` is a table, `data` the same and more as plain values; `lost` if jobs were lost or ran twice."""

    title: str
    text: str
    data: dict[str, Any]
    lost: bool = False


@dataclass(slots=True)
class Sheet:
    """Rows under a head, with remarks below them. A cell that is None was not measured."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[Cell, ...]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, *cells: Cell) -> None:
        """Add a row and show it at once, since a section takes long."""
        self.rows.append(cells)
        print("  ".join(map(shown, cells)), flush=True)

    def findings(self) -> Findings:
        """Return all of it."""
        text = aligned([self.head, *(tuple(map(shown, row)) for row in self.rows)])
        return Findings(
            title=self.title,
            text="\n".join([text, *self.remarks]),
            data={
                "head": self.head,
                "rows": [list(map(_plain, row)) for row in self.rows],
                "remarks": self.remarks,
            },
        )


def shown(cell: Cell) -> str:
    """Return `cell` as text: numbers with as many digits as they are worth."""
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int):
        return str(cell)
    size = abs(cell)
    return f"{cell:.{0 if size >= 1000 else 1 if size >= 10 else 2 if size >= 1 else 3}f}"


def aligned(cells: Sequence[tuple[str, ...]]) -> str:
    """Return lines in which words stand left and numbers right."""
    columns = list(zip(*cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    words = [any(cell and not _is_number(cell) for cell in column[1:]) for column in columns]
    lines = []
    for line in cells:
        parts = zip(line, widths, words, strict=True)
        lines.append(
            "  ".join(c.ljust(width) if left else c.rjust(width) for c, width, left in parts).rstrip()
        )
    return "\n".join(lines)


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(".", "", 1).isdecimal()


def _plain(cell: Cell) -> Cell:
    """Return `cell` with null for what is not a number, which JSON cannot say."""
    return None if isinstance(cell, float) and math.isnan(cell) else cell
