from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.notifier.process import Notifier
from tests.receivers.http import HttpReceiver
from tests.receivers.smtp import SmtpReceiver

Begin = Callable[..., Notifier]


@pytest.fixture
def web() -> Iterator[HttpReceiver]:
    with HttpReceiver() as receiver:
        yield receiver


@pytest.fixture
def post() -> Iterator[SmtpReceiver]:
    with SmtpReceiver() as receiver:
        yield receiver


@pytest.fixture
def notifier() -> Iterator[Begin]:
    """Return how a notifier is started with messages; it is ended with the test."""
    made: list[Notifier] = []

    def begin(*messages: dict[str, Any], limit: float = 5, **more: Any) -> Notifier:
        order = {"limit": limit, "host": "vm", "system_config": "system" in more, "messages": list(messages)}
        made.append(Notifier(order, **more))
        return made[-1]

    yield begin
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return paths of a certificate that nobody trusts, for hooks.slack.com and 127.0.0.1, and of its key."""
    if shutil.which("openssl") is None:
        pytest.skip("a certificate is made by openssl")
    folder = tmp_path_factory.mktemp("certificate")
    paths = str(folder / "certificate.pem"), str(folder / "key.pem")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test"
    names = "subjectAltName=DNS:hooks.slack.com,IP:127.0.0.1"
    subprocess.run(
        [*command.split(), "-addext", names, "-out", paths[0], "-keyout", paths[1]],
        check=True,
        capture_output=True,
    )
    return paths
