"""Writes docs/reference/checks.md from the table in `crond.sense.rules`.

`python docs/generate_checks.py` writes the page; a test compares the page with `page()`, so that the two
cannot drift apart.
"""

from __future__ import annotations

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from crond.sense.rules import RULES, Rule  # noqa: E402 - needs the line above

PAGE = ROOT / "docs" / "reference" / "checks.md"

HEAD = """\
# Checks

<!-- Written by docs/generate_checks.py from the table in crond/sense/rules.py. -->

What [`crontabx check`](crontabx.md#check) finds, by code. An **error** is something that cron, or for
annotations crontabx, will not obey; a **warning** was surely not meant, or will surprise; a **note** is good
to know. Errors make the exit status 1, with `--strict` warnings do, too; notes never count.

`--ignore CODE` leaves a rule out; `syntax` and `newline-missing` cannot be ignored. Codes stay what they are
in later versions, and new ones are added.

Commands are only judged where it is sure what a shell would do with them: a command with a here-document,
a `case` or a function is not, and one whose `SHELL` is no shell is not. A program is not looked for after a
command that asks whether it is there (`[ -x ...]`, `command -v`), that sets `PATH`, or that reads a file of
settings.
"""


def _lines(rule: Rule) -> str:
    return f"## {rule.code}\n\n{rule.severity.capitalize()}. {rule.meaning}\n\n{_example(rule)}"


def _example(rule: Rule) -> str:
    wrong, right = (_indented(text.replace("\r", "^M")) for text in (rule.wrong, rule.right))
    where = " (in a system crontab)" if rule.system else f" (with `{rule.option}`)" if rule.option else ""
    return f"Found in{where}:\n\n{wrong}\n\nNot in:\n\n{right}\n"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.split("\n"))


def page() -> str:
    """Return the text of the page."""
    return "\n".join([HEAD, *(_lines(rule) for rule in RULES)])


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE.relative_to(ROOT)}")
