"""What the shell is given and what it reads: cron's `%`."""

from __future__ import annotations

import pytest

from crond.model.entry import split_percent
from crond.model.fields import Dialect

# raw | command | stdin, as cronie has them
CASES = [
    ("cmd", "cmd", ""),
    ("cmd%", "cmd", ""),
    ("cmd%a", "cmd", "a\n"),
    ("cmd%a%b", "cmd", "a\nb\n"),
    ("cmd%a%", "cmd", "a\n"),
    ("cmd%%", "cmd", "\n"),
    (r"date +\%F", "date +%F", ""),
    (r"a\%b%c\%d", "a%b", "c%d\n"),
    (r"a\\%b", r"a\\", "b\n"),
    (r"a\nb", r"a\nb", ""),
    (r"a%b\nc", "a", "b\\nc\n"),
    ("a\\", "a\\", ""),
    ("echo '%'", "echo '", "'\n"),
]


@pytest.mark.parametrize(("raw", "command", "stdin"), CASES)
def test_percent_splits_a_command(raw: str, command: str, stdin: str) -> None:
    r"""The first unescaped `%` ends the command, later ones are newlines; `\%` is a percent sign; quotes
    mean nothing.
    """
    assert split_percent(raw) == (command, stdin)


def test_debian_takes_a_backslash_from_a_pair() -> None:
    """Debian's cron makes two backslashes one, in the command alone."""
    assert split_percent(r"a\\%b\\", Dialect.DEBIAN) == ("a\\", "b\\\\\n")
