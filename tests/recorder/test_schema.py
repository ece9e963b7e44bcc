"""What is written about the schema agrees with it, and one place knows its revisions."""

from __future__ import annotations

import importlib.util
import pathlib

from alembic.config import Config
from alembic.script import ScriptDirectory

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
