"""What each entry of a crontab will do, in plain words: `check --explain`.

The sentences are crond.model's, one for each key; what this version does not act upon is told apart, so that
nobody believes in it. Asks no daemon. Called by check.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from crond.cli.explain import notes_of_settings
from crond.cli.format import fit, printable, screen_width
from crond.model.keys import KEYS, Key
from crond.model.policy import PLAIN
from crond.model.wording import words_of

if TYPE_CHECKING:
    from crond.cli.source import Source
    from crond.model.entry import Entry


@dataclass(frozen=True, slots=True)
class Intent:
    """One entry; `does` are sentences."""

    line: int
    name: str | None
    schedule: str
    command: str
    does: tuple[str, ...]


def intents_of(source: Source) -> list[Intent]:
    """Return what each entry of `source` will do, in order. Texts are printable."""
    return [_of(entry) for entry in source.table.entries]


def _of(entry: Entry) -> Intent:
    does = [words_of(entry.schedule), *notes_of_settings(entry)]
    does += (
        printable(key.sentence(_value(entry, key)))
        for key in KEYS.values()
        if _says(entry, key) and (not key.needs or _says(entry, KEYS[key.needs]))
    )
    return Intent(
        line=entry.line,
        name=None if entry.name is None else printable(entry.name),
        schedule=printable(str(entry.schedule)),
        command=printable(entry.command),
        does=tuple(does),
    )


def _value(entry: Entry, key: Key) -> object:
    return entry.name if key.name == "name" else getattr(entry.policy, key.name)


def _says(entry: Entry, key: Key) -> bool:
    """True if `key` makes `entry` other than plain cron; an explicit default does not."""
    return _value(entry, key) != (None if key.name == "name" else getattr(PLAIN, key.name))


def show_intents(intents: Iterable[Intent]) -> None:
    """Print them, each entry as a paragraph."""
    width = screen_width()
    for intent in intents:
        title = f"line {intent.line}  {intent.schedule}  {intent.command}"
        click.echo(f"\n{title if width is None else fit(title, width)}")
        _show_sentences(intent.does, width)


def _show_sentences(sentences: Iterable[str], width: int | None) -> None:
    for sentence in sentences:
        wrapped = sentence if width is None else click.wrap_text(sentence, max(width - 4, 20))
        click.echo("  - " + wrapped.replace("\n", "\n    "))
