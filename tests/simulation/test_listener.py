"""Who judges what is told hears what is wrong: each check has a story that it must refuse."""

from __future__ import annotations

from collections import Counter

import pytest

from crond.core.clockwork import Reading
from crond.model.alert import Event, Flip
from crond.model.message import Message
from crond.model.orders import Notify
from tests.alerts.news import OPS, flip
from tests.simulation.clock import Clock
from tests.simulation.launcher import Broken
from tests.simulation.listener import Listener, Row

_HOUR = 3600.0


class Story:
    """A listener, and what it is told."""

    def __init__(self) -> None:
        self.clock = Clock(Reading(1.7e9, 100.0, 100.0))
        self.listener = Listener(self.clock, _HOUR, Counter())

    def journal(self, *flips: Flip) -> None:
        self.listener.journalled([["flip", one.values(), None] for one in flips])

    def order(self, one: Flip, delivery: str = "m-1.1", target: str = OPS.digest) -> Notify:
        """Ask for it."""
        ping = one.event.value.removeprefix("ping_") if one.event.is_ping else ""
        order = Notify(delivery, "tab", target, "", Message(key=one.id, ping=ping).to_json())
        self.listener.asked(order)
        return order

    def sent(self, one: Flip, delivery: str = "m-1.1") -> None:
        order = self.order(one, delivery)
        self.listener.arrived(order)
        self.listener.answered(order, "sent")
        self.listener.noted(order)

    def over(
        self, one: Flip, state: str, *, error: str = "", delivery: str = "m-1", lasted: float = 1.0
    ) -> None:
        row = Row(one.id, OPS.digest, delivery, state, error, one.event.value, lasted)
        self.listener.over([row])


@pytest.fixture
def story() -> Story:
    return Story()


ONE = flip(id="00f1")


def test_told_once_and_done(story: Story) -> None:
    story.journal(ONE)
    story.sent(ONE)
    story.over(ONE, "sent")
    story.listener.ends()


def test_lost(story: Story) -> None:
    story.journal(ONE)
    with pytest.raises(Broken, match="lost: never told"):
        story.listener.ends()


def test_waits_for_ever(story: Story) -> None:
    story.journal(ONE)
    story.clock.upto(100 + 3 * 86400)
    with pytest.raises(Broken, match="never told"):
        story.listener.over([])


def test_told_twice(story: Story) -> None:
    story.journal(ONE)
    story.sent(ONE)
    with pytest.raises(Broken, match="arrived 2 times"):
        story.sent(ONE, "m-1.2")


def test_told_twice_where_nobody_could_hear_it(story: Story) -> None:
    """Once more for each time that it was not heard, and no more than that."""
    story.journal(ONE)
    order = story.order(ONE)
    story.listener.arrived(order)
    story.listener.answered(order, "unsure")
    story.listener.arrived(story.order(ONE, "m-1.2"))
    story.listener.unheard(order, answered=False)
    story.sent(ONE, "m-1.3")
    assert story.listener.figures["doubles in documented windows"] == 2
    with pytest.raises(Broken, match="arrived 4 times"):
        story.sent(ONE, "m-1.4")


def test_tried_too_often(story: Story) -> None:
    """What may have arrived is tried five times more."""
    story.journal(ONE)
    order = story.order(ONE)
    for _ in range(6):
        story.listener.answered(order, "unsure")
    with pytest.raises(Broken, match="tried too often"):
        story.listener.answered(order, "unsure")


def test_told_before_the_journal_has_it(story: Story) -> None:
    """Also in a message of several flips, whose key says nothing."""
    story.sent(flip(id="d1"))
    story.clock.upto(200.0)
    story.journal(ONE)
    with pytest.raises(Broken, match="before the journal had it"):
        story.over(ONE, "sent")


def test_never_in_the_journal(story: Story) -> None:
    with pytest.raises(Broken, match="no such flip"):
        story.over(ONE, "sent")


def test_marked_and_never_sent(story: Story) -> None:
    story.journal(ONE)
    with pytest.raises(Broken, match="it never arrived"):
        story.over(ONE, "sent")


def test_muted_and_told(story: Story) -> None:
    muted = flip(id="00f1", muted=True)
    story.journal(muted)
    with pytest.raises(Broken, match="muted, and it arrived"):
        story.sent(muted)
    with pytest.raises(Broken, match="muted is True"):
        story.over(muted, "failed", error="no")


def test_told_to_somebody_else(story: Story) -> None:
    story.journal(ONE)
    with pytest.raises(Broken, match="told to 0d"):
        story.listener.arrived(story.order(ONE, target="0d"))


def test_another_message_by_the_same_name(story: Story) -> None:
    story.order(ONE)
    with pytest.raises(Broken, match="was Sent"):
        story.order(flip(id="00f2"), "m-1.2")


def test_a_newer_ping_before_an_older_one(story: Story) -> None:
    first, second = flip(Event.PING_START, id="a1"), flip(Event.PING_SUCCESS, id="a2")
    story.journal(first, second)
    story.sent(second)
    with pytest.raises(Broken, match="a newer ping"):
        story.sent(first, "m-2.1")


@pytest.mark.parametrize(
    ("answer", "error", "wait", "is_excused"),
    [
        ("never", "no", 0.0, True),
        ("never", "", 0.0, False),
        ("gone", "no longer named", 0.0, True),
        ("again", "busy", _HOUR, True),
        ("again", "busy", _HOUR / 2, False),
        ("unsure", "hung", 0.0, False),
    ],
)
def test_given_up(story: Story, answer: str, error: str, wait: float, is_excused: bool) -> None:
    """With a reason, and not before its time."""
    story.journal(ONE)
    story.clock.upto(100.0 + wait)
    order = story.order(ONE)
    story.listener.answered(order, answer)
    story.listener.noted(order)
    if is_excused:
        story.over(ONE, "failed", error=error)
        story.listener.ends()
    else:
        with pytest.raises(Broken, match="without a reason"):
            story.over(ONE, "failed", error=error)


def test_given_up_untried(story: Story) -> None:
    """Only pings are, after ten minutes."""
    ping = flip(Event.PING_START, id="a1")
    story.journal(ONE, ping)
    story.over(ping, "failed", error="too old to be told", lasted=601.0)
    with pytest.raises(Broken, match="without a reason"):
        story.over(ONE, "failed", error="too old to be told", lasted=601.0)
