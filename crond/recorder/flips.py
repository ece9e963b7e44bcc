"""What a line of the journal says of alerts: its flips, made fit to be kept, shown and sent.

What makes no sense is counted and left out: nothing that a scheduler writes may stop the recorder. Pure.
Called by the delivery.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

from crond.model.alert import Addressee, Flip, flip_of
from crond.model.messages import is_attempt_key, is_token
from crond.recorder.records import clean
from crond.recorder.schema import NAME, TOKEN, WORD

#: Of one flip. No crontab names so many targets, and no failure holds up so many jobs that somebody reads.
_MOST_ADDRESSEES, _MOST_HELD_UP = 256, 200
_TEXTS = {
    "job": NAME, "run": TOKEN, "trigger": WORD, "outcome": WORD, "reason": 4000, "run_as": 255,
    "timezone": 100, "pipeline": NAME, "promise": WORD,
}  # fmt: skip
_MOMENTS = ("instant", "started_at", "ended_at", "again_at", "previous_success", "promised")
_COUNTS = ("starts", "retries", "failures", "missed")
_STATUS = ("exit_code", "signal")
#: As the wire takes it.
_LONGEST_PATH = 4096


def flips_of(line: bytes) -> tuple[list[Flip], int]:
    """Return the flips in `line`, and how many more of it make no sense."""
    # Nearly all lines have none, and are not even looked at.
    if b'"flip' not in line:
        return [], 0
    try:
        kind, *values = json.loads(line)
        if kind == "run":
            held = values[1]["flips"] if len(values) > 1 else []
        else:
            held = values[:1] if kind == "flip" else []
        if not isinstance(held, list):
            return [], 1
    except (ValueError, TypeError, KeyError, RecursionError):
        return [], 1
    found, broken = [], 0
    for one in held:
        try:
            found.append(sound(flip_of(one)))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            broken += 1
    return found, broken


def sound(flip: Flip) -> Flip:
    """Return `flip` with bounded numbers and clean texts. Raises ValueError, TypeError, AttributeError."""
    if not is_token(flip.id) or not all(is_token(digest) for digest, _ in flip.addressees):
        raise ValueError("no id that can be told")
    origin, attempt = _text(flip.origin), _text(flip.attempt)
    if len(origin) > _LONGEST_PATH or "\0" in origin:
        raise ValueError("no path of a crontab")
    if attempt and not (len(attempt) <= 100 and is_attempt_key(attempt)):
        raise ValueError("no key of an attempt")
    changes: dict[str, Any] = {name: clean(getattr(flip, name), size) for name, size in _TEXTS.items()}
    changes |= {name: _moment(getattr(flip, name)) for name in _MOMENTS}
    changes |= {name: _count(getattr(flip, name)) or 0 for name in _COUNTS}
    changes |= {name: _count(getattr(flip, name)) for name in _STATUS}
    at = _moment(flip.at)
    if at is None:
        raise ValueError("no moment")
    return replace(
        flip,
        at=at,
        uid=max(0, min(2**32 - 1, int(flip.uid))),
        addressees=tuple(
            Addressee(digest, clean(label, 200))
            for digest, label in dict(flip.addressees[:_MOST_ADDRESSEES]).items()
        ),
        held_up=tuple(clean(job, NAME) for job in flip.held_up[:_MOST_HELD_UP]),
        cooldown=max(0.0, _moment(flip.cooldown) or 0.0),
        muted=bool(flip.muted),
        **changes,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _moment(value: Any) -> float | None:
    """Return seconds as a number that every calendar knows."""
    if value is None:
        return None
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("no number of seconds")
    return max(-1e11, min(1e11, number))


def _count(value: Any) -> int | None:
    return None if value is None else max(-(2**31), min(2**31, int(value)))
