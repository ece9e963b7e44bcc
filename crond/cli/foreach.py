"""What the verbs share that do one thing to several jobs for a while: pause, resume, mute, unmute.

Knows how a length of time is given, and that nothing is done if one of the names is none.
"""

from __future__ import annotations

from typing import Any

import click

from crond.cli.answers import text_of
from crond.cli.client import Place, ask_once
from crond.cli.failure import Failure, Status
from crond.cli.format import printable
from crond.model.specials import parse_duration

#: Seconds that it may last: what every client can show the end of.
_LONGEST = 1000 * 366 * 86400


def seconds_of(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Turn a duration of the annotations' language into the digits of its seconds."""
    if value is None:
        return None
    seconds = parse_duration(value)
    if not seconds or seconds > _LONGEST:
        raise click.BadParameter(f"'{printable(value)}' is no duration; write 30m, 2h or 1d")
    return str(seconds)


def ask_for_each(
    place: Place, verb: str, names: tuple[str, ...], **arguments: str | None
) -> list[dict[str, Any]]:
    """The answer for each job; nothing is done if one of the names is none."""
    whole = dict.fromkeys(text_of(ask_once(place, "job", job=name), "job") for name in names)
    answers = []
    for job in whole:
        try:
            answers.append(ask_once(place, verb, job=job, **arguments))
        except Failure as failure:
            done = ", ".join(text_of(body, "job") for body in answers)
            text = f"{failure.message}\nDone before that: {printable(done)}" if done else failure.message
            raise Failure(text, Status(failure.exit_code)) from None
    return answers
