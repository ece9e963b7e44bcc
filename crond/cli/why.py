"""The verb `why`: what became of a job at a moment, and how that is known.

Asks the recorder what is recorded and the scheduler when the job was due; crond.cli.explanation makes
sentences of both. Either may not know the job. Loaded by crond.cli.main.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from crond.cli.answers import NextSeen, RunSeen, list_of, moment_of, read_next
from crond.cli.causes import causes_of
from crond.cli.client import Place, Refused, ask_once, find_place
from crond.cli.completion import jobs
from crond.cli.describe import brief, is_waiting
from crond.cli.explanation import TOLD, Dues, Explanation, Verdict, as_it_stands, explain
from crond.cli.failure import Failure, Status
from crond.cli.format import printable, screen_width
from crond.cli.former import former
from crond.cli.missing import advice_on
from crond.cli.options import json_option, show_json
from crond.cli.past import Span, parse_span
from crond.cli.present import Standing, keeps, on_waiting, read_standing
from crond.cli.recorded import Facts, ask_recorder, behind, read_facts, read_interval, show_lag
from crond.cli.times import epoch, shown, utc_text

_Told = TypeVar("_Told")

_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)
#: A due younger than this may be on its way to the history.
_FRESH = timedelta(seconds=5)
#: Epoch seconds before which no crontab was.
_LONG_AGO = 86400
#: How far back the due before is looked for, in steps: seconds to nine years.
_BACK = [timedelta(seconds=90), *(timedelta(hours=2 * 4**n) for n in range(8)), timedelta(days=366 * 9)]
#: Dues that are asked for at once where the last of them is looked for.
_FEW = 4


@click.command(short_help="Say why a job ran or did not run, and how it ended.")
@click.argument("job", shell_complete=jobs)
@click.argument("instant", nargs=-1)
@json_option
@click.pass_obj
def why(state: str | None, *, job: str, instant: tuple[str, ...], as_json: bool) -> None:
    """Say in words what became of JOB at INSTANT: it ran and ended so, it was left out, the daemon was down,
    it was not due.

    Without INSTANT: the latest it was due, or has run. INSTANT is a minute or a day: 2026-11-20,
    2026-11-20T03:00, yesterday, 'yesterday 03:00', 03:00 (the last one), 2h or 3d (ago).
    """
    place, now = find_place(state), datetime.now(UTC)
    inquiry = Inquiry(place, job, now)
    if instant:
        span = _whole_minute(parse_span(" ".join(instant), now, "INSTANT"))
        body = inquiry.recorded(span)
    else:
        span, body = inquiry.latest()
    facts = read_facts(body)
    dues = None if facts.runs else inquiry.dues(facts.job, span)
    told = explain(facts, span, dues, now)
    present = None
    if not instant or not facts.runs or not facts.runs[-1].ended:
        present = inquiry.standing(facts.job, None if dues is None else dues.within or span.since)
    told = replace(told, sentences=(*told.sentences, *_more(place, facts, dues, told, span)))
    if present is not None:
        told = _with(told, facts, present, span, dues, now, asked=bool(instant))
    if as_json:
        show_json({**body, "upto": utc_text(span.upto), "due": _dues_body(dues), **_told_body(told)})
        return
    _show(facts, told, now)
    show_lag(behind(body))


def _more(place: Place, facts: Facts, dues: Dues | None, told: Explanation, span: Span) -> list[str]:
    """What others than the scheduler know: missing commands, parents that failed, former crontabs."""
    if facts.runs:
        return [*causes_of(place, facts.runs[-1]), *advice_on(place, facts.runs[-1])]
    if dues is not None and told.verdict in (Verdict.NOT_DUE, Verdict.UNKNOWN):
        return former(place, facts.job, span.since, dues.schedule)
    return []


def _with(
    told: Explanation,
    facts: Facts,
    present: Standing,
    span: Span,
    dues: Dues | None,
    now: datetime,
    *,
    asked: bool,
) -> Explanation:
    """`told`, with what the scheduler says of now. Unless a moment was asked for, that is what keeps the job
    from now on, too.
    """
    more: list[str] = []
    if not facts.runs:
        told = as_it_stands(told, present, span, dues, now)
    else:
        detail = present.detail_of(facts.runs[-1].id)
        more += on_waiting(detail, now) if detail is not None and is_waiting(detail.run) else []
    if not asked:
        from_now = (one for one in keeps(present, None, now) if one not in told.sentences)
        # What a pause did to the due is said already.
        more += [] if told.verdict is Verdict.PAUSED else from_now
    return replace(told, sentences=(*told.sentences, *more))


def _whole_minute(span: Span) -> Span:
    """`2h` ago is meant to the minute."""
    if span.upto - span.since != _MINUTE:
        return span
    since = span.since.replace(second=0, microsecond=0)
    return Span(since, since + _MINUTE)


class Inquiry:
    """What recorder and scheduler know of one job, each asked for what it knows."""

    def __init__(self, place: Place, job: str, now: datetime) -> None:
        self._place = place
        self._job = job
        self._now = now

    def recorded(self, span: Span) -> dict[str, Any]:
        """Return the recorder's answer to `why`, or what it knows of a job that never ran."""
        edges = {"instant": epoch(span.since), "upto": epoch(span.upto)}
        try:
            return ask_recorder(self._place, "why", job=self._job, **edges)
        except Refused as refusal:
            known = self._told(lambda: self._known(self._job)) if refusal.code == "unknown" else None
            if known is None:
                raise
        edges = {"since": epoch(span.since), "until": epoch(span.upto)}
        held = ask_recorder(self._place, "intervals", job=known.job, count="100", **edges)
        nothing: dict[str, Any] = {
            "runs": [],
            "crontab": None,
            "before": None,
            "after": None,
        }
        # An older recorder does not say since when it records.
        return {"job": known.job, "instant": utc_text(span.since), "recorded_since": None, **held, **nothing}

    def latest(self) -> tuple[Span, dict[str, Any]]:
        """Return when the job was due last or has run last, whichever is later, with what is recorded."""
        body, newest = self._newest()
        # What was due just now may not have been written down yet.
        due = self._told(lambda: self._last_due(self._job, self._now - _FRESH))
        if due is not None and (newest is None or due > newest + _MINUTE):
            span = Span(due, due + (_SECOND if due.second else _MINUTE))
            return span, self.recorded(span)
        if newest is None:
            raise Failure(f"'{printable(self._job)}' has never run and was never due", Status.UNKNOWN)
        return Span(newest, newest + _MINUTE), body

    def _newest(self) -> tuple[dict[str, Any], datetime | None]:
        """The recorder's answer for the newest run, and its instant; None for a job that never ran."""
        try:
            body = ask_recorder(self._place, "why", job=self._job)
        except Refused as refusal:
            if refusal.code != "unknown" or self._told(lambda: self._known(self._job)) is None:
                raise
            return {}, None
        return body, moment_of(body, "instant")

    def dues(self, job: str, span: Span) -> Dues | None:
        """Return what the schedule says about `span`; None where no scheduler knows the job."""
        return self._told(lambda: self._dues(job, span))

    def standing(self, job: str, instant: datetime | None) -> Standing | None:
        """Return how the job stands now; None where no scheduler knows the job."""
        return self._told(lambda: self._standing(job, instant))

    def _standing(self, job: str, instant: datetime | None) -> Standing | None:
        try:
            return read_standing(ask_once(self._place, "standing", job=job, instant=epoch(instant)))
        except Refused:  # it knows no such job, or is older than the question
            return None

    def _told(self, ask: Callable[[], _Told | None]) -> _Told | None:
        """Return what the scheduler tells; None while there is none: the history stands alone."""
        try:
            return ask()
        except Failure as failure:
            if failure.exit_code != Status.UNREACHABLE:
                raise
            return None

    def _dues(self, job: str, span: Span) -> Dues | None:
        known = self._known(job)
        if known is None:
            return None
        within = self._due_after(job, span.since - _SECOND)
        if within is not None and within >= span.upto:
            within = None
        following = self._due_after(job, span.upto - _SECOND)
        return Dues(known.schedule, self._last_due(job, span.since), within, following, self._up_since(span))

    def _up_since(self, span: Span) -> datetime | None:
        """When the daemon came up, if it is the first one since `span`: another would have left an outage."""
        later = ask_recorder(self._place, "intervals", since=epoch(span.since), count="100")
        if any(interval.kind == "outage" for interval in list_of(later, "intervals", read_interval)):
            return None
        return moment_of(ask_once(self._place, "status"), "started_at")

    def _known(self, job: str) -> NextSeen | None:
        """The job's whole name and its schedule, if the scheduler knows it."""
        try:
            coming = self._next(job, _LONG_AGO)
        except Refused as refusal:
            if refusal.code != "unknown":
                raise
            return None
        # A job that was never due and never will be: there is one such schedule.
        return coming[0] if coming else NextSeen(printable(job), None, "@reboot")

    def _last_due(self, job: str, before: datetime) -> datetime | None:
        """The last due before that moment: found by halving until few are left, as the scheduler only looks
        ahead.
        """
        steps = (self._dues_after(job, before - step) for step in _BACK)
        few = next((dues for dues in steps if dues and dues[0] < before), [])
        low, high = max((due for due in few if due < before), default=None), before
        while low is not None and few[-1] < before and high - low > _SECOND:
            middle = low + (high - low) / 2
            later = self._dues_after(job, middle)
            if later and low < later[0] < before:
                few, low = later, max(due for due in later if due < before)
            else:
                high = middle
        return low

    def _due_after(self, job: str, moment: datetime) -> datetime | None:
        return next(iter(self._dues_after(job, moment, 1)), None)

    def _dues_after(self, job: str, moment: datetime, count: int = _FEW) -> list[datetime]:
        try:
            coming = self._next(job, max(math.floor(moment.timestamp()), _LONG_AGO), count)
        except Refused:
            return []
        return [one.instant for one in coming if one.instant is not None]

    def _next(self, job: str, after: int, count: int = 1) -> list[NextSeen]:
        body = ask_once(self._place, "next", job=job, after=str(after), count=str(count))
        return list_of(body, "next", read_next)


