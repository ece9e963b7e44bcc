"""The reader of command lines: words as the shell has them, offsets that are right, and giving up."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crond.sense.shell import read_commands


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a b", [["a", "b"]]),
        ("a 'b c' \"d e\" f\\ g", [["a", "b c", "d e", "f g"]]),
        ("a && b || c; d | e & f", [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]),
        ("if a; then b; else c; fi", [["a"], ["b"], ["c"]]),
        ("! a | b", [["a"], ["b"]]),
        ("{ a; b; }", [["a"], ["b"]]),
        ("(a; b) && c", [["a"], ["b"], ["c"]]),
        ("A=1 B='2 3' c", [["c"]]),
        ("a > x 2>&1 b", [["a", "b"]]),
        ("a 2>/dev/null", [["a"]]),
        ("a &> x", [["a"]]),
        ("a # b; c", [["a"]]),
        ("a#b", [["a#b"]]),
        ("find . -exec rm {} \\;", [["find", ".", "-exec", "rm", "{}", ";"]]),
        ("a $(b; c) `d | e` ${f:-;} $((1 + 2)) \"$(g)\"", [["a", None, None, None, None, None]]),
        ("a *.x ~/y [ab] {1,2}", [["a", None, None, None, None]]),
    ],
)  # fmt: skip
def test_words(line: str, words: list[list[str | None]]) -> None:
    """The simple commands with the values of their words; None is what only a running shell knows."""
    parts = read_commands(line)
    assert parts is not None
    assert [[word.text for word in part.words] for part in parts] == words


@pytest.mark.parametrize(
    "line",
    [
        "a 'b", 'a "b', "a $(b", "a `b", "a ${b", "a \\", "cat <<EOF", "cat <<-EOF", "case a in b) c;; esac",
        "f() { a; }", "function f { a; }", "[[ a ]]", "diff <(a) <(b)", "a=(1 2)", "(a", "a)", "{ a;",
        "if a; then b", "a >",
    ],
)  # fmt: skip
def test_what_is_not_read(line: str) -> None:
    """Nothing is better than something wrong."""
    assert read_commands(line) is None


def test_offsets() -> None:
    """Each word and redirection says where it stands."""
    line = "ab && X=1 c 'd e' 2>> /tmp/f"
    first, second = read_commands(line) or ()
    assert (first.start, first.end, second.after, second.end) == (0, 2, "&&", len(line))
    assert [line[word.start : word.end] for word in second.words] == ["c", "'d e'"]
    (redirection,) = second.redirections
    assert line[redirection.start : redirection.end] == "2>> /tmp/f"
    assert (redirection.fd, redirection.sign, redirection.target.text) == (2, ">>", "/tmp/f")


@given(st.text("ab '\"\\ -/.", max_size=30))
def test_words_are_those_of_shlex(line: str) -> None:
    """Where there are only words, Python's own splitter is the judge."""
    parts = read_commands(line)
    try:
        expected = shlex.split(line)
    except ValueError:
        expected = None
    if parts is None:
        assert expected is None
    else:
        assert [word.text for part in parts for word in part.words] == expected


@given(st.text("ab '\"\\$(){}`;&|<>#!=*~ \t12", max_size=40))
def test_no_line_is_too_odd(line: str) -> None:
    """It ends, and says nothing or words that stand in the line in order."""
    at = 0
    for part in read_commands(line) or ():
        for word in part.words:
            assert at <= word.start < word.end <= len(line)
            at = word.end


@pytest.mark.parametrize("opening", ["$(", "(", "${", "`", '"$(', "{ "])
def test_depth_is_bounded(opening: str) -> None:
    """Nobody's crontab may end the program with too deep a recursion."""
    read_commands("a " + opening * 50_000)
    read_commands(opening * 50_000)
