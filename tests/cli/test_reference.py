"""The documents of the client: every verb and option is in them, and the help in them is that of today."""

from __future__ import annotations

import pathlib
import re
import runpy
import shlex
from typing import Any

import click
import pytest

from crond.cli.failure import Status
from crond.cli.main import VERBS, crontabx

DOCS = pathlib.Path(__file__).resolve().parent.parent.parent / "docs"


@pytest.fixture(scope="module")
def generator() -> dict[str, Any]:
    """Return the names of docs/generate_crontabx.py."""
    return runpy.run_path(str(DOCS / "generate_crontabx.py"))


def test_help_on_the_page_is_that_of_today(generator: dict[str, Any]) -> None:
    """Every command has its help on the page, word for word; written by docs/generate_crontabx.py."""
    on_page = generator["helps_on_page"](generator["PAGE"].read_text())
    assert list(on_page) == generator["commands"]()
    for command, text in on_page.items():
        assert text.split() == generator["help_text"](command).split(), f"run {generator['__file__']}"


def test_writing_the_page_changes_nothing_else(generator: dict[str, Any]) -> None:
    """A page that was written is written the same again."""
    once = generator["page"](generator["PAGE"].read_text())
    assert generator["page"](once) == once


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_in_the_manual(verb: str) -> None:
    """crontabx.1 knows each verb and each of its options; json.md knows what each verb prints."""
    manual = (DOCS / "man" / "crontabx.1").read_text()
    assert f".It Cm {verb}\n" in manual
    command = crontabx.get_command(click.Context(crontabx), verb)
    assert command is not None
    for parameter in command.params:
        for option in [*parameter.opts, *parameter.secondary_opts]:
            if option.startswith("--"):
                assert re.search(rf"^\.It .*Fl -{option[2:]}\b", manual, re.MULTILINE), option
    assert f"\n## {verb}\n" in (DOCS / "reference" / "json.md").read_text()


def test_every_exit_status_is_told() -> None:
    """Scripts rely on the numbers: each stands in the reference and in the manual."""
    reference = (DOCS / "reference" / "crontabx.md").read_text()
    manual = (DOCS / "man" / "crontabx.1").read_text()
    for status in Status:
        assert f"\n| {status.value} | " in reference
        assert f"\n.It {status.value}\n" in manual


def commands_in_documents() -> list[tuple[str, str]]:
    """Return (page, words after `crontabx`) of every command that a document shows in an indented block."""
    found = []
    for page in sorted(DOCS.rglob("*.md")):
        for line in page.read_text().splitlines():
            match = re.match(r"    (?:\$ )?(?:.*\| )?crontabx ([a-z].*)", line)
            if match and match[1].split()[0] in VERBS:
                found.append((page.name, match[1]))
    return found


@pytest.mark.parametrize(("page", "words"), commands_in_documents())
def test_commands_in_documents_make_sense(page: str, words: str) -> None:
    """What a page tells people to type is understood: the verb, its options and how many words it takes."""
    verb, *arguments = shlex.split(re.split(r" [|>;] ", words)[0], comments=True)
    top = click.Context(crontabx, info_name="crontabx")
    command = crontabx.get_command(top, verb)
    assert command is not None
    command.make_context(verb, arguments, parent=top)


def test_documents_show_commands() -> None:
    """The check above sees them: the tutorial alone has more than ten."""
    assert sum(page == "first-day.md" for page, _ in commands_in_documents()) > 10
