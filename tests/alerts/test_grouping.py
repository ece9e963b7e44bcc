"""What goes together, and when: whatever comes, each piece of news goes once, in time, with its like."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crond.alerts.grouping import LONGEST, MOST, Plan, Waiting, plan
from crond.model.alert import Event
from tests.alerts.news import DUE

SETTLE = 3.0


def news(number: int, kept: float, **more: Any) -> Waiting:
    values = {"channel": "ops", "event": Event.FAILURE, "job": f"root/j{number}", **more}
    return Waiting(id=number, kept=kept, **values)


def planned(waiting: list[Waiting], now: float, **more: Any) -> Plan:
    return plan(waiting, now=now, settle=SETTLE, **more)


# --- a story is told by asking again whenever the plan says so -------------------------------------------


def told(arrivals: list[Waiting], *, settle: float) -> list[tuple[float, tuple[int, ...]]]:
    """Let `arrivals` come one by one; return each message with its time. A ping is over at once."""
    waiting: list[Waiting] = []
    made: dict[tuple[str, str], float] = {}
    messages: list[tuple[float, tuple[int, ...]]] = []
    coming = sorted(arrivals, key=lambda one: one.kept)
    now = coming[0].kept if coming else 0.0
    for _ in range(10 * len(arrivals) + 10):
        while coming and coming[0].kept <= now:
            waiting.append(coming.pop(0))
        waiting.sort(key=lambda one: one.id)
        found = plan(waiting, now=now, settle=settle, told=made)
        gone = {number for message in found.messages for number in message}
        messages += [(now, message) for message in found.messages]
        made |= {(one.channel, one.job): now for one in waiting if one.id in gone}
        waiting = [one for one in waiting if one.id not in gone]
        held_back = any(one.event.is_ping for one in waiting)
        nexts = [coming[0].kept] if coming else []
        nexts += [found.wake] if found.wake is not None else []
        if held_back:
            continue  # the ping before it is over already
        if not nexts:
            assert not waiting, "something waits and nobody is to be woken"
            return messages
        assert min(nexts) > now, "woken in vain"
        now = min(nexts)
    raise AssertionError("it does not come to an end")


arrivals = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 2.9, 3.0, 40.0]),
        st.sampled_from(["ops", "chat"]),
        st.sampled_from(["root/a", "root/b", "alice/c"]),
        st.sampled_from([Event.FAILURE, Event.SUCCESS, Event.LATE, Event.PING_START, Event.PING_FAIL]),
        st.sampled_from(["", "root/report"]),
        st.sampled_from([0.0, 0.0, 60.0]),
    ),
    max_size=25,
)


@given(arrivals, st.sampled_from([0.0, 3.0]))
def test_each_goes_once_and_in_time(given_: list[Any], settle: float) -> None:
    """Each is in exactly one message of its target; none goes before it settled, none waits longer than
    ten times that after it could go; pings are alone and keep their order.
    """
    now = DUE
    coming = []
    for number, (pause, channel, job, event, pipeline, cooldown) in enumerate(given_):
        now += pause
        more = {"channel": channel, "job": job, "event": event, "pipeline": pipeline, "cooldown": cooldown}
        coming.append(news(number, now, **more))
    messages = told(coming, settle=settle)
    assert Counter(number for _, ids in messages for number in ids) == Counter(range(len(coming)))
    for at, ids in messages:
        of = [coming[number] for number in ids]
        assert len({one.channel for one in of}) == 1
        if of[0].event.is_ping:
            assert len(of) == 1
            continue
        latest = max(one.kept for one in of if not one.event.is_ping)
        oldest = min(one.kept for one in of)
        assert at >= min(latest + settle, oldest + LONGEST * settle) - 1e-6
        for one in of:
            made = [when for when, others in messages if when < at and _about(one, others, coming)]
            free = max([one.kept, *(when + one.cooldown for when in made if one.cooldown)])
            assert at <= free + LONGEST * settle + 1e-6
    for channel, job in {(one.channel, one.job) for one in coming}:
        pings = [
            number
            for _, ids in messages
            for number in ids
            if coming[number].event.is_ping and (coming[number].channel, coming[number].job) == (channel, job)
        ]
        assert pings == sorted(pings)


def _about(one: Waiting, ids: tuple[int, ...], coming: list[Waiting]) -> bool:
    return any((coming[number].channel, coming[number].job) == (one.channel, one.job) for number in ids)


# --- by example --------------------------------------------------------------------------------------


def test_it_waits_until_nothing_comes() -> None:
    """News that keeps coming is waited for, ten times as long at most."""
    waiting = [news(1, DUE)]
    assert planned(waiting, DUE + 2.9) == Plan((), DUE + 3.0)
    assert planned(waiting, DUE + 3) == Plan(((1,),), None)
    waiting = [news(number, DUE + 2 * number, job="root/a") for number in range(15)]
    assert planned(waiting, DUE + 29.5) == Plan((), DUE + 30.0)
    assert planned(waiting, DUE + 30).messages == (tuple(range(15)),)


def test_a_few_stay_apart_and_many_become_one() -> None:
    """Three messages are three; a fourth makes one digest of them. Other targets do not count."""
    waiting = [news(number, DUE) for number in range(MOST)]
    elsewhere = news(9, DUE, channel="chat")
    assert planned([*waiting, elsewhere], DUE + 3).messages == ((0,), (1,), (2,), (9,))
    waiting.append(news(MOST, DUE))
    assert planned([*waiting, elsewhere], DUE + 3).messages == ((0, 1, 2, 3), (9,))


def test_what_belongs_to_one_instant_of_a_pipeline_is_one() -> None:
    """Of another instant, or no failure, it is told apart."""
    report = {"pipeline": "root/report", "instant": DUE}
    waiting = [
        news(1, DUE, **report),
        news(2, DUE, **report),
        news(3, DUE, **{**report, "instant": DUE - 60}),
        news(4, DUE, event=Event.SUCCESS, **report),
    ]
    assert planned(waiting, DUE + 3).messages == ((1, 2), (3,), (4,))


def test_a_job_with_a_cooldown_is_quiet() -> None:
    """What comes within it is told at its end, together; other jobs are told meanwhile."""
    waiting = [news(number, DUE, job="root/a", cooldown=600.0) for number in (1, 2)]
    other = news(3, DUE, job="root/b")
    made = {("ops", "root/a"): DUE - 100}
    assert planned([*waiting, other], DUE + 3, told=made) == Plan(((3,),), DUE + 500)
    assert planned(waiting, DUE + 500, told=made).messages == ((1, 2),)
    assert planned(waiting, DUE + 3).messages == ((1, 2),), "at most one at a time, from the first on"


def test_whoever_shares_with_two_brings_them_together() -> None:
    """A job with a cooldown failed in two instants of its pipeline: all of both is one message."""
    report, before = ({"pipeline": "root/report", "instant": DUE - ago} for ago in (0, 60))
    waiting = [
        news(1, DUE, **before),
        news(2, DUE, **report),
        news(3, DUE, job="root/a", cooldown=600.0, **before),
        news(4, DUE),
        news(5, DUE, job="root/a", cooldown=600.0, **report),
    ]
    assert planned(waiting, DUE + 3).messages == ((1, 2, 3, 5), (4,))


def test_pings_neither_wait_nor_overtake() -> None:
    """Each goes at once, but for one whose elder is on its way."""
    waiting = [
        news(1, DUE, event=Event.PING_START, job="root/a"),
        news(2, DUE, event=Event.PING_SUCCESS, job="root/a"),
        news(3, DUE, event=Event.PING_START, job="root/b"),
    ]
    assert planned(waiting, DUE).messages == ((1,), (3,))
    assert planned(waiting[1:], DUE, busy={("ops", "root/a")}).messages == ((3,),)


@pytest.mark.parametrize("cooldown", [0.0, 600.0])
def test_a_clock_that_was_set_back_holds_nothing_up(cooldown: float) -> None:
    """What was kept, or told, at a time that is still to come goes now."""
    waiting = [news(1, DUE + 86400, job="root/a", cooldown=cooldown)]
    assert planned(waiting, DUE, told={("ops", "root/a"): DUE + 86000}).messages == ((1,),)
