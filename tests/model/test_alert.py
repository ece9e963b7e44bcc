"""Flips: they come back from their plain values, and name nobody's secret."""

from __future__ import annotations

import json

from crond.model.alert import Addressee, Event, Flip, addressee, flip_id, flip_of

URL = "slack://me:hunter2@workspace/TOKEN-A/TOKEN-B"


def flip(**changes: object) -> Flip:
    """Return a flip about a job."""
    about: dict[str, object] = {
        "id": flip_id(Event.FAILURE, "root/a", "run", 1),
        "event": Event.FAILURE,
        "at": 1.0,
        "origin": "/etc/crontab",
        "uid": 0,
        "addressees": (addressee(URL), Addressee("1a2b", "ops")),
    }
    return Flip(**(about | changes))  # type: ignore[arg-type]


def test_a_flip_comes_back_from_json() -> None:
    """The journal holds its plain values; what says nothing takes no room there."""
    short = flip()
    assert flip_of(json.loads(json.dumps(short.values()))) == short
    assert set(short.values()) == {"id", "event", "at", "origin", "uid", "addressees"}
    long = flip(job="root/a", held_up=("root/b", "root/c"), instant=60.0, exit_code=2, muted=True)
    assert flip_of(json.loads(json.dumps(long.values()))) == long


def test_a_target_is_named_and_not_said() -> None:
    """Nothing of a URL but its scheme leaves its crontab; two URLs have two digests."""
    named = addressee(URL)
    assert named.label == "slack://..."
    assert "hunter2" not in repr(named)
    assert named.digest != addressee(URL + "x").digest
    assert addressee("ops@example.com").label == "ops@example.com"


def test_ids_follow_from_what_they_are_about() -> None:
    """What is decided twice has one id; anything else has another."""
    assert flip_id(Event.FAILURE, "run", 1) == flip_id(Event.FAILURE, "run", 1)
    assert len({flip_id(event, "run", n) for event in Event for n in (1, 2)}) == 2 * len(Event)


def test_pings_are_for_programs() -> None:
    """Three events are pings, the others are for people."""
    assert {event for event in Event if event.is_ping} == {
        Event.PING_START, Event.PING_SUCCESS, Event.PING_FAIL,
    }  # fmt: skip
