"""Why a job did or did not run at a moment, in words: from the history's facts and the schedule's dues.

Pure: what is known, and the moment that counts as now, are arguments. Called by crond.cli.why.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from crond.cli.answers import RunSeen
from crond.cli.describe import brief, is_waiting, named, signal_name, standing
from crond.cli.format import counted, duration
from crond.cli.past import Span
from crond.cli.present import Standing, keeps, on_pause, to_come
from crond.cli.recorded import Facts, IntervalSeen
from crond.cli.times import shown

#: More runs than this are summed up.
TOLD = 3
#: A start later than this many seconds is worth a word.
_LATE = 2.0
_EXITS = {
    126: "126 is what a shell says when it found the command but may not execute it.",
    127: "127 is what a shell says when it does not find the command.",
}
_SIGNALS = {
    9: "If nobody stopped it, the kernel may have been short of memory: look at dmesg.",
}


class Verdict(StrEnum):
    """The answer in one word; scripts see it in JSON."""

    RAN = "ran"  #: a process was started, whatever became of it
    NOT_STARTED = "not_started"  #: it was to start and could not, or was stopped before
    SKIPPED = "skipped"  #: it was left out, and the run says why
    TO_START = "to_start"  #: there is a run, and it has not started yet
    WAITS = "waits"  #: there is a run, and it waits for something
    DOWN = "down"  #: the daemon was not there
    SUSPENDED = "suspended"  #: the machine slept
    PAUSED = "paused"  #: jobs were not to start
    DISABLED = "disabled"  #: it is not enabled, or the time was not within that in which it lives
    NOT_DUE = "not_due"
    TO_COME = "to_come"
    UNKNOWN = "unknown"


_WORDS = {
    Verdict.RAN: "it ran",
    Verdict.NOT_STARTED: "it did not start",
    Verdict.SKIPPED: "it was left out",
    Verdict.TO_START: "it is about to start",
    Verdict.WAITS: "it waits",
    Verdict.DOWN: "the daemon was down",
    Verdict.SUSPENDED: "the machine was suspended",
    Verdict.PAUSED: "it was paused",
    Verdict.DISABLED: "it was not to run",
    Verdict.NOT_DUE: "it was not due",
    Verdict.TO_COME: "that is to come",
    Verdict.UNKNOWN: "nothing is known",
}
_ENDS = {
    "success": "succeeded",
    "failed": "failed",
    "timed_out": "timed out",
    "stopped": "was stopped",
    "lost": "was lost",
}
_OF_INTERVAL = {
    "outage": (Verdict.DOWN, "the daemon was down"),
    "suspend": (Verdict.SUSPENDED, "the machine was suspended"),
    "pause": (Verdict.PAUSED, "jobs were paused"),
    "disabled": (Verdict.DISABLED, "jobs were disabled"),
}


@dataclass(frozen=True, slots=True)
class Dues:
    """What the schedule of today says of a span: the due before, the first in it, the next after."""

    schedule: str
    previous: datetime | None
    within: datetime | None
    following: datetime | None
    up_since: datetime | None = None  #: when the first daemon since then came up, where that is known


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict, sentences that say it, and a title for both."""

    verdict: Verdict
    sentences: tuple[str, ...]
    title: str


def explain(facts: Facts, span: Span, dues: Dues | None, now: datetime) -> Explanation:
    """Return what became of a job in `span`, as far as it is known; `dues` is None where no schedule is."""
    since = span.since
    if facts.runs:
        return _of_runs(facts, now)
    if since > now:
        due = (
            [f"It will be due at {shown(dues.within)}."]
            if dues is not None and dues.within
            else _around(dues)
        )
        return _told(Verdict.TO_COME, f"{shown(since)} is still to come.", *due)
    if dues is not None and dues.within is None:
        text = f"It was not due {_when(span)}: its schedule is {dues.schedule}."
        if dues.schedule == "@reboot":
            text = f"It was not due {_when(span)}: it runs at @reboot, once after the machine came up."
        return _told(Verdict.NOT_DUE, text, *_around(dues), *_changed(facts, since))
    at_due = f" at {shown(dues.within)}" if dues is not None else ""
    for interval in reversed(facts.intervals):  # the newest comes first; the oldest that covers it is why
        if interval.kind in _OF_INTERVAL and _covers(interval, dues):
            verdict, text = _OF_INTERVAL[interval.kind]
            if interval.job:
                text = text.replace("jobs were", "it was")
            why = f": {named(interval.reason)}" if interval.job and interval.reason else ""
            return _told(verdict, f"It did not run{at_due}: {text} {_span(interval)}{why}.")
    if dues is not None and _came_too_late(facts, dues):
        return _told(
            Verdict.DOWN,
            f"It was due{at_due}; the daemon came up at {shown(dues.up_since)}, too late for it.",
        )
    return _told(Verdict.UNKNOWN, *_not_recorded(facts, since, at_due, dues), *_changed(facts, since))


