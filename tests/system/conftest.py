"""What system tests share: ground to stand on, accounts, and daemons that are ended whatever happens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.system.daemon import Crond, host_crond
from tests.system.ground import Ground, People, made_ground, made_people
from tests.system.minutes import Minutes

HERE = Path(__file__).parent

#: Starts the host's cron; the folder that belongs to it has spool, cron.d and crontab.
StartHost = Callable[..., tuple[Crond, Path]]
#: Starts `crond ARGUMENTS --state FOLDER/state`.
StartFiles = Callable[..., Crond]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all that lies here; what needs accounts needs root. What waits for minutes comes last of all."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.system)
            if "people" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.root)
    items.sort(key=_waits_for_minutes)


def _waits_for_minutes(item: pytest.Item) -> bool:
    return "minutes" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session", autouse=True)
def minutes_begun(request: pytest.FixtureRequest) -> None:
    """Let the minutes that the last tests wait for pass while the others run."""
    if os.geteuid() == 0 and any(_waits_for_minutes(item) for item in request.session.items):
        # What fails here fails again where it is asked for, and is no fault of the other tests.
        with suppress(Exception):
            request.getfixturevalue("minutes")


@pytest.fixture(scope="session")
def minutes(request: pytest.FixtureRequest, ground: Ground) -> Iterator[Minutes]:
    if os.geteuid() != 0:
        pytest.skip("only root can make accounts and run jobs as them")
    cache = os.environ.get("CRONTABX_PACKAGES")
    folder = Path(cache) if cache else Path(request.config.cache.mkdir("packages"))
    with Minutes(ground, request.getfixturevalue("people"), folder) as minutes:
        yield minutes


@pytest.fixture(scope="session")
def ground() -> Iterator[Ground]:
    with made_ground() as ground:
        yield ground


@pytest.fixture(scope="session")
def people(ground: Ground) -> Iterator[People]:
    if os.geteuid() != 0:
        pytest.skip("only root can make accounts and run jobs as them")
    with made_people(ground) as people:
        yield people


@pytest.fixture
def start_host(ground: Ground, people: People) -> Iterator[StartHost]:
    """Start host daemons: `start_host(dialect=..., daemon="heartbeat_timeout = 3", flags=[...])`."""
    with ExitStack() as ends:

        def start(**options: Any) -> tuple[Crond, Path]:
            crond, folder = host_crond(ground, people, **options)
            ends.callback(crond.close)
            return crond, folder

        yield start


@pytest.fixture
def start_files(ground: Ground) -> Iterator[StartFiles]:
    """Start `crond` with flags of its own: `start_files(folder, "my.crontab", ...)`."""
    with ExitStack() as ends:

        def start(folder: Path, *arguments: str, **options: Any) -> Crond:
            state = folder / "state"
            crond = Crond(ground, [*arguments, "--state", str(state)], state=state, **options)
            ends.callback(crond.close)
            return crond

        yield start
