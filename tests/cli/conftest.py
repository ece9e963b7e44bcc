"""What tests of the client share: a known zone, no settings of whoever runs them, a fake daemon."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from crond.cli.main import crontabx
from tests.cli.fake_daemon import FakeDaemon

Client = Callable[..., Result]
#: Sets the local zone, until the test has ended: what is left set would be that of all later tests.
LiveIn = Callable[[str], None]


@pytest.fixture
def live_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveIn]:
    """Sets the local zone."""
    with monkeypatch.context() as patch:

        def live(zone: str) -> None:
            patch.setenv("TZ", zone)
            time.tzset()

        live("Asia/Seoul")
        yield live
    time.tzset()


@pytest.fixture
def _seoul(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The local zone is Asia/Seoul, and nothing of our own surroundings is seen."""
    with monkeypatch.context() as patch:
        for name in ("COLUMNS", "NO_COLOR", "CRONTABX_STATE", "XDG_STATE_HOME"):
            patch.delenv(name, raising=False)
        patch.setenv("TZ", "Asia/Seoul")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def client(_seoul: None) -> Client:
    """Run the client in this process: `client("list", "--json")`; stdout and stderr apart."""

    def run(*arguments: str, stdin: bytes | None = None) -> Result:
        result = CliRunner().invoke(crontabx, list(arguments), input=stdin, prog_name="crontabx")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    """A fake daemon with the state folder tmp_path/state."""
    with FakeDaemon(tmp_path / "state") as fake:
        yield fake


@pytest.fixture
def ask(client: Client, daemon: FakeDaemon) -> Client:
    """As `client`, with the fake daemon's state folder."""

    def run(*arguments: str, stdin: bytes | None = None) -> Result:
        return client("--state", str(daemon.state), *arguments, stdin=stdin)

    return run
