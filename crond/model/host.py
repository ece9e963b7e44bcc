"""What a host says of every crontab: defaults of keys, and pools, as its settings file has them.

Values come as TOML has them and become pairs of text, as an annotation would write them; launcher, scheduler
and client read these pairs with every crontab, and so parse it alike. Knows no file: `crond.settings` reads
that, and refuses what is wrong with it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from crond.model.annotations import Word, read_pools, read_words
from crond.model.fields import Dialect
from crond.model.keys import KEYS
from crond.model.messages import Pairs
from crond.model.policy import Layer
from crond.model.problem import Problem, Report
from crond.model.values import YES_NO, Form, Rules

#: They travel in one message and in one variable of a process, which the kernel bounds.
_PAIRS = 64
_BYTES = 16 * 1024
_POOLS = 256


def _first(low: int, _high: int) -> int:
    """No default is a schedule, so that nothing is ever drawn."""
    return low


_RULES = Rules(Dialect.CRONIE, _first)


@dataclass(frozen=True, slots=True)
class Host:
    """`defaults` is the weakest layer of every entry; `pools` are sizes by name."""

    defaults: Layer = field(default_factory=dict)
    pools: Mapping[str, int] = field(default_factory=dict)


#: One that says nothing.
NO_HOST = Host()


def read_host(defaults: Pairs, pools: Pairs, report: Report | None = None) -> Host:
    """Return what the pairs mean: key and value, name and size. What is wrong is reported and left out.

    The place of a problem is always 0, 0.
    """
    tell = report or _ignored
    said = read_words(map(_word, defaults), "defaults", _RULES, tell)
    return Host(said, read_pools(map(_word, pools), _RULES, tell))


def pairs_of(section: Mapping[str, Any]) -> Pairs:
    """Return the pairs that a section of a TOML document writes; what is no value of its key becomes none."""
    return tuple((name, text) for name, value in section.items() for text in _texts(name, value))


def problems_of_defaults(section: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a section of defaults, each with its key."""
    pairs = pairs_of(section)
    if len(pairs) > _PAIRS:
        yield f"has {len(pairs)} values: at most {_PAIRS} are read"
    elif sum(len(text.encode()) for _, text in pairs) > _BYTES:
        yield f"is longer than {_BYTES // 1024} KiB"
    yield from _problems(section, pairs, ())


def problems_of_pools(section: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a section of pools."""
    if len(section) > _POOLS:
        yield f"has {len(section)} pools: at most {_POOLS} are read"
    yield from _problems(section, (), pairs_of(section))


def _problems(section: Mapping[str, Any], defaults: Pairs, pools: Pairs) -> Iterator[str]:
    for name, value in section.items():
        if isinstance(value, dict):
            yield f"{name}: must be a value, not a section"
        else:
            told: list[Problem] = []
            own, sizes = (tuple(p for p in pairs if p[0] == name) for pairs in (defaults, pools))
            read_host(own, sizes, told.append)
            yield from (f"{name}: {one.message}; {one.hint}" for one in told if one.severity == "error")


def _texts(name: str, value: Any) -> Iterator[str]:
    """Yield how an annotation would write `value`: once, or where commas belong to values, one by one."""
    form = KEYS[name].form if name in KEYS else None
    if not isinstance(value, list):
        yield _text(form, value)
    elif not value:
        yield "none"
    elif form is not None and form.apart:
        yield from (_text(form, one) for one in value)
    else:
        yield ",".join(_text(form, one) for one in value)


def _text(form: Form | None, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        # A description of "yes" is not what somebody means by true.
        return ("yes" if value else "no") if form is YES_NO else ""
    return value.isoformat() if isinstance(value, date) else str(value)


def _word(pair: tuple[str, str]) -> Word:
    return Word(0, 0, "=".join(pair), 0)


def _ignored(_problem: Problem) -> None:
    """Nobody asked."""
