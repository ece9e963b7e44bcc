"""What the journal says of alerts is read whole, or counted as broken; and the history does not mind it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crond.alerts.wording import message_of
from crond.model.codec import decode, encode
from crond.model.orders import Notify
from crond.recorder.flips import flips_of
from crond.recorder.records import RunRecord, record_of
from tests.alerts.news import PLACE, STORIES, flip
from tests.recorder.journal import lines, run


def with_flips(*flips: Any) -> bytes:
    return lines([*run(1), {"flips": list(flips), "health": {"failures": 1}}])


def test_a_run_with_flips() -> None:
    """One line holds both: the history reads the run, the outbox the flips."""
    line = with_flips(*(one.values() for one in STORIES["digest"]))
    record = record_of(line)
    assert isinstance(record, RunRecord)
    assert record == record_of(lines(run(1)))
    found, broken = flips_of(line)
    assert (found, broken) == (STORIES["digest"], 0)


def test_a_flip_without_a_run() -> None:
    """Nothing for the history."""
    for health in (None, {"late": ["late_after"]}):
        line = lines(["flip", STORIES["late_after"][0].values(), health])
        assert record_of(line) is None
        assert flips_of(line) == (STORIES["late_after"], 0)


@pytest.mark.parametrize(
    "line",
    [lines(run(1)), lines(["flips"]), lines(["life", "x"]), lines(run(1, reason='"flips"')), b"", b"{",
     lines([*run(1), {"health": None}])],
)  # fmt: skip
def test_a_line_without_news(line: bytes) -> None:
    assert flips_of(line) == ([], 0)


@pytest.mark.parametrize(
    "line",
    [b'["flip"', b'["flip"]', b'["flip",3,null]', b'["flip",{},null]', b'["run",{},{"flips":3}]',
     b'["run",{},{"flips":[null]}]', b'["run",{},["flips"]]', b'["flip",' + b"[" * 100_000],
)  # fmt: skip
def test_nonsense_is_counted(line: bytes) -> None:
    """No line stops anything."""
    found, broken = flips_of(line)
    assert found == []
    assert broken == (line != b'["flip"]')


def test_what_is_beside_nonsense_is_read() -> None:
    """One flip that makes no sense takes no other with it."""
    good = flip().values()
    assert flips_of(with_flips(good, {**good, "id": ""}, {**good, "event": "boom"}, good)) == (
        [flip()] * 2,
        2,
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from([*flip().values(), "held_up", "cooldown", "muted", "promised", "surprise"]), json_values
)
def test_any_value_anywhere_is_a_flip_or_broken(key: str, value: object) -> None:
    """What is read is fit to be kept, worded and sent."""
    found, broken = flips_of(with_flips({**flip().values(), key: value}))
    assert len(found) + broken == 1
    for one in found:
        message = message_of([one], PLACE).to_json()
        for target in one.addressees:
            order = Notify("ab-1.1", one.origin, target.digest, one.attempt, message)
            assert decode(encode(order), Notify) == order
        assert json.dumps(one.values(), allow_nan=False)
        assert len(one.job) <= 320
