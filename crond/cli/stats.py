"""The verb `stats`: how often jobs ran and how it ended, how long it took, and a picture of the last runs.

Owns how figures are shown; the recorder counts. Loaded by crond.cli.main.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from crond.cli.answers import BadAnswer, list_of, object_of
from crond.cli.client import find_place
from crond.cli.completion import jobs
from crond.cli.failure import Failure, Status
from crond.cli.format import (
    JOB,
    Cell,
    Column,
    can_show,
    counted,
    duration,
    screen_width,
    show_table,
    size,
    wants_colour,
)
from crond.cli.options import json_option, show_json
from crond.cli.past import parse_past
from crond.cli.recorded import LastRun, StatsSeen, ask_recorder, behind, read_stats, show_lag
from crond.cli.times import epoch, shown

_BARS = "▁▂▃▄▅▆▇█"
_PLAIN_BARS = "12345678"
_GOOD = ("success",)
#: What says nothing of the job itself.
_IDLE = ("skipped", "stopped", "upstream_failed")
_LABEL = 13


@click.command(short_help="Show how often jobs ran, how it ended and how long it took.")
@click.argument("job", required=False, shell_complete=jobs)
@click.option("--since", metavar="TIME", help="Only runs that began at TIME or later.")
@click.option("--until", metavar="TIME", help="Only runs that began before TIME.")
@click.option(
    "-n",
    "--last",
    "count",
    type=click.IntRange(1, 1000),
    default=30,
    show_default=True,
    metavar="N",
    help="How many runs are in the picture (JOB only).",
)
@json_option
@click.pass_obj
def stats(
    state: str | None, *, job: str | None, since: str | None, until: str | None, count: int, as_json: bool
) -> None:
    """Show the figures of JOB: how its runs ended, how long they took, and a picture of the last ones.
    Without JOB: a line for each of your jobs (root: everybody's).

    The rate of success leaves out runs that were stopped or skipped, or whose parents failed. TIME is
    2026-11-20, 2026-11-20T03:00, yesterday, 'yesterday 03:00', 03:00 (the last one), 2h or 3d (ago).
    """
    now = datetime.now(UTC)
    begin = None if since is None else parse_past(since, now, "--since")
    end = None if until is None else parse_past(until, now, "--until")
    if begin is not None and end is not None and end <= begin:
        raise Failure(f"--until ({shown(end)}) is not after --since ({shown(begin)})", Status.USAGE)
    body = ask_recorder(
        find_place(state), "stats", job=job, since=epoch(begin), until=epoch(end), count=str(count)
    )
    if job is None:
        everyone = list_of(body, "jobs", read_stats)
        one = None
    else:
        held = object_of(body, "stats")
        if held is None:
            raise BadAnswer("stats is missing")
        everyone, one = [], read_stats(held)
    if as_json:
        show_json(body)
        return
    if one is not None:
        _show_one(one)
    else:
        _show_all(everyone)
    show_lag(behind(body))


def _show_all(everyone: list[StatsSeen]) -> None:
    if not everyone:
        click.echo("No such runs are recorded.", err=True)
    show_table(
        [JOB, Column("RUNS"), Column("SUCCESS"), Column("ENDS", True)],
        [
            [
                Cell(one.job),
                Cell(f"{one.runs:,}"),
                Cell(rate(one.success_rate), _colour_of(one.success_rate)),
                Cell(endings(one.outcomes)),
            ]
            for one in everyone
        ],
    )


def _show_one(one: StatsSeen) -> None:
    click.echo(f"{one.job}: {counted(one.runs, 'run')}" + (f", {endings(one.outcomes)}" if one.runs else ""))
    lines = [("success", rate(one.success_rate))]
    lengths = one.durations
    if lengths is not None:
        lines.append(("duration", f"median {duration(lengths.median)}, mean {duration(lengths.mean)}"))
        lines.append(("", f"from {duration(lengths.least)} to {duration(lengths.most)}"))
        lines.append(("", f"90 % within {duration(lengths.p90)}, 99 % within {duration(lengths.p99)}"))
    if one.cpu_mean is not None and one.cpu_max is not None:
        lines.append(("CPU time", f"mean {duration(one.cpu_mean)}, at most {duration(one.cpu_max)}"))
    if one.max_rss is not None:
        lines.append(("most memory", size(one.max_rss)))
    for name, text in lines:
        click.echo(f"  {name:<{_LABEL}}{text}")
    if one.last:
        _show_picture(one.last)


def _show_picture(last: Sequence[LastRun]) -> None:
    """A bar for each of the last runs, as high as it was long, and a mark below each that did not succeed."""
    width = screen_width()
    if width is not None:
        last = last[-max(width - 2 - _LABEL, 1) :]
    bars, marks = sparkline([run.duration for run in last]), [mark(run.outcome) for run in last]
    colour = wants_colour()
    painted = "".join(click.style(bar, fg=_PAINT[sign]) for bar, sign in zip(bars, marks, strict=True))
    click.echo(f"  {f'last {len(last)}':<{_LABEL}}{painted}", color=colour)
    below = "".join(marks).rstrip()
    if below:
        kept_back = any(run.outcome == "upstream_failed" for run in last)
        idle = "- stopped, skipped or upstream failed" if kept_back else "- stopped or skipped"
        legend = ", ".join(text for sign, text in (("x", "x failed"), ("-", idle)) if sign in below)
        click.echo(f"  {'':<{_LABEL}}{below}")
        click.echo(f"  {'':<{_LABEL}}({legend})")


_PAINT = {" ": "green", "-": "yellow", "x": "red"}


def mark(outcome: str) -> str:
    """Return the sign below a bar: x for a failure, - for what says nothing of the job, else a blank."""
    return " " if outcome in _GOOD else "-" if outcome in _IDLE else "x"


def sparkline(lengths: Sequence[float | None]) -> str:
    """Return one bar per length, the highest for the longest; None is a blank."""
    bars = _BARS if can_show(_BARS) else _PLAIN_BARS
    most = max((length for length in lengths if length is not None), default=0.0)

    def bar(length: float | None) -> str:
        if length is None:
            return " "
        share = length / most if most > 0 else 0.0
        return bars[min(max(int(share * len(bars)), 0), len(bars) - 1)]

    return "".join(bar(length) for length in lengths)


def rate(share: float | None) -> str:
    """Return `97.5 %`; never 100 % where something failed. `-` for none."""
    if share is None:
        return "-"
    tenths = int(share * 1000)  # down, so that one failure among many is seen
    return f"{tenths // 10} %" if tenths % 10 == 0 else f"{tenths / 10:.1f} %"


def _colour_of(share: float | None) -> str | None:
    return None if share is None else "green" if share >= 1 else "red"


def endings(outcomes: dict[str, int]) -> str:
    """Return `117 success, 2 failed`, the most frequent first."""
    held = sorted(
        ((count, name) for name, count in outcomes.items() if count), key=lambda one: (-one[0], one[1])
    )
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for count, name in held)