def as_it_stands(
    told: Explanation, standing_now: Standing, span: Span, dues: Dues | None, now: datetime
) -> Explanation:
    """Return `told`, which no run answers, with what the job's standing now says to it."""
    due = dues.within if dues is not None else None
    found = keeps(standing_now, due or span.since, now)
    if told.verdict is Verdict.TO_COME:
        return replace(told, sentences=(*told.sentences, *(found or to_come(standing_now))))
    if told.verdict is Verdict.NOT_DUE:
        return replace(told, sentences=(*told.sentences, *found))
    pause = standing_now.paused
    if told.verdict is not Verdict.UNKNOWN or due is None:
        return told
    if pause is not None and (pause.since is None or pause.since <= due):
        return _told(Verdict.PAUSED, f"It did not run at {shown(due)}: it is {on_pause(pause)}.")
    if standing_now.queued:
        return _told(Verdict.TO_START, f"It was due at {shown(due)}, and is to start at once.")
    others = [] if pause is None else [f"It is {on_pause(pause)}."]
    reasons = [one for one in found if one not in others]
    if reasons:
        return _told(Verdict.DISABLED, f"It did not run at {shown(due)}.", *reasons)
    return told


def _when(span: Span) -> str:
    day = span.upto - span.since > timedelta(hours=1)
    return f"on {span.since:%Y-%m-%d}" if day else f"at {shown(span.since)}"


def _told(verdict: Verdict, *sentences: str) -> Explanation:
    return Explanation(verdict, sentences, _WORDS[verdict])


def _came_too_late(facts: Facts, dues: Dues) -> bool:
    """True if there was no daemon yet: before the first one there is no outage that would tell."""
    if dues.within is None or dues.up_since is None or dues.within > dues.up_since:
        return False
    return facts.recorded_since is None or dues.within < facts.recorded_since


def _covers(interval: IntervalSeen, dues: Dues | None) -> bool:
    """True if the interval can be why the due was not served."""
    if dues is None or dues.within is None or interval.began is None or interval.ended is None:
        return True
    # A daemon does not serve the minute in which it comes up.
    return interval.began <= dues.within < interval.ended + timedelta(minutes=1)


def _of_runs(facts: Facts, now: datetime) -> Explanation:
    last = facts.runs[-1]
    verdict = _verdict_of(last)
    count = len(facts.runs)
    title = _WORDS[verdict] if count == 1 else counted(count, "run")
    if verdict is Verdict.RAN and count == 1:
        title = f"it ran and {_ENDS.get(last.outcome or '', 'ended')}" if last.ended else "it runs"
    if count <= TOLD:
        told = [sentence for run in facts.runs for sentence in sentences_of(run, now)]
        return Explanation(verdict, tuple(told), title)
    kinds = Counter(brief(run, now).text for run in facts.runs)
    parts = ", ".join(f"{many} {kind}" for kind, many in kinds.most_common())
    return Explanation(verdict, (f"They ended so: {parts}.",), title)


def _verdict_of(run: RunSeen) -> Verdict:
    if run.outcome == "skipped":
        return Verdict.SKIPPED
    if run.outcome in ("could_not_start", "upstream_failed"):
        return Verdict.NOT_STARTED
    if is_waiting(run):
        return Verdict.WAITS
    if run.started_at is not None:
        return Verdict.RAN
    return Verdict.NOT_STARTED if run.ended else Verdict.TO_START


