"""Writes docs/reference/runs.md from the words of `crond.model.run` and `crond.model.keys`.

`python docs/generate_runs.py` writes the page; a test compares the page with `page()`, so that the two cannot
drift apart. A word without a meaning here is a KeyError.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterable
from enum import StrEnum

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from crond.core.keeping import KEPT_RUNS  # noqa: E402 - needs the line above
from crond.core.runs import CONDITION_LIMIT  # noqa: E402
from crond.core.surroundings import LEFT_LIMIT  # noqa: E402
from crond.model.keys import TRIGGER_RULES  # noqa: E402
from crond.model.messages import DATA_LIMIT  # noqa: E402
from crond.model.run import TRANSITIONS, Outcome, State, Trigger, Wait  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "runs.md"

STATES = {
    State.DUE: "Planned or asked for, and not looked at yet. Lasts until its owner's turn comes, at once"
    " where little was asked for.",
    State.WAITING: "It waits; [for what](#what-it-waits-for) is told beside it. It has no process, but for a"
    " `wait_for` that is being tried.",
    State.STARTING: "Its process, or its `condition`, was asked for.",
    State.RUNNING: "It has a process.",
    State.STOPPING: "Its process was told to end.",
    State.FINISHED: "It has an outcome. Only `rerun` leads out of here.",
}
OUTCOMES = {
    Outcome.SUCCESS: "Its exit status is one of `success_codes`, or somebody marked it so.",
    Outcome.FAILED: "Another exit status, a signal, output with `fail_on_output`, a `condition` that broke, a"
    " `wait_for` that did not come in time, or somebody marked it so; and no retry is left.",
    Outcome.TIMED_OUT: "It ran longer than `timeout`, and no retry is left.",
    Outcome.STOPPED: "Somebody stopped it, or a newer run replaced it.",
    Outcome.COULD_NOT_START: "It never became its command: no such account, folder or program, or no"
    " resources.",
    Outcome.UPSTREAM_FAILED: "A job that it depends on failed, or its own previous run with"
    " `depends_on_past`.",
    Outcome.SKIPPED: "It was left out, and the reason says why: its condition, a parent that was skipped,"
    " an exit"
    " status of `skip_codes`, overlap, `start_deadline`, a day off, the daemon was down, or the job is"
    " held or gone.",
    Outcome.LOST: "Nobody knows how it ended, because the daemon itself died before.",
}
WAITS = {
    Wait.JITTER: "the offset that `jitter=` gives it, or its turn among what is made up",
    Wait.DEPENDENCIES: "the jobs of `depends_on=`",
    Wait.PAST: "its own previous run (`depends_on_past`)",
    Wait.SENSOR: "its `wait_for=`",
    Wait.OVERLAP: "another run of its job (`concurrency=`)",
    Wait.LOAD: "a load of the host below `max_load=`",
    Wait.POOL: "slots of its `pool=`",
    Wait.RETRY: "the delay after a failure",
}
TRIGGERS = {
    Trigger.SCHEDULE: "its time",
    Trigger.REBOOT: "`@reboot`",
    Trigger.CATCHUP: "its time, which was missed, by `catchup=`",
    Trigger.MANUAL: "`crontabx run`",
    Trigger.BACKFILL: "`crontabx backfill`",
}

HEAD = f"""\
# Runs

<!-- Written by docs/generate_runs.py from crond/model/run.py and crond/model/keys.py. -->

A **run** is one answer to one instant of a job, or to a request; a skip is a run, too, with its reason. An
**attempt** is one start of a process inside a run: retries add attempts, each with an output of its own.
Attempt 0 is the run's `condition`, numbers below 0 are the tries of its `wait_for`, of which the latest is
kept.

The scheduler knows the last {KEPT_RUNS} finished runs of each job; the [history](data-model.md) knows them
all.
"""
BEFORE = """\
## What comes before a start

