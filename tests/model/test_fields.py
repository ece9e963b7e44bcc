"""One field: cronie's grammar and Debian's, as tables; and the day rules that neither has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crond.model import fields
from crond.model.fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    HOUR,
    KINDS,
    MINUTE,
    MONTH,
    BadField,
    Dialect,
    Field,
    Kind,
    parse_field,
)

BY_NAME = {"minute": MINUTE, "hour": HOUR, "dom": DAY_OF_MONTH, "month": MONTH, "dow": DAY_OF_WEEK}


def low(first: int, _last: int) -> int:
    """A draw that always takes the lower bound."""
    return first


def read(text: str, kind: Kind, dialect: Dialect = Dialect.CRONIE, *, extensions: bool = False) -> Field:
    return parse_field(text, kind, dialect=dialect, extensions=extensions, draw=low)


def spans(text: str) -> set[int]:
    """`1-3,7` as a set; `-` is the empty one."""
    values: set[int] = set()
    for part in text.split(",") if text != "-" else []:
        first, _, last = part.partition("-")
        values |= set(range(int(first), int(last or first) + 1))
    return values


# text | kind | what cronie makes of it | what Debian's cron makes of it (x: refused)
RULES = """
*              | minute | 0-59             | 0-59
*/40           | minute | 0,40             | 0,40
*/7            | dom    | 1,8,15,22,29     | 1,8,15,22,29
*/100          | hour   | 0                | 0
*/0            | hour   | x                | x
*/x            | hour   | x                | x
*/mon          | dow    | x                | x
7              | dow    | 0,7              | 0,7
0              | dow    | 0,7              | 0,7
8              | dow    | x                | x
sun            | dow    | 0,7              | 0,7
SaT            | dow    | 6                | 6
mon-fri/2      | dow    | 1,3,5            | 1,3,5
1-wed          | dow    | 1-3              | 1-3
january        | month  | x                | x
jan-3          | month  | 1-3              | 1-3
dec-jan        | month  | -                | -
0              | month  | x                | x
sun            | month  | x                | x
60             | minute | x                | x
24             | hour   | x                | x
32             | dom    | x                | x
0              | dom    | x                | x
5/10           | minute | x                | x
*-5            | minute | x                | 0-59
5-             | minute | x                | x
-5             | minute | x                | x
1-5-7          | minute | x                | 1-5
*5             | minute | x                | 0-59
1,,2           | minute | x                | x
1,             | minute | x                | x
,1             | minute | x                | x
?              | dom    | x                | x
+5             | minute | x                | x
5.0            | minute | x                | 5
5#3            | dow    | x                | 5
1;2            | minute | x                | 1
1;,2           | minute | x                | 1
0x5            | minute | x                | x
²              | minute | x                | x
5-1            | minute | -                | -
22-2           | hour   | -                | -
5-5            | hour   | 5                | 5
5-5/3          | hour   | 5                | 5
5-0            | dow    | 0,5-7            | -
fri-sun        | dow    | 0,5-7            | -
fri-sun/2      | dow    | -                | -
5-0            | minute | 5-7              | -
8-0            | minute | -                | -
5-0            | dom    | 5-7              | x
60-0           | minute | -                | x
99-1           | minute | -                | x
1-234/5678     | minute | 1                | x
5-64/30        | minute | 5,35             | x
0-60           | minute | x                | x
4294967296     | minute | 0                | 0
4294967301     | minute | 5                | 5
2147483648     | minute | x                | x
99999999999999999999999 | minute | x       | x
00000000000000000000005 | minute | 5       | 5
10,1-5         | minute | 1-5,10           | 1-5,10
~              | minute | 0                | x
7~             | minute | 7                | 7
~7             | minute | 0                | x
3~7            | minute | 3                | 3
7~3            | minute | x                | 7
50~70          | minute | x                | 50
1~2~3          | minute | x                | 1
1~5/2          | minute | x                | 1
*~5            | minute | x                | 0-59
~              | dow    | 0,7              | x
10,1~5         | minute | 1,10             | 1,10
0~5            | dom    | x                | x
"""
TABLE = [
    tuple(part.strip() for part in line.split("|")) for line in RULES.strip().splitlines() if line.strip()
]


@pytest.mark.parametrize(("text", "kind", "cronie", "debian"), TABLE)
def test_fields_are_read_as_each_cron_reads_them(text: str, kind: str, cronie: str, debian: str) -> None:
    """The table above: cronie's code and Debian's, not their manuals."""
    for dialect, wanted in ((Dialect.CRONIE, cronie), (Dialect.DEBIAN, debian)):
        if wanted == "x":
            with pytest.raises(BadField, match=f"^{BY_NAME[kind].word}$"):
                read(text, BY_NAME[kind], dialect)
        else:
            assert read(text, BY_NAME[kind], dialect).values == spans(wanted), dialect


@pytest.mark.parametrize(
    ("text", "star"),
    [("*", True), ("*/2", True), ("*,5", True), ("5,*", False), ("0-59", False), ("~", False)],
)
def test_the_star_is_the_first_character(text: str, star: bool) -> None:
    """Cron looks at the first character of a field alone, whatever the set comes to."""
    assert read(text, MINUTE).star is star


@pytest.mark.parametrize(
    ("text", "offset"),
    [("5,x", 2), ("*/0", 3), ("1-99", 0), ("5/2", 1), ("1,2,3-", 6), ("", 0), ("9~3", 0)],
)
def test_errors_say_where(text: str, offset: int) -> None:
    """A caret is shown there: where reading stopped, or at the start of an item that is out of bounds."""
    with pytest.raises(BadField) as caught:
        read(text, MINUTE)
    assert caught.value.offset == offset


def test_a_step_on_one_number_says_what_to_write() -> None:
    """`5/10` means something in other schedulers; the hint shows cron's way."""
    with pytest.raises(BadField) as caught:
        read("5/10", MINUTE)
    assert "5-59/..." in caught.value.hint


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("5,22-2", (2, "22-2 runs backwards and matches nothing", "range-backwards")),
        ("*/24", (0, "Step size 24 higher than possible maximum of 23", "step-too-large")),
    ],
)
def test_what_is_accepted_but_surely_not_meant_is_warned_of(text: str, warning: tuple[int, str, str]) -> None:
    """Cron takes both without a word, or with one that few see."""
    assert read(text, HOUR).warnings == (warning,)


