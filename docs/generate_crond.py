"""Writes the help of `crond` into docs/reference/crond.md, between its two marks.

`python docs/generate_crond.py` writes it; a test compares the words, since versions of Python break
the lines of help in different places.
"""

from __future__ import annotations

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from crond.cli.daemon import parser  # noqa: E402 - needs the line above

PAGE = ROOT / "docs" / "reference" / "crond.md"
BEGIN, END = "<!-- help: written by docs/generate_crond.py -->\n", "<!-- end of help -->\n"


def help_text() -> str:
    """Return what `crond -h` prints on this terminal."""
    return parser().format_help()


def help_on_page(text: str) -> str:
    """Return the help that stands in `text`, the page."""
    return text.partition(BEGIN)[2].partition(END)[0].removeprefix("```text\n").removesuffix("```\n")


def page(text: str) -> str:
    """Return `text` with the help of today."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}```text\n{help_text()}```\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    os.environ["COLUMNS"] = "80"
    PAGE.write_text(page(PAGE.read_text()))
    print(f"wrote {PAGE.relative_to(ROOT)}")
