"""The recordings of real crons in `tests/data`, line by line (its README says what they are)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "data"


def recorded(name: str) -> list[dict[str, Any]]:
    """Return the objects of one recording."""
    with open(_FOLDER / name, encoding="utf-8") as file:
        return [json.loads(line) for line in file]
