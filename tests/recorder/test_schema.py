"""What is written about the schema agrees with it, and one place knows its revisions."""

from __future__ import annotations

import importlib.util
import pathlib

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from crond.recorder import migrate
from crond.recorder.schema import HEAD, REVISIONS, metadata

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_the_page_is_the_schema() -> None:
    """docs/reference/data-model.md is what docs/generate_data_model.py writes today."""
    path = ROOT / "docs" / "generate_data_model.py"
    spec = importlib.util.spec_from_file_location("generate_data_model", path)
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    assert generator.PAGE.read_text() == generator.page()


def test_the_revisions_are_those_of_the_migrations() -> None:
    """The recorder knows without Alembic which revisions there are, in which order."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "crond" / "recorder" / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    known = [script.revision for script in scripts.walk_revisions()][::-1]
    assert (known, scripts.get_current_head()) == (list(REVISIONS), HEAD)


def test_every_column_says_what_it_is() -> None:
    """A column without a comment would be an empty cell on the page."""
    unsaid = [
        str(column) for table in metadata.sorted_tables for column in table.columns if not column.comment
    ]
    assert unsaid == []


def test_a_new_database_is_as_a_migrated_one(tmp_path: pathlib.Path) -> None:
    """What is made from nothing must not differ from what the migrations make, not in an index."""
    found = []
    for name in ("made", "migrated"):
        engine = create_engine(f"sqlite:///{tmp_path / name}")
        with engine.begin() as connection:
            if name == "made":
                assert migrate.upgrade(connection) is None
            else:
                migrate._run(connection, HEAD)
            assert migrate.upgrade(connection) == HEAD
            rows = connection.execute(text("SELECT type, name, tbl_name, sql FROM sqlite_master"))
            found.append({row[:3]: _parts(row.sql) for row in rows})
        engine.dispose()
    assert found[0] == found[1]


def _parts(sql: str | None) -> list[str]:
    """The words of a definition: the order of constraints says nothing."""
    return sorted((sql or "").replace("(", " ").replace(")", " ").replace(",", " ").split())
