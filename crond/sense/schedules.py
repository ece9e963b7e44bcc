"""Rules about the five fields: what a schedule says that was hardly meant.

Looks at sets and at the words they were written with, never at a clock; nights in which clocks change are
`crond.sense.clocks`' business. Pure; called by `crond.sense.judge`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from crond.model.crontab import Problem
from crond.model.entry import Entry
from crond.model.schedule import Cron
from crond.model.wording import Days, days_of, never
from crond.sense.rules import finding
from crond.sense.scene import Scene

_WORD = re.compile(r"[^ \t]+")
_SINGLE_HOURS = re.compile(r"[0-9,]+|\*/[0-9]+", re.ASCII)
_STEP = re.compile(r"\*/([0-9]{1,3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Field:
    text: str
    column: int


def schedule_findings(scene: Scene) -> Iterator[Problem]:
    """Yield what is odd about the schedules of `scene`."""
    for entry in scene.entries:
        if not isinstance(entry.schedule, Cron) or entry.schedule.text.startswith("@"):
            continue
        fields = _fields(scene, entry)
        reason = never(entry.schedule)
        if reason is not None:
            text = f"this never runs: {reason}"
            yield finding("never-due", entry.line, fields[0].column, text, _never_hint(entry.schedule))
        else:
            yield from _minutes(entry, entry.schedule, fields)
            yield from _days(entry, entry.schedule, fields)
        yield from _steps(entry, fields)


def _fields(scene: Scene, entry: Entry) -> list[_Field]:
    line = scene.lines[entry.line - 1]
    start = entry.column - 1 + (line[entry.column - 1] == "-")
    words = _WORD.finditer(line, start)
    return [_Field(word[0], word.start() + 1) for word, _ in zip(words, range(5), strict=False)]


def _never_hint(schedule: Cron) -> str:
    allowed = (
        schedule.minute, schedule.hour, schedule.day_of_month, schedule.month, schedule.day_of_week,
    )  # fmt: skip
    if not all(allowed):
        return "a range goes upwards: write one that goes round as two, such as 22-23,0-5"
    return (
        'for the last day of a month in any cron: 0 0 28-31 * * [ "$(date -d tomorrow +\\%d)" = 01 ] && ...'
    )


def _minutes(entry: Entry, schedule: Cron, fields: list[_Field]) -> Iterator[Problem]:
    minute, hour = fields[0], fields[1]
    if minute.text == "*" and _SINGLE_HOURS.fullmatch(hour.text) and len(schedule.hour) < 24:
        named = ", ".join(f"{h:02}:00-{h:02}:59" for h in sorted(schedule.hour)[:3])
        more = "" if len(schedule.hour) <= 3 else " ..."
        text = f"* in the minute: it runs 60 times an hour, each minute of {named}{more}"
        hint = f"for once an hour: 0 {hour.text} ...; if each minute is meant: 0-59 {hour.text} ..."
        yield finding("every-minute", entry.line, minute.column, text, hint)


def _steps(entry: Entry, fields: list[_Field]) -> Iterator[Problem]:
    for field, size, unit, whole in ((fields[0], 60, "minute", "hour"), (fields[1], 24, "hour", "day")):
        found = _STEP.fullmatch(field.text)
        step = int(found[1]) if found else 1
        if 1 < step < size and size % step:
            last = size - 1 - (size - 1) % step
            text = (
                f"{field.text} is not every {step} {unit}s: after {unit} {last} comes 0 of the next"
                f" {whole}, {size - last} {unit}s later"
            )
            nearest = max(n for n in range(1, step) if size % n == 0)
            yield finding("step-uneven", entry.line, field.column, text, f"*/{nearest} is even")


def _days(entry: Entry, schedule: Cron, fields: list[_Field]) -> Iterator[Problem]:
    dom, dow = fields[2], fields[4]
    days = days_of(schedule)
    if days is Days.EITHER or (days is Days.EVERY and not (schedule.dom_star or schedule.dow_star)):
        every = ": every day, that is" if days is Days.EVERY else ""
        text = f"it runs on days that fit either day field, {dom.text} or {dow.text}{every}"
        yield finding("days-either", entry.line, dom.column, text, _both_hint(dom.text, dow.text))
    elif days is Days.BOTH:
        starred = dom if schedule.dom_star else dow
        text = (
            f"{starred.text} begins with *, so a day must fit both {dom.text} and {dow.text}; without that *"
            " one of them would do"
        )
        hint = "if both are meant all is well: --ignore days-both"
        yield finding("days-both", entry.line, starred.column, text, hint)


def _both_hint(dom: str, dow: str) -> str:
    if dom == "1-7" and re.fullmatch(r"\w+", dow):
        return f"for the first such day of a month: day of month *, day of week {dow}#1 (crontabx only)"
    return "for days that fit both: * in one of them, and the other asked in the command"