@given(st.sampled_from(KINDS), st.data(), st.randoms(use_true_random=False))
def test_draws_stay_within_their_bounds(kind: Kind, data: st.DataObject, random: object) -> None:
    """`a~b` becomes one value of a to b, both included."""
    first = data.draw(st.integers(kind.low, kind.high))
    last = data.draw(st.integers(first, kind.high))
    seen: list[tuple[int, int]] = []

    def draw(lowest: int, highest: int) -> int:
        seen.append((lowest, highest))
        return highest

    field = parse_field(f"{first}~{last}", kind, draw=draw)
    assert seen == [(first, last)]
    assert last in field.values


@given(
    st.text("0123456789*/-,~LW# jansun", max_size=12) | st.text(max_size=8),
    st.sampled_from(KINDS),
    st.sampled_from(Dialect),
    st.booleans(),
)
def test_any_text_is_a_field_or_a_bad_field(
    text: str, kind: Kind, dialect: Dialect, extensions: bool
) -> None:
    """Nothing else is raised; values lie within the kind's bounds; 0 and 7 come together on weekdays."""
    try:
        field = read(text, kind, dialect, extensions=extensions)
    except BadField as error:
        if not 0 <= error.offset <= len(text):
            pytest.fail(f"{error.offset} is no place in {text!r}")
        return
    assert all(kind.low <= value <= kind.high for value in field.values)
    if kind is DAY_OF_WEEK:
        assert (0 in field.values) is (7 in field.values)


@given(st.text("0123456789*/-,jansun", max_size=12), st.sampled_from(KINDS))
def test_extensions_change_nothing_that_cronie_accepts(text: str, kind: Kind) -> None:
    """A line that cronie takes means the same with extensions."""
    try:
        field = read(text, kind)
    except BadField:
        return
    assert read(text, kind, extensions=True) == field


# text | kind | canonical rules (x: no rule)
DAY_RULES = """
L      | dom | L
l      | dom | L
LW     | dom | LW
L-3    | dom | L-3
L-030  | dom | x
L-31   | dom | x
L-0    | dom | x
15W    | dom | 15W
05w    | dom | 5W
0W     | dom | x
32W    | dom | x
W      | dom | x
fri#2  | dow | 5#2
7#1    | dow | 0#1
5#0    | dow | x
5#6    | dow | x
x#1    | dow | x
friL   | dow | 5L
5L     | dow | 5L
sunl   | dow | 0L
L      | dow | x
8L     | dow | x
²L     | dow | x
L      | month | x
L      | minute | x
"""


@pytest.mark.parametrize(
    ("text", "kind", "rule"),
    [tuple(part.strip() for part in line.split("|")) for line in DAY_RULES.strip().splitlines()],
)
def test_day_rules(text: str, kind: str, rule: str) -> None:
    """Beyond cron's fields, only with extensions, only in the field of days that they belong to."""
    with pytest.raises(BadField):
        read(text, BY_NAME[kind])
    if rule == "x":
        with pytest.raises(BadField):
            read(text, BY_NAME[kind], extensions=True)
    else:
        field = read(f"3,{text}", BY_NAME[kind], extensions=True)
        assert field.rules == (rule,)
        assert field.values == {3}


def test_a_field_without_a_tilde_never_draws() -> None:
    """Such fields are kept and shared between tables; one that drew would be drawn once for all."""
    with pytest.raises(AssertionError, match="without ~"):
        fields._unused_draw(0, 59)