Always in this order; the first that does not let it through decides. What is asked for by hand
(`run`, `backfill`, `rerun`) goes past those that are marked with *.

1. * The job is not held, and the day is no day off (`skip_on=`).
2. * `jitter=`
3. `depends_on=` and its [rule](#trigger-rules): by hand only with `--downstream`, for what follows
4. * `depends_on_past`
5. `wait_for=`
6. `concurrency=` and `max_instances=`
7. `max_load=`
8. `pool=` and `pool_slots=`, by `priority=`: who is first in line makes all behind it wait, so that many
   small ones cannot keep a large one out
9. `condition=`

`start_deadline=` counts from the instant over all of them up to the first start. Before a retry only the
delay, `max_load` and the pool are asked: its slot was given back while it waited.
"""
ANSWER = """\
## Which run of a parent answers

The parent's latest scheduled due at or before the child's instant. Runs by hand never answer, but for what
the same
`--downstream` started. A parent that should have had a due and had none (it was paused, not enabled, the
daemon was
down or the host asleep, or it has had no due yet) answers like a skip, and says why. Answers are looked up
when the
child comes due: what the parent does later changes nothing.

`depends_on=NAME:failed`, `:done` and `:exit=N` count as success when that holds, else as a skip.
"""
RULES = """\
Airflow's, with its names and outcomes, over the direct parents, as early as they can be decided. For a rule
*failed*
means failed, timed out, could not start, lost or stopped, or `upstream_failed`. Failure is judged before
skip.
"""
GIVEN = f"""\
## What a job is told

A job with annotations finds in its environment:

| variable | what it is |
|---|---|
| `CRONTABX_JOB` | the name of the job |
| `CRONTABX_RUN_ID`, `CRONTABX_ATTEMPT` | the run, and the number of the attempt |
| `CRONTABX_TRIGGER` | [why there is a run](#why-there-is-a-run) |
| `CRONTABX_SCHEDULED_AT` | its instant, ISO 8601, in the zone of the entry |
| `CRONTABX_PREVIOUS_SUCCESS_AT` | the instant of its last run that succeeded, if there is one |
| `CRONTABX_POOL_SLOTS` | the numbers of its slots, such as `0,1`, if it has a pool |
| `CRONTABX_OUTPUT` | if it has a name: a file for `KEY=VALUE` lines, at most {DATA_LIMIT // 1024} KiB |
| `OUT_PARENT_KEY` | what parents left, at most {LEFT_LIMIT // 1024} KiB; `-` and `.` are `_` |

An entry without annotations is told nothing: its environment is cron's. A `condition` may take
{CONDITION_LIMIT:.0f} seconds.
"""


def page() -> str:
    """Return the page."""
    arrows = (
        f"| `{state.value}` | {STATES[state]} | {_words(one for one in State if one in following)} |"
        for state, following in TRANSITIONS.items()
    )
    return "\n".join(
        (
            HEAD,
            "## States\n",
            "| state | meaning | may become |\n|---|---|---|",
            *arrows,
            "\n## Outcomes\n",
            *_table("outcome", Outcome, OUTCOMES),
            "\n## What it waits for\n",
            *_table("word", Wait, WAITS),
            "\n## Why there is a run\n",
            *_table("trigger", Trigger, TRIGGERS),
            "",
            BEFORE,
            ANSWER,
            "## Trigger rules\n",
            RULES,
            "| `trigger_rule=` | it starts when |\n|---|---|",
            *(f"| `{rule}` | {meaning} |" for rule, meaning in TRIGGER_RULES.items()),
            "",
            GIVEN,
        )
    )


def _words(states: Iterable[State]) -> str:
    return ", ".join(f"`{state.value}`" for state in states)


def _table(title: str, words: Iterable[StrEnum], meanings: dict[StrEnum, str]) -> Iterable[str]:
    yield f"| {title} | meaning |\n|---|---|"
    for word in words:
        yield f"| `{word.value}` | {meanings[word]} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
