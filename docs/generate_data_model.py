"""Writes docs/reference/data-model.md from the tables in `crond.recorder.schema`.

`python docs/generate_data_model.py` writes the page; a test compares the page with `page()`, so that the
reference cannot fall behind the schema.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sqlalchemy import Column, Table, UniqueConstraint  # noqa: E402 - needs the line above

from crond.recorder.schema import HEAD, VERSION_TABLE, metadata  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "data-model.md"

_HEAD = f"""\
# Data model of the history

<!-- Written by docs/generate_data_model.py from the tables in crond/recorder/schema.py. -->

The recorder keeps the history in a database: SQLite in `STATE/history/history.db`, or the PostgreSQL or
MariaDB that [`[history] url`](settings.md) names. The tables are the same in all of them. This page is
schema {HEAD}, the revision that `{VERSION_TABLE}` holds; the recorder brings older ones here by itself and
leaves a newer one alone. Read it with your own tools as you like; only the recorder should write it.
After some quiet minutes what is new may be up to a minute late here; what `crontabx` asks is never late.

Times are whole microseconds since 1970 in UTC, lengths of time whole microseconds. A feed is one daemon's
journal: daemons that share a database do not mix. Texts that were not UTF-8 carry their bytes as
`\\udcXX`, written out. `docs/decisions/0009-the-history.md` and
`0028-the-history-of-waits-and-parents.md` say why it is as it is.
"""
_KINDS = {"BIGINT": "bigint", "INTEGER": "int", "TEXT": "text"}


def page() -> str:
    """Return the text of the page."""
    tables = sorted(metadata.sorted_tables, key=lambda table: list(metadata.tables).index(table.name))
    return "\n".join([_HEAD, *_diagram(tables), *(line for table in tables for line in _section(table))])


def _diagram(tables: list[Table]) -> Iterator[str]:
    yield "```mermaid\nerDiagram"
    for table in tables:
        for key in sorted(table.foreign_key_constraints, key=lambda key: str(key.name)):
            verb = ", ".join(column.name for column in key.columns)
            yield f'    {key.referred_table.name} ||--o{{ {table.name} : "{verb}"'
    for table in tables:
        yield f"    {table.name} {{"
        for column in table.columns:
            keys = [
                word for word, is_one in (("PK", column.primary_key), ("FK", column.foreign_keys)) if is_one
            ]
            yield f"        {_kind(column)} {column.name} {', '.join(keys)}".rstrip()
        yield "    }"
    yield "```\n"


def _section(table: Table) -> Iterator[str]:
    comment = str(table.comment)
    yield f"## {table.name}\n\n{comment[0].upper()}{comment[1:]}.\n"
    yield "| column | type | is |\n|---|---|---|"
    for column in table.columns:
        null = "" if not column.nullable else ", or null"
        yield f"| `{column.name}` | {_kind(column)} | {column.comment}{null} |"
    yield f"\nKey: {_names(table.primary_key.columns)}."
    unique = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    for each in sorted(unique, key=lambda each: str(each.name)):
        yield f"Unique: {_names(each.columns)}."
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        yield f"Index: {_names(index.columns)}."
    yield ""


def _kind(column: Column[object]) -> str:
    name = str(column.type)
    return _KINDS.get(name, name.lower())


def _names(columns: object) -> str:
    return ", ".join(f"`{column.name}`" for column in columns)  # type: ignore[attr-defined]


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE.relative_to(ROOT)}")
