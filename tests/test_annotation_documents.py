"""What people and editors read about annotations: written from the one table, and right."""

from __future__ import annotations

import pathlib
import re
import runpy
import shutil
import subprocess
import textwrap
from typing import Any

import pytest

from crond import parse_crontab
from crond.model.keys import KEYS

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """Return the names of docs/generate_annotations.py."""
    return runpy.run_path(str(ROOT / "docs" / "generate_annotations.py"))


def test_the_documents_are_what_the_table_says(made: dict[str, Any]) -> None:
    """Reference page, crontab(5) and Vim file are what docs/generate_annotations.py writes today."""
    assert made["PAGE"].read_text() == made["page"](), "run docs/generate_annotations.py"
    for path, write in ((made["MANUAL"], made["manual"]), (made["SYNTAX"], made["syntax"])):
        text = path.read_text()
        assert text == write(text), "run docs/generate_annotations.py"


def test_every_key_is_told(made: dict[str, Any]) -> None:
    """No key is missing in any of the three."""
    page, manual, syntax = (made[name].read_text() for name in ("PAGE", "MANUAL", "SYNTAX"))
    for key in KEYS:
        assert f"\n### `{key}`\n" in page
        assert f"\n.It Cm {key} Ns =" in manual
        assert f" {key}" in syntax


def examples() -> list[tuple[str, str]]:
    """Return (page, text) of each indented block that begins with an annotation."""
    found = []
    for name in ("how-to/annotate-a-crontab.md", "how-to/get-alerts.md", "reference/annotations.md"):
        text = (ROOT / "docs" / name).read_text()
        for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE):
            lines = textwrap.dedent(block).strip("\n") + "\n"
            if lines.startswith("#:"):
                found.append((name, lines))
    return found


@pytest.mark.parametrize(("page", "text"), examples())
def test_examples_are_right(page: str, text: str) -> None:
    """What we show is taken, by us and by both crons."""
    assert not parse_crontab(text, extensions=True).errors
    for dialect in ("cronie", "debian"):
        table = parse_crontab(text, dialect=dialect)
        assert not table.problems
        assert len(table.entries) > 0


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_the_manual_page_is_formatted_without_a_warning() -> None:
    """crontab(5) is mdoc, and its generated part holds nothing that roff takes for a command."""
    words = ["groff", "-mdoc", "-Tutf8", "-ww", str(ROOT / "docs" / "man" / "crontab.5")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "starts_at" in re.sub(".\b", "", done.stdout)


PROBE = """
set nocompatible
let &runtimepath = $FOLDER . ',' . &runtimepath
syntax on
edit $CRONTAB
set filetype=crontab
let out = []
let places = [[1, 1], [2, 4], [2, 13], [2, 21], [2, 34], [3, 4], [3, 11], [4, 1], [4, 16], [4, 26], [5, 1]]
for [line, column] in places
  call add(out, synIDattr(synID(line, column, 1), 'name'))
endfor
call writefile(out, $OUT)
qall!
"""


@pytest.mark.skipif(shutil.which("vim") is None, reason="needs vim")
def test_vim_tells_keys_from_what_is_none(tmp_path: pathlib.Path) -> None:
    """Keys, values, forms and times have their colours; a word that is no key is an error."""
    (tmp_path / "probe.vim").write_text(PROBE)
    (tmp_path / "jobs").write_text(
        "MAILTO=ops\n#: defaults retries=2 on_failure='a b'\n#: name=x retires=3\n"
        "*/5 1 * jan 1 date +\\%F%input\n# a comment\n"
    )
    subprocess.run(
        ["vim", "-es", "-u", "NONE", "-S", tmp_path / "probe.vim"],
        env={
            "FOLDER": str(ROOT / "contrib" / "vim"), "CRONTAB": str(tmp_path / "jobs"), "HOME": str(tmp_path),
            "OUT": str(tmp_path / "out"), "PATH": "/usr/bin:/bin", "TERM": "dumb",
        },
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=30,
    )  # fmt: skip
    assert (tmp_path / "out").read_text().split("\n") == [
        "crontabVariable", "crontabxForm", "crontabxKey", "crontabxValue", "crontabxText",
        "crontabxKey", "crontabxWord", "crontabStar", "crontabCommand", "crontabPercent", "crontabComment",
        "",
    ]  # fmt: skip
