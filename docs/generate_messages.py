"""Writes docs/reference/messages.md from the messages in tests/alerts and the numbers of `crond.alerts`.

`python docs/generate_messages.py` writes the page; a test compares the page with `page()`. The texts there
are compared with what is worded today by tests/alerts/test_wording.py.
"""

from __future__ import annotations

import pathlib
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from crond.alerts.grouping import LONGEST, MOST  # noqa: E402 - needs the line above
from crond.alerts.patience import FIRST, PING_LIMIT, UNSURE  # noqa: E402
from crond.alerts.patience import LONGEST as LONGEST_PAUSE  # noqa: E402
from crond.alerts.wording import NAMED  # noqa: E402
from crond.model.orders import IN_HAND  # noqa: E402
from crond.model.wording import joined, span  # noqa: E402
from crond.recorder.outbox import KEPT, KEPT_ROWS, MOST_WAITING, TOO_OLD  # noqa: E402
from crond.recorder.tries import EACH  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "messages.md"
TEXTS = ROOT / "tests" / "alerts"

#: File names of messages, with what is said of them.
SHOWN = {
    "failure_after_retries": "A job that failed for good, for the third time in a row:",
    "failure_in_a_pipeline": "One that others wait for; they are named here and have no message:",
    "held": "One that is held, since what it depends on is not there:",
    "could_not_start": "One that never became its command:",
    "retry": "An attempt failed, and another one follows:",
    "recovery": "The first success after a failure that was told:",
    "late_after": "A promise that was not kept. When it is kept again, that is told too:",
    "warn_runtime": "The same of a job that runs:",
    "digest": "Several that came together:",
}


def page() -> str:
    """Return the whole page."""
    shown = "\n".join(f"{text}\n\n{_text(name)}\n" for name, text in SHOWN.items())
    return f"""# Messages

What an alert says, what becomes one message, and when it is tried again. Written by
docs/generate_messages.py.

## What a message says

The title says what happened. The facts come in an order that is always the same, and those that say nothing
are left out. Times are in the time zone of the job, with their offset. Then come the end of the output
(`tail` in the [settings](settings.md#tail)), the commands that show more, a link where
[`link`](settings.md#link) is set, and why it was sent. The end of the output is left out here.

{shown}
Names and reasons were written by users, so what a terminal or a mail program would obey is shown and not
obeyed. Passwords and URLs are in no message.

A ping says nothing but which run it is about; a failure carries the end of the output.

## What becomes one message

A message waits until no other news came for its target for [`settle`](settings.md#settle) seconds,
{LONGEST} times as long at most. Then

- failures of one pipeline and one instant are one message;
- of a job with `alert_cooldown`, what came within that time of the message before is one message at its
  end;
- if more than {MOST} messages are left for one target, they are one digest. The first {NAMED} pieces of
  news are named, the rest is counted.

While a target takes nothing, news for it waits for the message that is being tried, and is told together
after it.

Pings do not wait and are never put together. Those of one job to one target keep their order.

## When it is tried again

| what the receiver did | what follows |
|---|---|
| it took the message | nothing: it is `sent` |
| it surely did not take it: no connection, "try later" | another try after {span(int(FIRST))}, then after \
twice as long each time, every {span(int(LONGEST_PAUSE))} at last; given up after \
[`give_up`](settings.md#give_up) |
| it was given the message and said nothing | {len(UNSURE)} more tries at most, after {_pauses()} |
| it refused for good: no such channel, a wrong token | given up at once |
| its crontab names it no longer | given up at once |

A ping is tried for {span(int(PING_LIMIT))}: after that it would say what is no longer so.

What is given up is `failed`: the log says so, and those of [`on_trouble`](settings.md#on_trouble) are told,
once a day of each target, if they are reached in another way. `crontabx alerts` shows it with the
receiver's own words. Another try of what failed begins from the beginning; pings that failed are tried
again only if they are named.

## How often it arrives

Once. What is to be told stands in a file of the recorder, `STATE/history/outbox.db`, before anybody is
asked to send it, and what became of it stands there before anybody may forget it. It does not need the
[history's database](data-model.md). Two things can make a message arrive twice:

- the daemon, or the program that sends, ended after the receiver took it and before that was heard;
- the receiver took it and said nothing.

Each time it carries the same key, by which a receiver can tell: see [record
36](../decisions/0036-alerts.md).

## Limits

- News older than {span(int(TOO_OLD))} when the outbox is begun is not told; it is `failed`, `too old to be
  told`.
- {MOST_WAITING:,} pieces of news wait for one target. Of more, the oldest are `failed`, `too many`.
- {IN_HAND} messages are sent at a time, {EACH} of one owner.
- What was sent, failed or was muted is kept for {span(int(KEPT))}, {KEPT_ROWS:,} of them at most.
"""


def _text(name: str) -> str:
    _, _, text = (TEXTS / f"{name}.txt").read_text("utf-8").partition("\n")  # without its tone
    return textwrap.indent(text.rstrip("\n"), "    ", lambda line: line != "\n")


def _pauses() -> str:
    return joined([span(int(pause)) for pause in UNSURE])


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
