"""What a message looks like: golden files of each form, and what may never get out of its place."""

from __future__ import annotations

import html
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crond.model.message import Message, Tone
from crond.model.plain import harmless, shown
from crond.notifier.forms import Form, body, title
from tests.notifier.process import MESSAGE

GOLDEN = Path(__file__).parent / "golden"
SUFFIX = {Form.TEXT: "txt", Form.MARKDOWN: "md", Form.HTML: "html"}

HOSTILE = (
    b"\xb1\xbe\x9d\x1b[31mred\x1b[0m \x07 \xff\r\n```\n<!channel> <@U123> @everyone\n"
    b"<script>alert(1)</script>\n"
)
STORIES: dict[str, tuple[Message, bytes, int]] = {
    "failure": (MESSAGE, b"tar: /srv: file changed\n\tas we read it\ntar: Exiting\n", 8192),
    "hostile": (
        replace(
            MESSAGE,
            facts=(
                ("Job", "a_b*c* `x` <b>&amp;\n- **Forged**: fact"),
                ("Reason", "[click](http://x.example)"),
            ),
            commands=("crontabx logs 'a`b'",),
            link="javascript:alert(1)",
            why="on_failure of <!here>",
        ),
        HOSTILE,
        3,
    ),
    "digest": (
        Message(
            key="beef",
            tone=Tone.WARNING,
            title="[vm] 5 jobs failed — crontabx",
            lines=("backup: exit 2 at 03:00", "nightly_report: timed out at 03:10", "... and 3 more"),
            commands=("crontabx history --failed",),
            why="more than 3 alerts for this target",
        ),
        b"",
        0,
    ),
    "least": (Message(key="beef", title="[vm] a test — crontabx"), b"", 0),
}


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("name", STORIES)
def test_golden(name: str, form: Form) -> None:
    """Each story in each form is what its file holds."""
    message, tail, left_out = STORIES[name]
    text = body(message, form, tail=shown(tail, left_out), left_out=left_out)
    path = GOLDEN / f"{name}.{SUFFIX[form]}"
    assert text + "\n" == path.read_text()


def test_a_title_is_one_harmless_line() -> None:
    """It may have been made of what somebody named a job."""
    said = title(replace(MESSAGE, title="[vm] a\nb\x1b[31m <!channel>\u202e" + "x" * 500))
    assert said.startswith("[vm] a b <\u200b!channel>xxx")
    assert len(said) == 250


@given(st.binary(max_size=300), st.sampled_from(list(Form)), st.integers(0, 5))
def test_no_output_leaves_its_block(tail: bytes, form: Form, left_out: int) -> None:
    """Whatever a job writes, no form gets a second fence, a tag or a control character of it."""
    text = body(MESSAGE, form, tail=shown(tail, left_out), left_out=left_out)
    assert not [c for c in text if (ord(c) < 32 and c not in "\t\n") or 0x7F <= ord(c) < 0xA0]
    text.encode()  # as UTF-8
    assert text.rstrip("</p>\n").endswith("alert 0123456789abcd")
    if form is Form.MARKDOWN:
        assert text.count("```") in {0, 2}
    if form is Form.HTML and "<pre>" in text:
        inside = text.partition("<pre>")[2].partition("</pre>")[0]
        assert html.unescape(inside) == shown(tail, left_out)
        assert not set("<>\"'") & set(inside)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("limit", [400, 1000, 3000])
def test_it_fits(form: Form, limit: int) -> None:
    """The beginning of the output goes, then lines of a digest; the rest stays, and says what is missing."""
    tail = "\n".join(f"<line {number}>" for number in range(3000))
    wide = {Form.HTML: 400, Form.MARKDOWN: 200, Form.TEXT: 0}[form]
    text = body(MESSAGE, form, tail=tail, left_out=1, limit=limit + wide)
    assert limit * 0.5 < len(text) <= limit + wide
    assert "alert 0123456789abcd" in text
    if limit > 400:
        assert "line 2999" in text
        assert "bytes left out before" in text
    lines = tuple(f"job{number}: exit 1" for number in range(500))
    text = body(Message(key="k", title="t", lines=lines), form, limit=limit)
    assert len(text) <= limit
    assert "job0: exit 1" in text
    assert " more" in text


def test_the_rest_of_a_character_is_left_out() -> None:
    """A tail is cut at a byte; what remains of the first character says nothing."""
    assert shown("äb".encode()[1:], 1) == "b"
    assert shown("äb".encode()[1:], 0) == "\ufffdb"


def test_addresses_stay_as_they_are() -> None:
    """Only calls are broken up."""
    same = "ann@here.example a@b.example 1 < 2 <b> @reboot"
    assert harmless(same) == same
