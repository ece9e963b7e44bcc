"""Random schedules for properties, and short ways to make schedules and jobs of text."""

from __future__ import annotations

from hypothesis import strategies as st

from crond.model.crontab import parse_crontab
from crond.model.job import Job, jobs_of
from crond.model.schedule import Cron

_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def cron_of(expression: str) -> Cron:
    """The schedule of five fields, extensions allowed."""
    schedule = parse_crontab(f"{expression} c\n", extensions=True).entries[0].schedule
    assert isinstance(schedule, Cron)
    return schedule


def job_of(line: str, *, environment: str = "") -> Job:
    """The job of one line, after lines of settings."""
    table = parse_crontab(f"{environment}{line}\n", extensions=True)
    assert not table.errors, table.errors
    return jobs_of(table, owner="me", uid=0, origin="test", version=1)[-1]


@st.composite
def _item(draw: st.DrawFn, low: int, high: int, *, plain: bool) -> str:
    kind = draw(st.sampled_from(("value", "value", "range", "stepped", "star", "star step")))
    step = draw(st.integers(1, high - low))
    if kind == "star":
        return "*"
    if kind == "star step":
        return f"*/{step}"
    first = draw(st.integers(low, high - 1 if plain else high))
    if kind == "value":
        return str(first)
    last = draw(st.integers(first + 1 if plain else low, high))
    return f"{first}-{last}" if kind == "range" else f"{first}-{last}/{step}"


@st.composite
def _expression(draw: st.DrawFn, *, plain: bool) -> str:
    fields = []
    for place, (low, high) in enumerate(_BOUNDS):
        # Rare dates make tests that find nothing: days and months are mostly free.
        if place >= 2 and draw(st.integers(0, 2)) > 0:
            fields.append("*")
            continue
        bound = 6 if plain and place == 4 else high
        items = draw(st.lists(_item(low, bound, plain=plain), min_size=1, max_size=1 if plain else 3))
        fields.append(",".join(items))
    return " ".join(fields)


def expressions() -> st.SearchStrategy[str]:
    """Five fields of any kind that cronie takes, reversed ranges and lists with stars included."""
    return _expression(plain=False)


def plain_expressions() -> st.SearchStrategy[str]:
    """Five fields that every cron library reads alike."""
    return _expression(plain=True)