def sentences_of(run: RunSeen, now: datetime) -> list[str]:
    """Return what became of one run: how it ended, and what that may mean."""
    name = f"Run {run.id}, for {shown(run.instant)},"
    why = f": {named(run.reason)}" if run.reason else ""
    if not run.ended:
        if run.started_at is None:
            return [f"{name} has not started yet: it is {standing(run, now).text}."]
        if is_waiting(run):
            return [f"Run {run.id} started last at {shown(run.started_at)}; it is {standing(run, now).text}."]
        since = duration((now - run.started_at).total_seconds())
        return [f"{name} is {run.state} for {since}, since {shown(run.started_at)}."]
    if run.outcome == "skipped":
        return [f"{name} was left out{why or ', and it is not said why'}."]
    if run.started_at is None or run.outcome in ("could_not_start", "upstream_failed"):
        words = {
            "could_not_start": "could not start",
            "stopped": "was stopped before it started",
            "failed": "failed before it started",
            "timed_out": "timed out before it started",
            "upstream_failed": "was not started, since what it depends on failed",
        }
        return [f"{name} {words.get(run.outcome or '', f'ended as {run.outcome}')}{_not_twice(run, why)}."]
    ran = (
        f"Run {run.id} started at {shown(run.started_at)}{_lateness(run)}{_length(run)} and {_end(run, why)}."
    )
    return [ran, *_hints(run)]


def _not_twice(run: RunSeen, why: str) -> str:
    return "" if run.reason == "stopped before it started" else why


def _lateness(run: RunSeen) -> str:
    if run.started_at is None or run.instant is None or run.trigger != "schedule":
        return ""
    late = (run.started_at - run.instant).total_seconds()
    return f", {duration(late)} after its instant" if late >= _LATE else ""


def _length(run: RunSeen) -> str:
    if run.duration is not None:
        lasted = run.duration
    elif run.started_at is not None and run.ended_at is not None:
        lasted = (run.ended_at - run.started_at).total_seconds()
    else:
        return ""
    # Of a lost run nobody knows when it ended, or whether it has.
    return f", {'was seen' if run.outcome == 'lost' else 'ran'} for {duration(lasted)}"


def _end(run: RunSeen, why: str) -> str:
    if run.signal:
        how = f": signal {run.signal}, {signal_name(run.signal)}"
    elif run.exit_code is not None:
        how = f": exit status {run.exit_code}"
    else:
        how = ""
    words = {
        "success": "succeeded" + (how if run.exit_code else "") + why,
        "failed": f"failed{how}{why}",
        "timed_out": f"timed out{how}{why}",
        "stopped": f"was stopped{why}",
        "lost": f"how it ended is not known{why}",
    }
    return words.get(run.outcome or "", f"ended as {run.outcome}{how}{why}")


def _hints(run: RunSeen) -> list[str]:
    hints = []
    if run.outcome == "failed" and run.exit_code in _EXITS:
        hints.append(_EXITS[run.exit_code])
    if run.outcome == "failed" and run.signal in _SIGNALS:
        hints.append(_SIGNALS[run.signal])
    return hints


def _around(dues: Dues | None) -> list[str]:
    if dues is None or not (dues.previous or dues.following):
        return []
    before = f"The due before is {shown(dues.previous)}" if dues.previous else "Nothing was due before"
    after = f"the next is {shown(dues.following)}" if dues.following else "nothing is due after"
    return [f"{before}, {after}."]


def _changed(facts: Facts, since: datetime) -> list[str]:
    """A doubt: the schedule is that of today, and the crontab may have been another one."""
    seen = facts.crontab
    if seen is None or seen.at is None or seen.at <= since:
        return []
    first = shown(seen.at)
    return [f"But {seen.origin} as it is now was seen first at {first}; before, it may have said otherwise."]


def _not_recorded(facts: Facts, since: datetime, due: str, dues: Dues | None) -> list[str]:
    first = facts.recorded_since
    if first is None:
        return [f"Nothing is recorded of that time{', though it was due' + due if due else ''}."]
    if since < first:
        return [f"Nothing is known of that time: the history begins at {shown(first)}."]
    if dues is None:
        return [
            "No run of that time is recorded, and nobody knows whether it was due:",
            "it is in no crontab now, or the scheduler does not answer.",
        ]
    return [
        f"By its schedule, {dues.schedule}, it was due{due}, but no run is recorded and no outage either."
    ]


def _span(interval: IntervalSeen) -> str:
    if interval.began is None or interval.ended is None:
        return f"then ({interval.reason})"
    length = duration((interval.ended - interval.began).total_seconds())
    return f"from {shown(interval.began)} to {shown(interval.ended)} ({length})"
