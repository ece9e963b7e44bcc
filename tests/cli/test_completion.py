"""completion: what is offered goes onto a command line, so nothing that a shell would obey is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import pytest

from crond.cli import completion
from crond.cli.main import crontabx
from tests.cli.conftest import Client
from tests.cli.fake_daemon import FakeDaemon, Hang, run_body, yes


def offered(
    state: Path, ask: Callable[..., list[click.shell_completion.CompletionItem]], begun: str
) -> list[str]:
    context = click.Context(crontabx)
    context.params["state"] = str(state)
    return [item.value for item in ask(context, click.Argument(["job"]), begun)]


def test_names_that_a_shell_would_obey_are_not_offered(daemon: FakeDaemon) -> None:
    """Whatever calls itself a scheduler cannot put a command into the line that is being typed."""
    daemon.answers(
        "names", yes({"names": ["ann/ok", "ann/$(reboot)", "ann/a b", "ann/x;y", "ann/\x1b[0m", 7]})
    )
    assert offered(daemon.state, completion.jobs, "") == ["ok"]
    daemon.answers("runs", yes({"runs": [run_body(id="k3f9"), run_body(id="`id`"), "no run"]}))
    assert offered(daemon.state, completion.runs, "") == ["k3f9"]


def test_a_name_that_two_have_is_offered_with_its_owner(daemon: FakeDaemon) -> None:
    """The name alone would be refused as ambiguous."""
    daemon.answers("names", yes({"names": ["ann/backup", "ben/backup", "ben/report"]}))
    assert offered(daemon.state, completion.jobs, "") == ["ann/backup", "ben/backup", "report"]
    assert offered(daemon.state, completion.jobs, "ben/") == ["ben/backup", "ben/report"]


def test_one_shots_are_offered_to_be_removed(daemon: FakeDaemon) -> None:
    """Behind -r; where a time is to be written there is nothing to offer."""
    daemon.answers("names", yes({"names": ["ann/at-abc234", "ann/backup"]}))
    root = click.Context(crontabx)
    root.params["state"] = str(daemon.state)
    context = click.Context(click.Command("at"), parent=root)
    argument = click.Argument(["words"])
    assert completion.one_shots(context, argument, "") == []
    context.params["remove"] = True
    assert [item.value for item in completion.one_shots(context, argument, "")] == ["at-abc234"]


@pytest.mark.parametrize("answer", [b"nonsense", yes({"names": 7}), yes({}), Hang()], ids=repr)
def test_nonsense_offers_nothing(daemon: FakeDaemon, answer: object) -> None:
    """Nor does a scheduler that hangs keep anybody."""
    daemon.answers("names", answer)  # type: ignore[arg-type] # each is a Step
    assert offered(daemon.state, completion.jobs, "") == []


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_the_script(client: Client, shell: str) -> None:
    """It asks through the variable that the client listens to."""
    assert f"{completion.VARIABLE}={shell}_complete" in client("completion", shell).stdout
