"""Each story's message, as it stands in this folder; `--update-golden` writes them anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crond.alerts.texts import length, moment, plain
from crond.alerts.wording import message_of
from crond.model.alert import Event, Flip, Promise, flip_of
from crond.model.codec import decode, encode
from crond.model.message import Message
from crond.model.orders import Notify
from tests.alerts.news import DUE, PLACE, STORIES, as_text, flip

FOLDER = Path(__file__).parent


@pytest.mark.parametrize("name", STORIES)
def test_story(name: str, pytestconfig: pytest.Config) -> None:
    """What a person reads of it is what is written here, word by word."""
    path = FOLDER / f"{name}.txt"
    told = as_text(message_of(STORIES[name], PLACE))
    if pytestconfig.getoption("--update-golden", default=False):
        path.write_text(told, "utf-8")
    assert path.read_text("utf-8") == told


def test_no_text_is_left_over() -> None:
    """A text of no story would be compared with nothing."""
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(STORIES)


def test_every_event_and_promise_has_a_story() -> None:
    """None of them may be met at night for the first time."""
    told = [one for flips in STORIES.values() for one in flips]
    assert {one.event for one in told} >= {event for event in Event if not event.is_ping}
    for event in (Event.LATE, Event.ON_TIME):
        assert {one.promise for one in told if one.event is event} == {one.value for one in Promise}


@pytest.mark.parametrize("event", [event for event in Event if event.is_ping])
def test_a_ping_says_only_which_run(event: Event) -> None:
    """A program reads it."""
    message = message_of([flip(event)], PLACE)
    expected = Message(key="00f1", run="0123456789abcd", ping=event.value.removeprefix("ping_"))
    assert message == expected


def test_keys_are_those_of_the_first_time() -> None:
    """Of one flip it is its id; of a digest it follows from all, so that each try has the same."""
    assert message_of([flip()], PLACE).key == "00f1"
    one, other = (message_of(STORIES[name], PLACE).key for name in ("digest", "digest_of_many"))
    assert one != other
    assert message_of(STORIES["digest"], PLACE).key == one


anything = st.text(max_size=400) | st.sampled_from(["\U0001f600" * 700, "\udcff\x1b]0;" * 300, "x" * 5000])
moments = st.none() | st.floats(-1e11, 1e11)


@given(
    st.lists(
        st.builds(
            flip,
            st.sampled_from([event for event in Event if not event.is_ping]),
            job=anything, reason=anything, pipeline=st.just("") | anything,
            outcome=st.just("failed") | anything,
            timezone=st.sampled_from(["", "UTC", "Mars/Olympus", "../x", "\0", "Asia/Seoul"]),
            held_up=st.lists(anything, max_size=40).map(tuple), instant=moments, started_at=moments,
            ended_at=moments, previous_success=moments, again_at=moments,
            promise=st.sampled_from(["", *Promise]),
            promised=moments, at=st.floats(-1e11, 1e11), exit_code=st.none() | st.integers(0, 255),
            signal=st.none() | st.integers(0, 99),
        ),
        min_size=1,
        max_size=30,
    )
)  # fmt: skip
def test_any_news_is_a_message_that_the_wire_takes(flips: list[Flip]) -> None:
    """Whatever users called their jobs, it is visible, on one line each, and short enough."""
    message = message_of(flips, PLACE)
    order = Notify("ab-1.1", "/etc/crontab", "00", "", message.to_json())
    assert decode(encode(order), Notify) == order
    assert Message.from_json(message.to_json()) == message
    shown = [
        message.title,
        message.why,
        *message.lines,
        *message.commands,
        *(text for _, text in message.facts),
    ]
    assert all(text.isprintable() for text in shown)


@given(st.builds(flip, st.sampled_from(Event), instant=moments, exit_code=st.none() | st.integers(0, 255)))
def test_a_flip_comes_back_from_its_values(one: Flip) -> None:
    """The journal and the outbox keep flips as plain values."""
    assert flip_of(one.values()) == one


@given(st.text(), st.integers(1, 60))
def test_plain_text_fits(text: str, room: int) -> None:
    """It is never longer than there is room, and short visible text stays as it is."""
    shown = plain(text, room + 6)
    assert shown.isprintable()
    assert len(shown.encode("ascii", "backslashreplace")) <= 2 * (room + 6)
    if text.isascii() and text.isprintable() and len(text) <= room and not set(text) & {'"', "\\"}:
        assert shown == text


def test_moments_have_their_offset() -> None:
    """In the job's zone; one that nobody knows is UTC; "" is the machine's."""
    zones = ("Asia/Seoul", "No/Where", "")
    assert [moment(DUE, zone, PLACE.local) for zone in zones] == [
        "2026-11-28 10:00:00+09:00", "2026-11-28 01:00:00+00:00", "2026-11-28 02:00:00+01:00",
    ]  # fmt: skip


def test_lengths() -> None:
    """A run of a moment has not lasted for 0 seconds."""
    assert [length(0.2), length(61.9)] == ["less than a second", "1 minute and 1 second"]
