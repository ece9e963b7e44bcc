"""Writes docs/reference/alerts.md from the words of `crond.model.alert`.

`python docs/generate_alerts.py` writes the page; a test compares the page with `page()`, so that the two
cannot drift apart. A word without a meaning here is a KeyError.
"""

from __future__ import annotations

import pathlib
import sys
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from crond.model.alert import Event, Promise  # noqa: E402 - needs the line above

PAGE = ROOT / "docs" / "reference" / "alerts.md"


class Told(NamedTuple):
    """What happened, and the keys that name who is told."""

    when: str
    keys: str


class Kept(NamedTuple):
    """When a promise is broken, and when it holds again."""

    broken: str
    again: str


EVENTS = {
    Event.FAILURE: Told(
        "A run failed for good, after its retries: `failed`, `timed_out`, `could_not_start`, `lost`, or"
        " skipped since its job is held. From the failure on that `alert_after=` names",
        "`on_failure`",
    ),
    Event.RETRY: Told("An attempt failed, and another follows", "`on_retry`"),
    Event.SUCCESS: Told(
        "A run succeeded; whoever is told of the recovery hears no more of it", "`on_success`"
    ),
    Event.RECOVERY: Told("The first success after a failure that was told", "`on_failure` and `on_recovery`"),
    Event.SKIP: Told("A run was skipped, but for one of a job that is held", "`on_skip`"),
    Event.LATE: Told("A [promise](#promises) is broken", "`on_late`"),
    Event.ON_TIME: Told("A promise that was broken, and told, holds again", "`on_late` and `on_recovery`"),
    Event.TROUBLE: Told("[Something is wrong](#troubles) with a crontab", "`on_trouble` of the settings"),
    Event.PING_START: Told("The first process of a run's command was made", "`ping`"),
    Event.PING_SUCCESS: Told("A run succeeded", "`ping`"),
    Event.PING_FAIL: Told("A run failed as above, or was stopped", "`ping`"),
}
PROMISES = {
    Promise.LATE_AFTER: Kept(
        "its command has no process so long after the instant; or the daemon was down, or the host slept,"
        " and the instant is not made up",
        "a later run starts in time",
    ),
    Promise.WARN_RUNTIME: Kept(
        "a run takes longer, from the start of its first attempt, the waits between attempts included",
        "a run succeeds within that time, and no other still takes longer",
    ),
    Promise.MAX_TIME_SINCE_SUCCESS: Kept(
        "its last success ended longer ago; without one, it is known for longer",
        "a run succeeds",
    ),
}

HEAD = """\
# Alerts

<!-- Written by docs/generate_alerts.py from crond/model/alert.py. -->

Who is told is said by [annotations](annotations.md#who-hears-of-it). What is told is decided with the change
that brings it about and written down with it, so that nothing is told twice or forgotten when a daemon dies.

## What is told

| what | when | to whom |
|---|---|---|
"""
RUNS = """\

- What somebody stopped or marked by hand is told to no person; a URL of `ping=` is told that the run is over.
- What fails by a job that it depends on is not told: the message about that job names all that it holds up.
- Runs by hand, by `backfill` and by `rerun` are told as all others, and count among the failures in a row.
  What is stopped, skipped or marked neither counts nor begins the count anew.
- While a job is muted its news is kept, shown and not sent. A failure that nobody heard of has no recovery.

## Promises

A broken promise is told once, and once more when it holds again. Nobody looks each minute: the moment at
which a promise will be broken is known.

| key | is broken when | holds again when |
|---|---|---|
"""
PROMISED = """\

- A job owes nothing while it is paused or not enabled, outside `starts_at` and `expires_at`, on its days off,
  and before its line was first seen. `max_time_since_success` counts again from the end of such a time.
- A run that ended before it was late, without a start, is no broken promise: `on_skip` and `on_failure` tell
  of it.
- Instants that were missed are told together: the first of them, and how many. What is made up (`catchup=`,
  cron's own rules for short stalls) is judged as any run: it starts late.
- By what a clock was set, and what the host slept, does not count as running time. Where the clock was set,
  nothing was missed.
- With `on_late=` alone, or a promise alone, nothing is told.

## Troubles

They belong to the host, whoever owns the crontab, and are told once each:

- a crontab that is not obeyed, until it is obeyed again
- an entry that is held, because its dependencies or its pool make no sense, for longer than `held_after`
- an entry that was commented out for longer than `commented_out_after`: a line that begins with `#` and,
  without a blank, is an entry. What it says is not told.
"""


def page() -> str:
    """Return the page."""
    told = "\n".join(f"| `{event.value}` | {EVENTS[event].when} | {EVENTS[event].keys} |" for event in Event)
    kept = "\n".join(f"| `{one.value}` | {PROMISES[one].broken} | {PROMISES[one].again} |" for one in Promise)
    return f"{HEAD}{told}\n{RUNS}{kept}\n{PROMISED}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
