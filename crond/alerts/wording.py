"""Wording: from one flip, or several, to the message that a person reads at night.

Owns every word of it: what happened comes first, then facts in an order that is always the same, then the
commands that show more. Knows neither targets nor forms of text. Pure. Called by the outbox, and by
docs/generate_messages.py.
"""

from __future__ import annotations

import hashlib
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from crond.alerts.texts import counted, length, moment, plain, signal_name
from crond.model.alert import Event, Flip, Promise
from crond.model.message import Message, Tone
from crond.model.messages import Pairs
from crond.model.wording import joined

#: So many items of a digest, or jobs of a list, are named; the rest is counted.
NAMED = 20
_LONGEST_LINK = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the news comes from. `link` is a URL with {run} in it, or ""; `local` is the machine's time
    zone, None: whatever it is now.
    """

    host: str
    link: str = ""
    local: tzinfo | None = None


def message_of(flips: Sequence[Flip], place: Place) -> Message:
    """Return the message that tells `flips`, at least one and oldest first, all for one target."""
    flip = flips[0]
    if flip.event.is_ping:
        return Message(key=flip.id, run=flip.run, ping=flip.event.value.removeprefix("ping_"))
    if len(flips) == 1:
        return _single(flip, place, title_of(flip, place.host), _facts(flip, place))
    if _is_of_one_pipeline(flips):
        return _pipeline(flips, place)
    return _digest(flips, place)


def title_of(flip: Flip, host: str) -> str:
    """Return `[host] job failed (exit 2) — crontabx`; for a ping what it says."""
    if flip.event.is_ping:
        return f"ping of {_name(flip.job)}: {flip.event.value.removeprefix('ping_')}"
    return _title(host, headline(flip))


def headline(flip: Flip) -> str:
    """Return what happened, with the name of its job."""
    if flip.event is Event.TROUBLE:
        return plain(flip.reason or "something is wrong", 600)
    return f"{_name(flip.job)} {_verb(flip)}"


def _verb(flip: Flip) -> str:
    match flip.event:
        case Event.FAILURE:
            return _failure(flip)
        case Event.RETRY:
            return f"{_failure(flip)} and is tried again"
        case Event.LATE:
            return _LATE.get(flip.promise, "is late")
        case Event.ON_TIME:
            return _ON_TIME.get(flip.promise, "is on time again")
    return _VERBS[flip.event]


_VERBS = {Event.SUCCESS: "succeeded", Event.RECOVERY: "works again", Event.SKIP: "was skipped"}
_LATE: dict[str, str] = {
    Promise.LATE_AFTER: "has not started",
    Promise.WARN_RUNTIME: "takes too long",
    Promise.MAX_TIME_SINCE_SUCCESS: "has not succeeded for too long",
}
_ON_TIME: dict[str, str] = {
    Promise.LATE_AFTER: "starts in time again",
    Promise.WARN_RUNTIME: "ends in time again",
    Promise.MAX_TIME_SINCE_SUCCESS: "succeeded again",
}


def _failure(flip: Flip) -> str:
    match flip.outcome:
        case "timed_out":
            return "took too long and was stopped"
        case "could_not_start":
            return "could not start"
        case "lost":
            return "was lost"
        case "skipped":
            return "is held and did not run"
    if flip.signal:
        return f"failed ({signal_name(flip.signal)})"
    return "failed" if flip.exit_code is None else f"failed (exit {flip.exit_code})"


# --- one piece of news -------------------------------------------------------------------------------


def _single(flip: Flip, place: Place, title: str, facts: Pairs, why: str = "") -> Message:
    return Message(
        key=flip.id,
        tone=_TONES[flip.event],
        title=title,
        facts=facts,
        commands=tuple(_commands(flip)),
        link=_link(flip, place),
        why=f"sent because of {why or _why(flip)}",
    )


_TONES = {
    Event.FAILURE: Tone.FAILURE,
    Event.RETRY: Tone.WARNING,
    Event.SUCCESS: Tone.SUCCESS,
    Event.RECOVERY: Tone.SUCCESS,
    Event.SKIP: Tone.INFO,
    Event.LATE: Tone.WARNING,
    Event.ON_TIME: Tone.SUCCESS,
    Event.TROUBLE: Tone.FAILURE,
}


def _facts(flip: Flip, place: Place) -> Pairs:
    return tuple((label, plain(text)) for label, text in _all_facts(flip, place) if text)


def _all_facts(flip: Flip, place: Place) -> Iterator[tuple[str, str]]:
    def at(when: float | None) -> str:
        return "" if when is None else moment(when, flip.timezone, place.local)

    yield ("asked for" if flip.trigger == "manual" else "due"), at(flip.instant) + _cause(flip)
    yield "started", at(flip.started_at)
    yield "attempts", _attempts(flip)
    yield "next attempt", at(flip.again_at)
    if flip.started_at is not None and flip.ended_at is not None:
        together = ", all attempts together" if flip.starts > 1 else ""
        yield "duration", length(flip.ended_at - flip.started_at) + together
    yield from _promise(flip)
    yield "how it ended", _end(flip, at(flip.ended_at))
    if flip.job and flip.event not in (Event.SUCCESS, Event.RETRY, Event.TROUBLE):
        yield "previous success", _previous(flip, at(flip.previous_success))
    yield "held up", names(flip.held_up)
    yield "pipeline", flip.pipeline
    if flip.event is Event.TROUBLE:
        yield "noticed", at(flip.at)
        yield "what is wrong", flip.reason


def _cause(flip: Flip) -> str:
    if flip.instant is None:
        return ""
    return {"catchup": " (made up for)", "backfill": " (by a backfill)", "reboot": " (at boot)"}.get(
        flip.trigger, ""
    )


def _attempts(flip: Flip) -> str:
    if not flip.starts or (flip.starts == 1 and not flip.retries):
        return ""
    return f"{flip.starts:,} of {max(flip.starts, flip.retries + 1):,}"


def _promise(flip: Flip) -> Iterator[tuple[str, str]]:
    if flip.event not in (Event.LATE, Event.ON_TIME):
        return
    if flip.event is Event.LATE and flip.promise == Promise.WARN_RUNTIME and flip.started_at is not None:
        yield "runs for", length(flip.at - flip.started_at)
    if flip.promised is not None:
        words = {
            Promise.LATE_AFTER: "to start within {}",
            Promise.WARN_RUNTIME: "to take no longer than {}",
            Promise.MAX_TIME_SINCE_SUCCESS: "to succeed every {}",
        }
        said = next((text for promise, text in words.items() if promise == flip.promise), "{}")
        yield "promised", f"{said.format(length(flip.promised))} ({flip.promise})"
    if flip.missed:
        yield "missed", counted(flip.missed, "start", "starts")


def _end(flip: Flip, when: str) -> str:
    # A run that is tried again has not ended; its attempt has.
    outcome = "failed" if flip.event is Event.RETRY else flip.outcome
    if not outcome or flip.event is Event.LATE:
        return flip.reason if flip.event is Event.SKIP else ""
    how = _ENDS.get(outcome, "")
    if outcome == "skipped" and flip.started_at is not None:
        how = "it ran, and says that there was nothing to do"
    if outcome == "failed" and flip.signal:
        how = f"killed by {signal_name(flip.signal)}"
    elif outcome == "failed" and flip.exit_code is not None:
        how = f"exit status {flip.exit_code}"
    how += f" at {when}" if when and outcome in ("success", "failed", "timed_out") else ""
    reason = flip.reason.removeprefix("held: ")  # so says the title
    return f"{how}: {reason}" if reason else how


_ENDS = {
    "success": "with success",
    "failed": "failed",
    "timed_out": "its time was over, and it was stopped",
    "could_not_start": "it never began",
    "lost": "nobody knows, since the daemon itself ended meanwhile",
    "skipped": "it did not run",
}


def _previous(flip: Flip, when: str) -> str:
    text = when or "none is known"
    return f"{text}; {flip.failures:,} failures in a row since then" if flip.failures > 1 else text


def _commands(flip: Flip) -> Iterator[str]:
    if flip.run:
        if flip.attempt:
            yield f"crontabx logs {shlex.quote(plain(flip.run, 100))}"
        yield f"crontabx show {shlex.quote(plain(flip.run, 100))}"
    if flip.job and not flip.attempt:
        yield f"crontabx why {shlex.quote(_name(flip.job))}"
    if not flip.run and not flip.job:
        yield "crontabx status"


def _link(flip: Flip, place: Place) -> str:
    link = place.link.replace("{run}", plain(flip.run, 100)) if flip.run else ""
    return link if len(link) <= _LONGEST_LINK else ""


_KEYS = {
    Event.FAILURE: "on_failure",
    Event.RETRY: "on_retry",
    Event.SUCCESS: "on_success",
    Event.RECOVERY: "on_recovery or on_failure",
    Event.SKIP: "on_skip",
    Event.LATE: "on_late",
    Event.ON_TIME: "on_late or on_recovery",
    Event.TROUBLE: "on_trouble",
}


def _why(flip: Flip) -> str:
    if flip.event is Event.TROUBLE:
        return "on_trouble in the settings of the host"
    return f"{_KEYS[flip.event]} of {_name(flip.job)}"


# --- several -----------------------------------------------------------------------------------------


def _is_of_one_pipeline(flips: Sequence[Flip]) -> bool:
    first = flips[0]
    return bool(first.pipeline) and all(
        flip.event is Event.FAILURE and (flip.pipeline, flip.instant) == (first.pipeline, first.instant)
        for flip in flips
    )


def _pipeline(flips: Sequence[Flip], place: Place) -> Message:
    """One message of what failed in one instant of a pipeline; the first that failed is what it is about."""
    first, *others = flips
    failed = {flip.job for flip in flips}
    held = dict.fromkeys(job for flip in flips for job in flip.held_up if job not in failed)
    facts = [fact for fact in _facts(first, place) if fact[0] not in ("held up", "pipeline")]
    also = [f"{_name(flip.job)} {_verb(flip)}" for flip in others]
    facts.append(("also failed", plain(_listed(also))))
    facts += [("held up", plain(names(tuple(held))))] if held else []
    facts.append(("pipeline", plain(first.pipeline)))
    more = f"and {len(others):,} more of its pipeline"
    title = _title(place.host, f"{headline(first)}, {more}")
    return _single(first, place, title, tuple(facts), _whys(flips))


def _digest(flips: Sequence[Flip], place: Place) -> Message:
    jobs = {flip.job for flip in flips}
    kinds = Counter(flip.event for flip in flips)
    told = ", ".join(counted(kinds[event], *nouns) for event, nouns in _NOUNS.items() if kinds[event])
    of = f" of {_name(flips[0].job)}" if len(jobs) == 1 and flips[0].job else ""
    lines = [
        plain(f"{moment(flip.at, flip.timezone, place.local)} {headline(flip)}") for flip in flips[:NAMED]
    ]
    lines += [f"and {len(flips) - NAMED:,} more"] if len(flips) > NAMED else []
    tones = {_TONES[flip.event] for flip in flips}
    return Message(
        key=hashlib.blake2s("\n".join(flip.id for flip in flips).encode(), digest_size=7).hexdigest(),
        tone=next(tone for tone in Tone if tone in tones),
        title=_title(place.host, f"{told}{of}"),
        lines=tuple(lines),
        commands=(
            "crontabx alerts",
            "crontabx history --failed" if kinds[Event.FAILURE] else "crontabx history",
        ),
        why=f"sent because of {_whys(flips)}",
    )


_NOUNS = {
    Event.FAILURE: ("failure", "failures"),
    Event.TROUBLE: ("trouble", "troubles"),
    Event.LATE: ("broken promise", "broken promises"),
    Event.RETRY: ("retry", "retries"),
    Event.RECOVERY: ("recovery", "recoveries"),
    Event.ON_TIME: ("promise kept again", "promises kept again"),
    Event.SUCCESS: ("success", "successes"),
    Event.SKIP: ("skipped start", "skipped starts"),
}


def _whys(flips: Sequence[Flip]) -> str:
    """Return why somebody is told of all these: the key, and of whom."""
    of: dict[str, dict[str, None]] = {}
    for flip in flips:
        of.setdefault(_KEYS[flip.event], {})[flip.job] = None
    parts = []
    for key, jobs in of.items():
        named = [_name(job) for job in jobs if job][:3]
        more = len(jobs) - len(named)
        named += [f"{more:,} more"] if more and named else []
        parts.append(f"{key} of {joined(named)}" if named else key)
    return plain("; ".join(parts), 1500)


def names(jobs: Sequence[str]) -> str:
    """Return the names of `jobs`, the first of many."""
    return _listed([_name(job) for job in jobs])


def _listed(items: Sequence[str]) -> str:
    shown = list(items[:NAMED])
    shown += [f"{len(items) - NAMED:,} more"] if len(items) > NAMED else []
    return joined(shown) if shown else ""


def _name(job: str) -> str:
    return plain(job, 300)


def _title(host: str, text: str) -> str:
    return f"[{plain(host, 100)}] {plain(text, 700)} — crontabx"
