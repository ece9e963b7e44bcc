"""Settings lines as cron reads them: the first thing tried on every line."""

from __future__ import annotations

import pytest

from crond.model.assignment import parse_assignment
from crond.model.fields import Dialect

# Where the third is absent, Debian's cron does the same as cronie. None: not a settings line.
CASES: list[tuple[str, tuple[str, str] | None, tuple[str, str] | None]] = [
    ("A=b", ("A", "b"), ("A", "b")),
    ("A = b  ", ("A", "b"), ("A", "b")),
    ("A\t=\tb c", ("A", "b c"), ("A", "b c")),
    ("1=2", ("1", "2"), ("1", "2")),
    ("*=5", ("*", "5"), ("*", "5")),
    ("0=0 * * * * cmd", ("0", "0 * * * * cmd"), ("0", "0 * * * * cmd")),
    ("A-B=c", ("A-B", "c"), ("A-B", "c")),
    ("export A=b", None, None),
    ("A B=c", None, None),
    ("A", None, None),
    ("", None, None),
    ("* * * * * A=b", None, None),
    ('"A B" = c', ("A B", "c"), ("A B", "c")),
    ("'A'=c", ("A", "c"), ("A", "c")),
    ('"A=c', None, None),
    ('"A=B"=c', None, None),
    ('"A"x=c', None, None),
    ('A="b c "', ("A", "b c "), ("A", "b c ")),
    ("A='b'  ", ("A", "b"), ("A", "b")),
    ('A="b" c', None, None),
    ('A="b"c', None, None),
    ('A="b', None, None),
    ("A='b", None, None),
    ('A=ba"r', ("A", 'ba"r'), ("A", 'ba"r')),
    ("A=b # c", ("A", "b # c"), ("A", "b # c")),
    ("A=$HOME", ("A", "$HOME"), ("A", "$HOME")),
    ("A=b\r", ("A", "b"), ("A", "b")),
    ("A\v=\fb\v", ("A", "b"), ("A", "b")),
    ("A=", ("A", ""), None),
    ("A =  ", ("A", ""), None),
    ('A=""', ("A", ""), ("A", "")),
    ("=b", ("", "b"), ("", "b")),
    ("=", ("", ""), None),
    ("A=\"'x'\"", ("A", "'x'"), ("A", "x")),
    ('A="', ("A", ""), ("A", "")),
    ("A='", None, None),
]


@pytest.mark.parametrize(("line", "cronie", "debian"), CASES)
def test_settings_are_read_as_each_cron_reads_them(
    line: str, cronie: tuple[str, str] | None, debian: tuple[str, str] | None
) -> None:
    """No identifier check, no shell: what stands around the first `=`, with cron's idea of quotes."""
    assert parse_assignment(line) == cronie
    assert parse_assignment(line, dialect=Dialect.DEBIAN) == debian
