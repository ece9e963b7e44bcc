"""Flips for tests, and the stories whose messages stand in this folder as texts."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from crond.alerts.wording import Place
from crond.model.alert import Addressee, Event, Flip, Promise, addressee
from crond.model.message import Message
from crond.model.plain import plain

#: 2026-11-28 02:00 in Berlin.
DUE = 1_795_827_600.0
DAY = 86400.0
OPS = addressee("ops@example.org")
PLACE = Place(host="vm", link="https://cron.example.org/runs/{run}", local=ZoneInfo("Europe/Berlin"))


def flip(event: Event = Event.FAILURE, *, to: tuple[Addressee, ...] = (OPS,), **more: Any) -> Flip:
    """Return news of root/train, which failed with 2 unless `more` says otherwise."""
    failed = {Event.FAILURE: "failed", Event.RETRY: "failed"}.get(event, "success")
    values: dict[str, Any] = {
        "id": "00f1", "event": event, "at": DUE + 194, "origin": "/etc/crontab", "uid": 0, "addressees": to,
        "job": "root/train", "run": "0123456789abcd", "trigger": "schedule", "instant": DUE,
        "started_at": DUE + 0.01, "ended_at": DUE + 194, "starts": 1, "outcome": failed,
        "exit_code": 2 if failed == "failed" else 0, "attempt": "0123456789abcd.1", "run_as": "root",
        "previous_success": DUE - DAY + 201, "failures": int(event is Event.FAILURE),
    }  # fmt: skip
    return Flip(**{**values, **more})


def unstarted(event: Event, **more: Any) -> Flip:
    """Return news of a run that never had a process."""
    nothing = {"started_at": None, "ended_at": None, "starts": 0, "attempt": "", "exit_code": None}
    return flip(event, **{**nothing, **more})


def late(event: Event, promise: Promise, promised: float, **more: Any) -> Flip:
    return unstarted(event, promise=promise.value, promised=promised, **{"outcome": "", **more})


def trouble(**more: Any) -> Flip:
    return Flip(id="00f9", event=Event.TROUBLE, at=DUE, origin="", uid=0, addressees=(OPS,), **more)


TRAIN: dict[str, Any] = {"pipeline": "root/report", "held_up": ("root/score", "root/report")}
#: By file name: what is told in one message.
STORIES: dict[str, list[Flip]] = {
    "failure": [flip()],
    "failure_after_retries": [
        flip(starts=4, retries=3, attempt="0123456789abcd.4", failures=3, previous_success=DUE - 3 * DAY)
    ],
    "failure_by_signal": [flip(exit_code=None, signal=9, previous_success=None)],
    "failure_by_hand": [flip(trigger="manual", reason="it wrote something")],
    "timed_out": [flip(outcome="timed_out", exit_code=None, signal=15, reason="timeout of 3 minutes")],
    "could_not_start": [
        unstarted(Event.FAILURE, outcome="could_not_start", reason="no such account: trainer", ended_at=DUE)
    ],
    "lost": [flip(outcome="lost", exit_code=None)],
    "held": [
        unstarted(
            Event.FAILURE, outcome="skipped", ended_at=DUE, reason="held: depends_on names no job: root/fetch"
        )
    ],
    "failure_in_a_pipeline": [flip(**TRAIN)],
    "failures_of_a_pipeline": [
        flip(**TRAIN),
        flip(id="00f2", job="root/fetch", exit_code=1, pipeline="root/report", held_up=("root/report",)),
    ],
    "retry": [flip(Event.RETRY, outcome="", retries=3, again_at=DUE + 254)],
    "success": [flip(Event.SUCCESS)],
    "recovery": [flip(Event.RECOVERY, previous_success=DUE - 3 * DAY + 201)],
    "skip": [unstarted(Event.SKIP, outcome="skipped", reason="the run before it still goes on")],
    "skip_by_itself": [flip(Event.SKIP, outcome="skipped", reason="it exited with 9", exit_code=9)],
    "late_after": [late(Event.LATE, Promise.LATE_AFTER, 600, at=DUE + 600, missed=1)],
    "late_after_kept": [
        flip(Event.ON_TIME, promise="late_after", promised=600.0, started_at=DUE + 900, outcome="")
    ],
    "warn_runtime": [
        flip(
            Event.LATE,
            promise="warn_runtime",
            promised=120.0,
            outcome="",
            exit_code=None,
            ended_at=None,
            at=DUE + 120.01,
        )
    ],
    "warn_runtime_kept": [flip(Event.ON_TIME, promise="warn_runtime", promised=300.0)],
    "max_time_since_success": [
        late(Event.LATE, Promise.MAX_TIME_SINCE_SUCCESS, DAY, run="", trigger="", instant=None, at=DUE + 201)
    ],
    "max_time_since_success_kept": [
        flip(Event.ON_TIME, promise="max_time_since_success", promised=DAY, previous_success=DUE - 2 * DAY)
    ],
    "trouble": [trouble(reason="/etc/cron.d/backup: WRONG FILE OWNER")],
    "trouble_of_a_job": [
        trouble(reason="/etc/crontab:12: train is held: there is no job 'fetch', for 1 day", job="root/train")
    ],
    "digest": [
        flip(),
        flip(Event.RETRY, id="00f2", job="alice/sync", retries=2, exit_code=75),
        flip(id="00f3", job="alice/\x1b[2Jmail", exit_code=None, signal=11),
        late(Event.LATE, Promise.LATE_AFTER, 600, id="00f4", job="root/backup", at=DUE + 199),
        flip(Event.RECOVERY, id="00f5", job="root/dump", at=DUE + 200, timezone="Asia/Seoul"),
    ],
    "digest_of_many": [
        flip(id=f"{number:04x}", at=DUE + number, exit_code=1, timezone="UTC") for number in range(500)
    ],
}


def as_text(message: Message) -> str:
    """Return its tone, its title and its plain text, which is what people get by mail."""
    return f"{message.tone.value}\n{message.title}\n\n{plain(message)}\n"