def _show(facts: Facts, told: Explanation, now: datetime) -> None:
    click.echo(f"{facts.job}: {told.title}")
    _say(told.sentences)
    if not facts.runs:
        beside = [(word, run) for word, run in (("before", facts.before), ("after", facts.after)) if run]
        _say([f"The run {word}: {_in_short(run, now)}." for word, run in beside])
        return
    last = facts.runs[-1]
    if len(facts.runs) > TOLD:
        _say(["The last one: " + _in_short(last, now) + "."])
    output = f"crontabx logs {last.id}; " if last.attempt is not None else ""
    _say([f"More: {output}crontabx show {last.id}"])


def _in_short(run: RunSeen, now: datetime) -> str:
    return f"{run.id}, for {shown(run.instant)}, {brief(run, now).text}"


def _say(sentences: Iterable[str]) -> None:
    width = screen_width()
    for sentence in sentences:
        text = sentence if width is None else click.wrap_text(sentence, max(width - 2, 20))
        click.echo("  " + text.replace("\n", "\n  "))


def _told_body(told: Explanation) -> dict[str, Any]:
    return {"verdict": told.verdict.value, "answer": list(told.sentences)}


def _dues_body(dues: Dues | None) -> dict[str, Any] | None:
    if dues is None:
        return None
    moments = {"previous": dues.previous, "within": dues.within, "next": dues.following}
    return {
        "schedule": dues.schedule,
        **{key: None if moment is None else utc_text(moment) for key, moment in moments.items()},
    }
