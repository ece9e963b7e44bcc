"""Writes the help of `crontabx` and its verbs into docs/reference/crontabx.md, each between its two marks.

`python docs/generate_crontabx.py` writes it; a test compares the words, since versions of click break
the lines of help in different places.
"""

from __future__ import annotations

import pathlib
import re
import sys

import click

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from crond.cli.main import VERBS, crontabx  # noqa: E402 - needs the line above

PAGE = ROOT / "docs" / "reference" / "crontabx.md"
BLOCK = re.compile(
    r"(<!-- help of (crontabx[ a-z]*) -->\n)```text\n(.*?)```\n(<!-- end of help -->\n)", re.DOTALL
)


def commands() -> list[str]:
    """Return every command that must have its help on the page."""
    return ["crontabx", *(f"crontabx {verb}" for verb in VERBS)]


def help_text(command: str) -> str:
    """Return what `COMMAND --help` prints on a terminal of 80 columns."""
    top = click.Context(crontabx, info_name="crontabx", terminal_width=80, **crontabx.context_settings)
    verb = command.removeprefix("crontabx").strip()
    if not verb:
        return crontabx.get_help(top) + "\n"
    found = crontabx.get_command(top, verb)
    assert found is not None, command
    return found.get_help(click.Context(found, info_name=verb, parent=top)) + "\n"


def helps_on_page(text: str) -> dict[str, str]:
    """Return the help blocks that stand in `text`, the page, by their command."""
    return {match[2]: match[3] for match in BLOCK.finditer(text)}


def page(text: str) -> str:
    """Return `text` with the help of today."""
    return BLOCK.sub(lambda match: f"{match[1]}```text\n{help_text(match[2])}```\n{match[4]}", text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
    print(f"wrote {PAGE.relative_to(ROOT)}")
