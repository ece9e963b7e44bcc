"""Patience: when a message that was not delivered is tried again, and when no more.

Pure; time is an argument. Called by the outbox, and read by docs/generate_messages.py.
"""

from __future__ import annotations

#: Seconds before another try of what a receiver surely did not take; doubled each time.
FIRST, LONGEST = 10.0, 900.0
#: Seconds before each further try of what a receiver may have: each may be a message too many.
UNSURE = (60.0, 300.0, 900.0, 1800.0, 3600.0)
#: Seconds for which a ping is tried: whoever listens there measures time by them.
PING_LIMIT = 600.0


def next_try(result: str, *, again: int, unsure: int, since: float, now: float, limit: float) -> float | None:
    """Return when to try again after `result`, one of messages.DELIVERIES but `sent`; None: no more.

    `again` and `unsure` count these results so far, this one included. `since` is when the first try was,
    `limit` for how many seconds after that there are others. The last one is made when the limit is reached.
    """
    if result == "unsure":
        if unsure > len(UNSURE):
            return None
        pause = UNSURE[unsure - 1]
    elif result == "again":
        # An exponent without a bound would be a number without one.
        pause = min(LONGEST, FIRST * 2 ** min(again - 1, 10))
    else:
        return None
    end = min(since, now) + limit  # a clock that was set back makes nobody wait longer
    return min(now + pause, end) if now < end else None
